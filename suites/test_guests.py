# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's NIC, on the host and in the guest."""

import functools
from dataclasses import asdict
from xml.etree import ElementTree as ET

import pytest

from fixtures.guest.guest import NIC, Guest
from fixtures.host.links import has_link, link_kind, link_mac
from fixtures.probe.capture import Capture, Frame
from fixtures.probe.evidence import Evidence
from fixtures.probe.guest_nics import guest_nics
from fixtures.probe.packets import sender
from fixtures.probe.reach import ping
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.vantage import Vantage, nearest
from fixtures.waiting import poll
from topologies.network_types import type_of

# A frame passes a TAP within microseconds; this is for a busy machine.
FRAME_DEADLINE_S = 5.0
ETHERNET_CLASS = "0x020000"


@pytest.mark.claims("GN-01")
def test_nic_is_a_tap(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's NIC is a TAP device that libvirt lists with type, source, model and MAC.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the NIC of each running guest from libvirt's list.
        2. Ask the kernel for the kind of the link that libvirt names.
    Verify:
        - the link is a TAP device
        - type, source, model and MAC in libvirt's list are those of the topology
    """
    evidence.text("domain.xml", testbed.guests[0].domain.XMLDesc(), "application/xml")
    for guest in testbed.guests:
        [data] = [each for each in testbed.topology.guests if each.name == guest.name]
        [listed] = guest.nics()
        network = testbed.topology.network_of(data)
        place = type_of(network).listed_source(network, data)
        assert has_link(testbed.host, guest.tap), (
            f"libvirt lists {guest.tap} for {guest.name}, and the host has no such link"
        )
        kind = link_kind(testbed.host, guest.tap)
        assert kind == "tap", f"{guest.tap} of {guest.name} is a {kind}, not a TAP device"
        seen = (listed.kind, listed.source, listed.model, listed.mac)
        wanted = (*place, data.model, data.mac)
        assert seen == wanted, f"libvirt lists {seen} for {guest.name}, the topology has {wanted}"
    evidence.reason = ", ".join(f"{guest.name}: {guest.tap}" for guest in testbed.guests)


@pytest.mark.claims("GN-02")
def test_tap_mac_begins_with_fe(testbed: Testbed, evidence: Evidence) -> None:
    """The TAP's own MAC is the guest's with the first octet `fe`.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the MAC of each guest's TAP.
    Verify:
        - it is the guest's MAC with `fe` as the first octet
    """
    evidence.json(
        "macs.json", {guest.tap: link_mac(testbed.host, guest.tap) for guest in testbed.guests}
    )
    evidence.reason = ", ".join(f"{g.tap} of {g.name} ({g.mac})" for g in testbed.guests)
    for guest in testbed.guests:
        mac = link_mac(testbed.host, guest.tap)
        wanted = f"fe{guest.mac[2:]}"
        assert mac == wanted, f"{guest.tap} has {mac}; {guest.name} has {guest.mac}: not {wanted}"


@pytest.mark.claims("GN-03")
def test_guest_carries_its_mac(testbed: Testbed, evidence: Evidence) -> None:
    """The interface in the guest carries the MAC of the domain XML, and so do its frames.

    Preconditions:
        - the host has an address on the switch or, for guests without a TAP, an outside machine is
          on the wire
    Steps:
        1. Read the interface's MAC in each guest.
        2. Ping from the guest, with a capture where its frames are seen first, until there is one.
    Verify:
        - the MAC in the guest is the MAC of the domain XML
        - the capture has at least one frame of the guest
        - each frame of the guest has that MAC as source
    """
    for guest in testbed.guests:
        mac = guest.run(["cat", f"/sys/class/net/{NIC}/address"]).stdout.strip()
        assert mac == guest.mac, f"{NIC} in {guest.name} has {mac}, its domain XML has {guest.mac}"
        vantage = nearest(testbed, guest)
        with evidence.capture(vantage.machine, vantage.link) as frames:
            sent = poll(
                functools.partial(_pinged, testbed, frames, guest, vantage),
                deadline_s=FRAME_DEADLINE_S,
            )
            what = f"a frame of {guest.name}"
            assert sent, frames.missing(what, deadline_s=FRAME_DEADLINE_S)
        sources = {frame.packet.src for frame in sent}
        assert sources == {guest.mac}, f"frames of {guest.name} come from {sorted(sources)}"
    evidence.reason = ", ".join(f"{guest.name}: {guest.mac}" for guest in testbed.guests)


def _pinged(testbed: Testbed, frames: Capture, guest: Guest, vantage: Vantage) -> list[Frame]:
    """Ping once from a guest; returns its frames since the capture began.

    Where nothing answers its ARP request, that is the only frame; it has the MAC as well. A ping
    that comes while the guest waits for an earlier request sends no other.
    """
    ping(testbed.guest_end(guest), vantage.peer, count=1)
    return _sent(frames, guest, vantage)


def _sent(frames: Capture, guest: Guest, vantage: Vantage) -> list[Frame]:
    """Return the frames of a guest: those that leave its TAP, or on a shared wire its address's."""
    came = [frame for frame in frames.frames() if not frame.outgoing]
    if not vantage.shared:
        return came
    return [frame for frame in came if sender(frame.packet) == guest.address]


@pytest.mark.claims("GN-05")
def test_nic_is_where_the_xml_says(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's NIC sits at the PCI address that the domain XML gives, as the guest sees it.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the PCI address from the XML that the domain was made from and from libvirt's live
           XML.
        2. Read the PCI functions with the NIC's MAC from the guest's sysfs.
    Verify:
        - the guest has exactly one NIC with that MAC, and it is an Ethernet function
        - libvirt's live XML has the address that was given
        - the guest sees the NIC at the address that was given
    """
    places = {}
    for guest in testbed.guests:
        given, live = (_pci_address(xml, guest.mac) for xml in (guest.xml, guest.domain.XMLDesc()))
        found = [nic for nic in guest_nics(guest) if nic.mac == guest.mac]
        evidence.json(f"{guest.name}.json", [given, live, *(asdict(nic) for nic in found)])
        assert len(found) == 1, f"{guest.name} has {len(found)} NICs with {guest.mac}"
        [nic] = found
        assert nic.pci_class == ETHERNET_CLASS, f"{nic.name} of {guest.name} is a {nic.pci_class}"
        assert live == given, f"{guest.name} was given its NIC at {given}, libvirt has it at {live}"
        assert nic.pci_address == given, (
            f"{guest.name} sees its NIC at {nic.pci_address}, its domain XML gives {given}"
        )
        places[guest.name] = f"{nic.name} at {given}"
    evidence.reason = "; ".join(f"{name}: {place}" for name, place in places.items())


def _pci_address(xml: str, mac: str) -> str:
    """Return the PCI address that a domain's XML gives to the NIC with a MAC, as sysfs has it."""
    for interface in ET.fromstring(xml).iterfind("devices/interface"):
        known, address = interface.find("mac"), interface.find("address")
        if known is None or address is None or known.get("address") != mac:
            continue
        # <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
        numbers = [
            int(address.get(part, "0"), 16) for part in ("domain", "bus", "slot", "function")
        ]
        return "{:04x}:{:02x}:{:02x}.{:x}".format(*numbers)
    return "no address"
