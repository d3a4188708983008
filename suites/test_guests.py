# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's NIC, on the host and in the guest."""

import functools

import pytest

from fixtures.guest.guest import NIC, Guest
from fixtures.host.links import has_link, link_kind, link_mac
from fixtures.probe.capture import Capture, Frame
from fixtures.probe.evidence import Evidence
from fixtures.probe.packets import sender
from fixtures.probe.reach import ping
from fixtures.testbed.testbed import Testbed, Vantage
from fixtures.waiting import poll
from topologies.network_types import type_of

# A frame passes a TAP within microseconds; this is for a busy machine.
FRAME_DEADLINE_S = 5.0


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
        2. Ping once from the guest, with a capture where its frames are seen first.
    Verify:
        - the MAC in the guest is the MAC of the domain XML
        - the capture has at least one frame of the guest
        - each frame of the guest has that MAC as source
    """
    for guest in testbed.guests:
        mac = guest.run(["cat", f"/sys/class/net/{NIC}/address"]).stdout.strip()
        assert mac == guest.mac, f"{NIC} in {guest.name} has {mac}, its domain XML has {guest.mac}"
        vantage = testbed.nearest(guest)
        with evidence.capture(vantage.machine, vantage.link) as frames:
            # Where nothing answers its ARP request, that is the only frame; it has the MAC as well.
            ping(testbed.guest_end(guest), vantage.peer, count=1)
            sent = poll(
                functools.partial(_sent, frames, guest, vantage), deadline_s=FRAME_DEADLINE_S
            )
            what = f"a frame of {guest.name}"
            assert sent, frames.missing(what, deadline_s=FRAME_DEADLINE_S)
        sources = {frame.packet.src for frame in sent}
        assert sources == {guest.mac}, f"frames of {guest.name} come from {sorted(sources)}"
    evidence.reason = ", ".join(f"{guest.name}: {guest.mac}" for guest in testbed.guests)


def _sent(frames: Capture, guest: Guest, vantage: Vantage) -> list[Frame]:
    """Return the frames of a guest: those that leave its TAP, or on a shared wire its address's."""
    came = [frame for frame in frames.frames() if not frame.outgoing]
    if not vantage.shared:
        return came
    return [frame for frame in came if sender(frame.packet) == guest.address]
