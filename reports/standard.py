# SPDX-License-Identifier: GPL-2.0-or-later
"""The standard that a run was judged by: the catalogue, its levels, and what the run left out."""

from collections import Counter
from collections.abc import Iterable, Iterator

from pydantic import Field

from contracts.language import gettext, word
from reports.claim_runs import runs_of
from reports.record_types import RecordPart
from reports.wording import counted


class Standard(RecordPart):
    """The catalogue of claims that a run's checks are from."""

    catalogue: str = Field(description="its format")
    version: str = Field(description="the version of Plumbline that it is part of")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of topologies/claims.yaml")
    levels: dict[str, str] = Field(description="the level of each of its claims, by id")
    selected: list[str] = Field(
        default_factory=list,
        description="the options that left claims out, as in `--claim NT-09`; empty: none did",
    )


def standard_facts(
    standard: Standard | None, decided: Iterable[str]
) -> Iterator[tuple[str, list[str]]]:
    """Give the standard, and what of it was left out, as label and lines.

    Args:
        standard: that of the record; None: it is from before that was kept.
        decided: the claims that checks of the run decide.
    """
    if standard is None:
        return
    here = set(decided)
    yield (
        gettext("Standard"),
        [
            gettext("{catalogue} of Plumbline {version}, {claims}: {levels}").format(
                catalogue=standard.catalogue,
                version=standard.version,
                claims=counted(len(standard.levels), "claim"),
                levels=_by_level(standard.levels.values()),
            ),
            f"SHA-256 {standard.sha256}",
        ],
    )
    there = [id_ for id_ in standard.levels if id_ in here]
    if there:
        levels = _by_level(standard.levels[id_] for id_ in there)
        yield gettext("Of it decided here"), [f"{counted(len(there), 'claim')}: {levels}"]
    if gone := [id_ for id_ in standard.levels if id_ not in here]:
        why = ", ".join(standard.selected) or gettext("none of its topologies is about them")
        yield (
            gettext("Left out"),
            [f"{counted(len(gone), 'claim')} ({why}): {' '.join(runs_of(gone))}"],
        )


def _by_level(levels: Iterable[str]) -> str:
    return ", ".join(f"{word(level)} {number}" for level, number in Counter(levels).items())
