# SPDX-License-Identifier: GPL-2.0-or-later
"""A DHCP server on a bridge that the host made (D4, "Linux bridge", step 10)."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from fixtures.guest.guest import NIC, Guest
from fixtures.guest.guest_address import Lease, request_lease
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import Answer, ping
from fixtures.testbed.physical_network import dhcp_server
from fixtures.testbed.testbed import Testbed
from topologies.topology import DhcpRange

ATTEMPTS = 5  # this server pings no address before it offers it


@dataclass(frozen=True)
class Leased:
    """A guest's lease, and the answers to pings of the bridge from the leased address."""

    guest: Guest
    lease: Lease | None
    answer: Answer | None


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("LB-12")
@pytest.mark.changes_network("starts a DHCP server on the bridge")
def test_lease_on_a_bridge_made_by_hand(testbed: Testbed, evidence: Evidence) -> None:
    """With a DHCP server on the bridge each guest gets an address, and with it reaches the bridge.

    Preconditions:
        - the subnet has unused addresses side by side, one for each guest
    Steps:
        1. Start dnsmasq on the bridge, with a range of unused addresses of the subnet.
        2. Have each guest ask for an address, all at once.
        3. Add the leased address to the guest's NIC, and ping the bridge from it three times.
        4. Take the address away, and end the server.
    Verify:
        - each guest gets an address of the range, and no two the same
        - its mask is the subnet's
        - the lease names the bridge's address as server and router
        - three pings, no loss
    """
    served = _unused(testbed)
    bridge, own = testbed.switch.name, testbed.host_address
    with dhcp_server(testbed.host, testbed.host, bridge, served, IPv4Address(own)):
        with ThreadPoolExecutor(len(testbed.guests)) as pool:
            found = list(pool.map(lambda guest: _leased(testbed, guest), testbed.guests))
        log = testbed.host.seen(testbed.host.state / f"{testbed.host.name}-dnsmasq.log")
        evidence.text("dnsmasq.log", log.read_text())
    evidence.reason = "; ".join(f"{each.guest.name}: {each.lease}, {each.answer}" for each in found)
    for each in found:
        name = each.guest.name
        assert each.lease is not None, f"{name} gets no address of the server on {bridge}"
        seen = (each.lease.mask, each.lease.server, each.lease.routers)
        wanted = (str(testbed.subnet.netmask), own, [own])
        assert IPv4Address(each.lease.address) in served, (
            f"{name} gets {each.lease.address}, not of {served.start}–{served.end}"
        )
        assert seen == wanted, f"mask, server and router of {name} are {seen}, expected {wanted}"
        unreached = f"{name} with {each.lease.address} does not reach {own}: {each.answer}"
        assert each.answer is not None, unreached
        assert each.answer.all_answered, unreached
    leases = [each.lease.address for each in found if each.lease is not None]
    assert len(set(leases)) == len(leases), f"two guests have one address: {leases}"


def _unused(testbed: Testbed) -> DhcpRange:
    """Return the highest addresses of the subnet that are unused, one for each guest."""
    used = {IPv4Address(testbed.host_address)}
    used |= {IPv4Address(guest.address) for guest in testbed.guests}
    count, run = len(testbed.guests), 0
    for number in range(testbed.subnet.num_addresses - 2, 0, -1):
        address = testbed.subnet[number]
        run = 0 if address in used else run + 1
        if run == count:
            return DhcpRange(start=address, end=testbed.subnet[number + count - 1])
    raise testbed.without(
        f"{count} unused addresses side by side", f"{testbed.subnet} has {len(used)} in use"
    )


def _leased(testbed: Testbed, guest: Guest) -> Leased:
    """Have a guest ask for an address, and ping the bridge from it."""
    lease = request_lease(guest, ATTEMPTS)
    if lease is None:
        return Leased(guest, None, None)
    # With the server's own mask: an address of a subnet that is too small reaches nothing.
    with _added(guest, f"{lease.address}/{lease.mask}"):
        near = testbed.guest_end(guest)
        answer = ping(near, testbed.host_address, extra=["-I", lease.address])
    return Leased(guest, lease, answer)


@contextlib.contextmanager
def _added(guest: Guest, address: str) -> Iterator[None]:
    """Add an address to a guest's NIC for a `with` block."""
    guest.run(["ip", "address", "add", address, "dev", NIC])
    try:
        yield
    finally:
        guest.run(["ip", "address", "del", address, "dev", NIC])
