# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom across an existing network, where nothing is lifted and the router answers."""

import functools

from fixtures.errors import ExistingNetwork, Inconclusive
from fixtures.guest.guest import NIC, Guest, default_route
from fixtures.host.dhcp_client import routable_addresses
from fixtures.plugin.collection import Cell
from fixtures.probe.blocking import CONTROL_WAIT_S, WAIT_S, Attempt, attempt
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.packets import is_request, sender
from fixtures.probe.reach import Answer, End, ping
from fixtures.testbed.router_beyond import router_beyond
from fixtures.testbed.testbed import Testbed


def reaches_the_router(testbed: Testbed, cell: Cell, evidence: Evidence) -> None:
    """Decide a cell towards the outside by the router beyond an existing network, and by ICMP."""
    if cell.proto != "icmp":
        raise ExistingNetwork(
            testbed.topology.name,
            f"{testbed.lacks_outside(cell.family)}; a router answers no {cell.proto}",
        )
    ends = testbed.ends("guest", cell.family)
    router = router_beyond(testbed, cell.family)
    if testbed.topology.network.is_on_physical_network:
        _require_answers(testbed, cell, {end: ping(end, router.from_link(NIC)) for end in ends})
        evidence.reason = f"{', '.join(end.name for end in ends)} → {router.address}: answered"
        return
    link = testbed.way_out(cell.family).link
    with evidence.capture(testbed.host, link, "way-out") as frames:
        answers = {end: ping(end, router.address) for end in ends}
        left = _sources_of(frames, router.address)
    said = "; ".join(f"{end.name}: {answer}" for end, answer in answers.items())
    sources = ", ".join(sorted(left)) or "none that was seen"
    evidence.reason = f"{router.address}: {said}; by {link} they leave as {sources}"
    own = set(routable_addresses(testbed.host, link, cell.family))
    if cell.promise.source == "host":
        assert left <= own, f"by {link} they leave as {sources}, expected {sorted(own)}"
    elif left and not any(answer.answered for answer in answers.values()):
        raise Inconclusive(
            f"the guests' requests leave by {link} as {sources}, and {router.address}, which may "
            f"have no way to {testbed.subnet_of(cell.family)}, answers none"
        )
    _require_answers(testbed, cell, answers)


def _sources_of(frames: Capture, address: str) -> set[str]:
    """Return where the echo requests to an address come from, on a link of the host's."""
    wanted = functools.partial(is_request, proto="icmp", to=address)
    return {str(sender(frame.packet)) for frame in frames.frames(wanted)}


def _require_answers(testbed: Testbed, cell: Cell, answers: dict[End, Answer]) -> None:
    """Assert that the router answers the guests as it answers the host.

    Raises:
        ExistingNetwork: it answers the host no more than them.
    """
    silent = [f"{end.name}: {said}" for end, said in answers.items() if not said.all_answered]
    if not silent:
        return
    router = router_beyond(testbed, cell.family)
    control = ping(testbed.end("host", cell.family), router.from_link(testbed.switch.name))
    if not control.all_answered:
        raise ExistingNetwork(
            testbed.topology.name,
            f"{testbed.lacks_outside(cell.family)}; of its router {router.address} the host has "
            f"{control}",
        )
    raise AssertionError(f"{router.address} answers the host {control}, but {'; '.join(silent)}")


def no_reach_as_it_is(testbed: Testbed, cell: Cell, evidence: Evidence) -> None:
    """Look for an answer across an existing network, where nothing is lifted for a control.

    Raises:
        Inconclusive: there was none.
    """
    phase, name = "in place", cell.promise.cell
    if cell.promise.to == "outside" and testbed.lacks_outside(cell.family):
        router = router_beyond(testbed, cell.family).address
        for guest in testbed.guests if cell.proto == "icmp" else ():
            with default_route(guest, testbed.host_address_of(cell.family)):
                answer = ping(testbed.guest_end(guest, cell.family), router)
            assert answer.none_answered, f"{name}, {guest.name}: {router} {answer}"
        where = f"{router}, its router"
    else:
        where = testbed.end("outside", cell.family).address
        with testbed.way_from_outside():
            for guest in testbed.guests:
                done = attempt_cell(testbed, cell, guest, phase=phase, evidence=evidence)
                assert done.answer.none_answered, f"{name}, {guest.name}: {done}"
                assert done.arrived == 0, f"{name}, {guest.name}: {done}"
    raise Inconclusive(
        f"{name}: nothing between the guests and {where}; the control would lift the host's packet "
        "filter for the bridge, and an existing network is not changed"
    )


def attempt_cell(
    testbed: Testbed, cell: Cell, guest: Guest, *, phase: str, evidence: Evidence
) -> Attempt:
    """Probe one guest's part of a cell to or from the outside, with a capture at the far end."""
    outside, inside = testbed.end("outside", cell.family), testbed.guest_end(guest, cell.family)
    label = f"{guest.name}-{phase.replace(' ', '-')}"
    wait_s = WAIT_S if phase == "in place" else CONTROL_WAIT_S
    if cell.promise.to == "outside":
        with evidence.capture(testbed.outside, testbed.outside_nic, label) as frames:
            return attempt(cell.proto, inside, outside, frames, wait_s=wait_s)
    with evidence.capture(testbed.host, guest.tap, label) as frames:
        return attempt(cell.proto, outside, inside, frames, wait_s=wait_s)
