# SPDX-License-Identifier: GPL-2.0-or-later
"""What a switch learns about addresses, how long it knows, and what it then does with frames."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise

import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.marked_frames import BROADCAST, is_marked, marked, marks_in
from fixtures.probe.reach import ping
from fixtures.probe.station import NIC, Station, station
from fixtures.switch.switch import FdbEntry, Switch
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll

DEFAULT_AGEING_S = 300
# Locally administered unicast addresses, unused.
FAR_MAC = "02:00:5e:00:53:01"
UNKNOWN_MAC = "02:00:5e:00:53:02"
KEPT_MAC = "02:00:5e:00:53:03"
SENDER_MAC = "02:00:5e:00:53:04"
MOVES = (b"first", b"moved", b"back")
QUIET_S = 0.3
LEARN_DEADLINE_S = 5.0
SWEEP_DEADLINE_S = 20.0
# Seen longer ago than this, an address was not seen by the ping of a moment ago.
FRESH_S = 5.0
# Frames that circle in a loop move an address many times a second.
STAYS_LOOKS, STAYS_POLL_S = 20, 0.05
REFRESH_S = 0.25


@pytest.mark.claims("LB-08", "OV-09")
def test_guest_is_learnt(testbed: Testbed, evidence: Evidence) -> None:
    """The switch learns the guest's MAC on the guest's port, and keeps it there.

    Preconditions:
        - the host has an address on the switch
    Steps:
        1. Flush the entries of the guest's port.
        2. Ping the host from the guest until the FDB has the guest's MAC.
        3. Read the FDB 20 times within a second.
    Verify:
        - the MAC is on the guest's TAP, neither static nor local, with an age below 5 s
        - within that second the MAC is on no other port
        - on a Linux bridge the TAP's own `fe:` MAC is there as local
    """
    guest, switch = testbed.guests[0], testbed.switch
    switch.flush(guest.tap)

    def learnt() -> list[FdbEntry]:
        return [e for e in switch.fdb() if e.mac == guest.mac and not e.static]

    if forgotten := [entry for entry in switch.fdb() if entry.mac == guest.mac and entry.static]:
        raise AssertionError(f"{guest.mac} is set by hand on {forgotten[0].port}, not learnt")

    def pinged() -> list[FdbEntry]:
        # Open vSwitch learns when it revalidates a flow that it has forwarded: not at once.
        ping(testbed.end("guest"), testbed.host_address, count=1)
        return learnt()

    found = poll(pinged, deadline_s=LEARN_DEADLINE_S, interval_s=0.2)
    assert found, (
        f"not within {LEARN_DEADLINE_S:g} s: {switch.name} has learnt {guest.mac} after pings of "
        f"{guest.name}"
    )
    entries = switch.fdb()
    evidence.json("fdb.json", [asdict(entry) for entry in entries])
    for entry in found:
        assert entry.port == guest.tap, f"{guest.mac} is learnt on {entry.port}, not {guest.tap}"
        assert not entry.local, f"{guest.mac} is known as local on {entry.port}"
        assert entry.age_s is not None, f"{guest.mac} has no age"
        assert entry.age_s < FRESH_S, f"{guest.mac} was seen {entry.age_s} s ago, despite the ping"
    for _ in range(STAYS_LOOKS):
        pause(STAYS_POLL_S)
        elsewhere = [entry.port for entry in learnt() if entry.port != guest.tap]
        assert not elsewhere, f"{guest.mac} was on {guest.tap}, and then on {elsewhere[0]}"
    if switch.lists_port_macs:
        own = f"fe{guest.mac[2:]}"
        there = [entry.port for entry in entries if entry.mac == own and entry.local]
        assert guest.tap in there, f"{own} is not local on {guest.tap}: {there}"
    evidence.reason = f"{guest.mac} on {guest.tap}, {found[0].age_s:g} s ago"


@pytest.mark.claims("LB-09", "OV-09")
def test_ageing_time(testbed: Testbed, evidence: Evidence) -> None:
    """The ageing time is 300 s by default, can be set, and stays set.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the switch's ageing time.
        2. Set it to 600 s, and read it again.
        3. Set it back to 300 s.
    Verify:
        - by default it is 300 s
        - set to 600 s, it reads 600 s
    """
    default = testbed.switch.ageing_s()
    evidence.json("ageing.json", {"default_s": default})
    assert default == DEFAULT_AGEING_S, f"{testbed.switch.name} ages after {default:g} s by default"
    testbed.switch.set_ageing_s(2 * DEFAULT_AGEING_S)
    try:
        seen = testbed.switch.ageing_s()
    finally:
        testbed.switch.set_ageing_s(DEFAULT_AGEING_S)
    evidence.json("ageing.json", {"default_s": default, "set_s": seen})
    evidence.reason = f"default {default:g} s; set to {2 * DEFAULT_AGEING_S}: {seen:g} s"
    assert seen == 2 * DEFAULT_AGEING_S, f"set to {2 * DEFAULT_AGEING_S} s, it reads {seen:g} s"


@pytest.mark.claims("LB-09", "OV-09")
def test_entry_expires(testbed: Testbed, evidence: Evidence) -> None:
    """An entry that is not refreshed for the ageing time is gone, and frames to it are flooded.

    Preconditions:
        - three stations can be plugged into the switch
    Steps:
        1. Set a short ageing time: 3 s on a Linux bridge, 15 s on Open vSwitch.
        2. Have the first station send from two MACs, and the second one send a frame to the first
           MAC.
        3. Have the first station send from the second MAC alone until the FDB has lost the first.
        4. Send a frame to each MAC from the second station, with a capture at the third.
    Verify:
        - the silent MAC is known for the ageing time, less the clock's tolerance, and then it is
          gone
        - a frame to it does not reach the third station before, and does after
        - control: the refreshed MAC is still known, and its frame does not reach the third station
        - control: no two refreshes are further apart than the ageing time; else the check is
          inconclusive
    """
    switch = testbed.switch
    ageing = switch.ageing
    assert ageing is not None, f"{switch.name} is a {switch.title}, which learns nothing"
    ageing_s = ageing.shortest_s
    least_s = ageing_s - ageing.clock_s
    with contextlib.ExitStack() as stack:
        far, sender, listener = (
            stack.enter_context(station(testbed.host, switch, name))
            for name in ("st1", "st2", "st3")
        )
        heard = stack.enter_context(evidence.capture(listener.machine, NIC))
        stack.enter_context(_ageing(switch, ageing_s))
        began = time.monotonic()
        _expect_both_learnt(switch, far)
        sender.send(marked(SENDER_MAC, FAR_MAC, b"before"))
        spoke = _until_forgotten(switch, far, deadline_s=ageing_s + SWEEP_DEADLINE_S)
        lived_s = time.monotonic() - began
        sender.send(marked(SENDER_MAC, KEPT_MAC, b"kept"))
        sender.send(marked(SENDER_MAC, FAR_MAC, b"gone"))
        known = _known(switch)
        gaps = [later - earlier for earlier, later in pairwise((began, *spoke, time.monotonic()))]
        evidence.json("known.json", {"lived_s": lived_s, "gaps_s": gaps, "known": sorted(known)})
        if max(gaps) >= ageing_s:
            raise Inconclusive(f"the machine was too busy: {max(gaps):.1f} s between two frames")
        _expect_frame(heard, b"gone")
        strays = marks_in(heard, (b"before", b"kept"))
        heard.require_whole()
    evidence.reason = (
        f"ageing time {ageing_s} s: {FAR_MAC} gone after {lived_s:.1f} s, {KEPT_MAC} still known"
    )
    assert lived_s >= least_s, f"{FAR_MAC} is gone after {lived_s:.1f} s, not {ageing_s} s"
    assert KEPT_MAC in known, f"{KEPT_MAC} is gone too, though refreshed every {max(gaps):.1f} s"
    assert not strays, f"frames to addresses that are known left another port too: {strays}"


@contextlib.contextmanager
def _ageing(switch: Switch, seconds: int) -> Iterator[None]:
    """Set the ageing time for a `with` block."""
    switch.set_ageing_s(seconds)
    try:
        yield
    finally:
        switch.set_ageing_s(DEFAULT_AGEING_S)


def _known(switch: Switch) -> set[str]:
    return {entry.mac for entry in switch.fdb()}


def _expect_both_learnt(switch: Switch, far: Station) -> None:
    both = {FAR_MAC, KEPT_MAC}

    def learnt() -> set[str]:
        for mac in (FAR_MAC, KEPT_MAC):
            far.send(marked(mac, BROADCAST))
        return _known(switch) & both

    known = poll(
        learnt,
        lambda macs: macs == both,
        deadline_s=LEARN_DEADLINE_S,
        interval_s=REFRESH_S,
    )
    assert known == both, (
        f"not within {LEARN_DEADLINE_S:g} s: {FAR_MAC} and {KEPT_MAC} are learnt; "
        f"known of them: {sorted(known)}"
    )


def _until_forgotten(switch: Switch, far: Station, *, deadline_s: float) -> list[float]:
    """Refresh one address until the other is forgotten; returns the times of its refreshes."""
    spoke = []

    def forgotten() -> bool:
        far.send(marked(KEPT_MAC, BROADCAST))
        spoke.append(time.monotonic())
        return FAR_MAC not in _known(switch)

    gone = poll(forgotten, deadline_s=deadline_s, interval_s=REFRESH_S)
    assert gone, f"not within {deadline_s:g} s: {FAR_MAC}, which sends nothing, is forgotten"
    return spoke


@pytest.mark.claims("LB-11")
def test_mac_moves(testbed: Testbed, evidence: Evidence) -> None:
    """A MAC seen on another port moves there.

    Preconditions:
        - three stations can be plugged into the bridge
    Steps:
        1. Send from a MAC at the first station, and send a marked frame to that MAC from the third.
        2. Repeat with the same MAC at the second station, and then at the first again.
        3. Capture at the first and second station throughout.
    Verify:
        - after each move the FDB has the MAC on the port where it was seen last, and on no other
        - each marked frame leaves that port and not the other one
        - control: each of the two captures has at least one marked frame of its own
    """
    bridge = testbed.linux_bridge
    with contextlib.ExitStack() as stack:
        first, second, sender = (
            stack.enter_context(station(testbed.host, bridge, name))
            for name in ("st1", "st2", "st3")
        )
        taken = {
            there.port: stack.enter_context(
                evidence.capture(there.machine, NIC, there.machine.name)
            )
            for there in (first, second)
        }
        for there, mark in zip((first, second, first), MOVES, strict=True):
            there.send(marked(FAR_MAC, BROADCAST))
            _expect_known_on(bridge, FAR_MAC, there.port)
            sender.send(marked(SENDER_MAC, FAR_MAC, mark))
            _expect_frame(taken[there.port], mark)
        pause(QUIET_S)
        left = {port: marks_in(frames, MOVES) for port, frames in taken.items()}
        for frames in taken.values():
            frames.require_whole()
    evidence.json("left.json", left)
    evidence.reason = f"{FAR_MAC} seen on {first.port}, {second.port}, {first.port}: frames follow"
    wanted = {first.port: ["first", "back"], second.port: ["moved"]}
    assert left == wanted, f"the frames left by {left}, expected {wanted}"


def _expect_known_on(switch: Switch, mac: str, port: str) -> None:
    known = poll(
        lambda: [entry.port for entry in switch.fdb() if entry.mac == mac],
        lambda ports: ports == [port],
        deadline_s=LEARN_DEADLINE_S,
    )
    assert known == [port], f"{mac}, seen on {port}, is known on {known or 'no port'}"


@pytest.mark.claims("LB-10")
def test_learnt_goes_out_of_one_port(testbed: Testbed, evidence: Evidence) -> None:
    """A frame to a learnt MAC leaves only its port; one to an unknown MAC leaves every other port.

    Preconditions:
        - two guests and two stations are on the bridge
        - the host has an address on the bridge
    Steps:
        1. Ping the host from both guests, so that the bridge learns their MACs.
        2. Send a frame from one station to the first guest's MAC, with captures on both TAPs and at
           the other station.
        3. Send a frame from the same station to a MAC that nothing has.
    Verify:
        - the frame to the learnt MAC leaves the first guest's port
        - it leaves no other port
        - control: the frame to the unknown MAC is in every capture, so that each would have shown
          the other one
    """
    bridge = testbed.linux_bridge
    first, second = testbed.guests[:2]
    with contextlib.ExitStack() as stack:
        sender = stack.enter_context(station(testbed.host, bridge, "st1"))
        listener = stack.enter_context(station(testbed.host, bridge, "st2"))
        captures = _captures(stack, testbed, evidence, listener, (first, second))
        for guest in (first, second):
            ping(testbed.guest_end(guest), testbed.host_address, count=1)
        sender.send(marked(SENDER_MAC, first.mac, b"learnt"))
        _expect_frame(captures[first.tap], b"learnt")
        sender.send(marked(SENDER_MAC, UNKNOWN_MAC, b"unknown"))
        for taken in captures.values():
            _expect_frame(taken, b"unknown")
        pause(QUIET_S)
        strays = [
            port
            for port, taken in captures.items()
            if port != first.tap and marks_in(taken, (b"learnt",))
        ]
        for taken in captures.values():
            taken.require_whole()
    evidence.reason = f"to {first.mac}: {first.tap} alone; to {UNKNOWN_MAC}: {', '.join(captures)}"
    assert not strays, f"the frame to {first.mac}, learnt on {first.tap}, also left {strays}"


def _captures(
    stack: contextlib.ExitStack,
    testbed: Testbed,
    evidence: Evidence,
    listener: Station,
    guests: tuple[Guest, Guest],
) -> dict[str, Capture]:
    taken = {g.tap: stack.enter_context(evidence.capture(testbed.host, g.tap)) for g in guests}
    return taken | {listener.port: stack.enter_context(evidence.capture(listener.machine, NIC))}


def _expect_frame(frames: Capture, mark: bytes) -> None:
    found = frames.collect(lambda packet: is_marked(packet, mark))
    assert found, frames.missing(f"the frame marked {mark.decode()!r}")
