# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline explain`: a claim's statement, sources and procedure, and what breaks it."""

import os
from collections.abc import Sequence

from contracts.language import chosen
from launcher.arguments import Parser, add_language, one_of
from launcher.launcher_error import UsageError
from topologies import cli_names
from topologies.data_error import DataError

FORMATS = ("terminal", "json")
EXAMPLES = (
    ("./plumbline explain NT-09", "what it says, how it is decided, what breaks it"),
    ("./plumbline explain", "the catalogue, a line for each claim"),
    ("./plumbline explain NT-09 --format json", "for a program"),
)


def parser() -> Parser:
    """Return the parser of `explain`."""
    own = Parser(
        "explain",
        "Explain a claim: sources, procedure, the faults that prove its checks, usual causes.",
        EXAMPLES,
    )
    own.add_argument(
        "claims", nargs="*", metavar="ID", help="a claim, as in NT-09; without one: a list of all"
    )
    own.add_argument(
        "--format",
        type=one_of(*FORMATS),
        default=FORMATS[0],
        metavar="|".join(FORMATS),
        help="default: terminal",
    )
    add_language(own)
    return own


def main(argv: Sequence[str]) -> int:
    """Check the ids, and hand over; returns only by an exception."""
    options = parser().parse(argv)
    ids = [id_.upper() for id_ in options.claims]
    try:
        cli_names.require_known(
            ids, cli_names.claim_ids(), "explain", "claim", "one in topologies/claims.yaml"
        )
    except DataError as error:
        raise UsageError(str(error)) from error
    # Imported here: --help needs none of it.
    from launcher import venv_exec

    order = {
        "claims": ids,
        "format": options.format,
        "lang": chosen(options.lang, os.environ),
    }
    venv_exec.exec_in_venv("fixtures.explanation.explain_command", order)
