# SPDX-License-Identifier: GPL-2.0-or-later
"""The spanning tree protocol of the Linux bridge, on bridges of the checks' own.

IEEE 802.1D-1998, clause 8 (how a port comes to forward) and 9.3.1 (the fields of a BPDU).
"""

import contextlib
from collections.abc import Iterator
from itertools import pairwise

import pytest
from scapy.layers.l2 import STP

from fixtures.errors import Inconclusive
from fixtures.host.host import Host
from fixtures.host.links import cable, link_mac, set_up
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.marked_frames import BROADCAST, arrivals, is_marked, marked
from fixtures.probe.port_states import watched_port
from fixtures.probe.station import NIC, plugged_station, wait_for_port
from fixtures.switch.linux_bridge import LinuxBridge, linux_bridge
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

SCRATCH = "plumb-stp"
ROOT, OTHER = "plumb-a", "plumb-b"
# Lower than the default of 0x8000: this one becomes the root.
ROOT_PRIORITY = 0x1000
HELLO_S, MAX_AGE_S, DEFAULT_DELAY_S = 2.0, 20.0, 15.0
# The smallest that the kernel takes while STP is on: a port listens and learns that long each.
DELAY_S = 2
# The kernel counts in ticks, of which the first may be nearly over.
TICKS_S = 0.1
WALK = ("listening", "learning", "forwarding")
# For ports that take 4 s, on a busy machine.
WALK_DEADLINE_S = 30.0
LEARN_DEADLINE_S = 1.5
# The kernel puts its hello timer on whole seconds, up to 0.75 s off, and keeps it there.
HELLO_TOLERANCE_S = 1.0
BPDUS = 3
FIRST_PORT_ID = 0x8001  # the default priority of a port, and its number
BPDU_GROUP = "01:80:c2:00:00:00"
BPDU_DEADLINE_S = 30.0
FRAME_DEADLINE_S = 5.0
QUIET_S = 0.3
# Locally administered unicast addresses, unused.
MACS = {state: f"02:00:5e:00:53:{number:02x}" for number, state in enumerate(WALK, start=1)}


@pytest.mark.claims("LB-06")
def test_lone_bridge_is_its_own_root(testbed: Testbed, evidence: Evidence) -> None:
    """STP can be turned on: a lone bridge takes itself for the root, and the timers read back.

    Preconditions:
        - the host has no link `plumb-stp`
    Steps:
        1. Make a bridge with a station as its port, bring it up, and read its STP state.
        2. Turn STP on, and read STP state and forward delay.
        3. Set the forward delay to 2 s, and read bridge id, root id and timers.
    Verify:
        - STP is off before and on after
        - root id and bridge id are the same
        - hello time is 2 s and max age 20 s
        - the forward delay is 15 s by default and 2 s as set
    """
    with (
        linux_bridge(testbed.host, SCRATCH) as bridge,
        plugged_station(testbed.host, bridge, "st1"),
    ):
        set_up(testbed.host, SCRATCH)
        before = bridge.stp()
        bridge.set_stp(True)
        after, default_s = bridge.stp(), bridge.forward_delay_s()
        bridge.set_forward_delay_s(DELAY_S)
        own, root = bridge.bridge_id(), bridge.root_id()
        timers = (bridge.hello_time_s(), bridge.max_age_s(), bridge.forward_delay_s())
    evidence.json(
        "stp.json",
        {"stp": [before, after], "id": own, "root": root, "delay_s": default_s, "timers_s": timers},
    )
    evidence.reason = (
        f"root {root}; hello {timers[0]:g} s, max age {timers[1]:g} s, forward delay "
        f"{default_s:g} s by default and {timers[2]:g} s as set"
    )
    assert (before, after) == (False, True), f"STP was {before}, turned on it is {after}"
    assert root == own, f"the lone bridge {own} takes {root} for the root"
    seen, wanted = (*timers, default_s), (HELLO_S, MAX_AGE_S, float(DELAY_S), DEFAULT_DELAY_S)
    assert seen == wanted, f"hello, max age, delay set and by default: {seen} s, not {wanted} s"


@pytest.mark.lengthy
@pytest.mark.claims("LB-06")
def test_port_walks_to_forwarding(testbed: Testbed, evidence: Evidence) -> None:
    """A port listens, learns and then forwards, each for the forward delay; frames show it.

    Preconditions:
        - the host has no link `plumb-stp`
    Steps:
        1. Make a bridge with STP on, a forward delay of 2 s and a station as its port, and bring it
           up.
        2. Watch the states that the kernel announces for the port, with a capture on the bridge.
        3. In each state send a broadcast from the station, each from another MAC.
    Verify:
        - the states are listening, learning, forwarding, in this order
        - forwarding comes no sooner than two forward delays, less 0.1 s, after the beginning
        - the MAC of the listening state is not learnt, that of the learning state is
        - no frame of the listening or learning state is passed on
        - control: the frame of the forwarding state is passed on, and each frame was sent while its
          state lasted; else the check is inconclusive
    """
    host = testbed.host
    with contextlib.ExitStack() as stack:
        bridge = stack.enter_context(_bridge(host, SCRATCH))
        far = stack.enter_context(plugged_station(host, bridge, "st1"))
        watch = stack.enter_context(watched_port(host, far.port))
        set_up(host, SCRATCH)
        # Only a link that is up can be captured on; the port listens by now, and passes nothing.
        inside = stack.enter_context(evidence.capture(host, SCRATCH))
        for state in WALK:
            entered = watch.entered(state, deadline_s=WALK_DEADLINE_S)
            assert entered is not None, f"{far.port} is not {state} in time: {watch}"
            far.send(marked(MACS[state], BROADCAST, state.encode()))
            if state == "learning":
                _expect_learnt(bridge, MACS[state])
            if (now := bridge.port_state(far.port)) != state:
                raise Inconclusive(f"{far.port} is {now} before a frame could come in {state}")
        arrived = inside.collect(lambda packet: is_marked(packet, b"forwarding"))
        assert arrived, inside.missing("the frame that came in while the port forwards")
        known = {entry.mac for entry in bridge.fdb()}
        passed = [state for state in WALK if arrivals(inside, state.encode())]
        inside.require_whole()
        walked = [state for state in watch.states() if state.name != "disabled"]
    evidence.json("states.json", [[state.name, state.after_s] for state in walked])
    evidence.reason = ", ".join(map(str, walked))
    names = tuple(state.name for state in walked)
    assert names == WALK, f"the port went through {names}"
    least_s = 2 * DELAY_S - TICKS_S
    assert walked[-1].after_s >= least_s, f"{walked[-1]}, sooner than two forward delays"
    assert MACS["listening"] not in known, "the bridge learnt an address while it listened"
    assert passed == ["forwarding"], f"frames were passed on that came in while {passed}"


@pytest.mark.lengthy
@pytest.mark.claims("LB-06")
def test_bpdus_every_hello_time(testbed: Testbed, evidence: Evidence) -> None:
    """BPDUs leave the port every hello time, and say what the bridge is set to.

    Preconditions:
        - the host has no link `plumb-stp`
    Steps:
        1. Make a bridge with STP on, a forward delay of 2 s and a station as its port, and bring it
           up.
        2. Capture at the station until three BPDUs are there.
    Verify:
        - each goes from the port's MAC to the bridges' group address
        - each is a configuration BPDU with the bridge as root and as sender, cost 0, and its timers
        - the time from one to the next is 2 s, give or take 1 s
    """
    host = testbed.host
    with contextlib.ExitStack() as stack:
        bridge = stack.enter_context(_bridge(host, SCRATCH))
        far = stack.enter_context(plugged_station(host, bridge, "st1"))
        frames = stack.enter_context(evidence.capture(far.machine, NIC))
        set_up(host, SCRATCH)
        taken = frames.collect(lambda p: STP in p, count=BPDUS, deadline_s=BPDU_DEADLINE_S)
        what = f"{BPDUS} BPDUs ({len(taken)} seen)"
        assert len(taken) >= BPDUS, frames.missing(what, deadline_s=BPDU_DEADLINE_S)
        sender, priority = link_mac(host, far.port), int(bridge.bridge_id().split(".")[0], 16)
        wanted = _wanted_bpdu(link_mac(host, SCRATCH), priority)
    intervals = [later.time - earlier.time for earlier, later in pairwise(taken)]
    evidence.measurement("hello interval", "s", intervals)
    evidence.reason = f"{len(taken)} BPDUs, {', '.join(f'{s:.2f}' for s in intervals)} s apart"
    for frame in taken:
        ends = (frame.packet.src, frame.packet.dst)
        assert ends == (sender, BPDU_GROUP), f"a BPDU goes from {ends[0]} to {ends[1]}"
        seen = {name: getattr(frame.packet[STP], name) for name in wanted}
        wrong = [f"{n} {value}, not {wanted[n]}" for n, value in seen.items() if value != wanted[n]]
        assert not wrong, f"a BPDU has {'; '.join(wrong)}"
    for interval in intervals:
        off_s = abs(interval - HELLO_S)
        assert off_s <= HELLO_TOLERANCE_S, f"{interval:.2f} s from one BPDU to the next"


@pytest.mark.lengthy
@pytest.mark.claims("LB-07")
def test_loop_is_broken(testbed: Testbed, evidence: Evidence) -> None:
    """Of two bridges joined by two links exactly one port blocks, and a broadcast arrives once.

    Without STP no loop is ever built: a storm would know no end.

    Preconditions:
        - the host has no links `plumb-a` and `plumb-b`
    Steps:
        1. Make two bridges with STP on, a station on each, and a lower priority value on the first.
        2. Join them by two links, bring them up, and wait until every port forwards or blocks.
        3. Send one broadcast from each station, with captures at both stations and at the blocked
           port.
    Verify:
        - exactly one of the four ports blocks
        - both bridges name the first one as root
        - each broadcast arrives at the other station once, and never returns to its sender
        - the states of the ports are the same after
        - control: each broadcast came in over the second link, at the blocked port; else the check
          is inconclusive
    """
    host = testbed.host
    with contextlib.ExitStack() as stack:
        bridges = [stack.enter_context(_bridge(host, name)) for name in (ROOT, OTHER)]
        bridges[0].set_priority(ROOT_PRIORITY)
        stations = [
            stack.enter_context(plugged_station(host, bridge, name))
            for bridge, name in zip(bridges, ("st1", "st2"), strict=True)
        ]
        ports = _joined_twice(stack, host, bridges)
        for bridge in bridges:
            set_up(host, bridge.name)
        states = _settled(ports)
        evidence.json("ports.json", states)
        blocked = [port for port, state in states.items() if state == "blocking"]
        # Nothing is sent before this holds.
        assert len(blocked) == 1, f"{len(blocked)} ports block: {states}"
        roots = {bridge.root_id() for bridge in bridges}
        assert roots == {bridges[0].bridge_id()}, f"the bridges know the roots {roots}"
        for bridge, there in zip(bridges, stations, strict=True):
            wait_for_port(bridge, there.port)
        at_blocked = stack.enter_context(evidence.capture(host, blocked[0]))
        heard = [stack.enter_context(evidence.capture(s.machine, NIC)) for s in stations]
        for near, far in ((0, 1), (1, 0)):
            mark = f"from {stations[near].machine.name}".encode()
            stations[near].send(marked(MACS["forwarding"], BROADCAST, mark))
            _expect_once(heard[near], heard[far], at_blocked, mark)
        settled = {port: bridge.port_state(port) for port, bridge in ports.items()}
    evidence.reason = f"{blocked[0]} blocks; each broadcast arrived once, and at {blocked[0]}"
    assert settled == states, f"the ports moved on from {states} to {settled}"


@contextlib.contextmanager
def _bridge(host: Host, name: str) -> Iterator[LinuxBridge]:
    """Make a bridge with STP on and the shortest forward delay, still down."""
    with linux_bridge(host, name, stp=True) as bridge:
        bridge.set_forward_delay_s(DELAY_S)
        _silence(host, name)
        yield bridge


def _joined_twice(
    stack: contextlib.ExitStack, host: Host, bridges: list[LinuxBridge]
) -> dict[str, LinuxBridge]:
    """Join two bridges by two links, and return each port's bridge; both have STP on before."""
    ports = {}
    for number in (1, 2):
        ends = [f"{bridge.name}{number}" for bridge in bridges]
        stack.enter_context(cable(host, ends[0], host, ends[1]))
        for end, bridge in zip(ends, bridges, strict=True):
            _silence(host, end)
            assert bridge.stp(), f"STP of {bridge.name} is off although it was turned on"
            bridge.attach(end)
            ports[end] = bridge
    return ports


def _silence(host: Host, link: str) -> None:
    """Keep the host from sending over a link: a loop would repeat its frames for ever."""
    # -e: a kernel without IPv6 has no such key, and sends nothing.
    host.run(["sysctl", "-q", "-e", "-w", f"net.ipv6.conf.{link}.disable_ipv6=1"])


def _settled(ports: dict[str, LinuxBridge]) -> dict[str, str | None]:
    """Return each port's state when all of them forward or block."""

    def is_settled(states: dict[str, str | None]) -> bool:
        return set(states.values()) <= {"forwarding", "blocking"}

    states = poll(
        lambda: {port: bridge.port_state(port) for port, bridge in ports.items()},
        is_settled,
        deadline_s=WALK_DEADLINE_S,
    )
    assert is_settled(states), (
        f"after {WALK_DEADLINE_S:g} s not every port forwards or blocks: {states}"
    )
    return states


def _expect_once(near: Capture, far: Capture, at_blocked: Capture, mark: bytes) -> None:
    """Assert that a broadcast arrives once at the far station, and never at its sender."""
    poll(lambda: arrivals(far, mark), deadline_s=FRAME_DEADLINE_S)
    # Left at once if there are more: should it be a storm, taking down the links ends it.
    poll(lambda: arrivals(far, mark) > 1, deadline_s=QUIET_S, interval_s=0.01)
    arrived, returned = arrivals(far, mark), arrivals(near, mark)
    assert arrived == 1, f"the broadcast {mark!r} arrives {arrived} times"
    assert returned == 0, f"the broadcast {mark!r} comes back to its sender {returned} times"
    for frames in (near, far, at_blocked):
        frames.require_whole()
    if not arrivals(at_blocked, mark):
        raise Inconclusive(f"nothing of {mark!r} came over the second link: nothing was blocked")


def _expect_learnt(bridge: LinuxBridge, mac: str) -> None:
    known = poll(
        lambda: {entry.mac for entry in bridge.fdb()},
        lambda macs: mac in macs,
        deadline_s=LEARN_DEADLINE_S,
    )
    assert mac in known, (
        f"not within {LEARN_DEADLINE_S:g} s: {mac} is learnt while the port is learning; "
        f"known: {sorted(known)}"
    )


def _wanted_bpdu(mac: str, priority: int) -> dict[str, float | str]:
    """Return the fields of a lone root's configuration BPDU, by scapy's names."""
    return {
        "proto": 0,
        "version": 0,
        "bpdutype": 0,
        "rootid": priority,
        "rootmac": mac,
        "pathcost": 0,
        "bridgeid": priority,
        "bridgemac": mac,
        "portid": FIRST_PORT_ID,
        "age": 0.0,
        "maxage": MAX_AGE_S,
        "hellotime": HELLO_S,
        "fwddelay": float(DELAY_S),
    }
