# SPDX-License-Identifier: GPL-2.0-or-later
"""The spanning tree protocol on the bridge under test itself, with its guests' ports (D4)."""

import contextlib
import functools
from collections.abc import Iterator

import pytest
from scapy.layers.l2 import STP

from fixtures.errors import NotTestable
from fixtures.host.host import Host
from fixtures.host.links import cable, link_mac, set_high_mac, set_up
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.marked_frames import BROADCAST, arrivals, marked
from fixtures.probe.port_states import watched_port
from fixtures.probe.reach import ping
from fixtures.probe.station import NIC, plugged_station, wait_for_port
from fixtures.switch.linux_bridge import LinuxBridge, linux_bridge
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll
from topologies.bridge_settings import BridgeSettings
from topologies.schema import Network

OTHER = "plumb-other"
SENDER_MAC, MARK = "02:00:5e:00:53:31", b"once to every guest"  # locally administered, unused
HELLO_S, MAX_AGE_S = 2.0, 20.0
# The smallest that the kernel takes while STP is on: a port listens and learns that long each.
DELAY_S = 2
WALK = ("listening", "learning", "forwarding")
# For ports that take 4 s, on a busy machine.
WALK_DEADLINE_S = 30.0
BPDU_DEADLINE_S = 20.0
FRAME_DEADLINE_S = 5.0
QUIET_S = 0.3


@pytest.mark.lengthy
@pytest.mark.claims("LB-06")
@pytest.mark.changes_network("turns STP on")
def test_bridge_under_test_speaks_stp(testbed: Testbed, evidence: Evidence) -> None:
    """Turned on, STP is at work on the bridge under test: timers, BPDUs to each guest, the walk.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Turn STP on, with a forward delay of 2 s, and read ids and timers.
        2. Capture at each guest's TAP until a BPDU leaves it.
        3. Take the TAP with the highest MAC off the bridge, so that the bridge keeps its own, and
           put it on again, with a watch over its states.
        4. Ping the host from each guest.
    Verify:
        - the bridge is its own root; hello time is 2 s and max age 20 s, or what the topology asks
          for; the forward delay is as set
        - a BPDU with the bridge as root leaves each guest's TAP
        - the port goes through listening, learning and forwarding
        - every ping is answered
    """
    host, bridge = testbed.host, testbed.linux_bridge
    tap = max((guest.tap for guest in testbed.guests), key=lambda tap: link_mac(host, tap))
    with _spoken(bridge), contextlib.ExitStack() as stack:
        timers = (bridge.hello_time_s(), bridge.max_age_s(), bridge.forward_delay_s())
        own, root = bridge.bridge_id(), bridge.root_id()
        assert root == own, f"the lone bridge {own} takes {root} for the root"
        wanted = (*_times_asked(testbed.topology.network), float(DELAY_S))
        assert timers == wanted, f"hello, max age and delay are {timers} s, not {wanted} s"
        captures = {
            guest.name: stack.enter_context(evidence.capture(host, guest.tap))
            for guest in testbed.guests
        }
        for name, frames in captures.items():
            _expect_bpdu(name, frames, own)
        watch = stack.enter_context(watched_port(host, tap))
        bridge.detach(tap)
        bridge.attach(tap)
        arrived = watch.entered("forwarding", deadline_s=WALK_DEADLINE_S)
        walked = tuple(state.name for state in watch.states() if state.name in WALK)
        assert arrived is not None, f"{tap} does not forward in time: {watch}"
        assert walked == WALK, f"{tap} went through {walked}, not {WALK}"
        for end in testbed.ends("guest"):
            answer = ping(end, testbed.host_address)
            assert answer.all_answered, f"with STP on {end.name} does not reach the host: {answer}"
    evidence.reason = f"root {root}, BPDUs to {', '.join(captures)}; {tap}: {watch}"


@pytest.mark.lengthy
@pytest.mark.claims("LB-07")
@pytest.mark.changes_network("turns STP on and makes a loop")
def test_loop_at_the_bridge_under_test(testbed: Testbed, evidence: Evidence) -> None:
    """Of two links from the bridge under test to another bridge one is blocked.

    Each link carries 64 kbit/s at most, so that a loop that STP leaves drowns nothing.

    Preconditions:
        - the host has no link whose name begins with `plumb-`
    Steps:
        1. Turn STP on, and make a second bridge with STP on and a station as its port.
        2. Join the bridges by two links, and wait until their four ports forward or block.
        3. Send a broadcast from the station, with captures there and at each guest's TAP.
    Verify:
        - exactly one of the four ports blocks
        - both bridges have one root
        - the broadcast leaves each guest's TAP once, and never returns to the station
    """
    host, bridge = testbed.host, testbed.linux_bridge
    with contextlib.ExitStack() as stack:
        stack.enter_context(_spoken(bridge))
        other = stack.enter_context(linux_bridge(host, OTHER, stp=True))
        other.set_forward_delay_s(DELAY_S)
        set_up(host, OTHER)
        far = stack.enter_context(plugged_station(host, other, "st1"))
        ports = _joined_twice(stack, host, (bridge, other))
        states = poll(
            lambda: {port: joined.port_state(port) for port, joined in ports.items()},
            lambda states: set(states.values()) <= {"forwarding", "blocking"},
            deadline_s=WALK_DEADLINE_S,
        )
        evidence.json("ports.json", states)
        blocked = [port for port, state in states.items() if state == "blocking"]
        assert len(blocked) == 1, f"{len(blocked)} of the four ports block: {states}"
        roots = {bridge.root_id(), other.root_id()}
        assert len(roots) == 1, f"the bridges have the roots {sorted(roots)}"
        wait_for_port(other, far.port)
        captures = {
            guest.name: stack.enter_context(evidence.capture(host, guest.tap))
            for guest in testbed.guests
        }
        back = stack.enter_context(evidence.capture(far.machine, NIC))
        far.send(marked(SENDER_MAC, BROADCAST, MARK))
        for name, frames in captures.items():
            poll(functools.partial(_times, frames), deadline_s=FRAME_DEADLINE_S)
            pause(QUIET_S)
            assert _times(frames) == 1, f"the broadcast reaches {name} {_times(frames)} times"
        assert not arrivals(back, MARK), "the broadcast comes back to its sender"
    evidence.reason = f"{blocked[0]} blocks: {states}; a broadcast reached each guest once"


def _joined_twice(
    stack: contextlib.ExitStack, host: Host, bridges: tuple[LinuxBridge, LinuxBridge]
) -> dict[str, LinuxBridge]:
    """Join two bridges with STP on by two slow links; returns each port's bridge."""
    ports = {}
    for number in (1, 2):
        near, far = f"plumb-near{number}", f"plumb-far{number}"
        stack.enter_context(cable(host, near, host, far))
        for end, bridge in zip((near, far), bridges, strict=True):
            limit = ["rate", "64kbit", "burst", "4kb", "limit", "16kb"]
            slow = ["tc", "qdisc", "replace", "dev", end, "root", "tbf", *limit]
            if (done := host.run(slow, check=False)).status != 0:
                raise NotTestable("the queue tbf", f"{' '.join(slow)}: {done.last_words}")
            # -e: a kernel without IPv6 has no such key, and sends nothing.
            host.run(["sysctl", "-q", "-e", "-w", f"net.ipv6.conf.{end}.disable_ipv6=1"])
            set_high_mac(host, end)
            assert bridge.stp(), f"STP of {bridge.name} is off although it was turned on"
            bridge.attach(end)
            ports[end] = bridge
    return ports


def _times(frames: Capture) -> int:
    """Return how often the broadcast passed, into the host or out of it."""
    return sum(MARK in frame.raw for frame in frames.frames())


@contextlib.contextmanager
def _spoken(bridge: LinuxBridge) -> Iterator[None]:
    """Turn STP on for a `with` block, with the shortest forward delay.

    A kernel whose STP is turned off during a topology change keeps the ageing time of that change
    (net/bridge/br_stp.c, `__br_set_topology_change`), so that it is set again.
    """
    stp, delay_s, ageing_s = bridge.stp(), bridge.forward_delay_s(), bridge.ageing_s()
    try:
        bridge.set_stp(True)
        bridge.set_forward_delay_s(DELAY_S)
        yield
    finally:
        bridge.set_stp(stp)
        bridge.set_forward_delay_s(round(delay_s))
        if not stp:
            bridge.set_ageing_s(round(ageing_s))


def _times_asked(network: Network) -> tuple[float, float]:
    """Return the hello time and the max age that a network's bridge has, in seconds."""
    settings = network.bridge_settings or BridgeSettings()
    hello_s = HELLO_S if settings.hello_s is None else settings.hello_s
    max_age_s = MAX_AGE_S if settings.max_age_s is None else settings.max_age_s
    return float(hello_s), float(max_age_s)


def _expect_bpdu(name: str, frames: Capture, bridge_id: str) -> None:
    found = frames.collect(lambda p: STP in p, deadline_s=BPDU_DEADLINE_S)
    assert found, frames.missing(f"a BPDU to {name}", deadline_s=BPDU_DEADLINE_S)
    bpdu = found[0].packet[STP]
    root = f"{bpdu.rootid:04x}.{bpdu.rootmac.replace(':', '')}"
    assert root == bridge_id, f"a BPDU to {name} has the root {root}, the bridge is {bridge_id}"
