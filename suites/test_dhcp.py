# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest is given by DHCP, and what is written down of it."""

import json
import time
from ipaddress import IPv4Address

import pytest
from scapy.layers.dhcp import BOOTP
from scapy.layers.inet import IP, UDP
from scapy.packet import Packet

from contracts.address_family import IPV4, family_of
from fixtures.errors import Inconclusive
from fixtures.guest.guest import NIC, Guest
from fixtures.guest.guest_address import ATTEMPTS, Lease, request_lease
from fixtures.host.clock import STEP_S, clock_step_s
from fixtures.host.nic_state import nic_addresses
from fixtures.probe.evidence import Evidence
from fixtures.switch import libvirt_network
from fixtures.switch.libvirt_network import has_dns
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.vantage import nearest
from fixtures.waiting import pause

BOOTREPLY = 2  # RFC 951
# A second server may answer after the one whose answer the guest takes.
LATE_ANSWER_S = 1.0
STATUS = "/var/lib/libvirt/dnsmasq/{bridge}.status"


def _asked(guest: Guest) -> Lease:
    """Require that a guest that asks by DHCP gets a lease."""
    lease = request_lease(guest)
    assert lease is not None, f"{guest.name} asked {ATTEMPTS} times by DHCP and got no address"
    return lease


def _lease(guest: Guest, evidence: Evidence) -> Lease:
    lease = _asked(guest)
    evidence.json(f"lease-{guest.name}.json", lease.options)
    evidence.reason = "; ".join(filter(None, (evidence.reason, f"{guest.name}: {lease}")))
    assert lease.address == guest.address, f"{guest.name} had {guest.address}, now {lease.address}"
    held = _held(guest)
    assert lease.address in held, f"{guest.name} has {held} on {NIC}, its lease is {lease.address}"
    return lease


def _held(guest: Guest) -> list[str]:
    """Return the IPv4 addresses of a guest's NIC."""
    shown = guest.run(["ip", IPV4.option, "-json", "address", "show", "dev", NIC]).stdout
    # `ip` lists what it leaves out as an empty entry.
    listed = [entry for link in json.loads(shown or "[]") for entry in link.get("addr_info", ())]
    return [str(entry["local"]) for entry in listed if entry]


def _is_answer(packet: Packet) -> bool:
    # Not what a guest's kernel quotes when an answer comes too late for it (ICMP).
    return UDP in packet and BOOTP in packet and bool(packet[BOOTP].op == BOOTREPLY)


def _is_served(testbed: Testbed, guest: Guest, lease: Lease) -> None:
    """Require that a guest has the address kept for it, or else one of the range, and the mask."""
    dhcp = testbed.topology.network.dhcp
    kept = None if dhcp is None else dhcp.reservation(guest.mac, guest.name)
    if kept is not None:
        assert lease.address == str(kept.ip), f"{lease.address} is not {kept.ip}, kept for it"
    else:
        served = testbed.dhcp
        assert IPv4Address(lease.address) in served, (
            f"{lease.address} is outside {served.start}–{served.end}"
        )
    mask = str(testbed.subnet.netmask)
    assert lease.mask == mask, f"mask {lease.mask}, the network has {mask}"


def _served_by_the_host(
    testbed: Testbed, evidence: Evidence, guest: Guest, routers: list[str]
) -> None:
    """Require that a guest is served by the host alone, with the host as DNS server if it is one.

    Args:
        testbed: the network.
        evidence: gets the lease and the frames.
        guest: asks.
        routers: those that its lease has to name.
    """
    vantage = nearest(testbed, guest)
    with evidence.capture(vantage.machine, vantage.link) as frames:
        lease = _lease(guest, evidence)
        pause(LATE_ANSWER_S)
        servers = {frame.packet[IP].src for frame in frames.frames(_is_answer)}
    _is_served(testbed, guest, lease)
    own = testbed.host_address
    assert servers == {own}, f"{guest.name} is answered by {sorted(servers)}, not {own}"
    wanted = ", ".join(routers) or "none"
    assert lease.routers == routers, f"{guest.name}: router {lease.routers}, not {wanted}"
    named = [own] if has_dns(testbed.libvirt_network) else []
    assert lease.dns == named, f"{guest.name}: DNS {lease.dns}, not {named}"


@pytest.mark.claims("NT-05", "RT-06", "OP-06")
def test_lease(testbed: Testbed, evidence: Evidence) -> None:
    """A guest gets an address of the range, the mask, and the bridge as router and DNS server.

    Preconditions:
        - at least one guest has its address by DHCP
        - the network has a DHCP range
    Steps:
        1. Have each such guest ask by DHCP again, with a capture where its frames are seen first.
        2. Wait one second for the answer of a second server.
    Verify:
        - the lease is for the address that the guest was given at its boot and has on its NIC,
          inside the range or the one reserved for it, with the subnet's mask
        - router and DNS server of the lease are the host's address on the bridge, and that alone;
          no DNS server is named where the network has none
        - every DHCP answer in the capture comes from the host's address on the bridge
    """
    for guest in testbed.dhcp_guests:
        _served_by_the_host(testbed, evidence, guest, [testbed.host_address])


@pytest.mark.claims("IS-05")
def test_lease_without_router(testbed: Testbed, evidence: Evidence) -> None:
    """On an isolated network a guest gets address, mask and DNS server of the bridge, no router.

    Preconditions:
        - at least one guest has its address by DHCP
        - the network has a DHCP range
    Steps:
        1. Have each such guest ask by DHCP again, with a capture where its frames are seen first.
        2. Wait one second for the answer of a second server.
    Verify:
        - the lease is for the address that the guest was given at its boot and has on its NIC,
          inside the range or the one reserved for it, with the subnet's mask
        - the lease names no router
        - DNS server of the lease is the host's address on the bridge, and that alone; no DNS server
          is named where the network has none
        - every DHCP answer in the capture comes from the host's address on the bridge
    """
    for guest in testbed.dhcp_guests:
        _served_by_the_host(testbed, evidence, guest, [])


@pytest.mark.claims("BR-05")
def test_lease_from_the_physical_network(testbed: Testbed, evidence: Evidence) -> None:
    """A guest gets its address from the physical network's own DHCP server.

    Preconditions:
        - at least one guest has its address by DHCP
        - the physical network has a DHCP server with a range
    Steps:
        1. Have each such guest ask by DHCP again.
    Verify:
        - the lease is for the address that the guest was given at its boot and has on its NIC
        - the address is in the physical network's range
        - the server of the lease is the physical network's router; of an existing network, of whose
          router and range the run knows nothing, it is not the host
    """
    if not testbed.topology.origin.is_the_runs:
        held = {each.partition("/")[0] for each in nic_addresses(testbed.host, testbed.switch.name)}
        for guest in testbed.dhcp_guests:
            lease = _lease(guest, evidence)
            assert lease.server not in held, f"{guest.name} was served by the host, {lease.server}"
        return
    figures = testbed.figures
    for guest in testbed.dhcp_guests:
        lease = _lease(guest, evidence)
        address = IPv4Address(lease.address)
        assert address in figures.dhcp, f"{address} is not of the physical network's range"
        server = testbed.own_router
        assert lease.server == server, f"{guest.name} was served by {lease.server}, not {server}"


@pytest.mark.claims("NT-07")
def test_lease_is_recorded(testbed: Testbed, evidence: Evidence) -> None:
    """Status file and lease API of libvirt both have address, MAC, host name and expiry.

    Preconditions:
        - at least one guest has its address by DHCP from libvirt's network
    Steps:
        1. Read libvirt's status file of the bridge and its list of DHCP leases.
        2. Have each such guest ask by DHCP again, for the lease as the guest knows it.
    Verify:
        - status file and lease API have exactly one entry each for the guest's MAC
        - both entries have the guest's address and host name
        - both entries have the same expiry
        - the time left is more than zero and no more than the lease time that the guest was given
        - control: the host's clock was not set since the run began; else a time left that does not
          fit is inconclusive
    """
    path = testbed.host.seen(STATUS.format(bridge=testbed.topology.network.bridge))
    assert path.exists(), f"libvirt has no status file {path.name} of the bridge"
    status = json.loads(path.read_text())
    listed = libvirt_network.leases(testbed.libvirt_network, IPV4)
    evidence.json("status.json", status)
    evidence.json("leases.json", listed)
    for guest in testbed.dhcp_guests:
        lease = _asked(guest)
        every = [entry for entry in status if entry["mac-address"] == guest.mac]
        mine = [entry for entry in every if family_of(entry["ip-address"]) is IPV4]
        assert len(mine) == 1, f"{len(mine)} entries for {guest.mac} in the status file"
        from_file = (mine[0]["ip-address"], mine[0].get("hostname"))
        wanted = (lease.address, guest.name)
        assert from_file == wanted, f"the status file has {from_file}, {guest.name} has {wanted}"
        known = [entry for entry in listed if entry["mac"] == guest.mac]
        assert len(known) == 1, f"{len(known)} entries for {guest.mac} in the lease API"
        from_api = (known[0]["ipaddr"], known[0]["hostname"])
        assert from_api == wanted, f"the lease API has {from_api}, {guest.name} has {wanted}"
        expiry = int(mine[0]["expiry-time"])
        # dnsmasq writes the end of the lease; both were asked within the same seconds.
        assert int(known[0]["expirytime"]) == expiry, f"expiry {known[0]['expirytime']}, {expiry}"
        left = expiry - time.time()
        step = clock_step_s()
        fits = 0 < left <= lease.seconds
        if not fits and step is not None and -STEP_S < left + step <= lease.seconds + STEP_S:
            raise Inconclusive(
                f"control failed: the host's clock was set by {step:+.0f} s during the run; "
                f"{left:.0f} s are left of a lease of {lease.seconds} s"
            )
        assert 0 < left <= lease.seconds, f"{left:.0f} s are left of a lease of {lease.seconds} s"
    evidence.reason = ", ".join(f"{guest.name} {guest.address}" for guest in testbed.dhcp_guests)
