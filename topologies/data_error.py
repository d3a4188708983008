# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors in data files: the file, the line, the field, and the remedy."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

# Characters of a value in an error, which is one line.
SHOWN_MAX = 60


class DataError(Exception):
    """One error in a data file, or in the name of one.

    As text it is one line: `FILE:LINE: FIELD: what; expected …; what to do`.

    Attributes:
        message: What was found and what was expected.
        file: The file as the user named it; None without one.
        line: The line in it, counted from 1; None without one.
        field: The field, as in `networks[0].dhcp.start`; None without one.
        hint: The remedy.
    """

    def __init__(
        self,
        message: str,
        *,
        file: Path | None = None,
        line: int | None = None,
        field: str | None = None,
        hint: str,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.field = field
        self.hint = hint

    @property
    def errors(self) -> "tuple[DataError, ...]":
        """Every single error in this one, in the order of their lines."""
        return (self,)

    def __str__(self) -> str:
        place = None
        if self.file is not None:
            place = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(filter(None, (place, self.field, f"{self.message}; {self.hint}")))


class JoinedDataError(DataError):
    """Several errors at once; as text one line each, sorted by file and line.

    The attributes are those of the first.
    """

    def __init__(self, errors: Iterable[DataError]) -> None:
        ordered = sorted(
            (single for error in errors for single in error.errors),
            key=lambda e: (str(e.file or ""), e.line or 0),
        )
        first = ordered[0]
        super().__init__(
            first.message, file=first.file, line=first.line, field=first.field, hint=first.hint
        )
        self._errors = tuple(ordered)

    @property
    def errors(self) -> tuple[DataError, ...]:
        """Every single error in this one, in the order of their lines."""
        return self._errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self._errors)


def gathered(errors: Iterable[DataError]) -> DataError:
    """Return one error for several; a single one is returned unchanged.

    Raises:
        ValueError: There was no error to gather.
    """
    found = [single for error in errors for single in error.errors]
    if not found:
        raise ValueError("no error to gather; expected at least one: call this only with some")
    return found[0] if len(found) == 1 else JoinedDataError(found)


def near_miss(wrong: str, known: Iterable[str]) -> str:
    """Return `did you mean "…"?` where a known name is close to a wrong one, else nothing."""
    close = get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""


def shown(value: object) -> str:
    """Return a value as an error shows it: JSON's spelling, cut where it is long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value if len(value) <= SHOWN_MAX else f"{value[: SHOWN_MAX - 3]}..."
        return f'"{text}"'
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return str(value)
