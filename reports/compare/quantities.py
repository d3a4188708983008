# SPDX-License-Identifier: GPL-2.0-or-later
"""The judgement of quantities: one test each, all corrected together, and what matters of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from reports.cold import Better
from reports.compare.estimates import Detection, change, change_interval, visible_change
from reports.compare.family import able, holm
from reports.compare.measured import PERCENT, Key, Measured
from reports.compare.model import Change, Method, Outcome, Quantity
from reports.compare.ranks import Test, least_p, rank_test, samples_needed
from reports.wording import counted


@dataclass(frozen=True)
class Criteria:
    """What is asked of the judgement.

    Attributes:
        level: how often one false alarm or more may come, over all quantities.
        power: how surely a difference that could be seen is seen.
        relevant_percent: a smaller change of a median alarms nobody.
        relevant_points: the same for quantities in percent, in points.
    """

    level: float = 0.05
    power: float = 0.8
    relevant_percent: float = 5.0
    relevant_points: float = 1.0

    def detection(self, tests: int, *, in_points: bool) -> Detection:
        """Return when a change of one quantity among so many is called one."""
        relevant = self.relevant_points if in_points else self.relevant_percent / 100
        return Detection(self.level / max(tests, 1), self.power, relevant)


Pair = tuple[Measured, Measured]


def judge(
    before: Mapping[Key, Measured],
    after: Mapping[Key, Measured],
    criteria: Criteria,
    not_comparable: str | None = None,
) -> tuple[Method, list[Quantity]]:
    """Judge every quantity that both records have.

    Those without a direction are corrected among themselves: they alarm nobody, and shall take
    nothing of the level from those that do.

    Args:
        before: by topology, check and name.
        after: the same.
        criteria: what is asked.
        not_comparable: why no quantity of one may be held against the other's; None: they may.
    """
    pairs = {key: (was, after[key]) for key, was in before.items() if key in after}
    directed = {key: pair for key, pair in pairs.items() if _better(pair) is not None}
    others = {key: pair for key, pair in pairs.items() if key not in directed}
    tests = len([key for key, pair in directed.items() if not _unfit(pair)])
    method = Method(
        level=criteria.level,
        power=criteria.power,
        relevant_percent=criteria.relevant_percent,
        relevant_points=criteria.relevant_points,
        tests=tests,
        samples_needed=samples_needed(criteria.level / max(tests, 1)),
    )
    judged = _judge(directed, criteria, not_comparable) | _judge(others, criteria, not_comparable)
    return method, [judged[key] for key in pairs]


def _judge(
    pairs: Mapping[Key, Pair], criteria: Criteria, not_comparable: str | None
) -> dict[Key, Quantity]:
    """Judge one family of quantities."""
    if not_comparable is not None:
        return {
            key: _quantity(key, pair, Outcome.NOT_COMPARABLE, note=not_comparable)
            for key, pair in pairs.items()
        }
    unfit = {key: reason for key, pair in pairs.items() if (reason := _unfit(pair))}
    fit = {key: pair for key, pair in pairs.items() if key not in unfit}
    tests = {key: rank_test(*_values(pair)) for key, pair in fit.items()}
    # Where samples are equal, less can be reached than with as many different ones: those cannot
    # alarm either, but more of them would not help.
    tried = able({key: test.least_p for key, test in tests.items()}, criteria.level)
    different = {key: least_p(*_sizes(pair)) for key, pair in fit.items()}
    enough = {*tried, *able(different, criteria.level)}
    corrected = dict(zip(tried, holm([tests[key].p for key in tried]), strict=True))
    judged = {}
    for key, pair in pairs.items():
        if key in unfit:
            judged[key] = _quantity(key, pair, Outcome.TOO_FEW, note=unfit[key])
        elif key not in enough:
            note = _too_few(pair, criteria.level / len(fit))
            judged[key] = _quantity(key, pair, Outcome.TOO_FEW, test=tests[key], note=note)
        else:
            judged[key] = _tested(
                key, pair, tests[key], corrected.get(key, 1.0), criteria, len(tried)
            )
    return judged


def _tested(
    key: Key, pair: Pair, test: Test, adjusted: float, criteria: Criteria, tests: int
) -> Quantity:
    better, in_points = _better(pair), _in_points(pair)
    detection = criteria.detection(tests, in_points=in_points)
    moved = change(*_values(pair), in_points=in_points)
    outcome, note = _outcome(moved, adjusted, better, criteria.level, detection.relevant)
    visible = None
    if better is not None and outcome is Outcome.NO_DIFFERENCE:
        visible, note = _visible(pair, better, detection, in_points=in_points)
    return _quantity(key, pair, outcome, test, adjusted, visible, note)


def _outcome(
    moved: float | None, adjusted: float, better: Better | None, level: float, relevant: float
) -> tuple[Outcome, str | None]:
    if adjusted > level:
        return Outcome.NO_DIFFERENCE, None
    if better is None:
        return Outcome.CHANGED, "neither way is better"
    if moved is not None and abs(moved) < relevant:
        return Outcome.SMALL, "a difference is shown, and is smaller than what matters"
    # From 0 any way: less than nothing there is not.
    more = moved is None or moved > 0
    return (Outcome.IMPROVED if more == (better == "more") else Outcome.REGRESSED), None


def _visible(
    pair: Pair, better: Better, detection: Detection, *, in_points: bool
) -> tuple[float | None, str | None]:
    was, now = _values(pair)
    if len({*was, *now}) == 1:
        return None, "all samples are equal"
    if not in_points and min(*was, *now) <= 0:
        return None, "some samples are 0: what would have been seen was not worked out"
    found = visible_change(was, now, better, detection, in_points=in_points)
    return found, None if found is not None else "no change, however large, would have been seen"


def _unfit(pair: Pair) -> str | None:
    """Return why the samples are no independent ones of one unit, if they are not."""
    if pair[0].unit != pair[1].unit:
        return f"in {pair[0].unit} before, in {pair[1].unit} after"
    rows = [each.in_a_row for each in pair if each.in_a_row is not None]
    if not rows:
        return None
    return (
        f"samples depend on the one before (rank correlation {max(rows):.2f}), "
        "so that all of them count as one"
    )


def _too_few(pair: Pair, share: float) -> str:
    was, now = _sizes(pair)
    return (
        f"{was} and {counted(now, 'sample')}; so that a test can reach {share:.2g}, its share "
        f"of the level, it takes {samples_needed(share)} of each"
    )


def _quantity(
    key: Key,
    pair: Pair,
    outcome: Outcome,
    test: Test | None = None,
    adjusted: float | None = None,
    visible: float | None = None,
    note: str | None = None,
) -> Quantity:
    topology, check, name = key
    in_points = _in_points(pair)
    size = change(*_values(pair), in_points=in_points)
    moved = None
    if size is not None:
        # What is said of values that depend on one another would be too narrow.
        free = not any(each.in_a_row for each in pair)
        interval = change_interval(*_values(pair), in_points=in_points) if free else None
        moved = Change(size=size, interval=interval, in_points=in_points)
    return Quantity(
        topology=topology,
        check=check,
        name=name,
        unit=pair[1].unit,
        better=_better(pair),
        before=pair[0].samples,
        after=pair[1].samples,
        change=moved,
        p=None if test is None else test.p,
        adjusted_p=adjusted,
        visible=visible,
        outcome=outcome,
        note=note,
    )


def _better(pair: Pair) -> Better | None:
    """Return the newer record's word: it may know of what the older one does not."""
    return pair[1].better


def _in_points(pair: Pair) -> bool:
    return pair[1].unit == PERCENT


def _values(pair: Pair) -> tuple[list[float], list[float]]:
    return pair[0].samples.values, pair[1].samples.values


def _sizes(pair: Pair) -> tuple[int, int]:
    return len(pair[0].samples.values), len(pair[1].samples.values)
