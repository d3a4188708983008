# SPDX-License-Identifier: GPL-2.0-or-later
"""The network that distributions ship with libvirt."""

from ipaddress import IPv4Address, IPv4Network
from xml.etree import ElementTree as ET

import libvirt
import pytest

from contracts.address_family import IPV4
from fixtures.errors import NotTestable
from fixtures.host.host import Host
from fixtures.host.links import addresses, has_link, is_up
from fixtures.probe.dhcp import Clients, new_mac
from fixtures.probe.dnsmasq import configuration_path, serving
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, station
from fixtures.switch import libvirt_network
from fixtures.switch.default_network import NAME, SHIPPED, default_is_off, network_names
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.testbed import Testbed

BRIDGE = "virbr0"
SUBNET = IPv4Network("192.168.122.0/24")
FIRST, LAST = IPv4Address("192.168.122.2"), IPv4Address("192.168.122.254")


@pytest.mark.lengthy
@pytest.mark.claims("NT-16")
@pytest.mark.changes_host("defines and starts libvirt's default network", only_if=default_is_off)
def test_default_network_as_shipped(testbed: Testbed, evidence: Evidence) -> None:
    """The default network is virbr0 with 192.168.122.1/24, and leases .2 to .254.

    A host that has it up is looked at as it is: its leases are for its own guests.

    Preconditions:
        - libvirt has the network `default` up; or it has none, the host has no link `virbr0`, no
          subnet of the topology overlaps 192.168.122.0/24, and the distribution's file is there
    Steps:
        1. Where there is none, define the network from the distribution's file, and start it.
        2. Read its live XML, the address of its bridge and the configuration of its dnsmasq.
        3. Where it was made for the check, have two clients take leases: one asks for the first
           address, one for the last.
    Verify:
        - the network's name is `default` and its bridge is `virbr0`
        - the bridge is up and holds 192.168.122.1/24 and nothing else
        - the live XML has the one range from .2 to .254
        - exactly one dnsmasq serves the network, with that range in its configuration
        - each client gets the address that it asks for, from 192.168.122.1
    """
    host = testbed.host
    if not default_is_off(host):
        held = _require_as_shipped(host, host.libvirt.networkLookupByName(NAME), evidence)
        evidence.reason = f"the host's own: {BRIDGE} with {held}, serving {FIRST}–{LAST}"
        return
    _require_room(testbed)
    xml = host.read(SHIPPED)
    evidence.text("default.xml", xml, "application/xml")
    with libvirt_network.defined(host, xml) as network:
        assert network.name() == NAME, f"the shipped network is called {network.name()}"
        said = libvirt_network.refusal(network)
        assert not said, f"libvirt does not start the network as shipped: {said}"
        held = _require_as_shipped(host, network, evidence)
        _lease_the_ends(testbed, evidence)
    evidence.reason = f"{BRIDGE} with {held}; clients leased {FIRST} and {LAST}"


def _require_as_shipped(host: Host, network: libvirt.virNetwork, evidence: Evidence) -> str:
    """Require bridge, address and range of the network that is up; returns the address."""
    live = network.XMLDesc()
    evidence.text("default-live.xml", live, "application/xml")
    assert network.bridgeName() == BRIDGE, f"its bridge is {network.bridgeName()}"
    held, wanted = addresses(host, BRIDGE, IPV4), f"{SUBNET[1]}/{SUBNET.prefixlen}"
    assert held == [wanted], f"{BRIDGE} holds {held}, not {wanted}"
    assert is_up(host, BRIDGE), f"{BRIDGE} is down"
    ranges = [(r.get("start"), r.get("end")) for r in ET.fromstring(live).iter("range")]
    assert ranges == [(str(FIRST), str(LAST))], f"its ranges are {ranges}"
    found = serving(host, NAME)
    assert len(found) == 1, f"{len(found)} dnsmasq serve network {NAME}"
    text = host.read(configuration_path(found[0]))
    evidence.text("default.conf", text)
    assert f"dhcp-range={FIRST},{LAST}" in text, f"its dnsmasq does not serve {FIRST}–{LAST}"
    return wanted


def _require_room(testbed: Testbed) -> None:
    """Require the file, and that nothing of the topology is in its way."""
    if not testbed.host.seen(SHIPPED).exists():
        raise NotTestable(
            "the default network of its distribution",
            f"no file {SHIPPED}, which the package libvirt-daemon-config-network brings",
        )
    if NAME in network_names(testbed.host):
        raise NotTestable(f"a free name {NAME}", f"libvirt has a network {NAME} already")
    if has_link(testbed.host, BRIDGE):
        raise NotTestable(f"a free {BRIDGE}", f"topology {testbed.topology.name} has a {BRIDGE}")
    subnets = [network.subnet for network in testbed.topology.networks]
    subnets += [testbed.topology.physical.subnet] if testbed.topology.physical is not None else []
    for subnet in subnets:
        if subnet is not None and subnet.overlaps(SUBNET):
            raise NotTestable(f"a free {SUBNET}", f"topology {testbed.topology.name} uses {subnet}")


def _lease_the_ends(testbed: Testbed, evidence: Evidence) -> None:
    with (
        station(testbed.host, LinuxBridge(testbed.host, BRIDGE), "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
    ):
        asking = Clients(port, frames)
        for asked in (FIRST, LAST):
            lease = asking.lease(new_mac(), asked)
            assert lease is not None, f"a client that asked for {asked} got no lease"
            seen = (lease.address, lease.server)
            wanted = (asked, str(SUBNET[1]))
            assert seen == wanted, f"a client that asked for {asked} got {seen[0]} from {seen[1]}"
