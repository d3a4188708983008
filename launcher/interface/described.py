# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line as its parsers have it: each subcommand, its options, and their values.

Completion and the manual page are made of this, so they never name an option that there is not.
"""

import argparse
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from launcher.arguments import Parser
from launcher.capabilities import CAPABILITIES
from launcher.cli import COMMANDS
from topologies import cli_names

# What takes the options of another subcommand as well.
ALSO: Mapping[str, str] = {"gate": "run"}
# Words of a metavar that are names of files or folders.
_FILES = {
    *("FILE", "DIR", "FOLDER", "KEY", "BUNDLE", "RUN", "BEFORE", "AFTER"),
}
_WORD = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Value:
    """The values of an option, or of a word without one.

    Attributes:
        metavar: its name.
        words: known values.
        files: whether a file or folder is one too.
    """

    metavar: str
    words: tuple[str, ...]
    files: bool


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        flags: as it is typed, the long one last.
        value: None for a switch.
        help: its meaning.
    """

    flags: tuple[str, ...]
    value: Value | None
    help: str


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One subcommand.

    Attributes:
        name: as it is typed.
        summary: its purpose.
        description: the same in a sentence.
        usage: its words, as --help has them.
        options: its own.
        taken: those of another subcommand that it takes as well.
        positionals: its words without an option, in order; the last one is repeated.
        examples: commands, each with its meaning.
    """

    name: str
    summary: str
    description: str
    usage: str
    options: tuple[Option, ...]
    taken: tuple[Option, ...]
    positionals: tuple[Value, ...]
    examples: tuple[tuple[str, str], ...]


@cache
def subcommands() -> tuple[Subcommand, ...]:
    """Return all of them, in the order of --help."""
    return tuple(_subcommand(name) for name in COMMANDS)


def _subcommand(name: str) -> Subcommand:
    module = importlib.import_module(COMMANDS[name].module)
    own: Parser = module.parser()
    actions = _actions(own)
    known = {flag for action in actions for flag in action.option_strings}
    others: list[argparse.Action] = []
    if name in ALSO:
        others = _actions(importlib.import_module(COMMANDS[ALSO[name]].module).parser())
    return Subcommand(
        name=name,
        summary=COMMANDS[name].summary,
        description=own.description or "",
        usage=" ".join(own.format_usage().split()).removeprefix("usage: ./"),
        options=tuple(_option(action) for action in actions if action.option_strings),
        taken=tuple(_option(each) for each in others if not known & {*each.option_strings}),
        positionals=tuple(_value(a, name) for a in actions if not a.option_strings),
        examples=tuple(module.EXAMPLES),
    )


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return list(parser._actions)


def _option(action: argparse.Action) -> Option:
    takes = action.nargs != 0
    flags = tuple(sorted(action.option_strings, key=len))
    said = (action.help or "") % vars(action)
    return Option(flags, _value(action, flags[-1]) if takes else None, said)


def _value(action: argparse.Action, name: str) -> Value:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    parts = metavar.split("|")
    words = tuple(part for part in parts if _WORD.fullmatch(part))
    return Value(metavar, words + _known(name, metavar), bool(_FILES & {*parts}))


def _known(name: str, metavar: str) -> tuple[str, ...]:
    """Return the names that a value can be, beyond the words of its metavar."""
    if name in ("--claim", "--waive", "explain"):
        return tuple(cli_names.claim_ids())
    if name == "--topology" and "|" in metavar:
        return cli_names.SHIPPED
    return tuple(CAPABILITIES) if metavar.startswith("CAP") else ()
