# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom across an existing network, where nothing is lifted and the router answers."""

from fixtures.errors import ExistingNetwork, Inconclusive
from fixtures.guest.guest import Guest, default_route
from fixtures.plugin.collection import Cell
from fixtures.probe.blocking import CONTROL_WAIT_S, WAIT_S, Attempt, attempt
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import ping
from fixtures.testbed.testbed import Testbed


def reaches_the_router(testbed: Testbed, cell: Cell, evidence: Evidence) -> None:
    """Decide a cell towards the outside by the router beyond an existing network, and by ICMP."""
    if cell.proto != "icmp":
        raise ExistingNetwork(
            testbed.topology.name, f"{testbed.lacks_outside}; a router answers no {cell.proto}"
        )
    router = testbed.router
    ends = testbed.ends("guest", cell.family)
    answers = {end.name: ping(end, router) for end in ends}
    evidence.reason = "; ".join(f"{name} → {router}: {said}" for name, said in answers.items())
    silent = [f"{name}: {said}" for name, said in answers.items() if not said.all_answered]
    if not silent:
        return
    control = ping(testbed.end("host", cell.family), router)
    if not control.all_answered:
        raise ExistingNetwork(
            testbed.topology.name,
            f"{testbed.lacks_outside}; of its router {router} the host has {control}",
        )
    raise AssertionError(f"{router} answers the host {control}, but {'; '.join(silent)}")


def no_reach_as_it_is(testbed: Testbed, cell: Cell, evidence: Evidence) -> None:
    """Look for an answer across an existing network, where nothing is lifted for a control.

    Raises:
        Inconclusive: there was none.
    """
    phase, name = "in place", cell.promise.cell
    if cell.promise.to == "outside" and testbed.lacks_outside:
        router = testbed.router
        for guest in testbed.guests if cell.proto == "icmp" else ():
            with default_route(guest, testbed.host_address):
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
