# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole of a DHCP range: each address leased once, and no other."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive, NotTestable
from fixtures.probe.dhcp import Clients, clients, new_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, station
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed

# libvirt writes its list of leases anew for each lease, so that time grows with the square of their
# number: 65534 would take hours.
WHOLE_MAX = 1024
SAMPLES = 64
# So many sampled addresses are asked for once more, by other clients.
ASKED_AGAIN = 4
# RFC 5737, documentation: of no subnet here.
ELSEWHERE = IPv4Address("203.0.113.1")
TRIES_WHEN_FULL = 3


@dataclass(frozen=True)
class _Taken:
    """The addresses of a range that no new client can have.

    Attributes:
        leased: leased when the check begins, the guests' above all; also those outside the range.
        kept: reserved for clients that are not there.
        used: held without a lease: the bridge's own address, which dnsmasq knows.
    """

    leased: frozenset[IPv4Address]
    kept: frozenset[IPv4Address]
    used: frozenset[IPv4Address]

    @property
    def all(self) -> frozenset[IPv4Address]:
        return self.leased | self.kept | self.used


@pytest.mark.lengthy
@pytest.mark.claims("NT-06", "IS-05", "DH-02")
@pytest.mark.changes_network("leases every address of the range")
def test_range_is_leased_whole(testbed: Testbed, evidence: Evidence) -> None:
    """Every free address of the range is leased once; one client more gets none; none is outside.

    Of a range of more than 1024 addresses a sample decides: the reason says which.

    Preconditions:
        - the network has a DHCP range with at least one address that no guest holds, and with none
          that a guest holds without a lease
    Steps:
        1. Have one client after the other take a lease, the first of them asking for addresses
           outside the range, in use, or reserved, until no address is left.
        2. Have one client more ask three times, each time followed by a client that has a lease.
        3. Give one lease back, and have the client ask again.
        4. Of a large range, have clients take its first and last address and evenly spaced ones
           between by name, and others ask for some of these and for addresses outside.
    Verify:
        - each client gets an address of the range that neither a guest, the bridge nor another
          client holds, and that is not reserved for another
        - every offer is in the range, with the host as router on a NAT network and no router on an
          isolated one
        - the one client more is offered nothing while the range is leased
        - of a large range, each sampled address is leased to the client that asks for it, and to
          no other
        - control: the server answers the known client after each of these requests, and then offers
          the address that was given back; else the check is inconclusive
    """
    served, taken = testbed.dhcp, _taken(testbed)
    free = served.size - len([each for each in taken.all if each in served])
    if free < 1:
        raise NotTestable("a free address in the range", f"all {served.size} of it are taken")
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients(port, frames) as asking,
    ):
        if served.size > WHOLE_MAX:
            evidence.reason = _lease_samples(testbed, asking, taken)
            evidence.json("leases.json", {m: r.address for m, r in asking.leases.items()})
            frames.require_whole()
            return
        first = itertools.chain(_outside(testbed), taken.used, taken.kept, _anything())
        for asked in itertools.islice(first, free):
            _lease(testbed, asking, taken, asked)
        evidence.json("leases.json", {m: r.address for m, r in asking.leases.items()})
        _require_none_left(asking)
        frames.require_whole()
    known = sum(each in served for each in taken.leased)
    evidence.reason = (
        f"{free} clients leased all of {served.start}–{served.end} but {known} that guests have "
        f"and {len(taken.used | taken.kept)} of the bridge or reserved; one more was offered "
        "nothing until a lease was given back"
    )


def _taken(testbed: Testbed) -> _Taken:
    """Return the addresses that no new client can have."""
    network, served = testbed.topology.network, testbed.dhcp
    listed = libvirt_network.leases(testbed.libvirt_network, IPV4)
    leased = {IPv4Address(lease["ipaddr"]) for lease in listed}
    for guest in testbed.guests:
        address = IPv4Address(guest.address)
        if address in served and address not in leased:
            # With more than 6 new clients in 30 s dnsmasq no longer looks whether one is in use.
            raise NotTestable(
                "a range whose addresses are free or leased", f"{guest.name} holds {address}"
            )
    used = {network.address.ip} if network.address is not None else set()
    kept = {host.ip for host in (network.dhcp.hosts if network.dhcp is not None else ())}
    return _Taken(
        frozenset(leased),
        frozenset(each for each in kept - leased if each in served),
        frozenset(each for each in used - leased if each in served),
    )


def _outside(testbed: Testbed) -> Iterator[IPv4Address]:
    """Give addresses that are not in the range: its neighbours, the subnet's ends, elsewhere."""
    near = (
        testbed.dhcp.start - 1,
        testbed.dhcp.end + 1,
        testbed.subnet[0],
        testbed.subnet[-1],
        ELSEWHERE,
    )
    yield from dict.fromkeys(address for address in near if address not in testbed.dhcp)


def _anything() -> Iterator[IPv4Address | None]:
    return itertools.repeat(None)


def _lease(
    testbed: Testbed, asking: Clients, held: _Taken, asked: IPv4Address | None
) -> IPv4Address:
    """Have a new client take a lease, and return its address.

    Raises:
        AssertionError: it gets none, one that somebody has, or one that is not in the range.
    """
    taken = held.all | {lease.address for lease in asking.leases.values()}
    lease = asking.lease(new_mac(), asked)
    _require_in_range(testbed, asking)
    gone = len({each for each in taken if each in testbed.dhcp})
    left = testbed.dhcp.size - gone
    assert lease is not None, (
        f"a client got no address with {gone} of {testbed.dhcp.size} taken and {left} free"
    )
    assert lease.address not in held.kept, f"{lease.address} was leased, reserved for another"
    assert lease.address not in taken, f"{lease.address} was leased although somebody has it"
    return lease.address


def _require_in_range(testbed: Testbed, asking: Clients) -> None:
    """Require of all that servers said: addresses of the range, and the network's own router."""
    served = testbed.dhcp
    gateway = testbed.topology.gateway(testbed.topology.network)
    routers = [] if gateway is None else [str(gateway)]
    for reply in asking.replies():
        if reply.kind != "nak":
            assert reply.address in served, (
                f"{reply.address} is offered, outside {served.start}–{served.end}"
            )
            assert reply.routers == routers, f"router {reply.routers} is offered, not {routers}"


def _require_none_left(asking: Clients) -> None:
    """Require that one client more is offered nothing, and what is given back once it is.

    The server answers in order: when a client that asked later is answered, it has read the other.
    """
    more, tried = new_mac(), []
    [spare, *_], [*_, known] = list(asking.leases), list(asking.leases)
    for _ in range(TRIES_WHEN_FULL):
        tried.append(asking.ask(more))
        if asking.offer(known) is None:
            raise Inconclusive(
                "control failed: the server no longer answers a client that it knows"
            )
    offers = [reply for reply in asking.replies() if reply.transaction in tried]
    assert not offers, f"the range is leased, and one client more is offered {offers[0].address}"
    freed = asking.leases[spare].address
    asking.release(spare)
    offer = asking.offer(more)
    if offer is None or offer.address != freed:
        offered = offer and offer.address
        raise Inconclusive(f"control failed: {freed} was given back, and {offered} is offered")


def _lease_samples(testbed: Testbed, asking: Clients, held: _Taken) -> str:
    """Lease the first and the last address of a range and some between; returns what was asked.

    Each is asked for by its name, and some of them once more by other clients, which must get
    others. All of them would take too long, and so would one client more than the range has.
    """
    served = testbed.dhcp
    step = (served.size - 1) / (SAMPLES - 1)
    sampled = (served.start + round(number * step) for number in range(SAMPLES))
    free = [asked for asked in sampled if asked not in held.all]
    for asked in free:
        given = _lease(testbed, asking, held, asked)
        assert given == asked, f"a client asked for {asked}, which is free, and got {given}"
    again = free[:: max(1, len(free) // ASKED_AGAIN)][:ASKED_AGAIN]
    outside = list(_outside(testbed))
    for asked in (*again, *outside, *held.used, *held.kept):
        _lease(testbed, asking, held, asked)
    return (
        f"sampled, {served.size} addresses being too many: {len(free)} of {served.start}–"
        f"{served.end}, its first and last and about every {step:.0f}th between, were each leased "
        f"to the client that asked; other clients asked for {len(again)} of these and for "
        f"{len(outside)} addresses outside, and got free ones of the range"
    )
