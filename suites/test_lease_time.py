# SPDX-License-Identifier: GPL-2.0-or-later
"""The time of a lease: as it is offered, renewed, and given back."""

import time
from ipaddress import IPv4Address

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.guest.guest_address import request_lease
from fixtures.host.links import link_mac
from fixtures.probe.dhcp import Clients, Reply, clients, new_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, station
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll
from topologies.dhcp import Dhcp, LeaseTime, Reservation

# RFC 2131, 4.4.5: 0.5 and 0.875 of the lease time.
RENEWAL, REBINDING = 0.5, 0.875
ENDLESS = 2**32 - 1
# The end of a lease is kept in whole seconds: so long makes a difference that is seen.
BEFORE_RENEWAL_S = 2.0
LISTED_DEADLINE_S = 5.0
# dnsmasq(8), --dhcp-range: one hour where it is given no lease time.
DEFAULT = LeaseTime(expiry=1, unit="hours")


def _server(testbed: Testbed) -> Dhcp:
    """Return the network's DHCP server."""
    dhcp = testbed.topology.network.dhcp
    if dhcp is None:
        raise testbed.without("a DHCP server", "networks[0].dhcp is null")
    return dhcp


def _time_of_range(dhcp: Dhcp) -> LeaseTime:
    return dhcp.lease or DEFAULT


def _time_of(dhcp: Dhcp, kept: Reservation | None) -> LeaseTime:
    """Return the time of a client's lease: its reservation's, and without one the range's."""
    own = None if kept is None else kept.lease
    return own or _time_of_range(dhcp)


@pytest.mark.claims("DH-03")
@pytest.mark.changes_network("takes leases as clients that are no guests")
def test_lease_time(testbed: Testbed, evidence: Evidence) -> None:
    """Offer and lease have the network's lease time, with renewal and rebinding at their part.

    Source: libvirt, "Network XML format", `<lease>`; RFC 2131, 4.4.5.

    Preconditions:
        - the network's `dhcp.lease`, or one of its `dhcp.hosts`, has a lease time
    Steps:
        1. Have a client without a reservation take a lease, where the network has a range.
        2. Have a client with the MAC, or the host name, of each reservation that is no guest's ask
           for an address.
    Verify:
        - offer and lease have the range's time (option 51), the others that of their reservation,
          or else the range's; where neither is given, dnsmasq's hour
        - renewal (option 58) is at half of it, rebinding (option 59) at seven eighths, unless the
          lease never ends
    """
    dhcp = _server(testbed)
    absent = [h for h in dhcp.hosts if not any(h.is_for(g.mac, g.name) for g in testbed.guests)]
    seen: list[tuple[str, Reply | None, LeaseTime]] = []
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients(port, frames) as asking,
    ):
        if dhcp.range is not None:
            lease = asking.lease(new_mac())
            offer = next((r for r in asking.replies() if r.kind == "offer"), None)
            whole = _time_of_range(dhcp)
            seen += [("an offer", offer, whole), ("a lease", lease, whole)]
        for each in absent:
            named = () if each.mac else (("hostname", each.name),)
            kept = asking.offer(each.mac or new_mac(), more=named)
            seen.append((f"the offer to {each.mac or each.name}", kept, _time_of(dhcp, each)))
    if not seen:
        raise testbed.without("a client that is no guest", "each reservation is a guest's")
    wrong = [fault for what, reply, wanted in seen if (fault := _fault(what, reply, wanted))]
    evidence.reason = "; ".join(f"{what}: {_times(reply)}" for what, reply, _ in seen)
    assert not wrong, "; ".join(wrong)


@pytest.mark.claims("DH-03")
def test_lease_time_of_guests(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's lease has the lease time of its reservation, or else the network's.

    Source: libvirt, "Network XML format", `<lease>`; RFC 2131, 4.4.5.

    Preconditions:
        - the network's `dhcp.lease`, or one of its `dhcp.hosts`, has a lease time
        - at least one guest has its address by DHCP
    Steps:
        1. Have each such guest ask by DHCP again.
    Verify:
        - the lease has the time (option 51) of the guest's reservation; without one the range's,
          and where neither is given, dnsmasq's hour
    """
    dhcp, seen, wrong = _server(testbed), [], []
    for guest in testbed.dhcp_guests:
        wanted = _time_of(dhcp, dhcp.reservation(guest.mac, guest.name)).seconds
        lease = request_lease(guest)
        given = "no lease" if lease is None else f"a lease of {lease.seconds} s"
        seen.append(f"{guest.name}: {given}")
        if lease is None or lease.seconds != wanted:
            wrong.append(f"{guest.name} gets {given}; expected {wanted} s")
    evidence.reason = "; ".join(seen)
    assert not wrong, "; ".join(wrong)


def _times(reply: Reply | None) -> str:
    if reply is None:
        return "nothing"
    names = ("lease_time", "renewal_time", "rebinding_time")
    return " ".join(f"{name} {reply.seconds(name)}" for name in names)


def _fault(what: str, reply: Reply | None, wanted: LeaseTime) -> str:
    """Return what is wrong with the times of a reply; "": nothing is."""
    if reply is None:
        return f"{what} did not come"
    whole = wanted.seconds
    times = {"lease_time": whole}
    if whole != ENDLESS:
        times |= {
            "renewal_time": int(whole * RENEWAL),
            "rebinding_time": int(whole * REBINDING),
        }
    other = {k: reply.seconds(k) for k, v in times.items() if reply.seconds(k) != v}
    return f"{what} has {other}; expected {times}" if other else ""


@pytest.mark.claims("DH-04")
@pytest.mark.changes_network("takes a lease as a client that is no guest")
def test_renewed_and_released(testbed: Testbed, evidence: Evidence) -> None:
    """A renewed lease keeps its address and begins anew; a released one is free.

    Source: RFC 2131, 4.4.5 and 4.4.6; libvirt, virNetworkGetDHCPLeases.

    Preconditions:
        - the network's `dhcp.lease` has a lease time
    Steps:
        1. Have a client take a lease; read libvirt's list of leases.
        2. Two seconds later have it renew the lease, as at T1; read the list.
        3. Have it release the lease; read the list, and have another client ask for the address.
    Verify:
        - the renewed lease has the same address and the whole time again, and its end in libvirt's
          list is later than before
        - the released lease leaves libvirt's list, and the other client is offered its address
        - control: the lease is in libvirt's list at first; else the check is inconclusive
    """
    dhcp = _server(testbed)
    if dhcp.range is None:
        raise testbed.without("a DHCP range", "networks[0].dhcp has no start and end")
    whole = _time_of_range(dhcp).seconds
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients(port, frames) as asking,
    ):
        mac = link_mac(port.machine, NIC)
        lease = asking.lease(mac)
        first = None if lease is None else _listed_end(testbed, mac)
        if lease is None or first is None:
            raise Inconclusive(f"control failed: {mac} has no lease in libvirt's list")
        pause(BEFORE_RENEWAL_S)
        # The answer goes to the client's address, which somebody has to have.
        with port.holding(f"{lease.address}/{testbed.subnet.prefixlen}"):
            renewed = asking.renew(mac)
        assert renewed is not None, f"{mac} renews the lease of {lease.address}: no answer"
        assert renewed.kind == "ack", f"{mac} renews the lease of {lease.address}: {renewed.kind}"
        assert renewed.address == lease.address, f"renewed, {mac} has {renewed.address}"
        seconds = renewed.seconds("lease_time")
        assert seconds == whole, f"renewed, the lease takes {seconds} s, not {whole} s"
        # A lease without an end has 0 there.
        second = _listed_end(testbed, mac, above=None if whole == ENDLESS else first)
        later = second is not None and (whole == ENDLESS or second > first)
        assert later, f"renewed, the lease ends at {second}; before it ended at {first}"
        _require_free_once_released(testbed, asking, mac, lease.address)
    left = "" if not second else f", {second - time.time():.0f} s left"
    evidence.reason = f"{lease.address} renewed{left}; released, it is offered to another client"


def _require_free_once_released(
    testbed: Testbed, asking: Clients, mac: str, address: IPv4Address
) -> None:
    asking.release(mac)
    del asking.leases[mac]
    listed = poll(
        lambda: _ends(testbed, mac), lambda found: not found, deadline_s=LISTED_DEADLINE_S
    )
    assert not listed, f"{LISTED_DEADLINE_S:g} s after its release {mac} is in libvirt's list"
    offer = asking.offer(new_mac(), address)
    offered = offer and offer.address
    assert offered == address, f"{address} was released; a client that asks for it gets {offered}"


def _listed_end(testbed: Testbed, mac: str, *, above: int | None = None) -> int | None:
    """Return the end of a lease in libvirt's list, once it is there; None: it is not.

    dnsmasq reports a lease to libvirt by a script, which takes its time.

    Args:
        testbed: the topology.
        mac: the client's.
        above: the end has to be later than this; None: any end will do.
    """
    ends = poll(
        lambda: [end for end in _ends(testbed, mac) if above is None or end > above],
        deadline_s=LISTED_DEADLINE_S,
    )
    return ends[0] if ends else None


def _ends(testbed: Testbed, mac: str) -> list[int]:
    leases = libvirt_network.leases(testbed.libvirt_network, IPV4)
    return [int(lease["expirytime"]) for lease in leases if lease["mac"] == mac]
