# SPDX-License-Identifier: GPL-2.0-or-later
"""Reservations: who gets the addresses that a network keeps for single clients."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.guest.guest_address import request_lease
from fixtures.probe.dhcp import Clients, clients, new_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, station
from fixtures.testbed.testbed import Testbed
from topologies.dhcp import Reservation


def _absent(testbed: Testbed) -> Sequence[Reservation]:
    """Return the reservations of clients that are no guests of the topology."""
    return [
        each
        for each in _reservations(testbed)
        if not any(each.is_for(guest.mac, guest.name) for guest in testbed.guests)
    ]


def _reservations(testbed: Testbed) -> Sequence[Reservation]:
    dhcp = testbed.topology.network.dhcp
    if dhcp is None or not dhcp.hosts:
        raise testbed.without("a reservation", "networks[0].dhcp has no hosts")
    return dhcp.hosts


@pytest.mark.claims("DH-01")
@pytest.mark.changes_network("takes leases as the clients of reservations")
def test_reserved_address_for_its_client(testbed: Testbed, evidence: Evidence) -> None:
    """A client with a reservation gets its address, whatever it asks for.

    Source: libvirt, "Network XML format", `<host>` of `<dhcp>`; dnsmasq(8), `--dhcp-host`.

    Preconditions:
        - the network's `dhcp.hosts` has a reservation
    Steps:
        1. Have each guest with a reservation ask by DHCP again: for any address, for the one of
           each other reservation, and for one of the range that is kept for nobody.
        2. Have a client with the MAC, or the host name, of each other reservation ask for the same,
           and take a lease.
    Verify:
        - each is given the address of its reservation, each time
    """
    kept, wrong, seen = _reservations(testbed), [], []

    def note(who: str, reservation: Reservation, wish: Wish, given: object) -> None:
        seen.append(f"{who}, asking for {wish or 'any'}: {given or 'no address'}")
        if given != reservation.ip:
            wrong.append(f"{seen[-1]}; {reservation.ip} is kept for it")

    def ask_again(guest: Guest) -> None:
        reservation = next((r for r in kept if r.is_for(guest.mac, guest.name)), None)
        if reservation is None:
            return
        for wish in _wishes(testbed, reservation):
            lease = request_lease(guest, wish=wish)
            note(guest.name, reservation, wish, lease and IPv4Address(lease.address))

    with ThreadPoolExecutor(len(testbed.guests)) as pool:
        list(pool.map(ask_again, testbed.guests))
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients(port, frames) as asking,
    ):
        for each in _absent(testbed):
            named = () if each.mac else (("hostname", each.name),)
            mac = each.mac or new_mac()
            for wish in _wishes(testbed, each):
                offer = asking.offer(mac, wish, more=named)
                note(each.mac or str(each.name), each, wish, offer and offer.address)
            reply = asking.lease(mac, more=named)
            note(f"{each.mac or each.name} in the end", each, None, reply and reply.address)
    evidence.reason = "; ".join(seen)
    assert not wrong, "; ".join(wrong)


Wish = IPv4Address | None


def _wishes(testbed: Testbed, reservation: Reservation) -> list[Wish]:
    """Return what a client with a reservation may ask for but its own address; None: any."""
    kept, served = [each.ip for each in _reservations(testbed)], testbed.topology.network.dhcp_range
    of_range = () if served is None else (served.start + n for n in range(served.size))
    free = next((address for address in of_range if address not in kept), None)
    others = [address for address in kept if address != reservation.ip]
    return [None, *others, *(() if free is None else (free,))]


@pytest.mark.claims("DH-02")
def test_reserved_address_for_no_other(testbed: Testbed, evidence: Evidence) -> None:
    """A reserved address is offered to no other client, not even to one that asks for it.

    Source: libvirt, "Network XML format", `<host>` of `<dhcp>`; dnsmasq(8), `--dhcp-host`.

    Preconditions:
        - the network's `dhcp.hosts` has a reservation
    Steps:
        1. Have a client that has none ask for the address of each reservation.
        2. Have a guest ask by DHCP again; where all have static addresses, a client with a
           reservation.
    Verify:
        - no reserved address is offered to the first; on a network without a range nothing is
        - control: the guest, or the client, is answered; else the check is inconclusive
    """
    kept, reserved = _reservations(testbed), {each.ip for each in _reservations(testbed)}
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients(port, frames) as asking,
    ):
        stranger = new_mac()
        transactions = {asking.ask(stranger, each.ip) for each in kept}
        # The server answers in order: then it has answered the stranger, too.
        if not _answers_another(testbed, asking):
            raise Inconclusive("control failed: the server answers no other client either")
        frames.require_whole()
        offers = [r.address for r in asking.replies() if r.transaction in transactions]
    given = ", ".join(map(str, dict.fromkeys(offers))) or "nothing"
    evidence.reason = f"of {', '.join(map(str, sorted(reserved)))} a stranger is offered {given}"
    taken = sorted(reserved & set(offers))
    assert not taken, f"{', '.join(map(str, taken))}, reserved, is offered to a stranger"
    if testbed.topology.network.dhcp_range is None:
        assert not offers, f"without a range a stranger is offered {given}"


def _answers_another(testbed: Testbed, asking: Clients) -> bool:
    """Whether the server answers a guest; where none asks, on the run's network, a client."""
    guest = next((each for each in testbed.guests if each.name in testbed.leases), None)
    if guest is not None:
        return request_lease(guest) is not None
    if not testbed.topology.origin.is_the_runs:
        raise testbed.without("a guest that asks by DHCP", "all addresses are static")
    each = _absent(testbed)[0]
    named = () if each.mac else (("hostname", each.name),)
    return asking.offer(each.mac or new_mac(), more=named) is not None
