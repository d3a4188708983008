# SPDX-License-Identifier: GPL-2.0-or-later
"""NICs of each model, dealt out to the guests of a topology."""

from dataclasses import dataclass
from typing import cast

import pytest

from fixtures.guest.guest import Guest
from fixtures.probe.extra_nic import GuestNamespace
from fixtures.probe.guest_nics import GuestNic
from fixtures.probe.nic_models import MODELS, Plugged, dealt


@dataclass(frozen=True)
class Named:
    """A guest, of which no more is asked here."""

    name: str


ONE, TWO = cast("Guest", Named("one")), cast("Guest", Named("two"))


@pytest.mark.parametrize(
    ("guests", "models", "wanted"),
    [
        ([ONE, TWO], ["virtio", "rtl8139", "e1000"], ["one virtio", "two rtl8139", "one e1000"]),
        ([ONE], ["virtio", "rtl8139"], ["one virtio", "one rtl8139"]),
        ([ONE, TWO], ["virtio"], ["one virtio", "two virtio"]),
        ([ONE, TWO], [], []),
    ],
)
def test_each_model_and_each_guest_has_its_turn(
    guests: list[Guest], models: list[str], wanted: list[str]
) -> None:
    named = [model for model in MODELS if model.name in models]
    trials = dealt(guests, named)
    assert [f"{trial.guest.name} {trial.model.name}" for trial in trials] == wanted


def test_each_nic_has_a_subnet_and_a_mac_of_its_own() -> None:
    trials = dealt([ONE, TWO], MODELS)
    ends = [end for trial in trials for end in trial.ends]
    assert len({trial.mac for trial in trials}) == len(MODELS)
    assert len(set(ends)) == 2 * len(MODELS)
    assert all(near.network == far.network for near, far in (trial.ends for trial in trials))


def test_a_nic_that_the_guest_has_not_is_named() -> None:
    first, second = dealt([ONE], MODELS[:2])
    seen = GuestNic("eth1", first.mac, "virtio_net", "0000:00:08.0", "0x1af4:0x1000", "0x020000")
    inside = GuestNamespace(ONE, "plumb")
    taps = {first: "vnet2", second: "vnet3"}
    assert Plugged(ONE, (first, second), {first: seen}, taps, inside).absent == "rtl8139"
    assert not Plugged(ONE, (first,), {first: seen}, taps, inside).absent
