# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's NIC, on the host and in the guest."""

import functools

import pytest

from fixtures.evidence import Evidence
from fixtures.guest.guest import NIC, Guest
from fixtures.host.links import link_kind, link_mac
from fixtures.probe.capture import Capture, Frame
from fixtures.probe.packets import sender
from fixtures.probe.reach import ping
from fixtures.standing import Standing
from fixtures.waiting import expect

# A frame passes a TAP within microseconds; this is for a busy machine.
FRAME_DEADLINE_S = 5.0


@pytest.mark.claims("GN-01")
def test_nic_is_a_tap(net: Standing, evidence: Evidence) -> None:
    """Each guest's NIC is a TAP device that libvirt lists with type, source, model and MAC.

    Verify: the device that libvirt names is a TAP by the kernel's own word, and type, source,
    model and MAC are those that the topology gives.
    """
    evidence.text("domain.xml", net.guests[0].domain.XMLDesc(), "application/xml")
    for guest in net.guests:
        [data] = [each for each in net.topology.guests if each.name == guest.name]
        [listed] = guest.nics()
        network = net.topology.network_of(data)
        # Attached by a network over the host's own bridge, it is listed as on that bridge.
        by_name = data.attach == "network" and network.made_by == "libvirt"
        place = ("network", network.name) if by_name else ("bridge", network.bridge)
        kind = link_kind(net.host, listed.tap)
        assert kind == "tap", f"{listed.tap} of {guest.name} is a {kind}, not a TAP device"
        seen = (listed.kind, listed.source, listed.model, listed.mac)
        wanted = (*place, data.model, data.mac)
        assert seen == wanted, f"libvirt lists {seen} for {guest.name}, the topology says {wanted}"
    evidence.reason = ", ".join(f"{guest.name}: {guest.tap}" for guest in net.guests)


@pytest.mark.claims("GN-02")
def test_tap_mac_begins_with_fe(net: Standing, evidence: Evidence) -> None:
    """The TAP's own MAC is the guest's with the first octet `fe`."""
    evidence.json("macs.json", {guest.tap: link_mac(net.host, guest.tap) for guest in net.guests})
    evidence.reason = ", ".join(f"{g.tap} of {g.name} ({g.mac})" for g in net.guests)
    for guest in net.guests:
        mac = link_mac(net.host, guest.tap)
        wanted = f"fe{guest.mac[2:]}"
        assert mac == wanted, f"{guest.tap} has {mac}; {guest.name} has {guest.mac}: not {wanted}"


@pytest.mark.claims("GN-03")
def test_guest_carries_its_mac(net: Standing, evidence: Evidence) -> None:
    """The interface in the guest carries the MAC of the domain XML, and so do its frames."""
    for guest in net.guests:
        mac = guest.run(["cat", f"/sys/class/net/{NIC}/address"]).stdout.strip()
        assert mac == guest.mac, f"{NIC} in {guest.name} has {mac}, its domain XML says {guest.mac}"
        with evidence.capture(*net.nearest(guest)) as frames:
            # Where nothing answers its ARP request, that is the only frame; it has the MAC as well.
            ping(net.guest_end(guest), _peer(net, guest), count=1)
            sent = expect(
                functools.partial(_sent, frames, guest),
                f"a frame of {guest.name} on {net.nearest(guest)[1]}",
                deadline_s=FRAME_DEADLINE_S,
            )
        sources = {frame.packet.src for frame in sent}
        assert sources == {guest.mac}, f"frames of {guest.name} come from {sorted(sources)}"
    evidence.reason = ", ".join(f"{guest.name}: {guest.mac}" for guest in net.guests)


def _peer(net: Standing, guest: Guest) -> str:
    """Return whom a guest can ping so that its frames are seen where they are seen first."""
    return net.host_address if guest.tap else str(net.figures.outside)


def _sent(frames: Capture, guest: Guest) -> list[Frame]:
    """Return the frames of a guest: what comes out of its TAP, or says on a wire to be from it."""
    came = [frame for frame in frames.frames() if not frame.outgoing]
    return came if guest.tap else [f for f in came if sender(f.packet) == guest.address]
