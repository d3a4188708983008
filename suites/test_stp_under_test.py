# SPDX-License-Identifier: GPL-2.0-or-later
"""The spanning tree protocol on the bridge under test itself, with its guests' ports (D4)."""

import contextlib
from collections.abc import Iterator

import pytest
from scapy.layers.l2 import STP

from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.port_states import watched_port
from fixtures.probe.reach import ping
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.testbed import Testbed

HELLO_S, MAX_AGE_S = 2.0, 20.0
# The smallest that the kernel takes while STP is on: a port listens and learns that long each.
DELAY_S = 2
WALK = ("listening", "learning", "forwarding")
# For ports that take 4 s, on a busy machine.
WALK_DEADLINE_S = 30.0
BPDU_DEADLINE_S = 20.0


@pytest.mark.lengthy
@pytest.mark.claims("LB-06")
def test_bridge_under_test_speaks_stp(testbed: Testbed, evidence: Evidence) -> None:
    """Turned on, STP is at work on the bridge under test: timers, BPDUs to each guest, the walk.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Turn STP on, with a forward delay of 2 s, and read ids and timers.
        2. Capture at each guest's TAP until a BPDU leaves it.
        3. Take the first guest's TAP off the bridge and put it on again, with a watch over its
           states.
        4. Ping the host from each guest.
    Verify:
        - the bridge is its own root; hello time is 2 s, max age 20 s, the forward delay as set
        - a BPDU with the bridge as root leaves each guest's TAP
        - the port goes through listening, learning and forwarding
        - every ping is answered
    """
    bridge, first = testbed.linux_bridge, testbed.guests[0]
    with _spoken(bridge), contextlib.ExitStack() as stack:
        timers = (bridge.hello_time_s(), bridge.max_age_s(), bridge.forward_delay_s())
        own, root = bridge.bridge_id(), bridge.root_id()
        assert root == own, f"the lone bridge {own} takes {root} for the root"
        wanted = (HELLO_S, MAX_AGE_S, float(DELAY_S))
        assert timers == wanted, f"hello, max age and delay are {timers} s, not {wanted} s"
        captures = {
            guest.name: stack.enter_context(evidence.capture(testbed.host, guest.tap))
            for guest in testbed.guests
        }
        for name, frames in captures.items():
            _expect_bpdu(name, frames, own)
        watch = stack.enter_context(watched_port(testbed.host, first.tap))
        bridge.detach(first.tap)
        bridge.attach(first.tap)
        arrived = watch.entered("forwarding", deadline_s=WALK_DEADLINE_S)
        walked = tuple(state.name for state in watch.states() if state.name in WALK)
        assert arrived is not None, f"{first.tap} does not forward in time: {watch}"
        assert walked == WALK, f"{first.tap} went through {walked}, not {WALK}"
        for end in testbed.ends("guest"):
            answer = ping(end, testbed.host_address)
            assert answer.all_answered, f"with STP on {end.name} does not reach the host: {answer}"
    evidence.reason = f"root {root}, BPDUs to {', '.join(captures)}; {first.tap}: {watch}"


@contextlib.contextmanager
def _spoken(bridge: LinuxBridge) -> Iterator[None]:
    """Turn STP on for a `with` block, with the shortest forward delay."""
    stp, delay_s = bridge.stp(), bridge.forward_delay_s()
    try:
        bridge.set_stp(True)
        bridge.set_forward_delay_s(DELAY_S)
        yield
    finally:
        bridge.set_stp(stp)
        bridge.set_forward_delay_s(round(delay_s))


def _expect_bpdu(name: str, frames: Capture, bridge_id: str) -> None:
    found = frames.collect(lambda p: STP in p, deadline_s=BPDU_DEADLINE_S)
    assert found, frames.missing(f"a BPDU to {name}", deadline_s=BPDU_DEADLINE_S)
    bpdu = found[0].packet[STP]
    root = f"{bpdu.rootid:04x}.{bpdu.rootmac.replace(':', '')}"
    assert root == bridge_id, f"a BPDU to {name} has the root {root}, the bridge is {bridge_id}"
