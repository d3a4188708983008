# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline stage`: boots a staged host, and runs a command in it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from launcher.arguments import Parser, split_at_dashes
from launcher.launcher_error import UsageError

EXAMPLES = (
    ("sudo ./plumbline stage", "a shell in a Debian 12 with libvirt"),
    ("sudo ./plumbline stage --release trixie -- virsh list", "a command in a Debian 13"),
    ("sudo ./plumbline stage --profile mine.toml", "a host of your own: docs/staged.md"),
)
SHELL = ("bash", "-i")


def parser() -> Parser:
    """Return the parser of `stage`."""
    own = Parser("stage", "Boot a host in namespaces, and run a command in it.", EXAMPLES)
    own.add_argument("--profile", default="plain", metavar="NAME|FILE", help="the host's profile")
    own.add_argument("--release", default="bookworm", metavar="NAME", help="bookworm or trixie")
    own.add_argument(
        "--writable",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="a folder of this machine that the host may write to; repeatable",
    )
    own.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="a folder that keeps the host's changes: with it the next one is a restart of this",
    )
    own.add_argument(
        "--fetch-upgrade",
        metavar="NAME",
        help="with --state, before the host boots: the packages of an upgrade to that release",
    )
    return own


def main(argv: Sequence[str]) -> int:
    """Boot, run the command after `--` (a shell without one), and return its exit status."""
    own, command = split_at_dashes(argv)
    options = parser().parse(own)
    # Imported here: --help needs none of it.
    from launcher import seen_folders, setup
    from launcher.pytest_command import ROOT
    from launcher.staged import profile, root_folder
    from launcher.staged.entered import wait
    from launcher.staged.staged_host import Share
    from launcher.staged.staging import VARIABLES, StateOrder, staged

    setup.require_root("stage")
    release = root_folder.require_known(options.release)
    wanted = profile.load(options.profile)
    wanted.require(release)
    here = Path.cwd()
    shares = [] if here == ROOT or seen_folders.is_own(here) else [Share(here)]
    shares += [Share(folder.resolve(), writable=True) for folder in options.writable]
    order = StateOrder(options.state, options.fetch_upgrade)
    if options.fetch_upgrade is not None and options.state is None:
        raise UsageError("--fetch-upgrade: the host's changes are not kept", "name --state DIR")
    with staged(release, wanted, shares, order) as host:
        folder = "/" if seen_folders.is_own(here) else here
        variables = VARIABLES | {"TERM": os.environ.get("TERM", "dumb")}
        with _interrupts_ignored():
            argv = host.argv(command or SHELL, variables, folder)
            with subprocess.Popen(argv) as entered:
                return wait(entered)


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Leave a terminal's Ctrl-C to the command."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
