# SPDX-License-Identifier: GPL-2.0-or-later
"""The judgement of quantities: direction, what matters, what cannot be said, and why."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from reports.compare.compare_runs import compare
from reports.compare.comparison import Comparison, QuantityOutcome
from reports.compare.dependence import chance
from reports.compare.measured_quantities import Key, Measured, direction, read, trial_values
from reports.compare.quantities import Criteria, decisions
from reports.record import Measurement, RecordError, load
from tests.compared import HOST, check, quantity, record

NOWHERE = Path("nowhere")
STEADY = [1000.0, 1012, 990, 1005, 998, 1020, 985, 1008, 995, 1003]


def compared(
    before: Sequence[Measurement], after: Sequence[Measurement], **criteria: float
) -> Comparison:
    sides = [
        (record(number, check("throughput.x", measurements=found)), NOWHERE)
        for number, found in enumerate((before, after))
    ]
    return compare(*sides, Criteria(**criteria))


def outcome(
    before: Sequence[float],
    after: Sequence[float],
    better: str | None = "more",
    unit: str = "Mbit/s",
    **criteria: float,
) -> QuantityOutcome:
    found = compared(
        [quantity("x", before, unit, better)], [quantity("x", after, unit, better)], **criteria
    )
    return found.quantities[0].outcome


def scaled(factor: float) -> list[float]:
    return [value * factor for value in STEADY]


@pytest.mark.parametrize(
    ("factor", "better", "expected"),
    [
        (0.5, "more", QuantityOutcome.REGRESSED),
        (2.0, "more", QuantityOutcome.IMPROVED),
        (0.5, "less", QuantityOutcome.IMPROVED),
        (2.0, "less", QuantityOutcome.REGRESSED),
        (2.0, None, QuantityOutcome.CHANGED),
        (0.5, None, QuantityOutcome.CHANGED),
        (1.001, "more", QuantityOutcome.NO_DIFFERENCE),
        (1.001, None, QuantityOutcome.NO_DIFFERENCE),
        # Shown beyond doubt, and smaller than what matters.
        (0.96, "more", QuantityOutcome.SMALL),
        (1.04, "less", QuantityOutcome.SMALL),
    ],
)
def test_direction_counts(factor: float, better: str | None, expected: QuantityOutcome) -> None:
    assert outcome(STEADY, scaled(factor), better) is expected
    found = compared(
        [quantity("x", STEADY, better=better)], [quantity("x", scaled(factor), better=better)]
    )
    assert found.exit_code == (1 if expected is QuantityOutcome.REGRESSED else 0)


def test_what_matters_is_the_users_to_say_and_decides_nothing_alone() -> None:
    assert outcome(STEADY, scaled(0.96), relevant_percent=3.0) is QuantityOutcome.REGRESSED
    rng = np.random.default_rng(1)
    wide = (1000 * np.exp(rng.normal(0, 0.5, 10))).tolist()
    other = (1200 * np.exp(rng.normal(0, 0.5, 10))).tolist()
    assert abs(np.median(other) / np.median(wide) - 1) > 0.05
    assert outcome(wide, other) is QuantityOutcome.NO_DIFFERENCE


def test_loss_is_judged_in_points_and_none_at_all_can_be_compared() -> None:
    none, some, little = (
        [0.0] * 8,
        [4.0, 5, 6, 4, 5, 7, 5, 6],
        [0.2, 0.3, 0.2, 0.4, 0.1, 0.3, 0.2, 0.3],
    )
    assert outcome(none, some, "less", "%") is QuantityOutcome.REGRESSED
    assert outcome(some, none, "less", "%") is QuantityOutcome.IMPROVED
    assert outcome(none, little, "less", "%") is QuantityOutcome.SMALL
    found = compared([quantity("x", none, "%", "less")], [quantity("x", none, "%", "less")])
    assert found.quantities[0].outcome is QuantityOutcome.NO_DIFFERENCE
    assert found.quantities[0].note == "all samples are equal"
    assert found.exit_code == 0


def test_from_nothing_at_all_any_change_is_one() -> None:
    assert outcome([0.0] * 8, STEADY, "less", "ms") is QuantityOutcome.REGRESSED
    assert outcome([0.0] * 8, STEADY, "more") is QuantityOutcome.IMPROVED


def test_too_few_samples_say_how_many_it_takes() -> None:
    six = [quantity(str(number), STEADY[:3]) for number in range(6)]
    found = compared(six, [quantity(str(number), scaled(0.1)[:3]) for number in range(6)])
    assert {each.outcome for each in found.quantities} == {QuantityOutcome.TOO_FEW}
    assert "it takes 5 of each: run --samples 5 --interleave" in (found.quantities[0].note or "")
    assert found.method.samples_needed == 5
    assert found.exit_code == 10
    five = [quantity(str(number), STEADY[:5]) for number in range(6)]
    found = compared(five, [quantity(str(number), scaled(0.1)[:5]) for number in range(6)])
    assert {each.outcome for each in found.quantities} == {QuantityOutcome.REGRESSED}


def test_too_few_samples_may_be_accepted_and_hide_nothing_that_is_judged() -> None:
    three, fewer = [quantity("a", STEADY[:3])], [quantity("a", scaled(0.1)[:3])]
    found = compared(three, fewer, accept_few=True)
    assert found.exit_code == 0
    assert found.because == [
        "no verdict is shown to be worse; no quantity could be judged: too few samples"
    ]
    steady = [quantity("b", STEADY)]
    slower = compared(three + steady, [*fewer, quantity("b", scaled(0.5))], accept_few=True)
    assert slower.exit_code == 1
    # Another accelerator is no matter of samples.
    emulated = HOST | {"accel": {"name": "tcg", "reason": "no /dev/kvm"}}
    was, now = (check("throughput.x", measurements=found) for found in (three, fewer))
    sides = (record(0, was), NOWHERE), (record(1, now, host=emulated), NOWHERE)
    assert compare(*sides, Criteria(accept_few=True)).exit_code == 10


def test_one_quantity_that_could_be_judged_says_nothing_of_those_with_too_few_samples() -> None:
    few = [quantity(name, STEADY[:3]) for name in "bcdef"]
    before, after = [quantity("a", STEADY), *few], [quantity("a", STEADY[::-1]), *few]
    found = compared(before, after)
    outcomes = [each.outcome for each in found.quantities]
    assert outcomes == [QuantityOutcome.NO_DIFFERENCE, *[QuantityOutcome.TOO_FEW] * 5]
    assert found.exit_code == 10
    assert found.because == ["too few samples to judge nat: b, nat: c, nat: d, and 2 more"]
    assert compared(before, after, accept_few=True).exit_code == 0


def test_no_difference_comes_with_what_would_have_been_seen() -> None:
    found = compared([quantity("x", STEADY)], [quantity("x", STEADY[::-1])]).quantities[0]
    assert found.visible is not None
    assert -0.1 < found.visible <= -0.05
    assert found.change is not None
    assert found.before.interval is not None


def test_the_correction_is_over_all_quantities_with_a_direction() -> None:
    # p of these alone is 0.016, too much for one of ten.
    before, after = [1.0, 6, 3, 2, 5, 4], [4.5, 9, 5.5, 10, 7, 8]
    assert outcome(before, after) is QuantityOutcome.IMPROVED
    others = [quantity(str(number), STEADY) for number in range(9)]
    found = compared([quantity("x", before), *others], [quantity("x", after), *others])
    assert found.quantities[0].outcome is QuantityOutcome.NO_DIFFERENCE
    directionless = [quantity(str(number), STEADY, better=None) for number in range(9)]
    found = compared(
        [quantity("x", before), *directionless], [quantity("x", after), *directionless]
    )
    assert found.quantities[0].outcome is QuantityOutcome.IMPROVED


DRIFTING = [2500.0, 2510, 2490, 2600, 2400, 1500, 1450, 1300, 1350, 1200]


def test_samples_that_follow_one_another_count_as_one() -> None:
    for factor in (1 / 3, 1.0):
        found = compared([quantity("x", DRIFTING)], [quantity("x", [v * factor for v in DRIFTING])])
        assert found.quantities[0].outcome is QuantityOutcome.DEPENDENT
        assert "depend on the one before" in (found.quantities[0].note or "")
        assert found.quantities[0].before.interval is None
        assert found.exit_code == 10
        assert found.because[0] == ("no quantity could be judged: samples depend on one another")
        assert found.because[1].startswith(
            "samples depend, or may depend, on one another, and do not judge nat: x"
        )


def test_dependent_samples_may_be_accepted_and_hide_nothing_that_is_judged() -> None:
    before, after = [quantity("a", DRIFTING)], [quantity("a", DRIFTING)]
    found = compared(before, after, accept_dependent=True)
    assert found.exit_code == 0
    assert found.because == [
        "no verdict is shown to be worse; no quantity could be judged: samples depend on one "
        "another"
    ]
    assert compared(before, after, accept_few=True).exit_code == 10
    steady, slow = [quantity("b", STEADY)], [quantity("b", scaled(0.5))]
    assert compared(before + steady, after + slow, accept_dependent=True).exit_code == 1


# One in a hundred rows of independent samples is like it, or more so.
DOUBTFUL = [990.0, 985, 995, 998, 1012, 1000, 1003, 1005, 1020, 1008]
MANY = [quantity(str(number), STEADY) for number in range(30)]


def test_a_row_that_chance_may_have_made_is_judged_and_raises_no_alarm() -> None:
    """Among many rows one looks dependent; of such ones the test sees too much, not too little."""
    for factor, expected in (
        (1.0, QuantityOutcome.NO_DIFFERENCE),
        (0.5, QuantityOutcome.DEPENDENT),
        (2.0, QuantityOutcome.DEPENDENT),
    ):
        after = [quantity("x", [value * factor for value in DOUBTFUL]), *MANY]
        found = compared([quantity("x", DOUBTFUL), *MANY], after)
        assert found.quantities[0].before.interval is None, "it is no row that looks dependent"
        assert found.quantities[0].outcome is expected
        assert found.exit_code == (0 if expected is QuantityOutcome.NO_DIFFERENCE else 10)


def test_independent_samples_seldom_seem_to_depend_on_one_another() -> None:
    rng = np.random.default_rng(5)

    def rows() -> dict[Key, Measured]:
        found = {}
        for number in range(40):
            row = read(quantity("x", rng.normal(1000, 50, 10).tolist()))
            assert row is not None
            found["nat", "throughput.x", str(number)] = row
        return found

    seen = doubtful = 0
    for _ in range(60):
        before, after = rows(), rows()
        pairs = {key: (before[key], after[key]) for key in before}
        doubtful += any(each.in_a_row for pair in pairs.values() for each in pair)
        outcomes = [each.outcome for each in decisions(pairs, Criteria()).values()]
        seen += QuantityOutcome.DEPENDENT in outcomes
    # 5 % of 60; without the share for each row it would be half of them.
    assert seen <= 8
    assert doubtful >= 15


def test_how_often_chance_orders_samples_so() -> None:
    alike = [
        order
        for order in itertools.permutations(range(6))
        if stats.spearmanr(order[:-1], order[1:]).statistic > 1 - 1e-9
    ]
    assert chance(1.0, 6) == pytest.approx(len(alike) / 720, rel=0.2)
    assert chance(-1.0, 10) == 1.0
    assert chance(1.0, 20) < 1e-4


def test_another_unit_is_not_compared() -> None:
    found = compared([quantity("x", STEADY)], [quantity("x", STEADY, "Gbit/s")])
    assert found.quantities[0].note == "in Mbit/s before, in Gbit/s after"
    assert found.quantities[0].outcome is QuantityOutcome.NOT_COMPARABLE


def test_samples_of_one_trial_are_one_value_and_a_cold_one_is_left_out() -> None:
    burst = Measurement(name="x", unit="ms", samples=[30.0, 1, 2, 3, 4, 6], trials=[3, 2, 1])
    assert trial_values(burst, 0) == [2.0, 3.5, 6.0]
    assert trial_values(burst, 1) == [1.5, 3.5, 6.0]
    assert trial_values(Measurement(name="x", unit="ms", samples=[9.0, 1, 2]), 1) == [1.0, 2.0]
    with pytest.raises(RecordError, match="its trials have 2 samples, and there are 1"):
        trial_values(Measurement(name="x", unit="ms", samples=[1.0], trials=[2]), 0)


@pytest.mark.parametrize(
    ("name", "unit", "better"),
    [
        ("tcp guest → host", "Mbit/s", "more"),
        ("udp guest → host", "Mbit/s", "more"),
        ("udp guest → host loss", "%", "less"),
        ("round trip guest → guest", "ms", "less"),
        ("tcp guest → outside, function", "Mbit/s", "more"),
        ("with the limit", "Mbit/s", None),
        ("without a limit", "Mbit/s", None),
        ("hello interval", "s", None),
    ],
)
def test_a_record_from_before_the_field_has_its_direction_by_name(
    name: str, unit: str, better: str | None
) -> None:
    assert direction(Measurement(name=name, unit=unit, samples=[1.0])) == better
    said = Measurement(name=name, unit=unit, samples=[1.0], better="less")
    assert direction(said) == "less"
    none = Measurement(name=name, unit=unit, samples=[1.0], better=None)
    assert direction(none) is None


def test_in_such_a_record_the_cold_sample_is_found_here() -> None:
    old = Measurement(name="round trip x", unit="ms", samples=[12.3, 1.7, 1.4, 1.3, 1.8])
    found = read(old)
    assert found is not None
    assert (found.cold, found.values) == (1, [1.7, 1.4, 1.3, 1.8])
    recorded = Measurement.model_validate({**old.model_dump(), "cold": 0})
    assert (read(recorded) or found).values[0] == 12.3


def test_no_sample_is_no_quantity() -> None:
    assert read(Measurement(name="x", unit="ms", samples=[])) is None
    found = compared([quantity("x", [])], [quantity("x", STEADY)])
    assert not found.quantities


def test_what_is_measured_says_which_way_is_better(tmp_path: Path) -> None:
    from reports.record import save

    run = record(0, check("throughput.x", measurements=[quantity("x", STEADY)]))
    save(run, tmp_path / "run.json")
    assert load(tmp_path / "run.json").checks[0].measurements[0].better == "more"


def test_six_samples_that_fall_throughout_are_dependent_beside_many_quantities() -> None:
    """So few can look no plainer, though chance makes them so once in 400 orders."""
    falling = [1000.0, 910, 820, 730, 640, 550]
    before = [quantity("x", falling), *MANY[:12]]
    after = [quantity("x", [0.8 * value for value in falling]), *MANY[:12]]
    found = compared(before, after)
    assert found.quantities[0].outcome is QuantityOutcome.DEPENDENT
    assert found.exit_code == 10


def test_the_tail_of_many_samples_is_near_that_of_the_orders_of_fewer() -> None:
    assert chance(0.3, 81) == pytest.approx(chance(0.3, 80), rel=0.5)
    assert chance(0.0, 1000) == pytest.approx(0.5, abs=0.05)
