# SPDX-License-Identifier: GPL-2.0-or-later
"""What a switch learns about addresses, how long it knows, and what it then does with frames."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
from fixtures.testbed.learning_bridge import require_learning
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll

DEFAULT_AGEING_S = 300
# Locally administered unicast addresses, unused.
FAR_MAC = "02:00:5e:00:53:01"
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
    """The switch learns each guest's MAC on the guest's port, and keeps it there.

    Preconditions:
        - the host has an address on the switch
    Steps:
        1. Flush the entries of each guest's port, unless that would flush others' of an existing
           network.
        2. Ping the host from every guest until the FDB has the MACs of all.
        3. Read the FDB 20 times within a second.
    Verify:
        - each MAC is on its guest's TAP, neither static nor local, with an age below 5 s
        - within that second each MAC is on no other port
        - on a Linux bridge each TAP's own `fe:` MAC is there as local
    """
    require_learning(testbed)
    switch, guests, ports = testbed.switch, testbed.guests, testbed.switch.ports()
    for guest in guests:
        assert guest.tap in ports, f"{guest.tap} of {guest.name} is no port: {ports}"
        if testbed.topology.origin.is_the_runs or switch.flushes_by_port:
            switch.flush(guest.tap)
    port_of = {guest.mac: guest.tap for guest in guests}
    if by_hand := [entry for entry in switch.fdb() if entry.mac in port_of and entry.static]:
        raise AssertionError(f"{by_hand[0].mac} is set by hand on {by_hand[0].port}, not learnt")
    entries = _learnt_by_pings(testbed, set(port_of))
    evidence.json("fdb.json", [asdict(entry) for entry in entries])
    for guest in guests:
        _require_learnt(guest, [e for e in entries if e.mac == guest.mac and not e.static], switch)
    for _ in range(STAYS_LOOKS):
        pause(STAYS_POLL_S)
        strays = [e for e in switch.fdb() if port_of.get(e.mac, e.port) != e.port and not e.static]
        for entry in strays:
            raise AssertionError(
                f"{entry.mac} was on {port_of[entry.mac]}, and then on {entry.port}"
            )
    if switch.lists_port_macs:
        local = {(entry.mac, entry.port) for entry in entries if entry.local}
        for mac, tap in port_of.items():
            assert (f"fe{mac[2:]}", tap) in local, f"fe{mac[2:]} is not local on {tap}: {local}"
    ages = {entry.mac: entry.age_s for entry in entries}
    evidence.reason = "; ".join(f"{g.mac} on {g.tap}, {ages[g.mac]:g} s ago" for g in guests)


def _learnt_by_pings(testbed: Testbed, macs: set[str]) -> list[FdbEntry]:
    """Have all guests ping the host until their MACs are learnt; returns the last FDB."""
    switch = testbed.switch

    def learnt(entries: list[FdbEntry]) -> bool:
        return macs <= {entry.mac for entry in entries if not entry.static}

    with ThreadPoolExecutor(len(testbed.guests)) as pool:

        def pinged() -> list[FdbEntry]:
            # Open vSwitch learns when it revalidates a flow that it has forwarded: not at once.
            ends = testbed.ends("guest")
            list(pool.map(lambda end: ping(end, testbed.host_address, count=1), ends))
            return switch.fdb()

        return poll(pinged, learnt, deadline_s=LEARN_DEADLINE_S, interval_s=0.2)


def _require_learnt(guest: Guest, found: list[FdbEntry], switch: Switch) -> None:
    assert found, (
        f"not within {LEARN_DEADLINE_S:g} s: {switch.name} has learnt {guest.mac} after pings of "
        f"{guest.name}"
    )
    for entry in found:
        assert entry.port == guest.tap, f"{guest.mac} is learnt on {entry.port}, not {guest.tap}"
        assert not entry.local, f"{guest.mac} is known as local on {entry.port}"
        assert entry.age_s is not None, f"{guest.mac} has no age"
        assert entry.age_s < FRESH_S, f"{guest.mac} was seen {entry.age_s} s ago, despite the ping"


@pytest.mark.claims("LB-09", "OV-09")
@pytest.mark.changes_network("sets the ageing time")
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
    settings = testbed.topology.network.bridge_settings
    if settings is not None and settings.ageing_s is not None:
        said = f"networks[0].bridge_settings.ageing_s is {settings.ageing_s}"
        raise testbed.without("the default ageing time", said)
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


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("LB-09", "OV-09")
@pytest.mark.changes_network("shortens the ageing time")
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
    before_s = switch.ageing_s()
    switch.set_ageing_s(seconds)
    try:
        yield
    finally:
        switch.set_ageing_s(round(before_s))


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
    require_learning(testbed)
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


def _expect_frame(frames: Capture, mark: bytes) -> None:
    found = frames.collect(lambda packet: is_marked(packet, mark))
    assert found, frames.missing(f"the frame marked {mark.decode()!r}")
