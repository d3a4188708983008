# SPDX-License-Identifier: GPL-2.0-or-later
"""Out of which ports a bridge sends a frame: one for a learnt address, all for an unknown one."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.marked_frames import is_marked, marked, marks_in
from fixtures.probe.reach import ping
from fixtures.probe.station import NIC, Station, station
from fixtures.testbed.learning_bridge import require_learning
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause

# Locally administered unicast addresses, unused.
UNKNOWN_MAC = "02:00:5e:00:53:02"
SENDER_MAC = "02:00:5e:00:53:04"
UNKNOWN = b"unknown;"
QUIET_S = 0.3


@pytest.mark.claims("LB-10")
def test_learnt_goes_out_of_one_port(testbed: Testbed, evidence: Evidence) -> None:
    """A frame to a learnt MAC leaves only its port; one to an unknown MAC leaves every other port.

    Preconditions:
        - two guests or more and two stations are on the bridge
        - the host has an address on the bridge
    Steps:
        1. Ping the host from every guest, so that the bridge learns their MACs.
        2. Send a frame from one station to the MAC of each guest, with captures on all TAPs and at
           the other station.
        3. Send a frame from the same station to a MAC that nothing has.
    Verify:
        - the frame to each learnt MAC leaves that guest's port
        - it leaves no other port
        - control: the frame to the unknown MAC is in every capture, so that each would have shown
          the others
    """
    require_learning(testbed)
    marks = {guest.tap: f"to {guest.name};".encode() for guest in testbed.guests}
    with contextlib.ExitStack() as stack:
        sender = stack.enter_context(station(testbed.host, testbed.linux_bridge, "st1"))
        listener = stack.enter_context(station(testbed.host, testbed.linux_bridge, "st2"))
        captures = _captures(stack, testbed, evidence, listener)
        with ThreadPoolExecutor(len(testbed.guests)) as pool:
            ends = testbed.ends("guest")
            list(pool.map(lambda end: ping(end, testbed.host_address, count=1), ends))
        for guest in testbed.guests:
            sender.send(marked(SENDER_MAC, guest.mac, marks[guest.tap]))
            _expect_frame(captures[guest.tap], marks[guest.tap])
        sender.send(marked(SENDER_MAC, UNKNOWN_MAC, UNKNOWN))
        for taken in captures.values():
            _expect_frame(taken, UNKNOWN)
        pause(QUIET_S)
        left = {port: marks_in(taken, [*marks.values()]) for port, taken in captures.items()}
        for taken in captures.values():
            taken.require_whole()
    evidence.json("left.json", left)
    learnt = ", ".join(f"{guest.mac}: {guest.tap} alone" for guest in testbed.guests)
    evidence.reason = f"to {learnt}; to {UNKNOWN_MAC}: {', '.join(captures)}"
    for guest in testbed.guests:
        mark = marks[guest.tap].decode()
        strays = [port for port, seen in left.items() if port != guest.tap and mark in seen]
        assert not strays, f"the frame to {guest.mac}, learnt on {guest.tap}, also left {strays}"


def _captures(
    stack: contextlib.ExitStack, testbed: Testbed, evidence: Evidence, listener: Station
) -> dict[str, Capture]:
    taken = {
        guest.tap: stack.enter_context(evidence.capture(testbed.host, guest.tap))
        for guest in testbed.guests
    }
    return taken | {listener.port: stack.enter_context(evidence.capture(listener.machine, NIC))}


def _expect_frame(frames: Capture, mark: bytes) -> None:
    found = frames.collect(lambda packet: is_marked(packet, mark))
    assert found, frames.missing(f"the frame marked {mark.decode()!r}")
