# SPDX-License-Identifier: GPL-2.0-or-later
"""The deliberate breaks of a proof: the outcome of each, and the checks that show it."""

from dataclasses import dataclass

from contracts.language import gettext
from contracts.verdicts import NOT_DECIDED, Verdict
from reports.fault_outcomes import OUTCOME_VERDICTS, is_named, lacking_for
from reports.html.claim_entries import CheckEntry
from reports.html.shown_evidence import EvidenceFiles, ShownEvidence
from reports.record import FaultResult, RunRecord, TopologyRecord
from reports.verdict_matrix import counts
from reports.wording import counted


@dataclass(frozen=True)
class FaultEntry:
    """A fault as the page shows it.

    Attributes:
        fault: it.
        anchor: where it is in the page.
        verdict: the verdict that its outcome looks like.
        base: the topology that it was applied to.
        topology: the faulted topology's entry in the record; None if the run did not reach it.
        caught: the checks and claims that had to notice it, and did.
        why: why it is not testable, or not decided.
        counts: the verdicts of all checks that were made beside it.
        checks: the relevant ones: named by the fault, or not conforming.
        evidence: of the topology: the commands that broke it, and the comparison afterwards.
    """

    fault: FaultResult
    anchor: str
    verdict: Verdict
    base: str
    topology: TopologyRecord | None
    caught: list[str]
    why: list[str]
    counts: list[tuple[Verdict, int]]
    checks: list[CheckEntry]
    evidence: list[ShownEvidence]


def by_fault(
    record: RunRecord, checks: dict[tuple[str, str], CheckEntry], files: EvidenceFiles
) -> list[FaultEntry]:
    """Return the faults of a record, in its order."""
    of: dict[str, list[CheckEntry]] = {}
    for entry in checks.values():
        of.setdefault(entry.check.topology, []).append(entry)
    built = {topology.name: topology for topology in record.topologies}
    return [
        _entry(
            fault,
            f"fault-{number}",
            of.get(fault.topology, []),
            built.get(fault.topology),
            files,
        )
        for number, fault in enumerate(record.faults, 1)
    ]


def _entry(
    fault: FaultResult,
    anchor: str,
    checks: list[CheckEntry],
    topology: TopologyRecord | None,
    files: EvidenceFiles,
) -> FaultEntry:
    named = [*fault.caught_by, *fault.also]
    telling = [
        entry
        for entry in checks
        if entry.check.verdict not in (Verdict.CONFORMS, Verdict.NOT_TESTABLE)
        or any(is_named(name, entry.check) for name in named)
    ]
    return FaultEntry(
        fault=fault,
        anchor=anchor,
        verdict=OUTCOME_VERDICTS[fault.outcome],
        base=fault.topology.removesuffix(f"+{fault.id}"),
        topology=topology,
        caught=[entry for entry in fault.caught_by if entry not in fault.missed],
        why=_why(fault, checks, topology),
        counts=counts(entry.check for entry in checks),
        checks=telling,
        evidence=files.of(topology.evidence) if topology else [],
    )


def _why(
    fault: FaultResult, checks: list[CheckEntry], topology: TopologyRecord | None
) -> list[str]:
    """Return what the host lacks to show a fault, or what broke beside it."""
    made = [entry.check for entry in checks]
    if fault.outcome == "not testable":
        return lacking_for(fault, made)
    if fault.outcome != "not decided":
        return []
    broke = [check for check in made if check.verdict is Verdict.ERROR]
    undecided = sum(check.reason == NOT_DECIDED for check in made)
    found = [topology.reason] if topology and topology.reason else []
    found += [f"{check.label}: {check.reason}" for check in broke if check.reason not in found]
    if undecided:
        said = gettext("the run ended before {checks} could be made")
        found.append(said.format(checks=counted(undecided, "check")))
    return found
