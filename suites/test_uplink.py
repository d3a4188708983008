# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge to the physical network: the NIC as a port, the address on the bridge."""

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from fixtures.errors import NotTestable
from fixtures.evidence import Evidence
from fixtures.host.links import addresses, link_mac
from fixtures.host.physical import OUTSIDE_NIC
from fixtures.probe.reach import PROTOCOLS, ping, send
from fixtures.standing import Standing


@pytest.mark.claims("BR-01")
def test_nic_is_a_port(net: Standing, evidence: Evidence) -> None:
    """The physical NIC is a port of the bridge."""
    uplink, ports = net.topology.network.uplink, net.switch.ports()
    evidence.json("ports.json", ports)
    evidence.reason = f"ports of {net.switch.name}: {', '.join(ports)}"
    assert uplink in ports, f"{uplink} is no port of {net.switch.name}: {ports}"


@pytest.mark.claims("BR-02")
def test_address_is_on_the_bridge(net: Standing, evidence: Evidence) -> None:
    """The NIC holds no address; the bridge holds the host's."""
    network = net.topology.network
    uplink = str(network.uplink)
    on_nic, on_bridge = addresses(net.host, uplink), addresses(net.host, network.bridge)
    evidence.json("addresses.json", {uplink: on_nic, network.bridge: on_bridge})
    evidence.reason = f"{uplink}: {on_nic or 'none'}; {network.bridge}: {on_bridge}"
    assert not on_nic, f"{uplink} still holds {on_nic}"
    assert on_bridge == [str(network.address)], f"{network.bridge} holds {on_bridge}"


@pytest.mark.claims("BR-03")
def test_host_stays_reachable(net: Standing, evidence: Evidence) -> None:
    """The outside reaches the host, and the answers come from the bridge's own MAC."""
    near, far = net.end("outside"), net.end("host")
    own = link_mac(net.outside, OUTSIDE_NIC)
    with evidence.capture(net.outside, OUTSIDE_NIC) as frames:
        for proto in PROTOCOLS:
            answer = send(proto, near, far)
            assert answer.all_answered, f"the outside does not reach the host by {proto}: {answer}"
        answers = frames.wait_for(
            lambda p: p.dst == own and _from_host(p, far.address), "answers of the host"
        )
    bridge = link_mac(net.host, net.switch.name)
    sources = {frame.packet[Ether].src for frame in answers}
    evidence.reason = f"answered by {', '.join(PROTOCOLS)} from {sorted(sources)}"
    assert sources == {bridge}, f"answers come from {sorted(sources)}, the bridge has {bridge}"


def _from_host(packet: Packet, address: str) -> bool:
    if ARP in packet:
        return bool(packet[ARP].psrc == address)
    return IP in packet and bool(packet[IP].src == address)


@pytest.mark.claims("BR-13")
def test_both_ways_to_attach(net: Standing, evidence: Evidence) -> None:
    """A guest attached by the bridge's name and one by a libvirt network both are on it."""
    listed = {guest.name: guest.nics()[0] for guest in net.guests}
    network, ports = net.topology.network, net.switch.ports()
    planned = {guest.attach for guest in net.topology.guests if guest.network == network.name}
    if planned != {"bridge", "network"}:
        raise NotTestable("a guest attached each way", f"guests are attached by {sorted(planned)}")
    ways = {nic.network for nic in listed.values()}
    wanted = {"", str(network.libvirt_name)}
    assert ways == wanted, f"the guests are on libvirt networks {ways}, expected {wanted}"
    for guest in net.guests:
        nic = listed[guest.name]
        assert nic.tap in ports, f"{nic.tap} of {guest.name} is no port of {net.switch.name}"
        answer = ping(net.guest_end(guest), net.end("outside").address)
        assert answer.all_answered, f"{guest.name} does not reach outside: {answer}"
    evidence.reason = ", ".join(
        f"{name} by {'network ' + nic.network if nic.network else 'bridge ' + nic.source}"
        for name, nic in listed.items()
    )
