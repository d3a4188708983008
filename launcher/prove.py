# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline prove`: breaks each topology on purpose, and shows which check caught it."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from launcher.arguments import Parser, one_of, split_at_dashes
from launcher.run import ROOT, hand_over, number_or_auto, pytest_argv, require_new

FAULTS = ROOT / "faults"

EXAMPLES = (
    ("sudo ./plumbline prove", "every fault, each on a topology of its own"),
    ("sudo ./plumbline prove --fault nat-no-masquerade", "one of them"),
    ("sudo ./plumbline prove --topology nat", "those that are for one topology"),
    ("sudo ./plumbline prove --fault my-faults.yaml", "faults of one's own"),
    ("./plumbline prove --list", "which faults there are"),
)


def parser() -> Parser:
    """Return the parser of `prove`'s options."""
    own = Parser("prove", "Break each topology on purpose: which check catches it?", EXAMPLES)
    add = own.add_argument
    add(
        "--fault",
        action="append",
        default=[],
        metavar="ID|FILE",
        help="a shipped fault or a YAML file of faults; repeatable; by default all shipped ones",
    )
    add(
        "--topology",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="only the faults that are for this topology; repeatable",
    )
    add("--list", action="store_true", help="list the shipped faults, and stop")
    add(
        "--accel",
        type=one_of("auto", "kvm", "tcg"),
        default="auto",
        metavar="auto|kvm|tcg",
        help="how guests run, as for run",
    )
    add(
        "--workers",
        type=number_or_auto,
        default="auto",
        metavar="N|auto",
        help="sandboxes at once, as for run",
    )
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="a new or empty folder for the record, as for run",
    )
    # What belongs to qualifying alone.
    own.set_defaults(claim=[], host="sandbox", after_build=None, expect=[])
    return own


def main(argv: Sequence[str]) -> int:
    """Set up, and hand over to pytest; returns only for --list, else by an exception."""
    own, pytest_words = split_at_dashes(argv)
    options = parser().parse(own)
    if not options.list:
        _prove(options, pytest_words, ["./plumbline", "prove", *argv])
    for id_, title in shipped():
        print(f"{id_:<32} {title}")
    return 0


def _prove(
    options: argparse.Namespace, pytest_words: Sequence[str], command: Sequence[str]
) -> NoReturn:
    # Imported here: `prove --help` needs none of it.
    from launcher import setup

    setup.require_root("prove")
    if options.output is not None:
        require_new(options.output)
    interpreter = setup.ensure()
    words = ["--prove", *(f"--fault={fault}" for fault in options.fault), *pytest_words]
    hand_over([str(interpreter), *pytest_argv(options, words, command)])


def shipped() -> list[tuple[str, str]]:
    """Return id and title of each shipped fault, read without a YAML library.

    The files are ours and one style: an entry begins with `- id:`, and its title follows.
    """
    entry = re.compile(r"^  - id: (\S+)\n    title: (.+)$", re.MULTILINE)
    files = sorted(FAULTS.glob("*.yaml"))
    return [found for file in files for found in entry.findall(file.read_text(encoding="utf-8"))]
