# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of a run so far, put together from what its checks report one by one."""

import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.plan import Key, PlannedCheck
from contracts.verdicts import NOT_DECIDED, Verdict, worst
from reports.fault_outcomes import results
from reports.record import (
    Built,
    Check,
    EvidenceFile,
    ExpectedVerdicts,
    FaultResult,
    HostRecord,
    MovedField,
    Procedure,
    Reach,
    RecordError,
    RunRecord,
    Seconds,
    Statement,
    Tool,
    TopologyRecord,
    UnreadSetting,
    claim_verdicts,
    explain,
)
from reports.standard import Standard
from reports.waiver import Waiver

# The one of the host's facts that has an entry for each topology.
BUILT_FACTS = "topologies"

M = TypeVar("M", bound=BaseModel)


class TopologyReport(BaseModel):
    """What is reported of a topology at one moment; null is "nothing new"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: str | None = None
    title: str | None = None
    origin: Literal["made", "existing"] | None = None
    not_looked_at: list[UnreadSetting] | None = None
    verdict: Verdict | None = None
    reason: str | None = None
    build_s: Seconds | None = None
    boot_s: Seconds | None = None
    guests_cpu_s: Seconds | None = None
    teardown_s: Seconds | None = None
    undone: bool | None = None
    built: Built | None = None
    placement: list[MovedField] | None = None
    evidence: list[EvidenceFile] | None = None

    def joined_by(self, later: "TopologyReport") -> "TopologyReport":
        """Return both as one: later fields win unless null, reasons and evidence add up."""
        news = {name: value for name, value in later if value is not None}
        if self.reason and later.reason and later.reason not in self.reason:
            news["reason"] = f"{self.reason}; then {later.reason}"
        if self.evidence and later.evidence:
            files = {each.path: each for each in [*self.evidence, *later.evidence]}
            news["evidence"] = list(files.values())
        return self.model_copy(update=news)


class Ledger:
    """The state of one run; `record` is its picture at a moment."""

    def __init__(
        self,
        tool: Tool,
        faults: Iterable[Mapping[str, Any]] = (),
        statements: Mapping[str, Statement] | None = None,
        expected: ExpectedVerdicts | None = None,
        waivers: Iterable[Waiver] = (),
        standard: Standard | None = None,
    ) -> None:
        self._tool = tool
        self._statements = statements or {}
        self._expected = expected
        self._waivers = list(waivers)
        self._standard = standard
        self._faults = [_parsed(FaultResult, fault, "plumbline.fault") for fault in faults]
        self._id: UUID = uuid4()
        self._started = datetime.now(UTC)
        self._began_s = time.monotonic()
        self._host: HostRecord | None = None
        self._checks: dict[Key, Check] = {}
        self._decided: set[Key] = set()
        self._by_nodeid: dict[str, list[PlannedCheck]] = {}
        self._topologies: dict[str, TopologyReport] = {}

    def plan(self, planned: Iterable[PlannedCheck]) -> None:
        """Enter what is going to be checked, as not decided."""
        for check in planned:
            self._by_nodeid.setdefault(check.nodeid, []).append(check)
            undecided = entry_for(check, Verdict.INCONCLUSIVE, NOT_DECIDED)
            self._checks.setdefault(check.key, undecided)
            self._topologies.setdefault(check.topology, TopologyReport(name=check.topology))

    def planned_for(self, nodeid: str) -> list[PlannedCheck]:
        """Return the checks that a pytest item makes; none for an item outside the plan.

        Under `--dist loadgroup` an item's name ends in `@GROUP`, in some places and not in others.
        """
        return self._by_nodeid.get(nodeid) or self._by_nodeid.get(nodeid.rpartition("@")[0], [])

    def entry(self, key: Key) -> Check | None:
        """Return what is known of a check."""
        return self._checks.get(key)

    def is_decided(self, key: Key) -> bool:
        """Return whether a check has a result, of its own or entered for it."""
        return key in self._decided

    @property
    def progress(self) -> tuple[int, int]:
        """How many checks are decided, of how many."""
        return len(self._decided), len(self._checks)

    def decide(self, check: Check) -> bool:
        """Enter a check's verdict, the last one counts; return whether that was news.

        Except that a violation once seen stays one, whatever breaks after it.
        """
        key = (check.topology, check.id)
        before = self._checks.get(key)
        if before and before.verdict is Verdict.VIOLATES is not check.verdict:
            # Its files may have grown since.
            self._checks[key] = before.model_copy(update={"evidence": check.evidence})
            return False
        news = key not in self._decided or self._checks[key] != check
        self._checks[key] = check
        self._decided.add(key)
        self._topologies.setdefault(check.topology, TopologyReport(name=check.topology))
        return news

    def report_topology(self, reported: Mapping[str, Any]) -> bool:
        """Add what is newly known of a topology; return whether that was news.

        Raises:
            RecordError: it is not an element of the contract's `topologies`.
        """
        later = _parsed(TopologyReport, reported, "plumbline.topology")
        known = self._topologies.get(later.name)
        joined = known.joined_by(later) if known else later
        self._topologies[later.name] = joined
        return joined != known

    def report_host(self, reported: Mapping[str, Any]) -> bool:
        """Take note of the host; return whether it is the first.

        The first one counts, as all of a run are made alike; but for the facts that depend on what
        was built on it, which each has below `topologies`.

        Raises:
            RecordError: it is not the contract's `host`.
        """
        host = _parsed(HostRecord, reported, "plumbline.host")
        if self._host is None:
            self._host = host
            return True
        built = [each.facts.get(BUILT_FACTS) for each in (self._host, host)]
        both = dict(pair for each in built if isinstance(each, dict) for pair in each.items())
        if both:
            facts = self._host.facts | {BUILT_FACTS: both}
            self._host = self._host.model_copy(update={"facts": facts})
        return False

    def topology(self, name: str) -> TopologyRecord:
        """Return a topology as the record has it now."""
        known = self._topologies[name]
        verdicts = [check.verdict for check in self._checks.values() if check.topology == name]
        if known.verdict is not None:
            verdicts.append(known.verdict)
        elif known.reason is not None:
            verdicts.append(Verdict.ERROR)
        return TopologyRecord(
            name=name,
            kind=known.kind,
            title=known.title,
            origin=known.origin,
            not_looked_at=known.not_looked_at or [],
            verdict=worst(verdicts) if verdicts else Verdict.INCONCLUSIVE,
            reason=known.reason,
            build_s=known.build_s,
            boot_s=known.boot_s,
            guests_cpu_s=known.guests_cpu_s,
            teardown_s=known.teardown_s,
            undone=known.undone,
            built=known.built,
            placement=known.placement or [],
            evidence=known.evidence or [],
        )

    def faults(self, topology: str) -> list[FaultResult]:
        """Return what came, until now, of the faults that a topology was built with."""
        return [fault for fault in self.record().faults if fault.topology == topology]

    def record(self, *, is_finished: bool = False) -> RunRecord:
        """Return the run record of this moment.

        Args:
            is_finished: whether the run ends now.
        """
        # Not by the clock, which may be set meanwhile.
        lasted = timedelta(seconds=time.monotonic() - self._began_s)
        finished = self._started + lasted if is_finished else None
        checks = list(self._checks.values())
        topologies = [self.topology(name) for name in self._topologies]
        decided = {claim for check in checks for claim in check.claims}
        return RunRecord(
            id=self._id,
            started=self._started,
            finished=finished,
            tool=self._tool,
            host=self._host or HostRecord(),
            topologies=topologies,
            checks=checks,
            claims=claim_verdicts(checks),
            statements={id_: each for id_, each in self._statements.items() if id_ in decided},
            faults=results(self._faults, checks, topologies),
            expected=self._expected,
            waivers=self._waivers,
            standard=self._standard,
        )


def entry_for(planned: PlannedCheck, verdict: Verdict, reason: str) -> Check:
    """Return an entry of the record for a check that did not write it itself."""
    return Check(
        id=planned.id,
        claims=list(planned.claims),
        topology=planned.topology,
        verdict=verdict,
        reason=reason,
        reach=None if planned.reach is None else Reach.model_validate(planned.reach),
        procedure=(
            None if planned.procedure is None else Procedure.model_validate(planned.procedure)
        ),
        rerun=planned.rerun,
    )


def parse_check(reported: Mapping[str, Any]) -> Check:
    """Read an element of the contract's `checks`.

    Raises:
        RecordError: it is not one.
    """
    return _parsed(Check, reported, "plumbline.check")


def _parsed(model: type[M], reported: Mapping[str, Any], source: str) -> M:
    try:
        return model.model_validate_json(json.dumps(reported, allow_nan=False))
    except (ValidationError, TypeError, ValueError) as error:
        what = explain(error) if isinstance(error, ValidationError) else str(error)
        raise RecordError(f"a {source} entry is not what the contract says: {what}") from error
