# SPDX-License-Identifier: GPL-2.0-or-later
"""The conformance report as one HTML page, from a run record and the evidence beside it."""

from dataclasses import dataclass
from pathlib import Path

from contracts.plan import HOST
from contracts.verdicts import REPORTED_ORDER, Verdict, reported
from reports.fault_outcomes import outcomes_of
from reports.html import claim_entries as claims
from reports.html.claim_entries import ClaimEntry
from reports.html.fault_entries import FaultEntry, by_fault
from reports.html.measurement_plots import SideBySide, side_by_side
from reports.html.origin_words import OriginWords, words_for
from reports.html.reach_table import Way, ways
from reports.html.shown_evidence import PAGE_MAX, EvidenceFiles, ShownEvidence
from reports.html.template_environment import environment
from reports.html.topology_drawing import TopologyDrawing, drawing
from reports.record import Check, RunRecord, TopologyRecord
from reports.run_verdict import facts, open_questions, run_verdict, settings, took
from reports.verdict_matrix import VerdictMatrix, counts, matrix
from reports.waivers import waiver_line


@dataclass(frozen=True)
class TopologyEntry:
    """A topology as the page shows it.

    Attributes:
        topology: it.
        counts: how many of its checks have each verdict.
        ways: who reaches whom.
        drawing: the built network; None if the record has none.
        facts: settings of the host that go with it, as the checks found them.
        evidence: of its building.
    """

    topology: TopologyRecord
    counts: list[tuple[Verdict, int]]
    ways: list[Way]
    drawing: TopologyDrawing | None
    facts: list[tuple[str, str]]
    evidence: list[ShownEvidence]

    @property
    def words(self) -> OriginWords:
        """What is said of it by the origin of its networks."""
        return words_for(self.topology.origin)

    @property
    def verdict(self) -> Verdict:
        """The gravest of the checks that the host could make.

        That is the verdict of the record, or `conforms` where only checks that could not be made
        keep it from that.
        """
        conforms = Verdict.CONFORMS in (verdict for verdict, _ in self.counts)
        if self.topology.verdict is Verdict.NOT_TESTABLE and conforms:
            return Verdict.CONFORMS
        return self.topology.verdict


@dataclass(frozen=True)
class ReportPage:
    """What the templates are handed.

    Attributes:
        record: the run.
        places: the anchor of each check, by topology and id.
        table: the matrix; None for a record of faults, which has its own table.
        claims: the claims with their checks; none for a record of faults.
        topologies: the built ones; none for a record of faults.
        measured: the quantities measured more than once.
        faults: the deliberate breaks.
        files: the evidence.
    """

    record: RunRecord
    places: dict[tuple[str, str], str]
    table: VerdictMatrix | None
    claims: list[ClaimEntry]
    topologies: list[TopologyEntry]
    measured: list[SideBySide]
    faults: list[FaultEntry]
    files: EvidenceFiles

    def anchor(self, check: Check) -> str:
        """Return where a check is in the page."""
        return self.places[check.topology, check.id]

    @property
    def statements(self) -> list[tuple[Verdict, int]]:
        """How many claims have each verdict, over all topologies."""
        found = [claim.verdict for claim in self.claims if claim.id]
        return [(verdict, found.count(verdict)) for verdict in REPORTED_ORDER if verdict in found]


def render(record: RunRecord, folder: Path, *, page_max: int = PAGE_MAX) -> str:
    """Return the report as one HTML file that needs nothing but itself.

    Evidence is linked relative to the folder of the record: the page is meant to lie there. What
    is short enough is in the page as well.

    Args:
        record: a run, or a proof with faults; finished or not.
        folder: where its run.json and its evidence are.
        page_max: octets of evidence that the page may hold.
    """
    files = EvidenceFiles(folder, page_max)
    files.take(record)
    page = _page(record, files)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            page=page,
            record=record,
            whole=run_verdict(record),
            facts=list(facts(record)),
            took=took(record),
            counts=counts(record.checks),
            verdicts=reported(record.counts()),
            questions=open_questions(record),
            outcomes=outcomes_of(record),
            waivers=[(each.outcome, waiver_line(each)) for each in record.waivers],
            violated=[check for check in record.checks if check.verdict is Verdict.VIOLATES],
        )
    )


def _page(record: RunRecord, files: EvidenceFiles) -> ReportPage:
    places = claims.anchors(record)
    checks = claims.entries(record, files, places)
    if record.faults:
        faults = by_fault(record, checks, files)
        return ReportPage(record, places, None, [], [], [], faults, files)
    networks = [each for each in record.topologies if each.name != HOST]
    topologies = [_topology(record, each, files) for each in networks]
    table = matrix(record) if record.checks else None
    said = claims.by_claim(record, checks)
    measured = side_by_side(record.checks)
    return ReportPage(record, places, table, said, topologies, measured, [], files)


def _topology(record: RunRecord, topology: TopologyRecord, files: EvidenceFiles) -> TopologyEntry:
    checks = [check for check in record.checks if check.topology == topology.name]
    found = ways(checks)
    drawn = drawing(topology.built, found) if topology.built is not None else None
    return TopologyEntry(
        topology=topology,
        counts=counts(checks),
        ways=found,
        drawing=drawn,
        facts=list(settings(record, topology.name)),
        evidence=files.of(topology.evidence),
    )
