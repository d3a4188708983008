# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases on a host's own networks are given back, whatever failed meanwhile.

That a server really has them back is in `test_existing_dhcp6.py`.
"""

from collections.abc import Sequence
from ipaddress import IPv6Network
from typing import cast

import pytest

from contracts.address_family import IPV4, IPV6, AddressFamily
from fixtures.errors import HarnessError, NoAdvertisement
from fixtures.guest.dhcp6_client import lease_address
from fixtures.guest.guest import Guest
from fixtures.host.command import Completed
from fixtures.testbed.addressed_guests import giving_back

PREFIX = IPv6Network("fd00:98:44::/64")
LEASED = "ip=fd00:98:44::105\nvalid=3600\npreferred=3600\nduid=00030001525400000001\ndns=\n"


class Leased:
    """A guest with leases, some of whose commands fail."""

    def __init__(self, name: str, *families: AddressFamily, fails: str = "none") -> None:
        self.name = name
        self.leased = set(families)
        self.addresses: dict[AddressFamily, str] = {}
        self.released: list[str] = []
        self._fails = fails

    def run(self, argv: Sequence[str], *, deadline_s: float = 1.0, check: bool = True) -> Completed:
        """Give back a lease; or lease one, and list no route."""
        del deadline_s, check
        text = " ".join(argv)
        if self._fails in text:
            raise HarnessError(f"{self._fails} ended with status 1")
        self.released += [each for each in ("dhcpcd --release", "udhcpc") if each in text]
        return Completed(self.name, tuple(argv), 0, LEASED * ("--oneshot" in text), "", 0.0)


def guests(*every: Leased) -> Sequence[Guest]:
    return [cast("Guest", each) for each in every]


def test_a_guest_without_a_route_has_a_lease_to_give_back() -> None:
    made = Leased("kvm1")
    (guest,) = guests(made)
    with pytest.raises(NoAdvertisement, match="learnt from no router advertisement"):
        lease_address(guest, PREFIX, deadline_s=0.0)
    assert (made.leased, made.addresses) == ({IPV6}, {})
    with giving_back([guest]):
        pass
    assert made.released == ["dhcpcd --release"]


def test_each_lease_is_tried_and_those_left_are_one_error() -> None:
    one = Leased("kvm1", IPV4, IPV6, fails="dhcpcd")
    two, none = Leased("kvm2", IPV4, IPV6), Leased("kvm3")
    with (
        pytest.raises(HarnessError, match=r"kvm1 did not give back its lease of IPv6: dhcpcd"),
        giving_back(guests(one, two, none)),
    ):
        pass
    assert one.released == ["udhcpc"]
    assert two.released == ["dhcpcd --release", "udhcpc"]
    assert none.released == []


def test_a_lease_that_stays_behind_hides_no_other_error() -> None:
    made = Leased("kvm1", IPV4, IPV6, fails="dhcpcd")
    with pytest.raises(ValueError, match="the real one") as caught, giving_back(guests(made)):
        raise ValueError("the real one")
    assert caught.value.__notes__ == [
        "kvm1 did not give back its lease of IPv6: dhcpcd ended with status 1"
    ]
    assert made.released == ["udhcpc"]
