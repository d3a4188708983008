# SPDX-License-Identifier: GPL-2.0-or-later
"""A run as test cases, for programs that know nothing else: JUnit's readers and Allure.

A case is a check. What a run is as a whole are cases too where it is not good: that it was not
finished, or that nothing conforms, so that neither can look like success. Of a prove, a case is a
fault, or a harmless change: the violations beside it were asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.verdicts import Verdict
from reports.exports.verdict_counts import counts_line
from reports.fault_outcomes import GOOD_OUTCOMES, OUTCOME_VERDICTS
from reports.record import (
    Check,
    EvidenceFile,
    FaultResult,
    Measurement,
    Procedure,
    RunRecord,
    Statement,
    TopologyRecord,
)
from reports.run_verdict import ending, run_verdict

# The suite of the messages about a whole run.
RUN = "run"


@dataclass(frozen=True)
class ReportCase:
    """A test case.

    Attributes:
        suite: the topology, or `run`.
        group: its heading there: the property of a check.
        name: unique there, and the same in the next run.
        verdict: how it ended.
        reason: the observation, the missing capability or the failure.
        rerun: the command that decides it again, if there is one.
        procedure: how it decides, if the record has that.
        claims: the claims that it decides, by id; None if the record has no statement.
        more: further lines of its details.
        measurements: raw samples.
        evidence: its evidence.
        seconds: how long it took, if that is known.
    """

    suite: str
    group: str
    name: str
    verdict: Verdict
    reason: str
    rerun: str | None = None
    procedure: Procedure | None = None
    claims: dict[str, Statement | None] = field(default_factory=dict)
    more: list[str] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    evidence: list[EvidenceFile] = field(default_factory=list)
    seconds: float | None = None


def cases(record: RunRecord) -> Iterator[ReportCase]:
    """Yield the test cases of a run."""
    if record.faults:
        yield from (_of_fault(fault, record) for fault in record.faults)
    else:
        yield from (_of_check(check, record) for check in record.checks)
        for topology in record.topologies:
            if topology.reason is not None and topology.verdict is not Verdict.CONFORMS:
                yield _of_topology(topology)
    if record.finished is None:
        said = f"the run was not finished: {counts_line(record)}"
        yield ReportCase(RUN, RUN, "finished", Verdict.ERROR, said)
    if (how := ending(record)) is not None:
        yield ReportCase(RUN, RUN, "ended well", Verdict.ERROR, how)
    outcomes = {fault.outcome for fault in record.faults}
    decided = {Verdict.CONFORMS, Verdict.WAIVED} & {*record.counts()}
    shown = bool(outcomes & {*GOOD_OUTCOMES} if outcomes else decided)
    if not shown:
        said = f"{run_verdict(record).says}: {counts_line(record)}"
        yield ReportCase(RUN, RUN, "shows something", Verdict.ERROR, said)


def _of_check(check: Check, record: RunRecord) -> ReportCase:
    return ReportCase(
        suite=check.topology,
        group=check.property,
        name=check.label.partition(".")[2] or check.id,
        verdict=check.verdict,
        reason=check.reason or "no reason given",
        rerun=check.rerun,
        procedure=check.procedure,
        claims={claim: record.statements.get(claim) for claim in check.claims},
        measurements=check.measurements,
        evidence=check.evidence,
        seconds=check.duration_s,
    )


def _of_topology(topology: TopologyRecord) -> ReportCase:
    return ReportCase(
        suite=topology.name,
        group="topology",
        name="built and taken down",
        verdict=_of_build(topology),
        reason=topology.reason or "",
        evidence=topology.evidence,
        seconds=topology.build_s,
    )


def _of_build(topology: TopologyRecord) -> Verdict:
    """Return the verdict of its build: its own is the worst of its checks as well."""
    if topology.refused:
        return Verdict.VIOLATES
    return Verdict.NOT_TESTABLE if topology.verdict is Verdict.NOT_TESTABLE else Verdict.ERROR


def _of_fault(fault: FaultResult, record: RunRecord) -> ReportCase:
    noticed = [
        check
        for check in record.checks
        if check.topology == fault.topology and check.verdict is Verdict.VIOLATES
    ]
    did, group = ("changed", "harmless") if fault.is_harmless else ("broken", "faults")
    wrong = [f"not noticed by {name}: {verdict}" for name, verdict in fault.missed.items()]
    wrong += [f"turned red too: {name}: {reason}" for name, reason in fault.unexplained.items()]
    return ReportCase(
        suite=fault.topology.partition("+")[0],
        group=group,
        name=fault.id,
        verdict=OUTCOME_VERDICTS[fault.outcome],
        reason="; ".join([f"{fault.outcome}: {fault.title}", *wrong]),
        rerun=f"./plumbline prove --fault {fault.id}",
        claims={name: record.statements.get(name) for name in fault.caught_by},
        more=[
            f"{did} on {fault.on} by: {fault.apply}",
            *([f"no claim is touched: {fault.why}"] if fault.why else []),
            *(f"violated: {check.id}: {check.reason}" for check in noticed),
        ],
        evidence=[file for check in noticed for file in check.evidence],
    )
