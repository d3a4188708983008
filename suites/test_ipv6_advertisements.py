# SPDX-License-Identifier: GPL-2.0-or-later
"""Router advertisements of a network's dnsmasq, on the wire and as the guests take them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from contracts.address_family import IPV6
from fixtures.guest.guest import NIC, Guest
from fixtures.guest.slaac import TakenAddress, taken_addresses
from fixtures.probe.advertisement import (
    AdvertisedPrefix,
    Advertisement,
    interface_identifier,
    solicit,
)
from fixtures.probe.evidence import Evidence
from fixtures.testbed.testbed import Testbed
from suites.taking_guests import taking_guests
from topologies.network_types.network_type import GUEST_TO_OUTSIDE

HOP_LIMIT = 255
# Between a captured advertisement and the guest's own listing of what it took.
TAKEN_WITHIN_S = 60
INFINITE_S = 2**32 - 1


def _prefix(testbed: Testbed) -> IPv6Network:
    held = testbed.topology.network.address6
    if held is None:
        raise testbed.without("an IPv6 address of the host's", "networks[0].address6 is null")
    return held.network


def _routes(testbed: Testbed) -> bool:
    """Whether guests of the network may go through the host."""
    return testbed.topology.type.reach[GUEST_TO_OUTSIDE]


def _advertised(testbed: Testbed, guest: Guest, evidence: Evidence) -> list[Advertisement]:
    with evidence.capture(testbed.host, guest.tap, "advertisements") as frames:
        return solicit(guest, frames)


@pytest.mark.claims("V6-01", "V6-06", "V6-16")
def test_prefix_is_advertised(testbed: Testbed, evidence: Evidence) -> None:
    """A guest that asks gets one router's advertisement: of the host, with the network's prefix.

    Source: RFC 4861, 4.2 and 6.2; dnsmasq(8), `ra-only`; libvirt, "Network XML format",
    "Addressing".

    Preconditions:
        - the host has an IPv6 address on the network's bridge
    Steps:
        1. Capture on the first guest's TAP.
        2. Send a router solicitation from that guest.
        3. Read the link-local address of the bridge on the host.
    Verify:
        - an advertisement comes
        - each comes from the bridge's link-local address, with hop limit 255
        - its only prefix is that of the host's address, on-link, with a preferred lifetime above 0
          and not above the valid one
        - on a network that serves no DHCPv6 the prefix is autonomous, and flag M is not set
        - on one that does the prefix is not autonomous, and addresses and other settings are to be
          had by DHCPv6 (flags M and O)
        - it makes the host a default router (router lifetime above 0) exactly where the network is
          forwarded
        - the name server that it names, if the network has one, is an address of the bridge
    """
    prefix, guest = _prefix(testbed), testbed.guests[0]
    serves = testbed.topology.network.dhcp6 is not None
    seen = _advertised(testbed, guest, evidence)
    evidence.reason = "; ".join(map(str, seen))
    assert seen, f"no router advertisement came to {guest.name}, which asked for one"
    listed = testbed.host.run(
        ["ip", IPV6.option, "-json", "address", "show", "dev", testbed.switch.name]
    ).stdout
    held = [e for each in json.loads(listed) for e in each["addr_info"]]
    own = {IPv6Address(e["local"]) for e in held if e["scope"] == "link"}
    every = {IPv6Address(e["local"]) for e in held}
    for each in seen:
        assert each.source in own, f"it is not the bridge, {sorted(map(str, own))}: {each}"
        assert each.hop_limit == HOP_LIMIT, f"its hop limit is {each.hop_limit}: {each}"
        assert [p.prefix for p in each.prefixes] == [prefix], f"expected {prefix} alone: {each}"
        [advertised] = each.prefixes
        assert (advertised.on_link, advertised.autonomous) == (True, not serves), (
            f"expected flag L of the prefix, {'and not' if serves else 'and'} A: {each}"
        )
        assert 0 < advertised.preferred_s <= advertised.valid_s, f"lifetimes: {each}"
        if serves:
            assert each.managed, f"it sends no guest to the DHCPv6 server: {each}"
            assert each.other, f"it names no other settings of the DHCPv6 server: {each}"
        else:
            assert not each.managed, f"it sends guests to a DHCPv6 server: {each}"
        is_router = each.lifetime_s > 0
        assert is_router == _routes(testbed), (
            f"the host is {'a' if is_router else 'no'} default router by it, and the network is "
            f"{'not ' * (not _routes(testbed))}forwarded: {each}"
        )
        named = set(map(IPv6Address, each.resolvers))
        assert named <= every, f"a name server is not the host: {each}"
        if testbed.topology.network.has_dns:
            assert named, f"it names no name server: {each}"


@dataclass(frozen=True)
class Taken:
    """What a guest's kernel made of the advertisements that it got.

    Attributes:
        addresses: its addresses of the prefix.
        routers: the gateways of its default routes.
        neighbours: it has a route to the prefix by its NIC, without a gateway.
    """

    addresses: list[TakenAddress]
    routers: list[IPv6Address]
    neighbours: bool


@pytest.mark.claims("V6-02", "V6-06", "V6-17", "V6-31")
def test_guests_take_the_prefix(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's kernel makes of the advertisement what it says: address, neighbours, router.

    Its kernel takes no name server: that is a program's business (RFC 8106, 5.3).

    On a network that serves DHCPv6 the address is the leased one, which V6-17 is about.

    Source: RFC 4862, 5.5.3; RFC 4861, 6.3.4; RFC 4291, appendix A.

    Preconditions:
        - the host has an IPv6 address on the network's bridge
        - the guests' kernels take advertisements, with addresses by their MAC; those of guests with
          a static address do not
    Steps:
        1. Capture on each guest's TAP while it asks for an advertisement.
        2. Read the guest's addresses and routes of IPv6.
    Verify:
        - each guest has one address of the prefix, which ends in its MAC's interface identifier,
          or is the one that it was leased by DHCPv6
        - the lifetimes of one that it made itself are those that were advertised, less at most 60 s
        - the prefix's addresses are neighbours where it is advertised so (flag L)
        - its default router is the sender of the advertisement exactly where that is a default
          router by it; it has no other, but on a bridge of the site's
    """
    prefix, reasons = _prefix(testbed), []
    for guest in taking_guests(testbed):
        guest.address_of(IPV6)
        seen = _advertised(testbed, guest, evidence)
        assert seen, f"no router advertisement came to {guest.name}, which asked for one"
        naming = [each for each in seen if prefix in [p.prefix for p in each.prefixes]]
        assert naming, f"no advertisement names {prefix}: {'; '.join(map(str, seen))}"
        said, taken = naming[-1], _taken(guest, prefix)
        evidence.json(f"taken-{guest.name}.json", _as_json(taken))
        found = [each.address for each in taken.addresses]
        if testbed.topology.network.dhcp6 is None:
            wanted = prefix[interface_identifier(guest.mac)]
        else:
            wanted = IPv6Address(guest.addresses[IPV6])
        assert found == [wanted], f"{guest.name} has {found}, expected {wanted} of {said}"
        [address] = taken.addresses
        named = [p for each in naming for p in each.prefixes if p.prefix == prefix]
        if testbed.topology.network.dhcp6 is None:
            _require_lifetimes(guest, address, [each for each in named if each.autonomous])
        on_link = any(each.on_link for each in named)
        assert taken.neighbours or not on_link, (
            f"{guest.name} has no route to {prefix} as neighbours, advertised by {said}"
        )
        routers = [said.source] if said.lifetime_s else []
        # Of several routers of a site's network one alone may have answered.
        others = (
            set[IPv6Address]()
            if testbed.topology.origin.is_the_runs or testbed.topology.type.host_advertises
            else set(taken.routers) - {said.source}
        )
        assert [each for each in taken.routers if each not in others] == routers, (
            f"{guest.name} has default routers {list(map(str, taken.routers))}, expected "
            f"{list(map(str, routers))} by {said}"
        )
        via = f"router {routers[0]}" if routers else "no router"
        reasons.append(f"{guest.name} {wanted}, valid for {address.valid_s} s, {via}")
    evidence.reason = "; ".join(reasons)


def _require_lifetimes(
    guest: Guest, made: TakenAddress, advertised: Sequence[AdvertisedPrefix]
) -> None:
    """Require that an address has the lifetimes of an advertisement, of one of several routers."""
    for name, left_s, given in (
        ("valid", made.valid_s, {each.valid_s for each in advertised}),
        ("preferred", made.preferred_s, {each.preferred_s for each in advertised}),
    ):
        assert any(_is_left_of(left_s, given_s) for given_s in given), (
            f"{guest.name}: its address is {name} for {left_s} s, advertised were "
            f"{' and '.join(map(str, sorted(given))) or 'none'} s"
        )


def _is_left_of(left_s: int, given_s: int) -> bool:
    least_s = given_s if given_s == INFINITE_S else given_s - TAKEN_WITHIN_S
    return least_s <= left_s <= given_s


def _taken(guest: Guest, prefix: IPv6Network) -> Taken:
    argv = ["ip", IPV6.option, "-json", "route", "show"]
    routes = json.loads(guest.run(argv).stdout or "[]")
    defaults = [IPv6Address(each["gateway"]) for each in routes if each["dst"] == "default"]
    neighbours = [
        each
        for each in routes
        if each["dst"] == str(prefix) and each["dev"] == NIC and "gateway" not in each
    ]
    return Taken(taken_addresses(guest, prefix), defaults, bool(neighbours))


def _as_json(taken: Taken) -> dict[str, Any]:
    return {
        "addresses": [str(each) for each in taken.addresses],
        "routers": [str(each) for each in taken.routers],
        "neighbours": taken.neighbours,
    }
