# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a network is closed towards the outside: by its host's rules, and on the wire."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

from contracts.address_family import AddressFamily
from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest, default_route
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.host_rules import read_rules
from fixtures.probe.blocking import IN_FLIGHT_S
from fixtures.probe.evidence import Evidence
from fixtures.probe.forward_bypass import forward_bypass, forwarding
from fixtures.probe.samples import SAMPLES, Sample, sample_of, send_samples
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause
from suites.rules_as_a_whole import Followed, require_none

Arrived = dict[str, frozenset[Sample]]
"""Guest → the samples from or to it that the far end's capture shows."""


def decide_by_rules(
    testbed: Testbed, evidence: Evidence, family: AddressFamily, follow: Followed
) -> None:
    """Assert that the host's rules let no class of a family's packets through.

    Args:
        testbed: the network.
        evidence: gets the rules and the reason.
        family: of the packets.
        follow: which packets, and their way through the rules.
    """
    rules = read_rules(testbed.host, family)
    require_none(testbed, evidence, rules, follow, _let_through, "is let through")


def _let_through(flow: Flow) -> str:
    """Return the words for packets that are let through; "": they are not."""
    if flow.fate == "dropped":
        return ""
    return f"is let through by {' and '.join(flow.accepted_by) or flow.by or 'the lack of a rule'}"


def decide_on_the_wire(
    testbed: Testbed, evidence: Evidence, family: AddressFamily, *, inwards: bool
) -> None:
    """Assert that no sample from the outside arrives at a guest, or the other way round.

    Raises:
        Inconclusive: with the packet filter lifted not all of them arrive.
    """
    rules = read_rules(testbed.host, family)
    with contextlib.ExitStack() as stack:
        if inwards:
            stack.enter_context(testbed.way_from_outside(family))
        else:
            for guest in testbed.guests:
                own = default_route(guest, testbed.host_address_of(family))
                stack.enter_context(own)
        stack.enter_context(forwarding(testbed.host, family, testbed.host_links))
        in_place = _sent(testbed, evidence, family, "in-place", inwards=inwards)
        for name, seen in in_place.items():
            assert not seen, f"{name}: {_listed(seen)} arrived"
        with forward_bypass(testbed.host, testbed.switch.name, rules) as refused:
            lifted = _sent(testbed, evidence, family, "lifted", inwards=inwards)
    for name, seen in lifted.items():
        if missing := SAMPLES - seen:
            failed = f"{name} lifted: {_listed(missing)} did not arrive"
            raise Inconclusive(f"control failed, {'; '.join([failed, *refused])}")
    evidence.reason = (
        f"of {len(SAMPLES)} samples for each of {', '.join(lifted)} none arrived; with the packet "
        "filter lifted all did"
    )


def _listed(samples: frozenset[Sample]) -> str:
    return ", ".join(map(str, sorted(samples)))


def _sent(
    testbed: Testbed, evidence: Evidence, family: AddressFamily, phase: str, *, inwards: bool
) -> Arrived:
    """Send the samples from or to each guest, all guests at once."""
    outside = testbed.end("outside", family)

    def to_or_from(guest: Guest) -> frozenset[Sample]:
        inside = testbed.guest_end(guest, family)
        near, far = (outside, inside) if inwards else (inside, outside)
        machine, link = (
            (testbed.host, guest.tap) if inwards else (testbed.outside, testbed.outside_nic)
        )
        # What gets out may have the host's address by then.
        hosts = str(testbed.figures_of(family).host)
        sources = {near.address} if inwards else {near.address, hosts}
        with evidence.capture(machine, link, f"{guest.name}-{phase}") as frames:
            send_samples(near, far)
            pause(IN_FLIGHT_S)
            seen = [sample_of(frame.packet, sources, far.address) for frame in frames.frames()]
            frames.require_whole()
        return frozenset(sample for sample in seen if sample is not None)

    with ThreadPoolExecutor(len(testbed.guests)) as pool:
        arrived = pool.map(to_or_from, testbed.guests)
        return {g.name: seen for g, seen in zip(testbed.guests, arrived, strict=True)}
