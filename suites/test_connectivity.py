# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom: each promised cell for ICMP, TCP and UDP; each "no" with its control.

A cell holds for every guest on the network under test, not for one of them.
"""

import contextlib
import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest import default_route
from fixtures.host.links import sends
from fixtures.packet_filter.host_rules import read_rules
from fixtures.plugin.collection import Cell
from fixtures.probe.blocking import Attempt
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.forward_bypass import forward_bypass, forwarding
from fixtures.probe.input_exception import Port, said
from fixtures.probe.packets import is_request, sender
from fixtures.probe.reach import ANSWER_S, COUNT, ECHO_PORT, Answer, End, ping, send
from fixtures.testbed.packet_path import trace
from fixtures.testbed.ports_let_in import ports_let_in
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from suites.reach_as_it_is import attempt_cell, no_reach_as_it_is, reaches_the_router
from topologies.topology import Promise

PORT_DEADLINE_S = 40.0


@pytest.mark.promised(True)
def test_reach(testbed: Testbed, cell: Cell, evidence: Evidence) -> None:
    """One end reaches the other: what it sends comes back with its own content.

    Each pair of ends of the cell is tried: every guest counts.

    Preconditions:
        - the topology promises this cell
        - both ends have their addresses
    Steps:
        1. Where the topology names the source that the outside sees, start a capture there. Where
           the host refuses every port that it does not know, let in the probe's, if it is for the
           host.
        2. Send the protocol's requests from the near end: small, as large as the MTU allows and, by
           ICMP and UDP, in fragments.
        3. Where an answer is missing, send again with a capture at every hop, to name the place of
           the loss.
    Verify:
        - every request is answered with its own content by the address under test
        - of an existing network without an outside its router is: by ICMP, as no router answers the
          rest; control: it answers the host, else the cell is not testable; control: guests'
          packets that leave by the host's way out as they are promised to show that it may have no
          way back: then the cell is inconclusive
        - where the topology names a source, every request arrives outside from that address
    """
    if cell.promise.to == "outside" and testbed.lacks_outside(cell.family):
        reaches_the_router(testbed, cell, evidence)
        return
    answers = []
    ports = _ports_of_the_host(cell)
    with (
        ports_let_in(testbed, cell.family, ports) as let_in,
        _watched(testbed, cell.promise, evidence) as watched,
    ):
        for near, far in _pairs(testbed, cell):
            answer = send(cell.proto, near, far)
            answers.append(f"{near.name} → {far.name} {far.address}: {answer}")
            if not answer.all_answered:
                where = trace(testbed, cell.proto, near, far, evidence)
                raise AssertionError(
                    f"{near.name} does not reach {far.name} {far.address} by {cell.proto}: "
                    f"{answer}; {where}"
                )
            if watched is not None:
                arrived = watched.collect(
                    functools.partial(is_request, proto=cell.proto, to=far.address)
                )
                assert arrived, watched.missing(f"what {near.name} sent")
                sources = {sender(frame.packet) for frame in arrived}
                wanted = _sources(testbed, cell)
                assert sources <= wanted, f"the outside sees {sources}, expected {wanted}"
    evidence.reason = "; ".join(answers) + said(let_in, ports)


@pytest.mark.promised(False)
def test_no_reach(testbed: Testbed, cell: Cell, evidence: Evidence) -> None:
    """One end does not reach the other, although everything but the host's rules would let it.

    Preconditions:
        - the topology promises that this cell does not work, and the cell is between guest and
          outside
        - the guests have their addresses, and the host has one on their bridge
    Steps:
        1. Give the outside a route to the guests' subnet and each guest a default route to the
           host, and turn on forwarding in the host's kernel.
        2. Have the host's packet filter accept everything of the bridge, and probe from or to each
           guest, with a capture at the far end.
        3. Take that away again, and probe.
        4. Have it accept everything once more, and probe.
    Verify:
        - with the host's own rules alone nothing is answered
        - with the host's own rules alone no request is in the capture at the far end
        - control: with the filter lifted, before and after, every request is answered and seen at
          the far end; else the check is inconclusive, as it always is on an existing network, whose
          rules stay as they are
    """
    if {cell.promise.from_, cell.promise.to} != {"guest", "outside"}:
        raise Inconclusive(f"there is no control for {cell.promise.cell}: nothing to lift")
    if not testbed.topology.origin.is_the_runs:
        no_reach_as_it_is(testbed, cell, evidence)
        return
    rules = read_rules(testbed.host, cell.family)
    tried: dict[str, dict[str, Attempt]] = {}
    refused: set[str] = set()
    with contextlib.ExitStack() as stack:
        stack.enter_context(testbed.way_from_outside(cell.family))
        stack.enter_context(forwarding(testbed.host, cell.family, testbed.host_links))
        for guest in testbed.guests:
            own = default_route(guest, testbed.host_address_of(cell.family))
            stack.enter_context(own)
        for phase in ("lifted", "in place", "lifted again"):
            obstacle: contextlib.AbstractContextManager[list[str]] = (
                contextlib.nullcontext([])
                if phase == "in place"
                else forward_bypass(testbed.host, testbed.switch.name, rules)
            )
            with obstacle as not_lifted, ThreadPoolExecutor(len(testbed.guests)) as pool:
                refused.update(not_lifted)
                attempts = pool.map(
                    functools.partial(attempt_cell, testbed, cell, phase=phase, evidence=evidence),
                    testbed.guests,
                )
                for guest, done in zip(testbed.guests, attempts, strict=True):
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
                raise Inconclusive(
                    f"control failed, {'; '.join([f'{name} {phase}: {phases[phase]}', *refused])}"
                )


@pytest.mark.claims("LB-05", "OV-05")
def test_three_pings(testbed: Testbed, evidence: Evidence) -> None:
    """With an address on the bridge each guest in its subnet reaches it: three pings, no loss.

    Preconditions:
        - the host has an address on the switch
        - each guest has an address of the same subnet
    Steps:
        1. Ping the host's address three times from each guest. Where an answer is missing, ping it
           ten times more, slowly, and only these count.
    Verify:
        - every ping that counts is answered, of each guest
    """
    answers = {
        guest.name: ping(testbed.guest_end(guest), testbed.host_address) for guest in testbed.guests
    }
    evidence.reason = "; ".join(f"{name}: {answer}" for name, answer in answers.items())
    for name, answer in answers.items():
        is_whole = answer.all_answered and answer.sent >= COUNT
        assert is_whole, f"{name} → {testbed.host_address}: {answer}"


@pytest.mark.claims("GN-06", "OV-07")
def test_unplugged_and_back(testbed: Testbed, evidence: Evidence) -> None:
    """A TAP taken off the switch cuts its guest off; put back, the guest is there again, same boot.

    All guests are probed at once, with all TAPs off at the same time.

    Preconditions:
        - each guest's TAP is a port of the switch
        - the host has an address that the guests reach
    Steps:
        1. Read each guest's boot id, and probe the host from each guest by ICMP.
        2. Take the TAPs off the switch, and probe.
        3. Put the TAPs back, wait until their ports forward and the bridge sends, and probe.
    Verify:
        - without its TAP no guest is answered
        - every TAP is back as a port that forwards, and the bridge sends, within 40 s
        - with the TAPs back every request of every guest is answered
        - each guest's boot id is the same as before
        - control: before, every request of every guest was answered; else the check is
          inconclusive
    """
    switch, guests, ports = testbed.switch, testbed.guests, testbed.switch.ports()
    for guest in guests:
        assert guest.tap in ports, f"{guest.tap} of {guest.name} is no port: {ports}"
    boots = {guest.name: guest.boot_id() for guest in guests}
    with ThreadPoolExecutor(len(guests)) as pool, contextlib.ExitStack() as back:
        probe = functools.partial(_all_to_the_host, testbed, pool)
        before = probe()
        for guest in guests:
            switch.detach(guest.tap)
            back.callback(switch.attach, guest.tap)
        without = probe(wait_s=1)
        back.close()
        held = _held_back(testbed)
        after = probe()
    evidence.reason = "; ".join(
        f"{name} plugged: {before[name]}; unplugged: {without[name]}; back: {after[name]}"
        for name in boots
    )
    for name, answer in without.items():
        assert answer.none_answered, f"{name} is still answered without its TAP: {answer}"
    for name, answer in before.items():
        if not answer.all_answered:
            raise Inconclusive(f"{name} did not reach the host even before: {answer}")
    assert not held, f"not within {PORT_DEADLINE_S:g} s: forward again: {', '.join(held)}"
    for guest in guests:
        answer = after[guest.name]
        assert answer.all_answered, f"{guest.name} is not back with {guest.tap}: {answer}"
        assert guest.boot_id() == boots[guest.name], f"{guest.name} restarted meanwhile"


def _all_to_the_host(
    testbed: Testbed, pool: ThreadPoolExecutor, wait_s: float = ANSWER_S
) -> dict[str, Answer]:
    """Probe the host by ICMP from all guests at once; returns their names and answers."""
    far, ends = testbed.end("host"), testbed.ends("guest")
    answers = pool.map(lambda near: send("icmp", near, far, wait_s=wait_s), ends)
    return {end.name: answer for end, answer in zip(ends, answers, strict=True)}


def _held_back(testbed: Testbed) -> list[str]:
    """Wait until the guests' ports forward and the bridge sends; returns what does not in time.

    A bridge without a port with a carrier has none itself.
    """
    switch, taps = testbed.switch, [guest.tap for guest in testbed.guests]

    def held() -> list[str]:
        own = [] if sends(testbed.host, switch.name) else [switch.name]
        return own + [tap for tap in taps if not switch.forwards(tap)]

    return poll(held, lambda left: not left, deadline_s=PORT_DEADLINE_S)


def _pairs(testbed: Testbed, cell: Cell) -> Iterator[tuple[End, End]]:
    """Give each pair of ends that a cell is about."""
    for near in testbed.ends(cell.promise.from_, cell.family):
        for far in testbed.ends(cell.promise.to, cell.family):
            if near.name != far.name:
                yield near, far


def _ports_of_the_host(cell: Cell) -> list[Port]:
    """Return the ports that the probes of a cell go to, where that is the host."""
    is_port = cell.promise.to == "host" and cell.proto != "icmp"
    return [(cell.proto, ECHO_PORT)] if is_port else []


@contextlib.contextmanager
def _watched(testbed: Testbed, promise: Promise, evidence: Evidence) -> Iterator[Capture | None]:
    """Capture outside where the topology promises a source address; else yield None."""
    if promise.to != "outside" or promise.source is None:
        yield None
        return
    with evidence.capture(testbed.outside, testbed.outside_nic) as frames:
        yield frames


def _sources(testbed: Testbed, cell: Cell) -> set[str]:
    if cell.promise.source == "host":
        return {str(testbed.figures_of(cell.family).host)}
    return {end.address for end in testbed.ends("guest", cell.family)}
