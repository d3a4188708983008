# SPDX-License-Identifier: GPL-2.0-or-later
"""Waivers as the words of a command line: standard library only, so that set-up comes after it."""

from collections.abc import Mapping, Sequence
from datetime import date

from topologies import cli_names
from topologies.data_error import DataError

WaiverEntry = Mapping[str, str | None]
"""The record's entry of a waiver: `id`, `topology`, `until`, `why` and `source`."""
DATE_HINT = "write year, month and day, as in 2026-12-31"


def typed(ids: Sequence[str], until: Sequence[str], why: Sequence[str]) -> list[WaiverEntry]:
    """Return the waivers of a command line: the N-th --waive has the N-th --until and --why.

    Raises:
        DataError: one of a waiver's three options is missing, or not what it should be.
    """
    if len(ids) != len(until) or len(ids) != len(why):
        raise DataError(
            f"expected --until DATE and --why TEXT for each, got {len(until)} and {len(why)} for "
            f"{len(ids)}",
            field="--waive",
            hint="--waive NT-09 --until 2026-12-31 --why 'the reason'",
        )
    known = cli_names.claim_ids()
    cli_names.require_known(ids, known, "--waive", "claim", "one in topologies/claims.yaml")
    return [
        {
            "id": id_,
            "topology": None,
            "until": _day(day),
            "why": _reason(id_, reason),
            "source": "--waive",
        }
        for id_, day, reason in zip(ids, until, why, strict=True)
    ]


def require(ids: Sequence[str], until: Sequence[str], why: Sequence[str], file: str | None) -> None:
    """Check waivers before any set-up; the content of a file is checked later.

    Raises:
        DataError: they are not what they should be, or the file cannot be read.
    """
    typed(ids, until, why)
    if file is not None:
        cli_names.require_yaml(file)


def day_of(word: str) -> str | None:
    """Return a date of the calendar as the record has it; None: it is none."""
    try:
        day = date.fromisoformat(word)
    except ValueError:
        return None
    # Python 3.11 reads 20261231 and 2026-W53-4 as well.
    return word if day.isoformat() == word else None


def _day(word: str) -> str:
    if (day := day_of(word)) is None:
        raise DataError(f'"{word}" is not a date; expected one', field="--until", hint=DATE_HINT)
    return day


def _reason(id_: str, text: str) -> str:
    if not text.strip():
        raise DataError(
            f"the reason of the waiver of {id_} is empty; expected one",
            field="--why",
            hint="every report shows it: name the cause, and who decided it",
        )
    return " ".join(text.split())
