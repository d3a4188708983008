# SPDX-License-Identifier: GPL-2.0-or-later
"""What a switch learns about addresses, how long it knows, and what it then does with frames."""

import contextlib
from dataclasses import asdict

import pytest
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from fixtures.evidence import Evidence
from fixtures.guest.guest import Guest
from fixtures.probe.capture import Capture
from fixtures.probe.reach import ping
from fixtures.probe.station import NIC, Station, station
from fixtures.standing import Standing
from fixtures.switch.switch import FdbEntry
from fixtures.waiting import expect, pause

DEFAULT_AGEING_S = 300
# IEEE 802 local experimental EtherType 1: nobody else on the bridge says anything in it.
EXPERIMENTAL = 0x88B5
# Locally administered unicast addresses that belong to nobody.
FAR_MAC = "02:00:5e:00:53:01"
UNKNOWN_MAC = "02:00:5e:00:53:02"
# A frame that leaves a port does so within microseconds; this is for a busy machine.
FRAME_DEADLINE_S = 5.0
QUIET_S = 0.3
LEARN_DEADLINE_S = 5.0
SWEEP_DEADLINE_S = 20.0
# Seen longer ago than this, an address was not seen by the ping of a moment ago.
FRESH_S = 5.0
OVS_SHORTEST_AGEING_S = 15  # ovs-vswitchd.conf.db(5): anything below is taken as 15


@pytest.mark.claims("LB-08", "OV-09")
def test_guest_is_learnt(net: Standing, evidence: Evidence) -> None:
    """The switch learns the guest's MAC on the guest's port.

    Steps: have the switch forget the port; ping the host from the guest.
    Verify: the guest's MAC is there, on its TAP, not local, seen a moment ago; on a Linux bridge
    the TAP's own `fe:` MAC is there as local.
    """
    guest, switch = net.guests[0], net.switch
    switch.flush(guest.tap)

    def learnt() -> list[FdbEntry]:
        return [e for e in switch.fdb() if e.mac == guest.mac and not e.static]

    if forgotten := [entry for entry in switch.fdb() if entry.mac == guest.mac and entry.static]:
        raise AssertionError(f"{guest.mac} is set by hand on {forgotten[0].port}, not learnt")

    def pinged() -> list[FdbEntry]:
        # Open vSwitch learns when it revalidates a flow that it has forwarded: not at once.
        ping(net.end("guest"), net.host_address, count=1)
        return learnt()

    what = f"{switch.name} has learnt {guest.mac} after pings of {guest.name}"
    found = expect(pinged, what, deadline_s=LEARN_DEADLINE_S, interval_s=0.2)
    entries = switch.fdb()
    evidence.json("fdb.json", [asdict(entry) for entry in entries])
    for entry in found:
        assert entry.port == guest.tap, f"{guest.mac} is learnt on {entry.port}, not {guest.tap}"
        assert not entry.local, f"{guest.mac} is known as local on {entry.port}"
        assert entry.age_s is not None, f"{guest.mac} has no age"
        assert entry.age_s < FRESH_S, f"{guest.mac} was seen {entry.age_s} s ago, despite the ping"
    if net.topology.switch == "linux":
        own = f"fe{guest.mac[2:]}"
        there = [entry.port for entry in entries if entry.mac == own and entry.local]
        assert guest.tap in there, f"{own} is not local on {guest.tap}: {there}"
    evidence.reason = f"{guest.mac} on {guest.tap}, {found[0].age_s:g} s ago"


@pytest.mark.claims("LB-09", "OV-09")
def test_ageing_time(net: Standing, evidence: Evidence) -> None:
    """The ageing time is 300 s by default, can be set, and stays set."""
    default = net.switch.ageing_s()
    evidence.json("ageing.json", {"default_s": default})
    assert default == DEFAULT_AGEING_S, f"{net.switch.name} ages after {default:g} s by default"
    net.switch.set_ageing_s(2 * DEFAULT_AGEING_S)
    try:
        seen = net.switch.ageing_s()
    finally:
        net.switch.set_ageing_s(DEFAULT_AGEING_S)
    evidence.json("ageing.json", {"default_s": default, "set_s": seen})
    evidence.reason = f"default {default:g} s; set to {2 * DEFAULT_AGEING_S}: {seen:g} s"
    assert seen == 2 * DEFAULT_AGEING_S, f"set to {2 * DEFAULT_AGEING_S} s, it reads {seen:g} s"


@pytest.mark.claims("LB-09", "OV-09")
def test_entry_expires(net: Standing, evidence: Evidence) -> None:
    """An entry that is not refreshed for the ageing time is gone.

    Steps: a station sends one frame under the default ageing time; wait for a little more than the
    shortest time that the switch takes; set that time.
    Verify: the entry is still there before, and gone soon after.
    """
    switch = net.switch
    shortest_s = 1 if net.topology.switch == "linux" else OVS_SHORTEST_AGEING_S

    def known() -> list[FdbEntry]:
        return [entry for entry in switch.fdb() if entry.mac == FAR_MAC]

    with station(net.host, switch, "st1") as sender:
        sender.send(Ether(src=FAR_MAC, dst="ff:ff:ff:ff:ff:ff", type=EXPERIMENTAL))
        [learnt] = expect(known, f"{FAR_MAC} is learnt", deadline_s=FRAME_DEADLINE_S)
        pause(shortest_s + 1.0)
        kept = known()
        evidence.json("kept.json", [asdict(entry) for entry in kept])
        assert kept, f"{FAR_MAC} is forgotten within {shortest_s + 1} s under the default time"
        switch.set_ageing_s(shortest_s)
        try:
            # A switch sweeps at its own pace; an entry may outlive its time by a little.
            expect(lambda: not known(), f"{FAR_MAC} is forgotten", deadline_s=SWEEP_DEADLINE_S)
        finally:
            switch.set_ageing_s(DEFAULT_AGEING_S)
    evidence.reason = (
        f"learnt on {learnt.port}, kept for {shortest_s + 1} s, gone with a time of {shortest_s} s"
    )


@pytest.mark.claims("LB-10")
def test_learnt_goes_out_of_one_port(net: Standing, evidence: Evidence) -> None:
    """A frame to a learnt MAC leaves only its port; one to an unknown MAC leaves every other port.

    Steps: two stations and two guests on the bridge, both guests have just spoken. One station
    sends a frame to the first guest's MAC, then one to a MAC that nobody has.
    Verify: captures on all ports but the sender's. The frame to the unknown MAC is the control for
    the silent ports: there each capture shows that it would have seen the first frame too.
    """
    bridge = net.linux_bridge
    first, second = net.guests[:2]
    with contextlib.ExitStack() as stack:
        sender = stack.enter_context(station(net.host, bridge, "st1"))
        listener = stack.enter_context(station(net.host, bridge, "st2"))
        captures = _captures(stack, net, evidence, listener, (first, second))
        for guest in (first, second):
            ping(net.guest_end(guest), net.host_address, count=1)
        sender.send(_frame(first.mac, b"learnt"))
        captures[first.tap].wait_for(
            lambda p: _is(p, b"learnt"), "the frame to the learnt MAC", deadline_s=FRAME_DEADLINE_S
        )
        sender.send(_frame(UNKNOWN_MAC, b"unknown"))
        for taken in captures.values():
            taken.wait_for(
                lambda p: _is(p, b"unknown"), "the flooded frame", deadline_s=FRAME_DEADLINE_S
            )
        pause(QUIET_S)
        strays = [
            port
            for port, taken in captures.items()
            if port != first.tap and taken.frames(lambda p: _is(p, b"learnt"))
        ]
        for taken in captures.values():
            taken.require_whole()
    evidence.reason = f"to {first.mac}: {first.tap} alone; to {UNKNOWN_MAC}: {', '.join(captures)}"
    assert not strays, f"the frame to {first.mac}, learnt on {first.tap}, also left {strays}"


def _captures(
    stack: contextlib.ExitStack,
    net: Standing,
    evidence: Evidence,
    listener: Station,
    guests: tuple[Guest, Guest],
) -> dict[str, Capture]:
    taken = {g.tap: stack.enter_context(evidence.capture(net.host, g.tap)) for g in guests}
    return taken | {listener.port: stack.enter_context(evidence.capture(listener.machine, NIC))}


def _frame(mac: str, mark: bytes) -> Ether:
    return Ether(src=FAR_MAC, dst=mac, type=EXPERIMENTAL) / Raw(mark)


def _is(packet: Ether, mark: bytes) -> bool:
    return packet.type == EXPERIMENTAL and bytes(packet.payload).startswith(mark)
