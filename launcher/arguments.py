# SPDX-License-Identifier: GPL-2.0-or-later
"""Argument parsing by the contract: exit code 4, one message, a near miss, no guessing."""

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from contracts.language import LANGUAGE_HELP, LANGUAGES
from launcher.launcher_error import UsageError, near_miss


class Parser(argparse.ArgumentParser):
    """A parser of one subcommand that raises `UsageError` instead of exiting with 2."""

    def __init__(self, command: str, summary: str, examples: Sequence[tuple[str, str]]) -> None:
        width = max(len(example) for example, _ in examples)
        shown = "\n".join(f"  {example:<{width}}  {meaning}" for example, meaning in examples)
        super().__init__(
            prog=f"./plumbline {command}",
            description=summary,
            epilog=f"examples:\n{shown}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            # An abbreviation would break with the next option that begins alike.
            allow_abbrev=False,
            add_help=False,
        )
        self.command = command
        self.add_argument("-h", "--help", action="help", help="print this and exit")

    def error(self, message: str) -> NoReturn:
        """Raise argparse's own message as a usage error."""
        raise UsageError(f"{self.command}: {message}", f"see {self.prog} --help")

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse all of `argv`.

        Raises:
            UsageError: an unknown option (with the nearest known one), a superfluous word, a
                missing or an impossible value.
        """
        options, unknown = self.parse_known_args(argv)
        if not unknown:
            return options
        word = unknown[0]
        if not word.startswith("-"):
            self.error(f"unexpected argument {word!r}")
        name = word.partition("=")[0]
        known = [option for option in self._option_string_actions if option.startswith("--")]
        hint = near_miss(name, known) or f"see {self.prog} --help"
        raise UsageError(f"{self.command}: unknown option {name!r}", hint)


def one_of(*choices: str) -> Callable[[str], str]:
    """Return an argument type that takes one of `choices` and names the nearest one otherwise."""

    def choice(word: str) -> str:
        if word in choices:
            return word
        said = f"{word!r} is not one of {', '.join(choices)}"
        hint = near_miss(word, choices)
        raise argparse.ArgumentTypeError(f"{said}; {hint}" if hint else said)

    return choice


def add_language(own: Parser) -> None:
    """Add `--lang`; what it is without it is the locale's to say (`contracts.language.chosen`)."""
    own.add_argument(
        "--lang", type=one_of(*LANGUAGES), metavar="|".join(LANGUAGES), help=LANGUAGE_HELP
    )


def number_from_one(most: int) -> Callable[[str], int]:
    """Return an argument type that takes a whole number from 1 to `most`."""

    def number(word: str) -> int:
        if word.isdecimal() and 1 <= int(word) <= most:
            return int(word)
        raise argparse.ArgumentTypeError(f"{word!r} is no number from 1 to {most}")

    return number


def split_at_dashes(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words before the first `--` and those after it."""
    words = list(argv)
    if "--" not in words:
        return words, []
    cut = words.index("--")
    return words[:cut], words[cut + 1 :]
