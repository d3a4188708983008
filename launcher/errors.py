# SPDX-License-Identifier: GPL-2.0-or-later
"""What the launcher refuses or cannot do, and the exit codes of the command line's contract."""

import difflib
from collections.abc import Iterable

CONFORMS = 0
VIOLATES = 1
USAGE = 4
UNDECIDED = 10
MISSING = 11
INTERRUPTED = 130


class LauncherError(Exception):
    """The launcher stops here.

    Attributes:
        message: what happened, where, and what was expected.
        hint: what to do next.
        exit_code: of the contract; by default 10: nothing was violated, and nothing decided.
    """

    exit_code = UNDECIDED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "\n  ".join(("plumbline: " + self.message, *self.hint.splitlines()))


class UsageError(LauncherError):
    """The command line cannot be followed as it was typed."""

    exit_code = USAGE


class MissingError(LauncherError):
    """The machine lacks something that set-up could not, or may not, add."""

    exit_code = MISSING


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return `did you mean 'X'?`, or an empty string when nothing known is close to `word`."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""
