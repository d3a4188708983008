# SPDX-License-Identifier: GPL-2.0-or-later
"""A comparison of two runs: the one model that terminal, Markdown, HTML and JSON are made from."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from contracts.language import gettext
from contracts.verdicts import Verdict
from reports.record import RunRecord
from reports.warmup import Better

COMPARE_SCHEMA: Literal["plumbline/compare/1"] = "plumbline/compare/1"


class Effect(StrEnum):
    """The meaning of a changed verdict."""

    REGRESSED = "regressed"
    LOST = "lost"
    FOUND = "found"
    MENDED = "mended"
    WAIVED = "waived"
    GAINED = "gained"
    UNDECIDED = "still undecided"


class QuantityOutcome(StrEnum):
    """The outcome of comparing a quantity's samples."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    SMALL = "too small to matter"
    CHANGED = "changed"
    NO_DIFFERENCE = "no difference shown"
    TOO_FEW = "too few samples"
    DEPENDENT = "samples depend on one another"
    NOT_COMPARABLE = "not comparable"


JUDGED = frozenset(
    {
        QuantityOutcome.REGRESSED,
        QuantityOutcome.IMPROVED,
        QuantityOutcome.SMALL,
        QuantityOutcome.CHANGED,
        QuantityOutcome.NO_DIFFERENCE,
    }
)


class ComparisonPart(BaseModel):
    """A piece of a comparison or a trend: unknown keys refused, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


class Method(ComparisonPart):
    """What the judgement of quantities rests on."""

    level: float = Field(description="how often one false alarm or more may come, over all")
    power: float = Field(description="how surely a difference that could be seen is seen")
    relevant_percent: float = Field(description="a smaller change is shown, and raises no alarm")
    relevant_points: float = Field(description="the same for quantities in percent, in points")
    tests: int = Field(description="how many quantities the level is divided among")
    samples_needed: int = Field(description="of each, so that the test can reach its share of it")


class RunIdentity(ComparisonPart):
    """Which run it was, on what kind of host."""

    folder: str
    id: str
    started: AwareDatetime
    kind: str | None
    release: str | None
    accel: str | None

    @property
    def host(self) -> str:
        """The host in words: `sandbox, Debian 12, kvm`."""
        return ", ".join(filter(None, (self.kind, self.release, self.accel))) or gettext("no host")


def identity(record: RunRecord, folder: Path) -> dict[str, Any]:
    """Return the fields of `RunIdentity`."""
    return {
        "folder": str(folder),
        "id": str(record.id),
        "started": record.started,
        "kind": record.host.kind,
        "release": record.host.release,
        "accel": record.host.accel.name if record.host.accel else None,
    }


class ComparedRun(RunIdentity):
    """One of the two runs."""

    finished: AwareDatetime | None
    command: list[str]


class Flip(ComparisonPart):
    """A verdict that is another one now.

    Of a check, of a claim with other checks than before, or of a topology beside its checks.
    """

    of: Literal["check", "claim", "topology"]
    id: str
    claims: list[str]
    topology: str
    before: Verdict
    after: Verdict
    effect: Effect
    reason_before: str | None = None
    reason_after: str | None = None
    rerun: str | None = None


class OneSided(ComparisonPart):
    """What only one of the runs has."""

    of: Literal["topology", "claim", "check"]
    id: str
    topology: str
    verdict: Verdict
    claims: list[str] = Field(default_factory=list, description="of a check")


class FactChange(ComparisonPart):
    """A fact of the host that differs; null where one of the records does not have it."""

    name: str
    before: JsonValue
    after: JsonValue


class Samples(ComparisonPart):
    """The samples of a quantity in one run."""

    raw: list[float] = Field(description="all, in the order they were taken")
    cold: int = Field(description="how many of the first of them do not count")
    values: list[float] = Field(description="what is judged: one value for each trial")
    median: float
    interval: tuple[float, float] | None = Field(description="of the median; null: too few")


class MedianChange(ComparisonPart):
    """The change of the median: a share of its old value, or percentage points."""

    size: float
    interval: tuple[float, float] | None
    in_points: bool


class Quantity(ComparisonPart):
    """A quantity that both runs measured, and the outcome of comparing its samples."""

    topology: str
    check: str
    name: str
    title: str = Field(description="the name, and the check where several have this name")
    unit: str
    better: Better | None
    before: Samples
    after: Samples
    change: MedianChange | None = Field(description="null where there is nothing to divide by")
    p: float | None = Field(description="of the rank test; null where it was not made")
    adjusted_p: float | None = Field(description="after Holm; below the level it is significant")
    visible: float | None = Field(
        description="the smallest change for the worse that these samples would have shown, as "
        "`change.size`; null: none, or not worked out"
    )
    outcome: QuantityOutcome
    note: str | None = None


class EvidenceDifference(ComparisonPart):
    """Evidence that differs where a verdict does, as a unified diff of its normalised text."""

    topology: str
    check: str | None = Field(description="whose evidence it is; null: the topology's")
    name: str
    lines: list[str]
    left_out: int = Field(description="how many lines more there are")


class Comparison(ComparisonPart):
    """What changed between two runs."""

    schema_: Literal["plumbline/compare/1"] = Field(default=COMPARE_SCHEMA, alias="schema")
    before: ComparedRun
    after: ComparedRun
    warnings: list[str]
    other_host: list[str] = Field(
        description="the signs that the runs are of two machines; they are among the warnings"
    )
    unfinished: bool
    method: Method
    flips: list[Flip]
    same: dict[Verdict, int] = Field(description="how many checks have the verdict they had")
    appeared: list[OneSided]
    vanished: list[OneSided]
    facts: list[FactChange]
    quantities: list[Quantity]
    differences: list[EvidenceDifference]
    notes: list[str] = Field(description="evidence that could not be read")
    exit_code: int
    because: list[str] = Field(description="what the exit code rests on")


def named(quantity: Quantity) -> str:
    """Return the name of a quantity with its topology."""
    return f"{quantity.topology}: {quantity.title}"
