# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline doctor`: a host's capabilities, and what is in the way of a run on it."""

from collections.abc import Sequence

from contracts.host_kinds import host_kind
from launcher.arguments import Parser, one_of
from launcher.host_launch import LAUNCHES
from launcher.launcher_error import UsageError

EXAMPLES = (
    ("./plumbline doctor", "a table"),
    ("./plumbline doctor --json", "the same for a program"),
    ("sudo ./plumbline doctor", "with the rows that only root can prove"),
    ("sudo ./plumbline doctor --host local", "what is in the way of a run on this host"),
    ("sudo ./plumbline doctor --host staged --profile ufw", "the same of a staged host"),
)


def parser() -> Parser:
    """Return the parser of `doctor`."""
    own = Parser("doctor", "Show what this machine can test, and what is missing.", EXAMPLES)
    own.add_argument("--json", action="store_true", help="print the findings as JSON")
    own.add_argument(
        "--host",
        type=one_of(*LAUNCHES),
        default="sandbox",
        metavar="|".join(LAUNCHES),
        help="the host of the runs that are meant; all but sandbox need root",
    )
    own.add_argument(
        "--profile", metavar="NAME|FILE", help="of a staged host (default: plain), or a lab"
    )
    own.add_argument(
        "--release",
        metavar="NAME",
        help="of such a host; default: staged bookworm, in a lab trixie",
    )
    return own


def main(argv: Sequence[str]) -> int:
    """Look at the host of the runs that are meant, print, and return the exit code.

    Raises:
        UsageError: an option of staged hosts for another one, or no root.
    """
    options = parser().parse(argv)
    for name in ("profile", "release"):
        if getattr(options, name) is not None and not host_kind(options.host).has_profiles:
            raise UsageError(
                f"doctor: --{name}: not with --host {options.host}",
                "it is for --host staged and lab",
            )
    return LAUNCHES[options.host].doctor(options)
