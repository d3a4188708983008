# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs that are killed, and runs that something happens to: nothing is left of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.tidiness import phases
from benchmarks.tidiness.host_series import staged_series
from benchmarks.tidiness.strikes import STRIKES
from benchmarks.tidiness.table import table
from benchmarks.tidiness.trials import KILLS as KILLS_BY_WAY
from benchmarks.tidiness.trials import RESULTS, Order, Trial, append_trial, orders, read

STAGED = [way for way in STRIKES if "staged" in STRIKES[way].hosts]
# Behind most of the building.
FRACTION = 0.8
TRIAL = Trial(Order(1, "both", "nat", 0.5, 1.25), "staged", 12.3, 24.6, phases.BUILDING)

KILLS = list(KILLS_BY_WAY)


def test_a_series_is_the_same_for_a_seed_however_long_it_is() -> None:
    short, long = (orders(7, count, KILLS, ["nat", "ovs"]) for count in (6, 60))
    assert long[:6] == short
    assert orders(8, 6, KILLS, ["nat", "ovs"]) != short
    assert [order.way for order in short] == [*KILLS, *KILLS]
    assert [order.topology for order in short] == ["nat"] * 3 + ["ovs"] * 3
    assert all(0 <= order.fraction < 1 for order in long)
    # Some guardians are killed at once, some in the middle of their work.
    assert {bool(order.delay_s) for order in long if order.way == "both"} == {True, False}
    assert not any(order.delay_s for order in long if order.way != "both")


def test_moments_are_within_the_part_that_is_asked_for() -> None:
    some = orders(7, 50, KILLS, ["nat"], (0.5, 0.6))
    assert all(0.5 <= order.fraction <= 0.6 for order in some)


def test_a_series_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = [TRIAL, replace(TRIAL, left=["link plumb1-eth1"], said=["removed"])]
    for trial in made:
        append_trial(tmp_path / RESULTS, trial)
    assert read(tmp_path / RESULTS) == made


def test_the_table_has_a_line_for_each_way_and_phase_and_each_failure() -> None:
    left = replace(TRIAL, phase=phases.CHECKS, left=["mount /run/netns/plumb1-lan (nsfs)"])
    lines = table([TRIAL, TRIAL, left]).splitlines()
    assert "| staged | both | building | 2 | 0 | 0 | 0 | 0 |  | 0.0, at most 0.0 |" in lines
    assert "| staged | both | checks | 1 | 1 | 0 | 0 | 0 |  | 0.0, at most 0.0 |" in lines
    assert lines[-2:] == [
        "trial 1 (staged, both, 1.25 s apart): nat, 12.3 s of 24.6 s, checks",
        "    mount /run/netns/plumb1-lan (nsfs)",
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    """A trial of each way, on staged hosts."""
    folder = tmp_path_factory.mktemp("trials")
    ways = [*KILLS, *STAGED]
    wanted = [
        Order(number, way, STRIKES[way].topology or "nat" if way in STRIKES else "nat", FRACTION)
        for number, way in enumerate(ways, 1)
    ]
    for kept in (False, True):
        part = [order for order in wanted if (order.way == "restart") == kept]
        staged_series(folder, part, "bookworm", None)
    return {trial.order.way: trial for trial in read(folder / RESULTS)}


@pytest.mark.staged
@pytest.mark.parametrize("way", [*KILLS, *STAGED])
def test_nothing_is_left_and_the_host_is_as_it_was(way: str, made: dict[str, Trial]) -> None:
    trial = made[way]
    said = "\n".join(trial.said)
    assert (trial.left, trial.differs) == ([], []), said
    assert trial.record == ""
    assert trial.wrong == [], said
