# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's own address on a bridge to the physical network: where it comes from."""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from contracts.address_family import IPV4
from fixtures.errors import HarnessError, Inconclusive, NotTestable
from fixtures.host.dhcp_client import default_gateways, leased, without_address
from fixtures.host.links import add_address, addresses, link_mac
from fixtures.probe.captures import captured
from fixtures.probe.evidence import Evidence
from fixtures.probe.input_exception import said
from fixtures.probe.reach import PROTOCOLS, End, send
from fixtures.testbed.ports_let_in import ECHO_PORTS, ports_let_in
from fixtures.testbed.testbed import Testbed

DHCP_ACK = 5  # RFC 2132, section 9.6


@pytest.mark.claims("BR-04")
@pytest.mark.changes_network("takes the host's address off the bridge")
def test_address_by_dhcp(testbed: Testbed, evidence: Evidence) -> None:
    """The bridge takes its address from the physical network's DHCP server.

    Preconditions:
        - the host has dhclient
        - the physical network has a DHCP server with a range, and its switch can be captured on
    Steps:
        1. Take the static address and the default route of the bridge away.
        2. Run `dhclient` on the bridge, with a capture on each cable of the uplink.
        3. Probe the leased address from outside by ICMP, TCP and UDP, with a capture there. Where
           the host refuses every port that it does not know, let in the probes' ones.
        4. Release the lease, put address and route back, and probe the host from outside.
    Verify:
        - on a cable the server's ACK for the bridge's MAC names the address that the bridge holds
        - the ACK comes from the physical network's router
        - the address is in the server's range, with the prefix of the physical subnet
        - the one default route over the bridge goes to that router; a host that keeps its own has
          none there
        - every request is answered, by the bridge's MAC
        - with the static address back, every ICMP request from outside is answered
    """
    host, figures, bridge = testbed.host, testbed.figures, testbed.switch.name
    mac = link_mac(host, bridge)
    with (
        _put_back(testbed),
        captured(evidence, testbed.lan, testbed.beyond.uplink.switch_ports) as wire,
        leased(host, bridge, IPV4) as lease,
    ):
        assert not lease.failure, lease.failure
        held = lease.address
        given = wire.collect(lambda p: _is_ack(p, mac))
        assert given, wire.missing(f"the server's ACK for {mac}")
        named = {str(frame.packet[BOOTP].yiaddr) for frame in given}
        servers = {frame.packet[IP].src for frame in given}
        address = str(IPv4Interface(held).ip)
        gateways = default_gateways(host, bridge, IPV4)
        assert named == {address}, f"the server gave {named}, {bridge} holds {held}"
        assert servers == {str(figures.router)}, f"the address comes from {servers}"
        assert IPv4Interface(held).ip in figures.dhcp, f"{held} is outside the server's range"
        assert IPv4Interface(held).network == figures.subnet, f"{held} is not of {figures.subnet}"
        assert gateways == testbed.uplink_gateways, f"the default routes go to {gateways}"
        answers = _reached(testbed, address, evidence)
    evidence.reason = f"{held} from {figures.router} by DHCP; from outside: {answers}"


@pytest.mark.claims("BR-04")
@pytest.mark.changes_network("takes the host's address off the bridge")
def test_static_address(testbed: Testbed, evidence: Evidence) -> None:
    """The bridge takes a static address of the physical network.

    Preconditions:
        - an outside machine is on the physical network
        - an address of the physical subnet is free, outside the DHCP range
    Steps:
        1. Take the address and the default route of the bridge away.
        2. Probe the free address from outside by ICMP.
        3. Give the free address to the bridge, and probe it from outside by ICMP, TCP and UDP, with
           a capture there. Where the host refuses every port that it does not know, let in the
           probes' ones.
        4. Put the topology's address and route back, and probe the host from outside.
    Verify:
        - every request to the new address is answered, by the bridge's MAC
        - with the topology's address back, every ICMP request from outside is answered
        - control: before, nothing answers at the free address; else the check is inconclusive
    """
    free = _free_address(testbed)
    with _put_back(testbed):
        before = send("icmp", testbed.end("outside"), _host_at(testbed, str(free.ip)), wait_s=1)
        if not before.none_answered:
            raise Inconclusive(f"somebody else answers at {free.ip}: {before}")
        add_address(testbed.host, testbed.switch.name, str(free))
        answers = _reached(testbed, str(free.ip), evidence)
    evidence.reason = f"static {free}: from outside {answers}; no answer there before"


@contextlib.contextmanager
def _put_back(testbed: Testbed) -> Iterator[None]:
    """Take the bridge's address away for a `with` block, and see that it is back after."""
    host, bridge = testbed.host, testbed.switch.name
    held, gateways = addresses(host, bridge, IPV4), default_gateways(host, bridge, IPV4)
    with without_address(host, bridge):
        yield
    now = addresses(host, bridge, IPV4), default_gateways(host, bridge, IPV4)
    if now != (held, gateways):
        raise HarnessError(f"{bridge} held {held} via {gateways}, and now {now}")
    answer = send("icmp", testbed.end("outside"), testbed.end("host"))
    assert answer.all_answered, f"with {held} back the outside does not reach the host: {answer}"


def _reached(testbed: Testbed, address: str, evidence: Evidence) -> str:
    """Probe an address of the host's from outside; it is the bridge's MAC that answers."""
    near, far = testbed.end("outside"), _host_at(testbed, address)
    own, bridge = (
        link_mac(testbed.outside, testbed.outside_nic),
        link_mac(testbed.host, testbed.switch.name),
    )
    with (
        ports_let_in(testbed, IPV4, ECHO_PORTS) as let_in,
        evidence.capture(testbed.outside, testbed.outside_nic) as frames,
    ):
        for proto in PROTOCOLS:
            answer = send(proto, near, far)
            assert answer.all_answered, f"the outside does not reach {address} by {proto}: {answer}"
        answers = frames.collect(lambda p: p.dst == own and IP in p and p[IP].src == address)
        assert answers, frames.missing(f"answers of {address}")
    sources = {frame.packet[Ether].src for frame in answers}
    assert sources == {bridge}, f"{address} answers from {sorted(sources)}, the bridge has {bridge}"
    return f"answered by {', '.join(PROTOCOLS)}{said(let_in, ECHO_PORTS)}"


def _host_at(testbed: Testbed, address: str) -> End:
    return End(testbed.host, address, testbed.tool)


def _is_ack(packet: Packet, mac: str) -> bool:
    if DHCP not in packet or ("message-type", DHCP_ACK) not in packet[DHCP].options:
        return False
    return bool(packet[BOOTP].chaddr[:6].hex(":") == mac)


def _free_address(testbed: Testbed) -> IPv4Interface:
    """Return an address of the physical network that nothing of the topology has or may get."""
    # Of the run's own network: on one of the site's an address may be another machine's.
    figures, router = testbed.figures, IPv4Address(testbed.own_router)
    taken = {figures.host, router, figures.outside}
    taken |= {guest.static_address.ip for guest in testbed.topology.guests if guest.static_address}
    for address in figures.subnet.hosts():
        if address not in taken and address not in figures.dhcp:
            return IPv4Interface((address, figures.subnet.prefixlen))
    raise NotTestable(f"a free address in {figures.subnet}", f"{len(taken)} taken, the rest DHCP's")
