# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom: each promised cell for ICMP, TCP and UDP; each "no" with its control.

A cell holds for every guest on the network under test, not for one of them.
"""

import contextlib
import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from scapy.layers.inet import IP

from fixtures.collection import Cell
from fixtures.errors import Inconclusive
from fixtures.evidence import Evidence
from fixtures.guest.guest import Guest, default_route
from fixtures.host.physical import OUTSIDE_NIC
from fixtures.probe.blocking import Attempt, attempt
from fixtures.probe.capture import Capture
from fixtures.probe.masquerading import read_rules
from fixtures.probe.obstacle import forwarding, lifted, route
from fixtures.probe.packets import is_request
from fixtures.probe.path import walk
from fixtures.probe.reach import End, ping, send
from fixtures.standing import Standing
from fixtures.waiting import until
from topologies.model import Promise

PORT_DEADLINE_S = 40.0


@pytest.mark.promised(True)
def test_reach(net: Standing, cell: Cell, evidence: Evidence) -> None:
    """One end reaches the other: what it sends comes back with its own content.

    Verify: ICMP echo requests, TCP connections or UDP datagrams, small ones, one as large as the
    MTU allows and one in fragments, are all answered by the address under test. Where the topology
    says whose address the outside sees, the outside sees that one. Where an answer lacks, the probe
    is sent again with every hop watched, to say where it is lost.
    """
    answers = []
    with _watched(net, cell.promise, evidence) as watched:
        for near, far in _pairs(net, cell.promise):
            answer = send(cell.proto, near, far)
            answers.append(f"{near.name} → {far.name} {far.address}: {answer}")
            if not answer.all_answered:
                where = walk(net, cell.proto, near, far, evidence)
                raise AssertionError(
                    f"{near.name} does not reach {far.name} {far.address} by {cell.proto}: "
                    f"{answer}; {where}"
                )
            if watched is not None:
                arrived = watched.wait_for(
                    functools.partial(is_request, proto=cell.proto, to=far.address),
                    f"what {near.name} sent",
                )
                sources = {frame.packet[IP].src for frame in arrived}
                wanted = _sources(net, cell.promise)
                assert sources <= wanted, f"the outside sees {sources}, expected {wanted}"
    evidence.reason = "; ".join(answers)


@pytest.mark.promised(False)
def test_no_reach(net: Standing, cell: Cell, evidence: Evidence) -> None:
    """One end does not reach the other, although everything but the host's rules would let it.

    Steps: give the outside a route to the guests' subnet, and the guest one to the outside, and
    have the host's kernel forward. Lift the host's packet filter for the bridge and probe; put it
    back and probe; lift it and probe.
    Verify: answered, not answered, answered; and the far end's capture shows the request that was
    let through, and none of the blocked one.
    """
    if {cell.promise.from_, cell.promise.to} != {"guest", "outside"}:
        raise Inconclusive(f"there is no control for {cell.promise.cell}: nothing to lift")
    backend = read_rules(net.host).backend
    tried: dict[str, dict[str, Attempt]] = {}
    with contextlib.ExitStack() as stack:
        stack.enter_context(route(net.outside, net.subnet, str(net.figures.host)))
        stack.enter_context(forwarding(net.host))
        for guest in net.guests:
            stack.enter_context(default_route(guest, net.host_address))
        for phase in ("lifted", "in place", "lifted again"):
            obstacle = (
                contextlib.nullcontext()
                if phase == "in place"
                else lifted(net.host, net.switch.name, backend)
            )
            with obstacle, ThreadPoolExecutor(len(net.guests)) as pool:
                attempts = pool.map(
                    functools.partial(_attempt, net, cell, phase=phase, evidence=evidence),
                    net.guests,
                )
                for guest, done in zip(net.guests, attempts, strict=True):
                    tried.setdefault(guest.name, {})[phase] = done
    evidence.reason = "; ".join(
        f"{name} {phase}: {done}"
        for name, phases in tried.items()
        for phase, done in phases.items()
    )
    for name, phases in tried.items():
        blocked = phases["in place"]
        assert blocked.answer.none_answered, f"{cell.promise.cell}, {name}: {blocked}"
        assert blocked.arrived == 0, f"{cell.promise.cell}, {name}: {blocked}"
    for name, phases in tried.items():
        for phase in ("lifted", "lifted again"):
            if not (phases[phase].answer.all_answered and phases[phase].arrived):
                raise Inconclusive(f"control failed, {name} {phase}: {phases[phase]}")


@pytest.mark.claims("LB-05", "OV-05")
def test_three_pings(net: Standing, evidence: Evidence) -> None:
    """With an address on the bridge each guest in its subnet reaches it: three pings, no loss."""
    answers = {guest.name: ping(net.guest_end(guest), net.host_address) for guest in net.guests}
    evidence.reason = "; ".join(f"{name}: {answer}" for name, answer in answers.items())
    for name, answer in answers.items():
        assert (answer.sent, answer.answered) == (3, 3), f"{name} → {net.host_address}: {answer}"


@pytest.mark.claims("GN-06", "OV-07")
def test_unplugged_and_back(net: Standing, evidence: Evidence) -> None:
    """A TAP taken off the switch cuts its guest off; put back, the guest is there again, same boot.

    Steps: probe the host; take the TAP off; probe; put it back; when the port forwards, probe.
    Verify: answered, not answered, answered; the guest's boot id is the same.
    """
    guest = net.guests[0]
    ports = net.switch.ports()
    assert guest.tap in ports, (
        f"{guest.tap} of {guest.name} is no port of {net.switch.name}: {ports}"
    )
    near, far, boot = net.guest_end(guest), net.end("host"), guest.boot_id()
    before = send("icmp", near, far)
    net.switch.detach(guest.tap)
    try:
        without = send("icmp", near, far, wait_s=1)
    finally:
        net.switch.attach(guest.tap)
        until(
            lambda: net.switch.forwards(guest.tap),
            f"port {guest.tap} forwards again",
            deadline_s=PORT_DEADLINE_S,
        )
    after = send("icmp", near, far)
    evidence.reason = f"plugged: {before}; unplugged: {without}; back: {after}"
    assert without.none_answered, f"{guest.name} is still answered without {guest.tap}: {without}"
    if not before.all_answered:
        raise Inconclusive(f"{guest.name} did not reach the host even before: {before}")
    assert after.all_answered, f"{guest.name} is not back with {guest.tap}: {after}"
    assert guest.boot_id() == boot, f"{guest.name} restarted meanwhile"


def _pairs(net: Standing, promise: Promise) -> Iterator[tuple[End, End]]:
    """Give each pair of ends that a cell is about."""
    for near in net.ends(promise.from_):
        for far in net.ends(promise.to):
            if near.name != far.name:
                yield near, far


@contextlib.contextmanager
def _watched(net: Standing, promise: Promise, evidence: Evidence) -> Iterator[Capture | None]:
    """Capture outside where the topology says whose address is seen there; else yield None."""
    if promise.to != "outside" or promise.source is None:
        yield None
        return
    with evidence.capture(net.outside, OUTSIDE_NIC) as frames:
        yield frames


def _sources(net: Standing, promise: Promise) -> set[str]:
    if promise.source == "host":
        return {str(net.figures.host)}
    return {guest.address for guest in net.guests}


def _attempt(net: Standing, cell: Cell, guest: Guest, *, phase: str, evidence: Evidence) -> Attempt:
    outside, inside = net.end("outside"), net.guest_end(guest)
    label = f"{guest.name}-{phase.replace(' ', '-')}"
    if cell.promise.to == "outside":
        with evidence.capture(net.outside, OUTSIDE_NIC, label) as frames:
            return attempt(cell.proto, inside, outside, frames)
    with evidence.capture(net.host, guest.tap, label) as frames:
        return attempt(cell.proto, outside, inside, frames)
