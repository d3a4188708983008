# SPDX-License-Identifier: GPL-2.0-or-later
"""The small parts that a run record is made of: evidence, measurements, what was built."""

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
    NonNegativeFloat,
    PositiveInt,
)

from contracts.address_family import FamilyName


def _inside_the_run(path: str) -> str:
    """Evidence travels with its record, so its path may not lead out of the run's folder."""
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"expected a path relative to the output directory, got {path!r}")
    return path


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Seconds = Annotated[NonNegativeFloat, Field(allow_inf_nan=False)]


class Part(BaseModel):
    """A piece of the record: unknown keys refused, never changed."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )


class Evidence(Part):
    """One stored file that a verdict rests on."""

    name: str
    media_type: str
    path: Annotated[str, AfterValidator(_inside_the_run)] = Field(
        description="relative to the folder of run.json"
    )
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Measurement(Part):
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
        "that cannot be told (reports/warmup.py)",
    )
    trials: list[PositiveInt] = Field(
        default_factory=list,
        description="how many samples each trial gave, in order; empty: each sample is one",
    )


class BuiltNode(Part):
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


class BuiltLink(Part):
    """How two nodes are joined."""

    ends: tuple[str, str] = Field(description="ids of nodes")
    kind: Literal["nic", "port", "function", "routed", "cable"] = Field(
        description="nic: a guest has it; port: of a bridge; function: of a physical one; routed: "
        "the host forwards between them; cable: of the physical network"
    )
    name: str | None = Field(default=None, description="what is to be said of it")


class Built(Part):
    """What a topology was when its checks began: the graph that a drawing is made from."""

    nodes: list[BuiltNode] = Field(default_factory=list)
    links: list[BuiltLink] = Field(default_factory=list)


class Procedure(Part):
    """How a check decides: the lists of its docstring, one text for each item."""

    preconditions: list[str] = Field(description="what is there before its first step")
    steps: list[str] = Field(description="what it does, in order")
    verify: list[str] = Field(description="what has to hold, so that the claim conforms")


class Reach(Part):
    """One cell of the table of who reaches whom, for one protocol and address family."""

    from_: Literal["guest", "host", "outside"] = Field(
        alias="from", description="the end that speaks first"
    )
    to: Literal["guest", "host", "outside"]
    protocol: Literal["icmp", "tcp", "udp"]
    family: FamilyName = Field(default="ipv4", description="the address family of its packets")
    promised: bool = Field(description="whether the one is to reach the other, or is not to")
