# SPDX-License-Identifier: GPL-2.0-or-later
"""Ids of claims in a row, as one range."""

from collections.abc import Sequence

# Two ids in a row take no more room than a range of them.
_LEAST_RUN = 3


def runs_of(ids: Sequence[str]) -> list[str]:
    """Return sorted ids with three or more in a row as one: `NT-05–07`, `NT-09`."""
    rows: list[list[str]] = []
    for each in ids:
        if rows and each == _following(rows[-1][-1]):
            rows[-1].append(each)
        else:
            rows.append([each])
    shown: list[str] = []
    for row in rows:
        short = len(row) >= _LEAST_RUN
        shown += [f"{row[0]}–{row[-1].rpartition('-')[2]}"] if short else row
    return shown


def _following(claim: str) -> str:
    prefix, _, number = claim.rpartition("-")
    return f"{prefix}-{int(number) + 1:0{len(number)}}" if number.isdecimal() else ""
