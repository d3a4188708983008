# SPDX-License-Identifier: GPL-2.0-or-later
"""A comparison of two runs: the one model that terminal, Markdown, HTML and JSON are made from."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from contracts.exit_codes import EXIT_CONFORMS, EXIT_UNDECIDED, EXIT_VIOLATES
from contracts.language import gettext, word
from contracts.verdicts import Verdict
from reports.record import RunRecord
from reports.warmup import Better

COMPARE_SCHEMA: Literal["plumbline/compare/1"] = "plumbline/compare/1"


# Of quantities in a reason; the rows below it have them all.
NAMES_SHOWN = 3


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
    NOT_COMPARABLE = "not comparable"


WORSE_UNKNOWN = frozenset({Effect.LOST, Effect.FOUND})
"""Effects that leave open whether something is worse."""
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


def outcome_of(
    flips: list[Flip],
    vanished: list[OneSided],
    appeared: list[OneSided],
    quantities: list[Quantity],
    undecided: list[str],
    *,
    accept_few: bool = False,
) -> tuple[int, list[str]]:
    """Return the exit code and what it rests on.

    What is certain comes first: something that is worse (1), then whatever leaves open whether
    something is (10).

    Args:
        flips: verdicts that are others now.
        vanished: entries of the run before only.
        appeared: entries of the run after only.
        quantities: those of both.
        undecided: the reasons that leave the whole comparison open.
        accept_few: too few samples to judge a quantity leave nothing open.
    """
    worse = [_turned(flip) for flip in flips if flip.effect is Effect.REGRESSED]
    regressed = gettext("{quantity} regressed")
    worse += [
        regressed.format(quantity=named(each))
        for each in quantities
        if each.outcome is QuantityOutcome.REGRESSED
    ]
    if worse:
        return EXIT_VIOLATES, worse
    open_ = list(undecided)
    open_ += [_turned(f) for f in flips if f.effect in WORSE_UNKNOWN or f.of == "topology"]
    decided = {Verdict.CONFORMS, Verdict.VIOLATES, Verdict.WAIVED}
    if gone := _claim_list([each for each in vanished if each.verdict in decided], vanished):
        open_.append(
            gettext("decided before, and not looked at after: {claims}").format(claims=gone)
        )
    if new := _claim_list([a for a in appeared if a.verdict is Verdict.VIOLATES], appeared):
        said = gettext("violated, and not looked at before: {claims}")
        open_.append(said.format(claims=new))
    unjudged = _unjudged(quantities)
    few = [named(each) for each in quantities if each.better is not None and _has_few(each)]
    are_too_few = accept_few and bool(unjudged) and all(map(_has_few, quantities))
    if unjudged and not are_too_few:
        why = ", ".join(map(word, unjudged))
        open_.append(gettext("no quantity could be judged: {why}").format(why=why))
    elif few and not accept_few:
        open_.append(gettext("too few samples to judge {names}").format(names=_first(few)))
    if open_:
        return EXIT_UNDECIDED, open_
    if are_too_few:
        return EXIT_CONFORMS, [
            gettext("no verdict is shown to be worse; quantities have too few samples to be judged")
        ]
    return EXIT_CONFORMS, [gettext("no verdict and no quantity is shown to be worse")]


def _has_few(quantity: Quantity) -> bool:
    """Whether more samples alone would let a quantity be judged: what is left has no direction."""
    if quantity.better is None:
        return True
    # Where no test was made, its samples depend on each other, or have another unit.
    return quantity.outcome is QuantityOutcome.TOO_FEW and quantity.p is not None


def _first(names: list[str]) -> str:
    """Return the first of several names, and how many there are more."""
    more = len(names) - NAMES_SHOWN
    shown = names[:NAMES_SHOWN]
    if more > 0:
        shown.append(gettext("and {number} more").format(number=more))
    return ", ".join(shown)


def _unjudged(quantities: list[Quantity]) -> list[QuantityOutcome]:
    """Return each outcome of the quantities with a direction; empty if one of them was judged."""
    outcomes = list(dict.fromkeys(q.outcome for q in quantities if q.better is not None))
    return [] if JUDGED.intersection(outcomes) else outcomes


def _turned(flip: Flip) -> str:
    return f"{flip.id}: {word(flip.before)} → {word(flip.after)}"


def _claim_list(ones: list[OneSided], whole: list[OneSided]) -> str:
    """Return the claims among these, and the checks that belong to none.

    Those of a topology that is not there at all go by its name.
    """
    by_claim = [each for each in ones if each.of == "claim"]
    claims = by_claim + [each for each in ones if each.of == "check" and not each.claims]
    topologies = {each.topology for each in whole if each.of == "topology"}
    all_ = gettext("all of {topology}")
    listed = [all_.format(topology=e.topology) for e in claims if e.topology in topologies]
    listed += [f"{each.id} ({each.topology})" for each in claims if each.topology not in topologies]
    return ", ".join(dict.fromkeys(listed))


def named(quantity: Quantity) -> str:
    """Return the name of a quantity with its topology."""
    return f"{quantity.topology}: {quantity.title}"
