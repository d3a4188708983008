# SPDX-License-Identifier: GPL-2.0-or-later
"""The judgement of quantities: one test each, all corrected together, and what matters of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from contracts.language import gettext
from reports.compare.comparison import MedianChange, Method, Quantity, QuantityOutcome
from reports.compare.dependence import ROW_MIN, chance, least_chance
from reports.compare.estimates import Detection, change, change_interval, visible_change
from reports.compare.measured_quantities import PERCENT, Key, Measured, titles
from reports.compare.multiple_testing import holm, testable
from reports.compare.rank_test import RankTest, least_p, rank_test, samples_needed
from reports.warmup import Better
from reports.wording import counted


@dataclass(frozen=True)
class Criteria:
    """What is asked of the judgement.

    Attributes:
        level: how often one false alarm or more may come, over all quantities.
        power: how surely a difference that could be seen is seen.
        relevant_percent: a smaller change of a median raises no alarm.
        relevant_points: the same for quantities in percent, in points.
        accept_few: too few samples to judge a quantity leave nothing open.
        accept_dependent: samples that depend on one another leave nothing open.
    """

    level: float = 0.05
    power: float = 0.8
    relevant_percent: float = 5.0
    relevant_points: float = 1.0
    accept_few: bool = False
    accept_dependent: bool = False

    @property
    def accepted(self) -> frozenset[QuantityOutcome]:
        """The outcomes of a quantity that was not judged, and leaves nothing open."""
        few = {QuantityOutcome.TOO_FEW} if self.accept_few else set()
        return frozenset(few | ({QuantityOutcome.DEPENDENT} if self.accept_dependent else set()))

    def detection(self, tests: int, *, in_points: bool) -> Detection:
        """Return when a change of one quantity among so many is called one."""
        relevant = self.relevant_points if in_points else self.relevant_percent / 100
        return Detection(self.level / max(tests, 1), self.power, relevant)


Pair = tuple[Measured, Measured]


@dataclass(frozen=True)
class Decision:
    """The outcome of comparing a quantity's samples.

    Attributes:
        outcome: the outcome.
        note: the reason, if there is one.
        test: the test, if one was made.
        adjusted_p: after the correction.
        tests: how many the level was divided among.
    """

    outcome: QuantityOutcome
    note: str | None = None
    test: RankTest | None = None
    adjusted_p: float | None = None
    tests: int = 0


def judge(
    before: Mapping[Key, Measured],
    after: Mapping[Key, Measured],
    criteria: Criteria,
    not_comparable: str | None = None,
) -> tuple[Method, list[Quantity]]:
    """Judge every quantity that both records have.

    Those without a direction are corrected among themselves: they raise no alarm, and take
    nothing of the level from those that do.

    Args:
        before: by topology, check and name.
        after: the same.
        criteria: the criteria of the judgement.
        not_comparable: why no quantity of one may be held against the other's; None: they may.
    """
    pairs = {key: (was, after[key]) for key, was in before.items() if key in after}
    directed = {key: pair for key, pair in pairs.items() if _better(pair) is not None}
    others = {key: pair for key, pair in pairs.items() if key not in directed}
    tests = len(directed) - len(_unfit(directed, criteria))
    method = Method(
        level=criteria.level,
        power=criteria.power,
        relevant_percent=criteria.relevant_percent,
        relevant_points=criteria.relevant_points,
        tests=tests,
        samples_needed=samples_needed(criteria.level / max(tests, 1)),
    )
    decided = {
        key: Decision(QuantityOutcome.NOT_COMPARABLE, not_comparable)
        for key in pairs
        if not_comparable
    } or {**decisions(directed, criteria), **decisions(others, criteria)}
    called = titles(pairs)
    return method, [
        _quantity(key, called[key], pair, decided[key], criteria) for key, pair in pairs.items()
    ]


def decisions(pairs: Mapping[Key, Pair], criteria: Criteria) -> dict[Key, Decision]:
    """Decide one family of quantities, whose tests are corrected together."""
    unfit = _unfit(pairs, criteria)
    fit = {key: pair for key, pair in pairs.items() if key not in unfit}
    tests = {key: rank_test(*_values(pair)) for key, pair in fit.items()}
    # Where samples are equal, less can be reached than with as many different ones: those cannot
    # alarm either, but more of them would not help.
    tried = testable({key: test.least_p for key, test in tests.items()}, criteria.level)
    different = {key: least_p(*_sizes(pair)) for key, pair in fit.items()}
    enough = {*tried, *testable(different, criteria.level)}
    corrected = dict(zip(tried, holm([tests[key].p for key in tried]), strict=True))
    decided = dict(unfit)
    for key, pair in fit.items():
        if key in enough:
            adjusted = corrected.get(key, 1.0)
            outcome, note = _outcome(pair, adjusted, criteria)
            correlation = _correlation(pair)
            if correlation is not None and outcome is not QuantityOutcome.NO_DIFFERENCE:
                outcome, note = QuantityOutcome.DEPENDENT, _doubtful(correlation)
            decided[key] = Decision(outcome, note, tests[key], adjusted, len(tried))
        else:
            note = _too_few(pair, criteria.level / len(fit))
            decided[key] = Decision(QuantityOutcome.TOO_FEW, note, tests[key])
    return decided


def _outcome(pair: Pair, adjusted: float, criteria: Criteria) -> tuple[QuantityOutcome, str | None]:
    better, in_points = _better(pair), _in_points(pair)
    if adjusted > criteria.level:
        return QuantityOutcome.NO_DIFFERENCE, None
    if better is None:
        return QuantityOutcome.CHANGED, gettext("neither way is better")
    moved = change(*_values(pair), in_points=in_points)
    if moved is not None and abs(moved) < criteria.detection(1, in_points=in_points).relevant:
        said = gettext("a difference is shown, and is smaller than what matters")
        return QuantityOutcome.SMALL, said
    was, now = _values(pair)
    if moved == 0 or median(was) == median(now):
        return QuantityOutcome.SMALL, gettext("the samples differ, and their medians do not")
    # From 0 any way: less than nothing there is not.
    more = moved is None or moved > 0
    return (
        QuantityOutcome.IMPROVED if more == (better == "more") else QuantityOutcome.REGRESSED
    ), None


def _doubtful(correlation: float) -> str:
    return gettext(
        "samples may depend on the one before (rank correlation {correlation}: by chance in one "
        "row of a hundred), and independent ones would show a difference: repeat the run"
    ).format(correlation=f"{correlation:.2f}")


def _visible(
    pair: Pair, better: Better, detection: Detection, *, in_points: bool
) -> tuple[float | None, str | None]:
    was, now = _values(pair)
    if len({*was, *now}) == 1:
        return None, gettext("all samples are equal")
    if not in_points and min(*was, *now) <= 0:
        return None, gettext("some samples are 0: the smallest visible change was not computed")
    found = visible_change(was, now, better, detection, in_points=in_points)
    unseen = gettext("no change, however large, would have been seen")
    return found, None if found is not None else unseen


def _unfit(pairs: Mapping[Key, Pair], criteria: Criteria) -> dict[Key, Decision]:
    """Return the quantities whose samples are no independent ones of one unit."""
    rows = sum(len(each.values) >= ROW_MIN for pair in pairs.values() for each in pair)
    found = {}
    for key, pair in pairs.items():
        correlation = _correlation(pair)
        if pair[0].unit != pair[1].unit:
            said = gettext("in {before} before, in {after} after")
            note = said.format(before=pair[0].unit, after=pair[1].unit)
            found[key] = Decision(QuantityOutcome.NOT_COMPARABLE, note)
        elif correlation is not None and _is_plain(pair, criteria.level / rows):
            said = gettext(
                "samples depend on the one before (rank correlation {correlation}), so that all of "
                "them count as one: repeat the run on an idle machine"
            )
            note = said.format(correlation=f"{correlation:.2f}")
            found[key] = Decision(QuantityOutcome.DEPENDENT, note)
    return found


def _correlation(pair: Pair) -> float | None:
    """Return the higher of the two runs' correlations; None: chance gives such ones often."""
    return max((each.in_a_row for each in pair if each.in_a_row is not None), default=None)


def _is_plain(pair: Pair, share: float) -> bool:
    """Whether a run's samples depend on one another beyond chance, or as plainly as so many can."""
    rows = [(each.in_a_row, len(each.values)) for each in pair]
    return any(
        chance(found, number) <= max(share, least_chance(number))
        for found, number in rows
        if found is not None
    )


def _too_few(pair: Pair, share: float) -> str:
    was, now = _sizes(pair)
    needed = samples_needed(share)
    return gettext(
        "{before} and {after}; so that a test can reach {share}, its share of the level, it takes "
        "{needed} of each: run --samples {needed} --interleave"
    ).format(before=was, after=counted(now, "sample"), share=f"{share:.2g}", needed=needed)


def _quantity(key: Key, title: str, pair: Pair, decided: Decision, criteria: Criteria) -> Quantity:
    topology, check, name = key
    better, in_points = _better(pair), _in_points(pair)
    visible, note = None, decided.note
    independent = _correlation(pair) is None
    if better is not None and independent and decided.outcome is QuantityOutcome.NO_DIFFERENCE:
        detection = criteria.detection(decided.tests, in_points=in_points)
        visible, note = _visible(pair, better, detection, in_points=in_points)
    return Quantity(
        topology=topology,
        check=check,
        name=name,
        title=title,
        unit=pair[1].unit,
        better=better,
        before=pair[0].samples(),
        after=pair[1].samples(),
        change=_change(pair, in_points=in_points),
        p=None if decided.test is None else decided.test.p,
        adjusted_p=decided.adjusted_p,
        visible=visible,
        outcome=decided.outcome,
        note=note,
    )


def _change(pair: Pair, *, in_points: bool) -> MedianChange | None:
    size = change(*_values(pair), in_points=in_points)
    if size is None:
        return None
    # Of values that may depend on one another it would be too narrow.
    free = not any(each.in_a_row for each in pair)
    interval = change_interval(*_values(pair), in_points=in_points) if free else None
    return MedianChange(size=size, interval=interval, in_points=in_points)


def _better(pair: Pair) -> Better | None:
    """Return the newer record's word: it may know of what the older one does not."""
    return pair[1].better


def _in_points(pair: Pair) -> bool:
    return pair[1].unit == PERCENT


def _values(pair: Pair) -> tuple[list[float], list[float]]:
    return pair[0].values, pair[1].values


def _sizes(pair: Pair) -> tuple[int, int]:
    return len(pair[0].values), len(pair[1].values)
