# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCPv6 on a network of libvirt's: ranges, lease times, and addresses kept by DUID."""

import itertools
from collections.abc import Sequence, Set
from ipaddress import IPv6Address

import pytest

from contracts.address_family import IPV6
from fixtures.errors import Inconclusive
from fixtures.guest.dhcp6_client import Lease6, request_lease6
from fixtures.guest.guest import Guest
from fixtures.probe.dhcp6 import Clients6, clients6, new_duid
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, station
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed
from suites.dhcpv6_server import ELSEWHERE, Wish, dhcp6_of, range6_of
from suites.taking_guests import takes, taking_guests
from topologies.dhcp6 import Dhcp6, Dhcp6Range, Reservation6, duid_of

# libvirt writes its list of leases anew for each: all of a larger one would take too long.
WHOLE_MAX = 64


def _reservations(testbed: Testbed) -> Sequence[Reservation6]:
    if not (found := dhcp6_of(testbed).hosts):
        raise testbed.without("a reservation by DUID", "networks[0].dhcp6 has no hosts")
    return found


@pytest.mark.claims("V6-17")
def test_guests_are_leased_their_addresses(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's client is leased one address by DHCPv6, and libvirt lists it.

    Guests with a static address ask for none.

    Source: libvirt, "Network XML format", `<range>` and `<lease>`; RFC 8415, 18.2 and 21.6.

    Preconditions:
        - the network serves DHCPv6
        - a guest has no static IPv6 address
    Steps:
        1. Have the client of each guest ask for an address anew (SOLICIT to REPLY).
        2. Read libvirt's list of the network's leases.
    Verify:
        - each guest is leased the address that it has had since it came up
        - it is the one that is reserved for the guest's DUID, else one of the range that is
          reserved for nobody
        - it is valid for the network's lease time, where the network has one
        - the name server of the lease is the host, if the network has a DNS server, and else none
        - libvirt lists the address with the guest's DUID and the guest's MAC
    """
    dhcp, reasons = dhcp6_of(testbed), []
    for guest in taking_guests(testbed):
        lease = request_lease6(guest)
        assert lease is not None, f"{guest.name} is leased no address by DHCPv6"
        held = guest.address_of(IPV6)
        assert str(lease.address) == held, f"{guest.name} has {held}, and is leased {lease}"
        _require_its_address(guest, lease, dhcp)
        wanted = [testbed.host_address_of(IPV6)] if testbed.topology.network.has_dns else []
        named = [str(each) for each in lease.resolvers]
        assert named == wanted, f"{guest.name}: the lease's name servers are {named}, not {wanted}"
        reasons.append(f"{guest.name} {lease}")
    listed = libvirt_network.leases(testbed.libvirt_network, IPV6)
    evidence.json("leases.json", listed)
    for guest in taking_guests(testbed):
        held = guest.address_of(IPV6)
        found = [(each["clientid"], each["mac"]) for each in listed if each["ipaddr"] == held]
        own = [(duid_of(guest.mac), guest.mac)]
        assert found == own, f"libvirt lists {held} of {guest.name} for {found}, expected {own}"
    evidence.reason = "; ".join(reasons)


def _require_its_address(guest: Guest, lease: Lease6, dhcp: Dhcp6) -> None:
    """Require of a guest's lease the address and the time that the network's data have for it."""
    assert lease.duid == duid_of(guest.mac), f"{guest.name} asks as {lease.duid}"
    kept = dhcp.reservation(lease.duid)
    if kept is not None:
        assert lease.address == kept.ip, f"{guest.name}: {lease}; {kept.ip} is kept for it"
    else:
        served = dhcp.range
        assert served is not None, f"{guest.name}: {lease}; there is no range"
        assert lease.address in served, f"{guest.name}: {lease}; it is not of {served}"
        others = [each.ip for each in dhcp.hosts]
        assert lease.address not in others, f"{guest.name}: {lease}; it is kept for another"
    time = (kept and kept.lease) or dhcp.lease
    if time is not None:
        assert lease.valid_s == time.seconds, (
            f"{guest.name}: the lease is for {lease.valid_s} s, expected {time.seconds} s"
        )


@pytest.mark.claims("V6-18")
@pytest.mark.changes_network("takes leases of DHCPv6 as the clients of reservations")
def test_reserved_address_for_its_duid(testbed: Testbed, evidence: Evidence) -> None:
    """A client gets the address that is kept for its DUID, and no other gets it meanwhile.

    While its client has no lease, dnsmasq gives a reserved address of the range to who asks for it
    by name (seen with 2.90; of IPv4 it does not).

    Source: libvirt, "Network XML format", `<host>` of `<dhcp>`; dnsmasq(8), `--dhcp-host`.

    Preconditions:
        - the network's `dhcp6.hosts` has a reservation
    Steps:
        1. Have each guest with a reservation ask anew.
        2. Have a client with the DUID of each other reservation ask for any address, for each other
           reserved one and for a free one of the range, and take a lease.
        3. Have clients with other DUIDs ask for each reserved address, while its client has it.
    Verify:
        - each client of a reservation is given its address, each time
        - no other client is offered a reserved address
        - control: the server answers each of the other clients; else the check is inconclusive
    """
    kept = _reservations(testbed)
    wrong, seen = [], []

    def note(who: str, own: Reservation6, wish: Wish, given: Wish) -> None:
        seen.append(f"{who}, asking for {wish or 'any'}: {given or 'no address'}")
        if given != own.ip:
            wrong.append(f"{seen[-1]}; {own.ip} is kept for it")

    guests = {duid_of(guest.mac): guest for guest in testbed.guests if takes(testbed, guest)}
    for each in kept:
        if each.duid in guests:
            lease = request_lease6(guests[each.duid])
            note(guests[each.duid].name, each, None, None if lease is None else lease.address)
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients6(port, frames) as asking,
    ):
        for each in kept:
            if each.duid in guests:
                continue
            for wish in _wishes(testbed, each):
                offer = asking.offer(each.duid, wish)
                note(each.duid, each, wish, None if offer is None else offer.address)
            reply = asking.lease(each.duid)
            note(f"{each.duid} in the end", each, None, None if reply is None else reply.address)
        for each in kept:
            offer = asking.offer(new_duid(), each.ip)
            if offer is None:
                raise Inconclusive("control failed: the server does not answer another client")
            seen.append(f"another, asking for {each.ip}: {offer.address or 'no address'}")
            if offer.address in [own.ip for own in kept]:
                wrong.append(f"{seen[-1]}, which is reserved")
    evidence.reason = "; ".join(seen)
    assert not wrong, "; ".join(wrong)


def _wishes(testbed: Testbed, own: Reservation6) -> list[Wish]:
    """Return what a client with a reservation may ask for but its own address; None: any."""
    kept, served = [each.ip for each in _reservations(testbed)], dhcp6_of(testbed).range
    of_range = () if served is None else (served.start + n for n in range(served.size))
    held = {IPv6Address(guest.addresses[IPV6]) for guest in testbed.guests}
    free = next((each for each in of_range if each not in kept and each not in held), None)
    others = [address for address in kept if address != own.ip]
    return [None, *others, *(() if free is None else (free,))]


@pytest.mark.lengthy
@pytest.mark.claims("V6-19")
@pytest.mark.changes_network("leases addresses of the range of DHCPv6")
def test_range_of_dhcpv6_and_no_other(testbed: Testbed, evidence: Evidence) -> None:
    """Clients of DHCPv6 are leased addresses of the range alone, each once.

    Source: libvirt, "Network XML format", `<range>` of `<dhcp>`; RFC 8415, 18.3.

    Preconditions:
        - the network's `dhcp6` has a range
    Steps:
        1. Have new clients each take a lease: the first of them asking for addresses beside the
           range, of another prefix, of the bridge, of the guests, and reserved ones outside the
           range; the next for the range's last free address.
        2. Of a range of at most 64 addresses, have clients take all others; have one client more
           ask; have one lease given back, and that client ask again. Not where a guest has a
           reservation beside the only range: it takes one of dnsmasq's leases.
    Verify:
        - each client is leased an address of the range that neither the bridge nor a guest nor
          another client has, and that is not reserved
        - the client that asks for a free address of the range gets that one
        - the one client more is offered nothing while the range is leased
        - control: the server answers the one client more, and then offers it the address that was
          given back; else the check is inconclusive
    """
    served, kept = range6_of(testbed), [each.ip for each in dhcp6_of(testbed).hosts]
    held = [IPv6Address(guest.addresses[IPV6]) for guest in testbed.guests]
    bridge = IPv6Address(testbed.host_address_of(IPV6))
    gone = {*kept, *held, bridge}
    free = [each for each in _of(served) if each not in gone]
    if not free:
        raise testbed.without("a free address in the range of DHCPv6", f"{served} is taken")
    wrong_wishes = [
        *(served.start - 1, served.end + 1, ELSEWHERE),
        *(bridge, *held),
        # One of the range dnsmasq gives to who asks for it, while its client is away.
        *(each for each in kept if each not in served),
    ]
    wishes = [each for each in wrong_wishes if each not in free][: len(free) - 1]
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients6(port, frames) as asking,
    ):
        for wish in wishes:
            _lease(asking, wish, served, gone)
        if last := [each for each in free if each not in _leased(asking)]:
            given = _lease(asking, last[-1], served, gone)
            assert given == last[-1], (
                f"a client asked for {last[-1]}, which is free, and got {given}"
            )
        said = f"{len(wishes)} clients asked for other addresses, and got ones of {served}"
        leased = [guest.addresses[IPV6] for guest in testbed.guests if takes(testbed, guest)]
        beyond = [each for each in leased if IPv6Address(each) not in served]
        if served.size <= WHOLE_MAX and beyond and testbed.topology.network.dhcp is None:
            # dnsmasq has no more leases than the range has addresses, and these count as well.
            said = f"{said}; not leased whole, as {', '.join(beyond)} beside it takes a lease"
        elif served.size <= WHOLE_MAX:
            for _ in itertools.repeat(None, len(free) - len(asking.leases)):
                _lease(asking, None, served, gone)
            _require_none_left(asking)
            said = f"{said}; all {len(free)} free ones were leased, each once, and then no other"
        frames.require_whole()
    evidence.reason = said


def _of(served: Dhcp6Range) -> list[IPv6Address]:
    """Return the addresses of a range; of a large one those at both ends."""
    if served.size <= WHOLE_MAX:
        return [served.start + number for number in range(served.size)]
    half = WHOLE_MAX // 2
    return [
        *(served.start + number for number in range(half)),
        *(served.end - number for number in reversed(range(half))),
    ]


def _leased(asking: Clients6) -> list[IPv6Address]:
    return [each.address for each in asking.leases.values() if each.address is not None]


def _lease(asking: Clients6, wish: Wish, served: Dhcp6Range, gone: Set[IPv6Address]) -> IPv6Address:
    """Have a new client take a lease, and return its address.

    Args:
        asking: the clients.
        wish: the address that it asks for.
        served: the range.
        gone: the addresses that it must not get, in the range or not.
    """
    taken = _leased(asking)
    lease = asking.lease(new_duid(), wish)
    assert lease is not None, (
        f"a client that asked for {wish or 'any address'} got none, with {len(taken)} of "
        f"{served.size} taken"
    )
    given = lease.address
    assert given is not None
    asked = f"a client that asked for {wish or 'any address'} got {given}"
    assert given in served, f"{asked}, outside of {served}"
    assert given not in gone, f"{asked}, which is reserved, the bridge's or a guest's"
    assert given not in taken, f"{given} was leased to two clients"
    return given


def _require_none_left(asking: Clients6) -> None:
    """Require that one client more is offered nothing, and what is given back once it is."""
    more, spare = new_duid(), next(iter(asking.leases))
    offer = asking.offer(more)
    if offer is None:
        raise Inconclusive("control failed: the server does not answer one client more")
    assert offer.address is None, f"the range is leased, and another is offered {offer.address}"
    freed = asking.leases[spare].address
    asking.release(spare)
    offer = asking.offer(more)
    if offer is None or offer.address != freed:
        offered = offer and offer.address
        raise Inconclusive(f"control failed: {freed} was given back, and {offered} is offered")
