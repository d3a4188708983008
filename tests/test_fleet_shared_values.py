# SPDX-License-Identifier: GPL-2.0-or-later
"""What the red hosts of a fleet have in common that the green ones have not."""

import random
from pathlib import Path

import pytest
from scipy.stats import fisher_exact

from contracts.verdicts import Verdict
from reports.compare.multiple_testing import testable as reachable
from reports.fleet.fleet import ClaimOnHost, FleetHost
from reports.fleet.fleet_of_folder import fleet_of
from reports.fleet.fleet_wording import places_to_look
from reports.fleet.host_status import HostState
from reports.fleet.shared_values import fisher_p, least_p, shared_values
from tests.fleets import NEW, OLD, C, V, host, status, with_every_state


def test_fisher_is_that_of_scipy() -> None:
    some = random.Random(7)
    for _ in range(300):
        red, green = some.randint(1, 40), some.randint(1, 400)
        red_with, green_with = some.randint(0, red), some.randint(0, green)
        table = [[red_with, red - red_with], [green_with, green - green_with]]
        known = fisher_exact(table, alternative="greater").pvalue
        assert fisher_p(red, green, red_with, green_with) == pytest.approx(known, rel=1e-9)
        assert least_p(red, green, red_with + green_with) <= known * (1 + 1e-9)


def test_testable_is_the_smallest_number_of_shares_that_suffices() -> None:
    some = random.Random(3)
    for _ in range(200):
        least = {index: some.random() ** some.randint(1, 9) for index in range(some.randint(0, 40))}
        shares = 1
        while len([p for p in least.values() if p <= 0.05 / shares]) > shares:
            shares += 1
        assert reachable(least, 0.05) == [k for k, p in least.items() if p <= 0.05 / shares]


def test_what_red_hosts_share_is_found_and_what_others_have_too_is_not(tmp_path: Path) -> None:
    for number in range(40):
        red = number % 5 == 0
        # One red host has another kernel, and one green one that of the red.
        kernel = NEW if (red and number) or number == 1 else OLD
        host(
            tmp_path, f"h{number:02}", {"NT-01": V if red else C, "NT-05": V if red else C}, kernel
        )
        status(tmp_path, f"h{number:02}", "ran", groups=[f"rack{number % 3}", "all-of-them"])
    shared = fleet_of(tmp_path).shared
    shown = [each for each in shared.found if each.shown]
    [one] = shown
    assert one.claims == ["NT-01", "NT-05"]
    assert [(value.fact, value.value) for value in one.values] == [("kernel", NEW)]
    assert (one.red_with, one.red, one.green_with, one.green) == (7, 8, 1, 32)
    assert one.p == pytest.approx(fisher_exact([[7, 1], [1, 31]], alternative="greater").pvalue)
    assert one.adjusted_p is not None
    assert one.p < one.adjusted_p < 0.001


def test_a_host_without_a_fact_counts_as_one_without_its_values() -> None:
    """Such as the settings of a bridge that only red hosts have."""

    def one(number: int, verdict: Verdict) -> FleetHost:
        facts = {"kernel": [OLD]} | ({"bridges.docker0.mtu": ["1500"]} if verdict is V else {})
        claims = {"NT-01": ClaimOnHost(verdict=verdict)}
        known = {"name": f"h{number}", "folder": f"h{number}", "says": "", "verdict": verdict}
        return FleetHost.model_validate(
            known | {"state": HostState.RAN, "claims": claims, "facts": facts}
        )

    [found] = shared_values([one(each, V if each < 5 else C) for each in range(10)]).found
    assert [value.fact for value in found.values] == ["bridges.docker0.mtu"]
    assert (found.red_with, found.green_with, found.green, found.shown) == (5, 0, 5, True)


def test_chance_alone_is_shown_in_few_of_many_fleets() -> None:
    """The level holds: of 200 fleets without any cause at most some 5 % have a finding."""
    some = random.Random(11)
    found = 0
    for _ in range(200):
        hosts = [
            host_of_chance(some, f"h{number}", facts=12) for number in range(some.randint(10, 40))
        ]
        found += any(each.shown for each in shared_values(hosts).found)
    assert found <= 18


def host_of_chance(some: random.Random, name: str, facts: int) -> FleetHost:
    return FleetHost(
        name=name,
        state=HostState.RAN,
        says="",
        verdict=C,
        folder=name,
        claims={f"C{each}": ClaimOnHost(verdict=some.choice([V, C])) for each in range(4)},
        facts={f"f{each}": [str(some.randint(0, 2))] for each in range(facts)},
    )


def test_few_hosts_show_nothing_and_hint_at_what_sets_the_red_one_apart(tmp_path: Path) -> None:
    folder = with_every_state(tmp_path)
    found = fleet_of(folder)
    assert found.shared.testable == 0
    [one] = places_to_look(found)
    assert not one.shown
    assert [(value.fact, value.value) for value in one.values] == [("kernel", NEW)]
    assert (one.red, one.green) == (1, 7)
