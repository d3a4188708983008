# SPDX-License-Identifier: GPL-2.0-or-later
"""The launcher's errors, each with its exit code."""

import difflib
from collections.abc import Iterable

from contracts.exit_codes import EXIT_MISSING_CAPABILITY, EXIT_UNDECIDED, EXIT_USAGE


class LauncherError(Exception):
    """The launcher stops here.

    Attributes:
        message: the event, its place and the expectation.
        hint: the next step.
        exit_code: of the contract; by default 10: nothing was violated, and nothing decided.
    """

    exit_code = EXIT_UNDECIDED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "\n  ".join(("plumbline: " + self.message, *self.hint.splitlines()))


class UsageError(LauncherError):
    """The command line cannot be followed as it was typed."""

    exit_code = EXIT_USAGE


class MissingError(LauncherError):
    """The machine lacks a part that set-up could not, or may not, add."""

    exit_code = EXIT_MISSING_CAPABILITY


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return `did you mean 'X'?`, or an empty string when nothing known is close to `word`."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""
