# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a run record: evidence, measurements, the built network, tool, host, faults."""

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    NonNegativeFloat,
    PositiveInt,
    WithJsonSchema,
)

from contracts.address_family import FamilyName
from contracts.verdicts import SEEN, Verdict


def _inside_the_run(path: str) -> str:
    """Evidence travels with its record, so its path may not lead out of the run's folder."""
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"expected a path relative to the output directory, got {path!r}")
    return path


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _as_seen(verdict: Verdict) -> Verdict:
    """A record has what was seen: that it is waived is beside it, and depends on the day."""
    if verdict not in SEEN:
        raise ValueError(f"{verdict} is no verdict of a check, expected one of {', '.join(SEEN)}")
    return verdict


SeenVerdict = Annotated[
    Verdict,
    AfterValidator(_as_seen),
    WithJsonSchema({"type": "string", "enum": [str(each) for each in SEEN]}),
]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Seconds = Annotated[NonNegativeFloat, Field(allow_inf_nan=False)]


class RecordPart(BaseModel):
    """A piece of the record: unknown keys refused, never changed."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )


class EvidenceFile(RecordPart):
    """One stored file that a verdict rests on."""

    name: str
    media_type: str
    path: Annotated[str, AfterValidator(_inside_the_run)] = Field(
        description="relative to the folder of run.json"
    )
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Measurement(RecordPart):
    """Raw samples of one quantity, in the order they were taken."""

    name: str
    unit: str
    samples: list[FiniteFloat]
    better: Literal["more", "less"] | None = Field(
        default=None, description="which way is better; null: neither, it is only to be known"
    )
    cold: Literal[0, 1] | None = Field(
        default=None,
        description="how many of the first samples were taken cold, and do not count; null where "
        "that is unknown (reports/warmup.py)",
    )
    trials: list[PositiveInt] = Field(
        default_factory=list,
        description="how many samples each trial gave, in order; empty: each sample is one",
    )


class UnreadSetting(RecordPart):
    """What a network is asked for, and no check looks at."""

    source: str = Field(description="whose: a network of libvirt's, or a bridge")
    element: str = Field(description="the element with those around it, or the key")
    attribute: str | None = Field(description="its attribute; null: the element or key itself")
    line: PositiveInt | None = Field(
        description="in the XML: the file's, of an existing network the live one; null: not of XML"
    )
    value: str


class BuiltNode(RecordPart):
    """A machine or a link of a topology that was built."""

    id: str = Field(description="names it within the topology")
    kind: Literal["host", "guest", "lan", "outside", "bridge", "pf", "uplink", "tap", "vf"] = Field(
        description="lan: the physical network's switch and router; pf: the NIC whose virtual "
        "functions guests have; tap, vf: the host's end of a guest's NIC"
    )
    name: str
    within: str | None = Field(default=None, description="the machine that a link is on, by id")
    lines: list[str] = Field(
        default_factory=list, description="what was found of it: addresses, MAC, model"
    )


class BuiltLink(RecordPart):
    """How two nodes are joined."""

    ends: tuple[str, str] = Field(description="ids of nodes")
    kind: Literal["nic", "port", "function", "routed", "cable"] = Field(
        description="nic: a guest has it; port: of a bridge; function: of a physical one; routed: "
        "the host forwards between them; cable: of the physical network"
    )
    name: str | None = Field(default=None, description="what is to be said of it")


class Built(RecordPart):
    """What a topology was when its checks began: the graph that a drawing is made from."""

    nodes: list[BuiltNode] = Field(default_factory=list)
    links: list[BuiltLink] = Field(default_factory=list)


class MovedField(RecordPart):
    """A field of a topology that has another value on a shared host than its file gives it."""

    field: str = Field(description="as in networks[0].bridge")
    documented: str
    used: str


class Procedure(RecordPart):
    """How a check decides: the lists of its docstring, one text for each item."""

    preconditions: list[str] = Field(description="what is there before its first step")
    steps: list[str] = Field(description="what it does, in order")
    verify: list[str] = Field(description="what has to hold, so that the claim conforms")


class Reach(RecordPart):
    """One cell of the reach table, for one protocol and address family."""

    from_: Literal["guest", "host", "outside"] = Field(
        alias="from", description="the end that speaks first"
    )
    to: Literal["guest", "host", "outside"]
    protocol: Literal["icmp", "tcp", "udp"]
    family: FamilyName = Field(default="ipv4", description="the address family of its packets")
    promised: bool = Field(description="whether the one is to reach the other, or is not to")


class Tool(RecordPart):
    """Which Plumbline ran, and how it was called."""

    version: str
    commit: str | None = Field(description="git commit; null when it is not a checkout")
    dirty: bool | None = Field(description="whether files differ from the commit; null as above")
    command: list[str] = Field(description="the command line, one element per argument")


class Accelerator(RecordPart):
    """How guests were run, and what that choice rests on."""

    name: str = Field(description="kvm or tcg")
    reason: str


class HostRecord(RecordPart):
    """The host under test; every field is null or empty until the first host is up."""

    kind: Literal["sandbox", "lab", "staged", "local"] | None = None
    release: str | None = Field(default=None, description="the userland the host runs")
    accel: Accelerator | None = None
    facts: dict[str, JsonValue] = Field(default_factory=dict)


class Statement(RecordPart):
    """The text of a claim, and the documents that state it."""

    statement: str
    source: str


class ExpectedException(RecordPart):
    """Claims that are expected not to conform on this host."""

    claims: list[str] = Field(description="empty: checks that decide no claim")
    topologies: list[str]
    checks: list[str] = Field(
        default_factory=list,
        description="beginnings of the ids of the checks that are meant, without the topology; "
        "empty: all of the claims",
    )
    verdict: SeenVerdict
    why: str = Field(description="why that is right")


class ExpectedVerdicts(RecordPart):
    """The verdicts that those of the run are compared with."""

    file: str = Field(description="its name")
    seen: dict[str, list[str]] = Field(
        description="by topology the claims that have an expectation: to conform, but for the "
        "exceptions; and beginnings of the ids of checks that decide no claim"
    )
    unseen: dict[str, list[str]] = Field(
        default_factory=dict,
        description="by topology beginnings of the ids of checks that have no expectation, though "
        "`seen` has a shorter beginning: they were seen on hosts with other capabilities alone",
    )
    exceptions: list[ExpectedException]


FaultOutcome = Literal[
    "caught", "unnoticed", "got through", "false alarm", "not testable", "not decided"
]
"""The outcome of a fault, or of a harmless change."""


class FaultResult(RecordPart):
    """A deliberate break of a topology, or a harmless change, and which checks noticed it."""

    id: str
    title: str
    topology: str = Field(description="the topology of this run that was built with it")
    on: str = Field(description="the machine that its commands ran on")
    before_build: str | None = Field(
        default=None, description="shell commands on the host before the topology was built"
    )
    before: str | None = Field(
        default=None, description="shell commands on the host before its guests were booted"
    )
    apply: str = Field(description="the shell commands that broke the topology")
    undo: str | None = None
    guest_model: str | None = Field(
        default=None, description="the NIC model that the first guest was built with instead"
    )
    vfs: int | None = Field(
        default=None, description="how many virtual functions it was built with instead"
    )
    caught_by: list[str] = Field(
        default_factory=list, description="claims, or beginnings of check ids, to be violated"
    )
    also: dict[str, str] = Field(
        default_factory=dict,
        description="what else is rightly violated beside it, each with the reason",
    )
    why: str | None = Field(
        default=None,
        description="of a harmless change: why nothing may turn red beside it; null: it is a fault",
    )
    outcome: FaultOutcome = Field(
        default="not decided",
        description="caught: all that had to notice did, and nothing else; unnoticed: no check was "
        "changed by a harmless change; got through: something that had to notice did not; "
        "false alarm: something else was violated too, or a harmless change was noticed",
    )
    missed: dict[str, str] = Field(
        default_factory=dict, description="what had to notice and did not: its verdict instead"
    )
    unexplained: dict[str, str] = Field(
        default_factory=dict,
        description="checks that were violated without being named, or beside a harmless change "
        "were not decided: reason",
    )

    @property
    def is_harmless(self) -> bool:
        """Whether nothing may notice it."""
        return self.why is not None
