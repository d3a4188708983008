# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge whose port is a VLAN or a bond: tags on the wire, and a NIC that loses its link."""

import contextlib
import socket
from collections.abc import Iterator, Sequence

import pytest
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.host.links import is_up
from fixtures.probe.capture import Capture
from fixtures.probe.dhcp import new_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.marked_frames import BROADCAST, EXPERIMENTAL, marked
from fixtures.probe.reach import send
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.uplink_links import (
    UplinkLinks,
    active_nic,
    has_carrier,
    monitor_ms,
    nic_in_use,
    vlans,
    why_no_bond,
)
from fixtures.waiting import pause, poll, until

# A frame passes within microseconds; this is for a busy machine.
QUIET_S = 0.5
# The bond looks for its NICs' links every 100 ms; a busy machine takes longer.
FAILOVER_DEADLINE_S = 10.0
LINK_DEADLINE_S = 10.0
UNTAGGED, OTHER, OWN = b"plumb untagged", b"plumb other tag", b"plumb own tag"


@pytest.mark.claims("BR-17")
@pytest.mark.needs("vlan")
def test_frames_are_of_the_vlan(testbed: Testbed, evidence: Evidence) -> None:
    """Guests' frames have the VLAN's tag on the wire, and only frames with it come in.

    Source: IEEE 802.1Q, 6.9; bridge-utils-interfaces(5), `bridge_ports`.

    Preconditions:
        - an outside machine is on the physical network, and its switch can be captured on
    Steps:
        1. Ping the outside from each guest, with captures at the switch's end of each cable.
        2. From that end of the cable that is in use, broadcast a frame without a tag, one with
           another tag, and one with the VLAN's, with a capture at each guest's TAP.
    Verify:
        - every ping is answered
        - each frame of a guest's on a cable has the VLAN's tag
        - no TAP gets the frame without a tag, or that with another one
        - control: each TAP gets the frame with the VLAN's tag, without the tag; else it is a
          violation, too
    """
    made_of, lan = testbed.beyond.uplink, testbed.lan
    vlan = made_of.vlan
    if vlan is None:
        raise testbed.without("a VLAN as uplink", "networks[0].uplink_vlan is null")
    tags = _tags_of_guests(testbed, made_of.cables, evidence)
    assert tags == {vlan.tag}, (
        f"frames of guests have the tags {sorted(tags)} on the wire, expected {vlan.tag}; 0 is none"
    )
    other = vlan.tag + 1 if vlan.tag == 1 else vlan.tag - 1
    source = new_mac()
    said = [marked(source, BROADCAST, UNTAGGED), _tagged(source, other, OTHER)]
    with contextlib.ExitStack() as stack:
        taps = {
            guest.name: stack.enter_context(evidence.capture(testbed.host, guest.tap, "in"))
            for guest in testbed.guests
        }
        cable = made_of.cables[nic_in_use(testbed.host, made_of)]
        wire = lan.socket(socket.AF_PACKET, socket.SOCK_RAW, bind_to=cable)
        out = stack.enter_context(wire)
        for frame in (*said, _tagged(source, vlan.tag, OWN)):
            out.send(bytes(frame))
        # The last one has come: the others would have come before it.
        for frames in taps.values():
            frames.collect(lambda p: OWN in bytes(p))
        pause(QUIET_S)
        heard = {name: _heard(frames) for name, frames in taps.items()}
    evidence.json("heard.json", {name: [str(each) for each in got] for name, got in heard.items()})
    for name, got in heard.items():
        strangers = [mark for mark in (UNTAGGED, OTHER) if mark in [each for each, _ in got]]
        assert not strangers, (
            f"{name} hears frames of the wire that are not of VLAN {vlan.tag}: "
            f"{', '.join(each.decode() for each in strangers)}"
        )
        assert got == [(OWN, 0)], (
            f"{name} does not hear a broadcast of VLAN {vlan.tag} once and without its tag: {got}"
        )
    evidence.reason = (
        f"on the wire frames of {', '.join(heard)} have tag {vlan.tag}; of broadcasts there "
        f"without a tag, with tag {other} and with tag {vlan.tag} they hear the last one"
    )


def _tags_of_guests(testbed: Testbed, cables: Sequence[str], evidence: Evidence) -> set[int]:
    """Return the tags on the wire of the guests' frames while they ping the outside; 0: none."""
    macs = {guest.mac for guest in testbed.guests}
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(evidence.capture(testbed.lan, cable)) for cable in cables]
        for guest in testbed.guests:
            answer = send("icmp", testbed.guest_end(guest), testbed.end("outside"))
            assert answer.all_answered, f"{guest.name} does not reach the outside: {answer}"
        seen = [frame.packet for wire in wires for frame in wire.frames(lambda p: p.src in macs)]
    if not seen:
        raise Inconclusive(f"no frame of a guest was seen on {', '.join(cables)}, and pings passed")
    return {packet[Dot1Q].vlan if Dot1Q in packet else 0 for packet in seen}


def _tagged(source: str, tag: int, mark: bytes) -> Packet:
    return Ether(src=source, dst=BROADCAST) / Dot1Q(vlan=tag, type=EXPERIMENTAL) / Raw(mark)


def _heard(frames: Capture) -> list[tuple[bytes, int]]:
    """Return the marks in a capture, each with the tag of its frame; 0: none."""
    return [
        (mark, frame.packet[Dot1Q].vlan if Dot1Q in frame.packet else 0)
        for frame in frames.frames()
        for mark in (UNTAGGED, OTHER, OWN)
        if mark in frame.raw
    ]


@pytest.mark.claims("BR-18")
@pytest.mark.changes_network("takes the link of the bond's active NIC away")
@pytest.mark.needs("bonding")
def test_bond_outlives_a_link(testbed: Testbed, evidence: Evidence) -> None:
    """Guests and outside reach each other by the bond, also once its active NIC has no link.

    Source: Linux kernel, Documentation/networking/bonding.rst, "mode", active-backup.

    Preconditions:
        - an outside machine is on the physical network, and its switch can be captured on
    Steps:
        1. Ping the outside from each guest and each guest from there, with captures at the
           switch's end of each cable.
        2. Take that end of the active NIC's cable down, wait for another active NIC, and do the
           same.
        3. Bring it up again, and do the same.
    Verify:
        - every ping is answered, each time
        - each time the guests' frames are on the cable of the active NIC, and on no other
        - without its link the former active NIC is none
        - control: the NIC has no carrier while its cable's end is down; else the check is
          inconclusive
    """
    made_of, host = testbed.beyond.uplink, testbed.host
    if made_of.bond is None:
        if (why := why_no_bond(testbed.topology.network, vlans(host))) is not None:
            raise why
        raise testbed.without("a bond as uplink", "networks[0].uplink_bond is null")
    bond = made_of.carrier
    first = active_nic(host, bond)
    assert first in made_of.nics, f"{bond} has no active NIC of {made_of.nics}: {first!r}"
    said = [_carried(testbed, made_of, evidence, "before")]
    with _without_link(testbed, made_of, first):
        poll(lambda: active_nic(host, bond) != first, deadline_s=FAILOVER_DEADLINE_S)
        now = active_nic(host, bond)
        assert now not in (first, ""), (
            f"{first} has no link, and {bond} sends by {now or 'no NIC'} after "
            f"{FAILOVER_DEADLINE_S:g} s; its miimon is {monitor_ms(host, bond)} ms, and 0 is never"
        )
        said.append(_carried(testbed, made_of, evidence, "without"))
    said.append(_carried(testbed, made_of, evidence, "after"))
    evidence.reason = f"{said[0]}; without the link of {first} {said[1]}; with it again {said[2]}"


def _carried(testbed: Testbed, made_of: UplinkLinks, evidence: Evidence, label: str) -> str:
    """Require pings both ways; the guests' frames are on the active NIC's cable alone."""
    with contextlib.ExitStack() as stack:
        wires = {
            nic: stack.enter_context(evidence.capture(testbed.lan, cable, label))
            for nic, cable in zip(made_of.nics, made_of.cables, strict=True)
            if is_up(testbed.lan, cable)
        }
        for guest in testbed.guests:
            _ping_both_ways(testbed, guest, label)
        macs = {guest.mac for guest in testbed.guests}
        used = {
            nic
            for nic, wire in wires.items()
            # What comes in at the switch is what the host has sent.
            if any(not f.outgoing for f in wire.frames(lambda p: p.src in macs))
        }
    active = active_nic(testbed.host, made_of.carrier)
    assert used == {active}, f"frames of guests leave by {sorted(used)}, the active NIC is {active}"
    return f"by {active}"


def _ping_both_ways(testbed: Testbed, guest: Guest, when: str) -> None:
    ends = testbed.guest_end(guest), testbed.end("outside")
    for near, far in (ends, ends[::-1]):
        answer = send("icmp", near, far)
        assert answer.all_answered, f"{when}: {near.name} → {far.name}: {answer}"


@contextlib.contextmanager
def _without_link(testbed: Testbed, made_of: UplinkLinks, nic: str) -> Iterator[None]:
    """Have the switch's end of a NIC's cable down for a `with` block."""
    lan, host = testbed.lan, testbed.host
    cable = made_of.cables[made_of.nics.index(nic)]
    lan.run(["ip", "link", "set", cable, "down"])
    try:
        if poll(lambda: has_carrier(host, nic), lambda has: not has, deadline_s=LINK_DEADLINE_S):
            raise Inconclusive(f"{cable} is down, and {nic} still has a carrier")
        yield
    finally:
        lan.run(["ip", "link", "set", cable, "up"])
        until(lambda: has_carrier(host, nic), f"{nic} has a carrier", deadline_s=LINK_DEADLINE_S)
