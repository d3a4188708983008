# SPDX-License-Identifier: GPL-2.0-or-later
"""The run record `run.json` (schema `plumbline/run/1`): the one model every report is made from.

The shape is the contract in the design document; `run.schema.json` beside this file says the same
to other programs (`reports.schema` writes it). Keys are never missing: what is not known is null.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import Field, ValidationError

from contracts.exit_code_decision import exit_code_of_proof, exit_code_of_run
from contracts.plan import HOST
from contracts.run_files import RECORD
from contracts.verdicts import Verdict, worst
from reports.record_types import (
    Accelerator,
    Built,
    BuiltLink,
    BuiltNode,
    EvidenceFile,
    ExpectedVerdicts,
    FaultOutcome,
    FaultResult,
    HostRecord,
    Measurement,
    Moment,
    MovedField,
    Procedure,
    Reach,
    RecordPart,
    Seconds,
    SeenVerdict,
    Statement,
    Tool,
    UnreadSetting,
)
from reports.report_error import ReportError
from reports.standard import Standard
from reports.waiver import Waiver

__all__ = [
    "RUN_SCHEMA",
    "Accelerator",
    "Built",
    "BuiltLink",
    "BuiltNode",
    "Check",
    "ClaimVerdict",
    "EvidenceFile",
    "ExpectedVerdicts",
    "FaultOutcome",
    "FaultResult",
    "HostRecord",
    "Measurement",
    "MovedField",
    "OtherSchema",
    "Procedure",
    "Reach",
    "RecordError",
    "RunRecord",
    "Seconds",
    "Statement",
    "Tool",
    "TopologyRecord",
    "UnreadSetting",
    "Verdict",
    "claim_verdicts",
    "explain",
    "load",
    "parse",
    "save",
    "worst",
]

RUN_SCHEMA: Literal["plumbline/run/1"] = "plumbline/run/1"


class RecordError(ReportError):
    """A run record, or a part of one, that is not what the contract says."""


class OtherSchema(RecordError):
    """A run record that another version of Plumbline wrote."""


class TopologyRecord(RecordPart):
    """One topology of the run, as far as it came."""

    name: str
    kind: str | None = None
    title: str | None = None
    origin: Literal["made", "existing"] | None = Field(
        default=None,
        description="made by the run, or existing on the host; null in an older record",
    )
    not_looked_at: list[UnreadSetting] = Field(
        default_factory=list,
        description="what an existing network, or one of libvirt's XML, is asked for, and no check "
        "looks at",
    )
    verdict: SeenVerdict = Field(description="the worst of its build and its checks")
    reason: str | None = Field(default=None, description="why it could not be built, else null")
    build_s: Seconds | None = Field(
        default=None,
        description="to build it; with a fault, to break a topology that was up, where one was",
    )
    boot_s: Seconds | None = Field(default=None, description="of these until its guests answered")
    guests_cpu_s: Seconds | None = Field(default=None, description="CPU seconds of its guests")
    teardown_s: Seconds | None = Field(
        default=None, description="to take it down; with a fault, to undo it and compare"
    )
    undone: bool | None = Field(
        default=None,
        description="whether its fault was undone and it was as it was built; null: taken down",
    )
    built: Built | None = Field(
        default=None, description="what was built; null when it was not, or not recorded"
    )
    placement: list[MovedField] = Field(
        default_factory=list,
        description="the fields of its file in whose place a shared host has others; empty: it was "
        "built as documented",
    )
    evidence: list[EvidenceFile] = Field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether the host refused to build it, which is no failure of the harness."""
        was_built = self.build_s is not None
        return self.reason is not None and self.verdict is Verdict.VIOLATES and not was_built


class Check(RecordPart):
    """One check on one topology; `id` and `topology` together name it within a run."""

    id: str
    claims: list[str]
    topology: str
    verdict: SeenVerdict
    reason: str | None = Field(
        default=None, description="what was seen, lacked or broke; null where nothing is to be said"
    )
    reach: Reach | None = Field(
        default=None, description="the cell of the reach table that it decides; null: none"
    )
    procedure: Procedure | None = Field(
        default=None, description="how it decides; null in a record from before that was kept"
    )
    duration_s: Seconds | None = Field(default=None, description="null when it never ran to an end")
    paused_s: Seconds | None = Field(default=None, description="of these between observations")
    measurements: list[Measurement] = Field(default_factory=list)
    evidence: list[EvidenceFile] = Field(default_factory=list)
    rerun: str = Field(description="the command that decides this check again")

    @property
    def label(self) -> str:
        """Its id without its topology, for a line that names the topology already.

        `dhcp.lease[nat]` is `dhcp.lease` there, `reach.works[nat-guest-to-host-icmp]` is
        `reach.works[guest-to-host-icmp]`.
        """
        name, bracket, parameters = self.id.partition("[")
        if not bracket or parameters == f"{self.topology}]":
            return name
        return f"{name}[{parameters.removeprefix(f'{self.topology}-')}"

    @property
    def property(self) -> str:
        """The property of a network that it looks at: its id up to the first dot."""
        return self.id.partition(".")[0]


class ClaimVerdict(RecordPart):
    """A claim on a topology: as bad as the worst of its checks there."""

    id: str
    topology: str
    verdict: SeenVerdict


class RunRecord(RecordPart):
    """A run, finished or not."""

    schema_: Literal["plumbline/run/1"] = Field(default=RUN_SCHEMA, alias="schema")
    id: UUID
    started: Moment
    finished: Moment | None = Field(default=None, description="null while it runs, or when killed")
    ended_with: int | None = Field(
        default=None, description="the exit code; null while it runs, or when it was killed"
    )
    lacking: list[str] = Field(
        default_factory=list, description="capabilities that were expected, and that the host lacks"
    )
    redacted: bool = Field(
        default=False, description="whether what may identify a site was replaced in it (--redact)"
    )
    tool: Tool
    host: HostRecord = Field(default_factory=HostRecord)
    topologies: list[TopologyRecord] = Field(default_factory=list)
    checks: list[Check] = Field(default_factory=list)
    claims: list[ClaimVerdict] = Field(default_factory=list)
    statements: dict[str, Statement] = Field(
        default_factory=dict, description="what the claims of the checks say, by claim id"
    )
    faults: list[FaultResult] = Field(default_factory=list, description="of `prove` alone")
    expected: ExpectedVerdicts | None = Field(
        default=None,
        description="the verdicts that were expected of the host; null: none, or a record from "
        "before that was kept",
    )
    waivers: list[Waiver] = Field(default_factory=list, description="the verdicts are without")
    standard: Standard | None = Field(default=None, description="null in an older record")

    def counts(self) -> Counter[Verdict]:
        """Return how many checks have each verdict."""
        return Counter(check.verdict for check in self.checks)

    def exit_code(self, missing: Sequence[str] = ()) -> int:
        """Return the exit code of this run (`contracts.exit_code_decision`) by its own verdicts.

        With expected ones, `reports.verdict_comparison` has the exit code.

        Args:
            missing: the expected capabilities that the host lacks.
        """
        if self.faults:
            return exit_code_of_proof({fault.outcome for fault in self.faults})
        # That the host is as it was says nothing of a network.
        decided = {
            check.verdict
            for check in self.checks
            if (check.topology, check.verdict) != (HOST, Verdict.CONFORMS)
        }
        topologies = {topology.verdict for topology in self.topologies if topology.name != HOST}
        return exit_code_of_run(decided, topologies, missing)


def claim_verdicts(checks: Iterable[Check]) -> list[ClaimVerdict]:
    """Return the verdict of each claim on each topology, in the order they first appear."""
    seen: dict[tuple[str, str], list[Verdict]] = {}
    for check in checks:
        for claim in check.claims:
            seen.setdefault((claim, check.topology), []).append(check.verdict)
    return [
        ClaimVerdict(id=claim, topology=topology, verdict=worst(verdicts))
        for (claim, topology), verdicts in seen.items()
    ]


def explain(error: ValidationError) -> str:
    """Return what a validation error found wrong, one `field: what` after the other."""
    return "; ".join(
        f"{'.'.join(str(step) for step in wrong['loc']) or 'the whole'}: {wrong['msg']}"
        for wrong in error.errors(include_url=False)
    )


def load(path: Path) -> RunRecord:
    """Read a run record.

    Raises:
        RecordError: it can't be read, or is not a `plumbline/run/1`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(
            f"{path}: cannot be read: {error.strerror}", f"name the {RECORD} of a run"
        ) from error
    return parse(content, str(path))


def parse(content: bytes, place: str) -> RunRecord:
    """Read a run record from its JSON.

    Args:
        content: of the file.
        place: the file, for the message.

    Raises:
        RecordError: it is not JSON, no record, one of another schema, or lacks something.
    """
    try:
        known = json.loads(content)
    except ValueError as error:
        raise RecordError(
            f"{place}: not JSON: {error}", f"expected the {RECORD} of a run"
        ) from error
    schema = known.get("schema") if isinstance(known, dict) else None
    if schema is None:
        raise RecordError(
            f"{place}: not a run record: it has no field `schema`",
            f"expected the {RECORD} of a run, schema {RUN_SCHEMA}",
        )
    if schema != RUN_SCHEMA:
        raise OtherSchema(
            f"{place}: a record of schema {schema!r}",
            f"this version of Plumbline reads {RUN_SCHEMA}; use the version that wrote it",
        )
    try:
        return RunRecord.model_validate_json(content)
    except ValidationError as error:
        raise RecordError(
            f"{place}: not a {RUN_SCHEMA} record: {explain(error)}",
            f"expected the {RECORD} that this version of Plumbline writes",
        ) from error


def save(record: RunRecord, path: Path) -> None:
    """Write a run record so that a reader finds the old one or the new one, never half of one.

    The rename makes that hold when the harness is killed. It is not synced to the disk: after a
    power cut the evidence beside it would be gone just the same, and a sync on each check would
    cost more time than many a check.
    """
    # One writer per run, so a fixed name is enough and a killed run leaves one file at most.
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
