# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline prove`: breaks each topology on purpose, and shows the checks that noticed."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from contracts.run_option import PROVE
from launcher.arguments import Parser, split_at_dashes
from launcher.launcher_error import UsageError
from launcher.pytest_command import ROOT, WORKERS_MAX
from launcher.run import add_run_options, start
from topologies import cli_names
from topologies.data_error import DataError

FAULTS = ROOT / "faults"
# The lists of a file of faults.
KEYS = ("faults", "harmless")

EXAMPLES = (
    ("sudo ./plumbline prove", "every fault, and every harmless change"),
    ("sudo ./plumbline prove --fault nat-no-masquerade", "one of them"),
    ("sudo ./plumbline prove --topology nat", "the faults of one topology"),
    ("sudo ./plumbline prove --fault my-faults.yaml", "your own faults"),
    ("sudo ./plumbline prove --part 1/3", "a third of them"),
    ("sudo ./plumbline prove --others none", "only the checks that have to notice: much sooner"),
    ("sudo ./plumbline prove --release bullseye", "on the libvirt and the tools of Debian 11"),
    ("sudo ./plumbline prove --host lab", "the faults of an SR-IOV NIC"),
    ("./plumbline prove --list", "their ids and titles"),
)


def parser() -> Parser:
    """Return the parser of `prove`'s options."""
    own = Parser(PROVE, "Break each topology on purpose; list the checks that notice.", EXAMPLES)
    own.add_argument("--list", action="store_true", help="list the shipped faults, and stop")
    add_run_options(own, "only the faults of this topology; repeatable")
    own.set_defaults(prove=True)
    return own


def main(argv: Sequence[str]) -> int:
    """Set up, and hand over to pytest; returns only for --list, else by an exception."""
    own, pytest_words = split_at_dashes(argv)
    options = parser().parse(own)
    if not options.list:
        return _prove(options, pytest_words, argv)
    for id_, title in shipped("faults"):
        print(f"{id_:<32} {title}")
    for id_, title in shipped("harmless"):
        print(f"{id_:<32} harmless: {title}")
    return 0


def _prove(options: argparse.Namespace, words: Sequence[str], argv: Sequence[str]) -> int:
    _refuse_unknown_names(options)
    # Imported here: `prove --list` needs none of it.
    from launcher.host_launch import LAUNCHES

    if LAUNCHES[options.host].keeps_faults and not options.fault:
        # Other faults leave state behind that ends with their sandbox; here it would stay.
        options.topology = options.topology or ["passthrough"]
    # A lab is another machine with the same paths: only the whole path names the file there.
    files = [Path(f).suffix in cli_names.SUFFIXES for f in options.fault]
    options.fault = [
        str(Path(fault).resolve()) if is_file else fault
        for fault, is_file in zip(options.fault, files, strict=True)
    ]
    builds = _builds(options.fault)
    return start(PROVE, options, words, argv, builds=builds)


def _refuse_unknown_names(options: argparse.Namespace) -> None:
    """Refuse unknown names before set-up, which takes minutes."""
    try:
        cli_names.require_topologies(options.topology)
        cli_names.require_faults(options.fault, [id_ for id_, _ in shipped()])
        cli_names.require_part(options.part)
        cli_names.require_others(options.others)
    except DataError as error:
        raise UsageError(str(error)) from error


def _builds(faults: Sequence[str]) -> int:
    """Return the number of topologies for these faults: one for each at least, or many."""
    ids = {id_ for id_, _ in shipped()}
    return len(faults) if faults and ids.issuperset(faults) else WORKERS_MAX


def shipped(*keys: str) -> list[tuple[str, str]]:
    """Return id and title of each shipped fault or harmless change, without a YAML library.

    The files are ours and one style: a list begins with its key, as in `harmless:`, an entry with
    `- id:`, and its title follows.

    Args:
        keys: of the lists; without any, of both.
    """
    entry = re.compile(r"^(\w+):$|^  - id: (\S+)\n    title: (.+)$", re.MULTILINE)
    found: list[tuple[str, str]] = []
    for file in sorted(FAULTS.glob("*.yaml")):
        within = ""
        for key, id_, title in entry.findall(file.read_text(encoding="utf-8")):
            within = key or within
            if id_ and within in (keys or KEYS):
                found.append((id_, title))
    return found
