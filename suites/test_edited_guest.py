# SPDX-License-Identifier: GPL-2.0-or-later
"""A defined guest whose source network is edited."""

from ipaddress import IPv4Address
from xml.etree import ElementTree as ET

import libvirt
import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.domain_xml import Nic
from fixtures.guest.guest import NIC
from fixtures.guest.guest_address import ATTEMPTS, request_lease
from fixtures.guest.guest_boot import booted, defined
from fixtures.host.host import Host
from fixtures.probe.evidence import Evidence
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed
from suites.port_of_domain import require_port
from topologies.topology import Network

MOVED, TARGET, MOVED_MAC = "plumb-moved", "plumb-target", "52:54:00:5e:53:18"


@pytest.mark.lengthy
@pytest.mark.claims("NT-18")
def test_edited_guest_changes_networks(testbed: Testbed, evidence: Evidence) -> None:
    """A guest whose source network is edited is on the new one after destroy and start.

    Preconditions:
        - the host has no network and no bridge `plumb-target`
    Steps:
        1. Define and start a second network; define a guest on the network under test.
        2. Start the guest, held before its first instruction; read its TAP's bridge and the
           connections that both networks count; destroy it.
        3. Change the source network in the guest's definition, and start the guest.
        4. Read the same again, and have the guest ask for an address by DHCP.
        5. Destroy the guest, and read the connections.
    Verify:
        - first, the TAP is a port of the bridge under test, and that network alone has one
          connection more
        - then, the TAP is a port of the second network's bridge, and that network alone has one
          connection more
        - the guest's address is of the second network's range
        - after, both networks have as many connections as before
    """
    host, guest, old = testbed.host, testbed.guests[0], testbed.topology.network
    new = _beside(testbed)
    served = new.dhcp_range
    if served is None:
        raise ValueError(f"network {new.name} has no range")
    names = (testbed.libvirt_network.name(), new.name)
    nic = Nic("network", names[0], MOVED_MAC, guest.plan.nics[0].model)
    with libvirt_network.defined(host, libvirt_network.definition(new)) as network:
        network.create()
        before = _connections(host, names)
        with defined(guest, MOVED, [nic]) as plan:
            domain = host.libvirt.lookupByName(MOVED)
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            require_port(host, domain, old.bridge)
            counted = _connections(host, names)
            assert counted == (before[0] + 1, before[1]), f"connections of {names}: {counted}"
            domain.destroy()
            xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            edited = xml.replace(f"network='{names[0]}'", f"network='{new.name}'")
            if edited == xml:
                raise Inconclusive(f"the definition of {MOVED} does not name {names[0]}: {xml}")
            host.libvirt.defineXML(edited)
            with booted(guest, plan) as moved:
                require_port(host, moved.domain, new.bridge)
                counted = _connections(host, names)
                evidence.text("domain.xml", moved.domain.XMLDesc(), "application/xml")
                assert counted == (before[0], before[1] + 1), f"connections of {names}: {counted}"
                moved.run(["ip", "link", "set", NIC, "up"])
                lease = request_lease(moved)
            assert lease is not None, f"{MOVED} asked {ATTEMPTS} times by DHCP and got no address"
            assert IPv4Address(lease.address) in served, f"{MOVED} leased {lease}"
            counted = _connections(host, names)
            assert counted == before, f"destroyed, connections of {names}: {counted}, not {before}"
    evidence.reason = f"{MOVED} moved from {names[0]} to {names[1]}, where it leased {lease}"


def _beside(testbed: Testbed) -> Network:
    """Return a network like the one under test that overlaps none of the host."""
    made = libvirt_network.beside(testbed.topology.network, TARGET, testbed.taken_networks)
    # A port of a bridge with STP would first listen and learn for 4 s.
    return made.model_copy(update={"stp": False})


def _connections(host: Host, names: tuple[str, str]) -> tuple[int, int]:
    """Return how many connections each of two networks counts."""
    lookup = host.libvirt.networkLookupByName
    one, other = (ET.fromstring(lookup(name).XMLDesc()).get("connections", "0") for name in names)
    return int(one), int(other)
