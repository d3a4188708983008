# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of a comparison, the same in every output."""

import shlex

from pydantic import JsonValue

from contracts.exit_codes import EXIT_CONFORMS, EXIT_VIOLATES
from contracts.language import gettext, gettext_noop, word
from reports.compare.comparison import (
    ComparedRun,
    Comparison,
    Effect,
    MedianChange,
    OneSided,
    Quantity,
    QuantityOutcome,
)
from reports.wording import counted
from reports.wording import harmless as harmless  # noqa: PLC0414 - one of these words too

EFFECT_MEANINGS = {
    Effect.REGRESSED: gettext_noop("it conformed, and is violated now"),
    Effect.LOST: gettext_noop("it was decided, and is not decided now"),
    Effect.FOUND: gettext_noop("it is violated, and was not decided before"),
    Effect.MENDED: gettext_noop("it was violated, and conforms now"),
    Effect.WAIVED: gettext_noop("it is violated now, and that is waived"),
    Effect.GAINED: gettext_noop("it was not decided, and conforms"),
    Effect.UNDECIDED: gettext_noop("it was not decided, and is not, for another reason"),
}
OUTCOME_MEANINGS = {
    QuantityOutcome.REGRESSED: gettext_noop(
        "a change for the worse is shown, and it is large enough to matter"
    ),
    QuantityOutcome.IMPROVED: gettext_noop(
        "a change for the better is shown, and it is large enough to matter"
    ),
    QuantityOutcome.SMALL: gettext_noop(
        "a change is shown, and it is smaller than what was called relevant"
    ),
    QuantityOutcome.CHANGED: gettext_noop(
        "a change is shown of something of which neither way is better"
    ),
    QuantityOutcome.NO_DIFFERENCE: gettext_noop(
        "these samples show none; beside it, what they would have shown"
    ),
    QuantityOutcome.TOO_FEW: gettext_noop("no result of so few samples could reach the level"),
    QuantityOutcome.DEPENDENT: gettext_noop(
        "each follows the one before, or may, so that they are no independent samples"
    ),
    QuantityOutcome.NOT_COMPARABLE: gettext_noop(
        "the hosts or the units measure differently: shown, and not judged"
    ),
}
NOTHING = "–"
# Below it a figure gets a digit behind its point, below a tenth of it two.
_DIGIT_BELOW, _TWO_DIGITS_BELOW = 100, 10


def headline(comparison: Comparison) -> str:
    """Return the answer in a sentence."""
    if comparison.exit_code == EXIT_VIOLATES:
        return gettext("Something is worse")
    if comparison.exit_code == EXIT_CONFORMS:
        return gettext("Nothing is shown to be worse")
    return gettext("It cannot be decided whether something is worse")


def figure(value: float) -> str:
    """Return a measured value with as many digits as are read: 2345, 41.7, 1.58."""
    size = abs(value)
    digits = 0 if size >= _DIGIT_BELOW else 1 if size >= _TWO_DIGITS_BELOW else 2
    return f"{value:.{digits}f}"


def moved(change: MedianChange | None, *, interval: bool = True) -> str:
    """Return a change: `+3.1 % (-2.0 to +8.4)`, in points `+0.5 points`."""
    if change is None:
        return NOTHING
    unit = gettext("points") if change.in_points else "%"
    said = f"{_signed(change.size, in_points=change.in_points)} {unit}"
    if interval and change.interval is not None:
        low, high = (_signed(end, in_points=change.in_points) for end in change.interval)
        said += gettext(" ({low} to {high})").format(low=low, high=high)
    return said


def visible(quantity: Quantity) -> str:
    """Return the smallest change for the worse that would have been seen."""
    if quantity.visible is None:
        return NOTHING
    in_points = quantity.change is not None and quantity.change.in_points
    unit = gettext("points") if in_points else "%"
    return f"{_signed(quantity.visible, in_points=in_points)} {unit}"


def median(quantity: Quantity, *, after: bool) -> str:
    """Return a median with its interval: `2345 (2210 to 2400)`."""
    samples = quantity.after if after else quantity.before
    said = figure(samples.median)
    if samples.interval is not None:
        low, high = (figure(end) for end in samples.interval)
        said += gettext(" ({low} to {high})").format(low=low, high=high)
    return said


def sizes(quantity: Quantity) -> str:
    """Return how many values were judged, and whether a first one was left out as cold."""
    said = f"{len(quantity.before.values)}, {len(quantity.after.values)}"
    cold = [
        when
        for when, samples in (
            (gettext("before"), quantity.before),
            (gettext("after"), quantity.after),
        )
        if samples.cold
    ]
    if cold:
        said += gettext(" (first one cold: {runs})").format(runs=gettext(" and ").join(cold))
    return said


def run_line(run: ComparedRun) -> str:
    """Return a run in a line: its time, its host, the folder of its record."""
    return f"{run.started:%Y-%m-%d %H:%M} UTC, {run.host}, {run.folder}"


def command(run: ComparedRun) -> str:
    """Return the command of a run as it can be typed."""
    return shlex.join(run.command)


def fact(value: JsonValue) -> str:
    """Return the value of a fact."""
    return gettext("not known") if value is None else str(value)


def kept(comparison: Comparison) -> str:
    """Return how many verdicts are what they were."""
    if not comparison.same:
        return gettext("no check has the verdict that it had")
    parts = ", ".join(f"{number} {word(verdict)}" for verdict, number in comparison.same.items())
    checks = counted(sum(comparison.same.values()), "check")
    return gettext("{checks} as before: {verdicts}").format(checks=checks, verdicts=parts)


def listed(ones: list[OneSided]) -> list[str]:
    """Return what only one run has, a line for each topology."""
    lines = []
    for topology in dict.fromkeys(each.topology for each in ones):
        there = [each for each in ones if each.topology == topology]
        if any(each.of == "topology" for each in there):
            claims = [each for each in there if each.of == "claim"]
            said = gettext("{topology}: the topology, with {claims}")
            lines.append(said.format(topology=topology, claims=counted(len(claims), "claim")))
            continue
        for of, said in (
            ("claim", gettext("{topology}: claims {ids}")),
            ("check", gettext("{topology}: checks {ids}")),
        ):
            ids = [f"{each.id} ({word(each.verdict)})" for each in there if each.of == of]
            if ids:
                lines.append(said.format(topology=topology, ids=", ".join(ids)))
    return lines


def method(comparison: Comparison) -> list[str]:
    """Return how quantities were judged, a sentence each."""
    used = comparison.method
    tests = (
        gettext("is tested alone")
        if used.tests == 1
        else gettext("among {number}").format(number=used.tests)
    )
    return [
        gettext(
            "Each quantity is tested by ranks (Wilcoxon, Mann and Whitney; exact, with ties), "
            "which assumes no shape of its distribution."
        ),
        gettext(
            "Over all of them together one false alarm or more comes in {level} % of comparisons "
            "in which nothing changed (Holm), {tests}: with {number} samples on each side, or "
            "fewer where others have too few, the test can reach its share."
        ).format(level=f"{100 * used.level:g}", tests=tests, number=used.samples_needed),
        gettext(
            "A change below {percent} %, or {points} points of a quantity in percent, raises no "
            "alarm, however surely it is shown."
        ).format(percent=f"{used.relevant_percent:g}", points=f"{used.relevant_points:g}"),
        gettext("Behind a median and a change is its 95 % interval (percentile bootstrap)."),
        gettext(
            "What would have been seen is the smallest change for the worse that samples like "
            "these show in {power} of 100 comparisons."
        ).format(power=f"{100 * used.power:g}"),
        gettext(
            "The statistics are about these samples only: variation from run to run without a "
            "cause, as on a machine that also does other work, looks the same as a change."
        ),
    ]


def _signed(value: float, *, in_points: bool) -> str:
    shown = value if in_points else 100 * value
    digits = 0 if abs(shown) >= _DIGIT_BELOW else 1
    return f"{shown:+.{digits}f}".replace("-", "−")
