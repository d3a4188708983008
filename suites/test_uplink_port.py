# SPDX-License-Identifier: GPL-2.0-or-later
"""A physical NIC as a port of an Open vSwitch bridge: its address moves to the bridge."""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface

import pytest
from scapy.layers.inet import IP

from fixtures.errors import Inconclusive
from fixtures.evidence import Evidence
from fixtures.host.addressed import default_gateways, leased, without_address
from fixtures.host.links import add_address, addresses, link_mac
from fixtures.host.physical import OUTSIDE_NIC
from fixtures.probe.reach import PROTOCOLS, End, send
from fixtures.standing import Standing
from fixtures.switch.ovs_bridge import interface_row


@pytest.mark.claims("OV-10")
def test_static_address_moves(net: Standing, evidence: Evidence) -> None:
    """The NIC's static address moves to the bridge, and host and guests stay reachable.

    Steps: take the NIC off the bridge and give it the host's address; probe the host from outside;
    put the NIC on the bridge and the address and the route on the bridge; probe again.
    Verify: the outside reaches the host both times, the second time by the bridge's MAC; the NIC is
    a port without an address, the default route is the bridge's; each guest has an address of the
    physical network, and the outside reaches it by the guest's own MAC.
    """
    host, address = net.host, str(net.figures.host)
    uplink, bridge = str(net.topology.network.uplink), net.switch.name
    with _nic_alone(net):
        _forget_neighbours(net)
        alone = send("icmp", net.end("outside"), net.end("host"))
        if not alone.all_answered:
            raise Inconclusive(f"the outside did not reach the host by {uplink} alone: {alone}")
    held = addresses(host, bridge)
    assert held == [str(net.topology.network.address)], f"{bridge} holds {held}"
    gateways = default_gateways(host, bridge)
    assert gateways == [str(net.figures.router)], f"the default routes over {bridge}: {gateways}"
    _require_port(net)
    reached = _reached(net, address, link_mac(host, bridge), evidence)
    guests = _guests_are_outside(net, evidence)
    evidence.reason = f"{uplink} alone: {alone}; on {bridge} {held[0]}: {reached}; {guests}"


@pytest.mark.claims("OV-10")
def test_address_by_dhcp(net: Standing, evidence: Evidence) -> None:
    """With the NIC as a port, the bridge gets its address by DHCP, and the host is reachable at it.

    Steps: take the static address away; `dhclient` on the bridge; probe host and guests from
    outside.
    Verify: the bridge holds one address of the physical server's range with its router as gateway,
    the NIC none; the outside reaches it by the bridge's MAC; guests are on the physical network.
    """
    host, figures, bridge = net.host, net.figures, net.switch.name
    with without_address(host, bridge), leased(host, bridge) as cidr:
        held = IPv4Interface(cidr)
        _require_port(net)
        assert held.ip in figures.dhcp, f"{cidr} is outside the server's range"
        gateways = default_gateways(host, bridge)
        assert gateways == [str(figures.router)], f"the default routes go to {gateways}"
        reached = _reached(net, str(held.ip), link_mac(host, bridge), evidence)
        guests = _guests_are_outside(net, evidence)
    evidence.reason = f"{cidr} by DHCP: {reached}; {guests}"


@contextlib.contextmanager
def _nic_alone(net: Standing) -> Iterator[None]:
    """Have the NIC off the bridge with the host's address; then it is a port again (D1)."""
    host, uplink = net.host, str(net.topology.network.uplink)
    _require_on_bridge(net)
    with without_address(host, net.switch.name):
        net.switch.detach(uplink)
        try:
            with without_address(host, uplink):
                add_address(host, uplink, str(net.figures.host_interface))
                yield
        finally:
            net.switch.attach(uplink)


def _require_on_bridge(net: Standing) -> None:
    uplink, bridge = str(net.topology.network.uplink), net.switch.name
    assert uplink in net.switch.ports(), f"{uplink} is no port of {bridge}: {net.switch.ports()}"


def _require_port(net: Standing) -> None:
    """The NIC is a port of the bridge, without an address and without an error of the switch's."""
    _require_on_bridge(net)
    uplink = str(net.topology.network.uplink)
    row = interface_row(net.host, uplink)
    assert not row["error"], f"Open vSwitch has an error on {uplink}: {row['error']}"
    left = addresses(net.host, uplink)
    assert not left, f"{uplink} still holds {left}"


def _forget_neighbours(net: Standing) -> None:
    """Have the outside ask anew: whoever had an address before is not sent to by his MAC."""
    net.outside.run(["ip", "neighbour", "flush", "dev", OUTSIDE_NIC])


def _reached(net: Standing, address: str, mac: str, evidence: Evidence, label: str = "") -> str:
    """Probe an address from outside by all protocols; every answer comes from one MAC."""
    near, own = net.end("outside"), link_mac(net.outside, OUTSIDE_NIC)
    _forget_neighbours(net)
    with evidence.capture(net.outside, OUTSIDE_NIC, label or "host") as frames:
        for proto in PROTOCOLS:
            answer = send(proto, near, End(net.host, address, net.tool))
            assert answer.all_answered, f"the outside does not reach {address} by {proto}: {answer}"
        answers = frames.wait_for(
            lambda p: p.dst == own and IP in p and p[IP].src == address, f"answers of {address}"
        )
    sources = {frame.packet.src for frame in answers}
    assert sources == {mac}, f"{address} answers from {sorted(sources)}, expected {mac}"
    return f"outside → {address} by {', '.join(PROTOCOLS)}, answered from {mac}"


def _guests_are_outside(net: Standing, evidence: Evidence) -> str:
    """Each guest has an address of the physical network and is reached there by its own MAC."""
    figures, told = net.figures, []
    for guest in net.guests:
        address = IPv4Address(guest.address)
        if guest.name in net.leases:
            server = net.leases[guest.name].server
            assert address in figures.dhcp, f"{guest.name} has {address}, not of the server's range"
            assert server == str(figures.router), f"{guest.name} has its address from {server}"
        assert address in figures.subnet, f"{guest.name} has {address}, not of {figures.subnet}"
        told.append(_reached(net, guest.address, guest.mac, evidence, guest.name))
    return "; ".join(told)
