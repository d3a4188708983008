# SPDX-License-Identifier: GPL-2.0-or-later
"""The statistics of a comparison: exact tests, the correction, intervals, and what they promise."""

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from benchmarks.compare import SHAPES, simulated
from reports.compare.estimates import (
    Detection,
    change,
    change_interval,
    median_interval,
    visible_change,
)
from reports.compare.multiple_testing import holm, testable
from reports.compare.rank_test import least_p, rank_test, samples_needed, significant_rows

FAST = Detection(level=0.05, power=0.8, relevant=0.05)


@pytest.mark.parametrize(("before", "after"), [(3, 3), (5, 7), (8, 8), (1, 6), (12, 10)])
def test_without_ties_it_is_scipys_exact_test(before: int, after: int) -> None:
    rng = np.random.default_rng(before)
    for _ in range(20):
        was, now = rng.normal(size=before), rng.normal(0.5, 1, size=after)
        expected = stats.mannwhitneyu(was, now, method="exact").pvalue
        assert rank_test(list(was), list(now)).p == pytest.approx(expected)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([0, 0, 1, 2, 2], [2, 2, 3, 3, 3, 0]),
        ([0, 0, 0, 0], [0, 0, 0, 1]),
        ([0.0, 0.0, 0.0], [0.5, 0.5, 0.5]),
        ([1, 1, 2, 2], [1, 1, 2, 2]),
    ],
)
def test_with_ties_it_is_every_order_counted(before: list[float], after: list[float]) -> None:
    whole = [*before, *after]
    ranks = stats.rankdata(whole)
    middle = len(before) * (len(whole) + 1) / 2
    seen = abs(ranks[: len(before)].sum() - middle)
    distances = [abs(sum(chosen) - middle) for chosen in itertools.combinations(ranks, len(before))]
    expected = sum(distance >= seen - 1e-9 for distance in distances) / len(distances)
    found = rank_test(before, after)
    assert found.p == pytest.approx(expected)
    furthest = max(distances)
    assert found.least_p == pytest.approx(
        sum(distance >= furthest - 1e-9 for distance in distances) / len(distances)
    )


def test_of_equal_samples_nothing_can_be_shown() -> None:
    assert rank_test([0.0] * 20, [0.0] * 20).p == 1.0
    assert rank_test([0.0] * 20, [0.0] * 20).least_p == 1.0


def test_many_samples_are_approximated_closely() -> None:
    rng = np.random.default_rng(1)
    was, now = rng.normal(size=41), rng.normal(0.4, 1, size=41)
    exact = stats.mannwhitneyu(was, now, method="exact").pvalue
    assert rank_test(list(was), list(now)).p == pytest.approx(exact, rel=0.02)


def test_no_sample_is_no_test() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        rank_test([], [1.0])


def test_how_many_samples_a_level_needs_is_counted_not_guessed() -> None:
    assert least_p(3, 3) == pytest.approx(0.1)
    assert samples_needed(0.05) == 4
    assert samples_needed(0.05 / 48) == 7
    for level in (0.05, 0.05 / 6, 0.05 / 100):
        needed = samples_needed(level)
        whole, less = list(range(2 * needed)), list(range(2 * needed - 2))
        assert rank_test(whole[:needed], whole[needed:]).p <= level
        assert rank_test(less[: needed - 1], less[needed - 1 :]).p > level


def test_many_rows_at_once_are_as_each_alone() -> None:
    rng = np.random.default_rng(2)
    was, now = rng.normal(size=(200, 8)), rng.normal(0.9, 1, size=(200, 7))
    expected = [rank_test(list(a), list(b)).p <= 0.01 for a, b in zip(was, now, strict=True)]
    assert significant_rows(was, now, 0.01).tolist() == expected
    assert not significant_rows(was[:, :3], now[:, :3] + 100, 0.05).any()
    assert significant_rows(np.zeros((1, 50)), np.ones((1, 50)), 0.001).all()


def test_holm_is_step_by_step_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    p = [0.001, 0.2, 0.012, 0.012]
    assert all(adjusted >= raw for raw, adjusted in zip(p, holm(p), strict=True))


def test_what_cannot_reach_its_share_takes_none_from_the_others() -> None:
    few = dict.fromkeys(("a", "b", "c"), 0.1)
    assert testable({**few, "d": 0.04}, 0.05) == ["d"]
    assert testable(dict.fromkeys("abcdef", 2 / 252), 0.05) == list("abcdef")
    assert testable(dict.fromkeys("abcdefg", 2 / 252), 0.05) == []
    assert testable({}, 0.05) == []


def test_an_interval_needs_as_many_samples_as_can_enclose_the_median() -> None:
    assert median_interval([1, 2, 3, 4, 5]) is None
    low, high = median_interval([1, 2, 3, 4, 5, 6]) or (0, 0)
    assert 1 <= low < 3.5 < high <= 6


def test_an_interval_encloses_the_median_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    draws = [np.exp(rng.normal(0, 0.3, 10)) for _ in range(300)]
    hits = 0
    for draw in draws:
        low, high = median_interval(list(draw)) or (0, 0)
        hits += low <= 1.0 <= high
    assert 0.91 <= hits / len(draws) <= 0.985


def test_the_same_samples_give_the_same_interval() -> None:
    samples = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0]
    first = median_interval(samples)
    # Nothing that was resampled in between counts.
    median_interval([10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0])
    assert first is not None
    assert median_interval(list(samples)) == first


def test_a_change_is_a_share_of_what_it_was_or_in_points() -> None:
    assert change([100, 200, 300], [150, 100, 50], in_points=False) == pytest.approx(-0.5)
    assert change([0, 0, 1], [3, 2, 5], in_points=True) == pytest.approx(3)
    assert change([0, 0], [1, 1], in_points=False) is None
    low, high = change_interval(range(100, 110), range(50, 60), in_points=False) or (0, 0)
    assert low < -0.47 < high < -0.4
    assert change_interval([0] * 8, [1] * 8, in_points=False) is None
    assert change_interval([5.0] * 8, [5.0] * 8, in_points=False) is None


@pytest.mark.parametrize("better", ["more", "less"])
def test_what_would_have_been_seen_is_seen_with_that_power(better: str) -> None:
    rng = np.random.default_rng(4)
    was, now = (np.exp(rng.normal(0, 0.15, 10)) for _ in range(2))
    visible = visible_change(was, now, better, FAST, in_points=False)  # type: ignore[arg-type]  # a parameter's literal
    assert visible is not None
    assert (visible < 0) == (better == "more")
    # Other samples of the same residuals, drawn by another generator.
    pool = np.concatenate([was / np.median(was), now / np.median(now)])
    seen = []
    for _ in range(600):
        one, other = rng.choice(pool, 10), rng.choice(pool, 10) * (1 + visible)
        large = abs(np.median(other) / np.median(one) - 1) >= FAST.relevant
        seen.append(large and rank_test(list(one), list(other)).p <= FAST.level)
    assert 0.74 <= np.mean(seen) <= 0.88


def test_more_samples_show_smaller_changes_and_too_few_none() -> None:
    rng = np.random.default_rng(5)
    draw = np.exp(rng.normal(0, 0.15, 40))
    sizes = [
        abs(visible_change(draw[:n], draw[-n:], "less", FAST, in_points=False) or 99)
        for n in (5, 10, 20)
    ]
    assert sizes[0] > sizes[1] > sizes[2] >= FAST.relevant
    assert visible_change(draw[:3], draw[-3:], "less", FAST, in_points=False) is None


def test_in_points_what_would_have_been_seen_is_a_number_of_points() -> None:
    in_points = Detection(level=0.05, power=0.8, relevant=1.0)
    few = [0.0, 0.1, 0.0, 0.2, 0.1, 0.0, 0.3, 0.0]
    found = visible_change(few, few, "less", in_points, in_points=True)
    assert found is not None
    assert 1.0 <= found < 2.0


# What the figure in docs/compare.md shows for many sizes, here for one, as often as is quick.
@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_without_a_difference_false_alarms_stay_at_the_level(shape: str) -> None:
    shares = simulated(shape, 8, comparisons=300, worse=())
    # 5 % of 300 and two and a half deviations of what chance makes of it.
    assert shares.alarms <= 0.05 + 2.5 * (0.05 * 0.95 / 300) ** 0.5


@pytest.mark.slow
def test_a_difference_is_found_with_power_and_more_surely_the_larger() -> None:
    found = simulated("even", 10, comparisons=120, worse=(0.1, 0.3)).found
    assert found[0.1] < found[0.3]
    assert found[0.3] >= 0.8


def test_three_samples_never_alarm_however_large_the_difference() -> None:
    shares = simulated("even", 3, comparisons=20, worse=(0.5,))
    assert json.dumps([shares.alarms, shares.found[0.5]]) == "[0.0, 0.0]"
