# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of a host over many runs: the verdicts of its claims, and what was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from contracts.run_files import RECORD
from contracts.verdicts import Verdict
from reports.compare.comparison import ComparisonPart, RunIdentity, Samples, identity
from reports.compare.measured_quantities import Key, Measured, measured, titles
from reports.compare.verdict_changes import of_topologies
from reports.record import RecordError, RunRecord
from reports.warmup import Better

TREND_SCHEMA: Literal["plumbline/trend/1"] = "plumbline/trend/1"


class TrendRun(RunIdentity):
    """One run, and how many checks have each verdict."""

    finished: bool
    counts: dict[Verdict, int]


class ClaimHistory(ComparisonPart):
    """The verdicts of a claim on a topology, one for each run; null where it was not looked at."""

    id: str
    topology: str
    verdicts: list[Verdict | None]

    @property
    def changed(self) -> bool:
        """Whether it was ever another one."""
        return len({verdict for verdict in self.verdicts if verdict is not None}) > 1


class QuantityHistory(ComparisonPart):
    """A quantity over the runs; null where it was not measured."""

    topology: str
    name: str
    title: str = Field(description="the name, and the check where several have this name")
    unit: str
    better: Better | None
    samples: list[Samples | None]

    @property
    def repeated(self) -> bool:
        """Whether more than one run measured it."""
        return len([each for each in self.samples if each is not None]) > 1


class Trend(ComparisonPart):
    """Runs in the order in which they began, and what became of them."""

    schema_: Literal["plumbline/trend/1"] = Field(default=TREND_SCHEMA, alias="schema")
    runs: list[TrendRun]
    claims: list[ClaimHistory]
    quantities: list[QuantityHistory]
    left_out: dict[str, str] = Field(description="records that were not taken: why, by file")


def trend_of(
    runs: Sequence[tuple[RunRecord, Path]],
    left_out: Mapping[str, str],
    topologies: Sequence[str] = (),
) -> Trend:
    """Return the trend of these runs, the oldest first.

    Args:
        runs: records with their folders.
        left_out: records found and not taken, with the reasons.
        topologies: only these; empty: all.

    Raises:
        RecordError: there is no run, or none has one of these topologies.
    """
    taken: list[tuple[RunRecord, Path, dict[Key, Measured]]] = []
    out = dict(left_out)
    for whole, folder in runs:
        record = of_topologies(whole, topologies) if topologies else whole
        try:
            taken.append((record, folder, measured(record)))
        except RecordError as error:
            out[str(folder)] = error.message
    if not taken:
        why = [f"{file}: {reason}" for file, reason in out.items()]
        expected = f"expected {RECORD} in folders of the one named"
        raise RecordError("no run was found", "\n".join([expected, *why]))
    built = {topology.name for record, _, _ in taken for topology in record.topologies}
    if unknown := [name for name in topologies if name not in built]:
        raise RecordError(f"--topology {unknown[0]}: none of these runs has it")
    records = [record for record, _, _ in taken]
    return Trend(
        runs=[_point(record, folder) for record, folder, _ in taken],
        claims=_claims(records),
        quantities=_quantities([known for _, _, known in taken]),
        left_out=out,
    )


def _point(record: RunRecord, folder: Path) -> TrendRun:
    counts = record.counts()
    return TrendRun(
        **identity(record, folder),
        finished=record.finished is not None,
        counts={verdict: counts[verdict] for verdict in Verdict if counts[verdict]},
    )


def _claims(records: Sequence[RunRecord]) -> list[ClaimHistory]:
    known = [{(c.topology, c.id): c.verdict for c in record.claims} for record in records]
    places = dict.fromkeys(place for each in known for place in each)
    return [
        ClaimHistory(
            id=id_, topology=topology, verdicts=[each.get((topology, id_)) for each in known]
        )
        for topology, id_ in places
    ]


def _quantities(known: Sequence[Mapping[Key, Measured]]) -> list[QuantityHistory]:
    found = []
    called = titles(dict.fromkeys(key for each in known for key in each))
    for key, title in called.items():
        there = [each.get(key) for each in known]
        last = next(each for each in reversed(there) if each is not None)
        # A value in another unit belongs into no row with these.
        same = [each if each and each.unit == last.unit else None for each in there]
        found.append(
            QuantityHistory(
                topology=key[0],
                name=key[2],
                title=title,
                unit=last.unit,
                better=last.better,
                samples=[each.samples() if each else None for each in same],
            )
        )
    return found
