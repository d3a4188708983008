# SPDX-License-Identifier: GPL-2.0-or-later
"""A physical NIC as a port of an Open vSwitch bridge: its address moves to the bridge."""

import contextlib
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Interface

import pytest
from scapy.layers.inet import IP

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.host.dhcp_client import default_gateways, leased, without_address
from fixtures.host.links import add_address, addresses, link_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.input_exception import Port, said
from fixtures.probe.reach import PROTOCOLS, End, send
from fixtures.switch.ovs_bridge import interface_row
from fixtures.testbed.ports_let_in import ECHO_PORTS, ports_let_in
from fixtures.testbed.testbed import Testbed


@pytest.mark.claims("OV-10")
@pytest.mark.changes_network("takes the NIC and the host's address off the bridge")
@pytest.mark.needs("ovs")
def test_static_address_moves(testbed: Testbed, evidence: Evidence) -> None:
    """The NIC's static address moves to the bridge, and host and guests stay reachable.

    Preconditions:
        - an outside machine is on the physical network
        - the NIC is a port of the bridge, and each guest has its address
    Steps:
        1. Take the NIC off the bridge, give it the host's address, and probe the host from outside
           by ICMP.
        2. Put the NIC on the bridge, and address and route on the bridge.
        3. Probe the host and each guest from outside by ICMP, TCP and UDP, with captures there.
           Where the host refuses every port that it does not know, let in the probes' ones.
    Verify:
        - the bridge holds the host's address, and its default route goes to the router; a host that
          keeps its own has none there
        - the NIC is a port without an address and without an error of the switch's
        - every request to the host is answered, by the bridge's MAC
        - each guest has an address of the physical subnet; one by DHCP is of the range, and from
          the router
        - every request to a guest is answered, by the guest's own MAC
        - control: by the NIC alone the host is reached too; else the check is inconclusive
    """
    host, address = testbed.host, str(testbed.figures.host)
    uplink, bridge = str(testbed.topology.network.uplink), testbed.switch.name
    with _nic_alone(testbed):
        _forget_neighbours(testbed)
        alone = send("icmp", testbed.end("outside"), testbed.end("host"))
        if not alone.all_answered:
            raise Inconclusive(f"the outside did not reach the host by {uplink} alone: {alone}")
    held = addresses(host, bridge, IPV4)
    assert held == [str(testbed.topology.network.address)], f"{bridge} holds {held}"
    gateways = default_gateways(host, bridge, IPV4)
    assert gateways == testbed.uplink_gateways, f"the default routes over {bridge}: {gateways}"
    _require_port(testbed)
    reached = _reached(testbed, address, link_mac(host, bridge), evidence)
    guests = _guests_are_outside(testbed, evidence)
    evidence.reason = f"{uplink} alone: {alone}; on {bridge} {held[0]}: {reached}; {guests}"


@pytest.mark.claims("OV-10")
@pytest.mark.changes_network("takes the host's address off the bridge")
@pytest.mark.needs("ovs")
def test_address_by_dhcp(testbed: Testbed, evidence: Evidence) -> None:
    """With the NIC as a port, the bridge gets its address by DHCP, and the host is reachable at it.

    Preconditions:
        - the host has dhclient
        - the physical network has a DHCP server with a range, and an outside machine
    Steps:
        1. Take the static address and the default route of the bridge away, and run `dhclient` on
           it.
        2. Probe the leased address and each guest from outside by ICMP, TCP and UDP, with captures
           there. Where the host refuses every port that it does not know, let in the probes'
           ones.
    Verify:
        - the bridge holds one address, of the server's range, and its default route goes to the
          router; a host that keeps its own has none there
        - the NIC is a port without an address and without an error of the switch's
        - every request to the leased address is answered, by the bridge's MAC
        - each guest has an address of the physical subnet; one by DHCP is of the range, and from
          the router
        - every request to a guest is answered, by the guest's own MAC
    """
    host, figures, bridge = testbed.host, testbed.figures, testbed.switch.name
    # Before a client of the host's asks: on a network of the site's its server would answer.
    router = testbed.own_router
    with without_address(host, bridge), leased(host, bridge, IPV4) as lease:
        assert not lease.failure, lease.failure
        cidr = lease.address
        held = IPv4Interface(cidr)
        _require_port(testbed)
        assert held.ip in figures.dhcp, f"{cidr} is outside the server's range"
        gateways = default_gateways(host, bridge, IPV4)
        assert gateways == testbed.uplink_gateways, f"the default routes go to {gateways}"
        reached = _reached(testbed, str(held.ip), link_mac(host, bridge), evidence)
        guests = _guests_are_outside(testbed, evidence)
    evidence.reason = f"{cidr} by DHCP, from {router}: {reached}; {guests}"


@contextlib.contextmanager
def _nic_alone(testbed: Testbed) -> Iterator[None]:
    """Have the NIC off the bridge with the host's address; then it is a port again (D1)."""
    host, uplink = testbed.host, str(testbed.topology.network.uplink)
    _require_on_bridge(testbed)
    with without_address(host, testbed.switch.name):
        testbed.switch.detach(uplink)
        try:
            with without_address(host, uplink):
                add_address(host, uplink, str(testbed.figures.host_interface))
                yield
        finally:
            testbed.switch.attach(uplink)


def _require_on_bridge(testbed: Testbed) -> None:
    uplink, bridge = str(testbed.topology.network.uplink), testbed.switch.name
    assert uplink in testbed.switch.ports(), (
        f"{uplink} is no port of {bridge}: {testbed.switch.ports()}"
    )


def _require_port(testbed: Testbed) -> None:
    """The NIC is a port of the bridge, without an address and without an error of the switch's."""
    _require_on_bridge(testbed)
    uplink = str(testbed.topology.network.uplink)
    row = interface_row(testbed.host, uplink)
    assert row is not None, f"{uplink} has no row in table Interface: it is on no bridge"
    assert not row["error"], f"Open vSwitch has an error on {uplink}: {row['error']}"
    left = addresses(testbed.host, uplink, IPV4)
    assert not left, f"{uplink} still holds {left}"


def _forget_neighbours(testbed: Testbed) -> None:
    """Have the outside resolve addresses anew: their former MACs are flushed."""
    testbed.own_outside.run(["ip", "neighbour", "flush", "dev", testbed.outside_nic])


def _reached(
    testbed: Testbed,
    address: str,
    mac: str,
    evidence: Evidence,
    label: str = "host",
    ports: Collection[Port] = ECHO_PORTS,
) -> str:
    """Probe an address from outside by all protocols; every answer comes from one MAC.

    Args:
        testbed: the testbed.
        address: that of the host or of a guest.
        mac: the MAC of who answers.
        evidence: keeps the capture.
        label: the name of the capture.
        ports: those of the host that the probes need.
    """
    near, own = testbed.end("outside"), link_mac(testbed.outside, testbed.outside_nic)
    _forget_neighbours(testbed)
    with (
        ports_let_in(testbed, IPV4, ports) as let_in,
        evidence.capture(testbed.outside, testbed.outside_nic, label) as frames,
    ):
        for proto in PROTOCOLS:
            answer = send(proto, near, End(testbed.host, address, testbed.tool))
            assert answer.all_answered, f"the outside does not reach {address} by {proto}: {answer}"
        answers = frames.collect(lambda p: p.dst == own and IP in p and p[IP].src == address)
        assert answers, frames.missing(f"answers of {address}")
    sources = {frame.packet.src for frame in answers}
    assert sources == {mac}, f"{address} answers from {sorted(sources)}, expected {mac}"
    reached = f"outside → {address} by {', '.join(PROTOCOLS)}, answered from {mac}"
    return f"{reached}{said(let_in, ports)}"


def _guests_are_outside(testbed: Testbed, evidence: Evidence) -> str:
    """Each guest has an address of the physical network and is reached there by its own MAC."""
    figures, reached = testbed.figures, []
    for guest in testbed.guests:
        address = IPv4Address(guest.address)
        if guest.name in testbed.leases:
            server = testbed.leases[guest.name].server
            assert address in figures.dhcp, f"{guest.name} has {address}, not of the server's range"
            assert server == str(figures.router), f"{guest.name} has its address from {server}"
        assert address in figures.subnet, f"{guest.name} has {address}, not of {figures.subnet}"
        reached.append(_reached(testbed, guest.address, guest.mac, evidence, guest.name, ()))
    return "; ".join(reached)
