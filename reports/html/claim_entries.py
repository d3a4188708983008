# SPDX-License-Identifier: GPL-2.0-or-later
"""The claims of a record with their checks, each check in one place."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.verdicts import Verdict, over_topologies, worst
from reports.html.measurement_plots import MeasurementPlot, plots_of
from reports.html.shown_evidence import EvidenceFiles, ShownEvidence
from reports.record import Check, RunRecord, Statement

_NOT_IN_AN_ANCHOR = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class CheckEntry:
    """A check as the page shows it.

    Attributes:
        check: it.
        anchor: where it is in the page.
        label: its id without its topology.
        evidence: its files.
        plots: its measurements.
    """

    check: Check
    anchor: str
    label: str
    evidence: list[ShownEvidence]
    plots: list[MeasurementPlot]


@dataclass(frozen=True)
class ClaimEntry:
    """A claim as the page shows it.

    Attributes:
        id: its id; "" for checks that decide no claim.
        anchor: where it is in the page.
        statement: its statement; None if the record has none.
        verdict: the worst of the topologies where it could be tested; see `over_topologies`.
        topologies: its verdict on each topology.
        checks: those that are shown here.
        elsewhere: those of its checks that are shown with another claim that they decide.
    """

    id: str
    anchor: str
    statement: Statement | None
    verdict: Verdict
    topologies: list[tuple[str, Verdict]]
    checks: list[CheckEntry]
    elsewhere: list[CheckEntry]


def anchors(record: RunRecord) -> dict[tuple[str, str], str]:
    """Return the anchor of each check in the page, by topology and id."""
    taken: dict[str, int] = {}
    found = {}
    for check in record.checks:
        # A check's id names its topology only if the suites made it so.
        name = check.id if check.topology in check.id else f"{check.id}-{check.topology}"
        found[check.topology, check.id] = _unused("check-", name, taken)
    return found


def entries(
    record: RunRecord, files: EvidenceFiles, places: dict[tuple[str, str], str]
) -> dict[tuple[str, str], CheckEntry]:
    """Return each check as the page shows it, by topology and id."""
    return {
        (check.topology, check.id): CheckEntry(
            check,
            places[check.topology, check.id],
            check.label,
            files.of(check.evidence),
            plots_of(check.measurements),
        )
        for check in record.checks
    }


def by_claim(record: RunRecord, checks: dict[tuple[str, str], CheckEntry]) -> list[ClaimEntry]:
    """Return the claims in their order, and at the end the checks that decide none."""
    of: dict[str, list[CheckEntry]] = {}
    for entry in checks.values():
        for claim in entry.check.claims or [""]:
            of.setdefault(claim, []).append(entry)
    known = list(record.statements)
    order = sorted(of, key=lambda id_: (not id_, _place(known, id_), id_))
    taken: dict[str, int] = {}
    placed: set[str] = set()
    found = []
    for id_ in order:
        here = [entry for entry in of[id_] if entry.anchor not in placed]
        placed |= {entry.anchor for entry in here}
        found.append(
            ClaimEntry(
                id=id_,
                anchor=_unused("", id_ or "checks-without-a-claim", taken),
                statement=record.statements.get(id_),
                verdict=over_topologies(v for _, v in _on_topologies(of[id_])),
                topologies=_on_topologies(of[id_]),
                checks=here,
                elsewhere=[entry for entry in of[id_] if entry not in here],
            )
        )
    return found


def _on_topologies(entries_: Iterable[CheckEntry]) -> list[tuple[str, Verdict]]:
    seen: dict[str, list[Verdict]] = {}
    for entry in entries_:
        seen.setdefault(entry.check.topology, []).append(entry.check.verdict)
    return [(topology, worst(verdicts)) for topology, verdicts in seen.items()]


def _place(known: list[str], id_: str) -> int:
    return known.index(id_) if id_ in known else len(known)


def _unused(prefix: str, name: str, taken: dict[str, int]) -> str:
    """Return an anchor that no other has; names in a record may have any character."""
    anchor = prefix + _NOT_IN_AN_ANCHOR.sub("-", name).strip("-")
    taken[anchor] = taken.get(anchor, 0) + 1
    return anchor if taken[anchor] == 1 else f"{anchor}--{taken[anchor]}"
