# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline run`: sets up missing parts, then becomes pytest with the run's options."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from contracts.language import chosen
from contracts.run_option import RUN
from contracts.run_options import RUN_OPTIONS, options_of
from launcher.arguments import Parser, number_from_one, one_of, split_at_dashes
from launcher.launcher_error import UsageError
from launcher.pytest_command import PER_CORE, WORKERS_MAX
from launcher.waivers import require_waivers
from topologies import cli_names
from topologies.data_error import DataError

# Of each quantity, at a second or so each.
SAMPLES_MAX = 1000

EXAMPLES = (
    ("sudo ./plumbline run", "every topology"),
    ("sudo ./plumbline run --topology nat --topology ovs", "two of them"),
    ("sudo ./plumbline run --topology my.yaml", "a topology file"),
    ("sudo ./plumbline run --topology net.xml", "libvirt's XML, or a folder of it"),
    ("sudo ./plumbline run --topology - < net.xml", "the same on standard input"),
    ("sudo ./plumbline run --topology /etc/network/interfaces", "the bridges of a host's file"),
    ("sudo ./plumbline run --claim NT-09", "the checks of one claim"),
    ("sudo ./plumbline run --expect ovs-kernel,kvm", "a host without them fails"),
    ("sudo ./plumbline run --after-build ./harden.sh", "with a site's own hardening"),
    ("sudo ./plumbline run --samples 10 --interleave", "enough to compare speeds by"),
    ("sudo ./plumbline run --release trixie", "libvirt and the rest of Debian 13"),
    ("sudo ./plumbline run --host lab --topology passthrough", "SR-IOV, in a virtual machine"),
    ("sudo ./plumbline run --host local --plan", "what a run would do to this machine"),
    ("sudo ./plumbline run --host local", "this machine itself, beside what it has"),
    ("sudo ./plumbline run -- -x -k dhcp", "words after -- go to pytest"),
)


def parser() -> Parser:
    """Return the parser of `run`'s options."""
    own = Parser(RUN, "Qualify topologies: build, check, and a verdict per claim.", EXAMPLES)
    add_run_options(own)
    return own


def add_run_options(own: Parser, topology: str | None = None) -> None:
    """Add the options of a subcommand that builds topologies and writes a record.

    Args:
        own: the subcommand's parser.
        topology: what --topology means there, if not the usual.
    """
    for option in options_of(own.command):
        declared = option.declaration()
        if option.choices:
            declared["type"] = one_of(*declared.pop("choices"))
        elif option.type is int:
            declared["type"] = number_from_one(SAMPLES_MAX)
        if option.name == "topology" and topology is not None:
            declared["help"] = topology
        own.add_argument(option.flag, **declared)
    # So that every option of a run has a value.
    others = [option for option in RUN_OPTIONS if own.command not in option.subcommands]
    own.set_defaults(**{option.name: option.declaration()["default"] for option in others})
    own.add_argument(
        "--workers",
        type=number_or_auto,
        default="auto",
        metavar="N|auto",
        help=f"sandboxes at once; auto is {PER_CORE} for each core, at most {WORKERS_MAX}",
    )


def main(argv: Sequence[str]) -> int:
    """Set up, and hand over to pytest; returns only by an exception."""
    own, pytest_words = split_at_dashes(argv)
    options = parser().parse(own)
    _take_networks(options)
    _refuse_unknown_names(options)
    require_waivers(options)
    return start(RUN, options, pytest_words, argv)


def start(
    subcommand: str,
    options: argparse.Namespace,
    words: Sequence[str],
    argv: Sequence[str],
    *,
    builds: int = 0,
) -> int:
    """Set up what is missing, and become pytest with these options and words.

    A run in a lab is started there, and returns its exit status.

    Args:
        subcommand: who starts, for messages and for the record.
        options: the options of a run, all of them.
        words: pytest's own words, passed on unchanged.
        argv: the words after the subcommand, as typed.
        builds: how many topologies there are to build; 0: those that the options name, or all.
    """
    # Imported here: --help needs none of it.
    from launcher import setup
    from launcher.host_launch import LAUNCHES

    command = ["./plumbline", subcommand, *argv]
    options.lang = chosen(options.lang, os.environ)
    setup.require_root(subcommand)
    if options.output is not None:
        _require_new(options.output)
    launch = LAUNCHES[options.host]
    launch.require(subcommand, options)
    builds = builds or len(options.topology) or len(cli_names.SHIPPED)
    workers = 1 if options.plan else launch.workers(options, builds)
    return launch.start(options, words, command, workers)


def number_or_auto(word: str) -> str:
    """Read the value of --workers."""
    if word == "auto" or (word.isdecimal() and int(word) > 0):
        return word
    raise argparse.ArgumentTypeError(f"{word!r} is neither a number from 1 on nor auto")


def _take_networks(options: argparse.Namespace) -> None:
    """Put files in the place of folders and of standard input, and refuse what is no network."""
    # Imported here: `run --help` needs no XML.
    from launcher import piped_network
    from topologies.network_import import xml_reader

    try:
        words = cli_names.expanded(options.topology)
        if cli_names.STDIN in words:
            kept = str(piped_network.kept())
            words = [kept if word == cli_names.STDIN else word for word in words]
        for word in words:
            if Path(word).suffix == cli_names.XML and word not in cli_names.SHIPPED:
                xml_reader.read_file(Path(word))
    except DataError as error:
        raise UsageError(str(error)) from error
    options.topology = words


def _refuse_unknown_names(options: argparse.Namespace) -> None:
    """Refuse before set-up, which takes minutes, what the run would refuse after it."""
    # Imported here: `run --help` needs no probe.
    from launcher.capabilities import CAPABILITIES

    try:
        cli_names.require_topologies(options.topology)
        cli_names.require_claims(options.claim)
        cli_names.require_known(options.expect, CAPABILITIES, "--expect", "capability")
    except DataError as error:
        raise UsageError(str(error)) from error


def _require_new(output: Path) -> None:
    """Refuse a folder for the record that holds something, or can't be made.

    Raises:
        UsageError: it does, or it can't.
    """
    if output.is_dir():
        if any(output.iterdir()):
            raise UsageError(
                f"--output {output}: this folder is not empty", "name a new one, or an empty one"
            )
    elif output.exists() or output.is_symlink():
        raise UsageError(f"--output {output}: this is not a folder", "name a new one")
    else:
        place = next(parent for parent in output.absolute().parents if parent.exists())
        if not place.is_dir() or not os.access(place, os.W_OK):
            raise UsageError(
                f"--output {output}: no folder can be made in {place}", "name another one"
            )
