# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks that the outside does not reach: by no port and no protocol, in the rules as a whole."""

import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest, default_route
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.host_rules import read_rules
from fixtures.packet_filter.questions import Surroundings, decide, inwards, outwards, surroundings
from fixtures.packet_filter.ruleset import Ruleset
from fixtures.probe.blocking import IN_FLIGHT_S
from fixtures.probe.evidence import Evidence
from fixtures.probe.forward_bypass import forward_bypass, forwarding
from fixtures.probe.samples import SAMPLES, Sample, sample_of, send_samples
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause

Arrived = dict[str, frozenset[Sample]]
"""Guest → the samples from or to it that the far end's capture shows."""


@pytest.mark.claims("NT-24", "IS-06")
def test_rules_let_nothing_in(testbed: Testbed, evidence: Evidence) -> None:
    """The host's rules as a whole let no new connection from the outside through to a guest.

    As `<forward mode='nat'/>` is documented: inbound connections are not possible (libvirt, Network
    XML format, Connectivity); a network without `<forward>` is isolated.

    Preconditions:
        - an outside machine is on the host's uplink
    Steps:
        1. Read the rules of iptables, of either variant, and of nftables.
        2. Part the packets that may come in by the uplink into classes by every address, port and
           protocol that a rule looks at, and follow the first packet of a connection of each class
           through the hooks prerouting, forward and postrouting; a translated destination counts.
    Verify:
        - no class whose destination is, or becomes, a guest's address is let through
        - control: no class depends on a condition that is not understood; else the check is
          inconclusive
    """
    _decide_by_rules(testbed, evidence, inwards)


@pytest.mark.claims("IS-06")
def test_rules_let_nothing_out(testbed: Testbed, evidence: Evidence) -> None:
    """The host's rules as a whole let no new connection of a guest through to the outside.

    As a network without `<forward>` is documented: isolated (libvirt, Network XML format,
    Connectivity).

    Preconditions:
        - an outside machine is on the host's uplink
    Steps:
        1. Read the rules of iptables, of either variant, and of nftables.
        2. Part the packets of the subnet to anywhere else into classes by every address, port and
           protocol that a rule looks at, and follow the first packet of a connection of each class
           through the hooks prerouting, forward and postrouting, out of the uplink.
    Verify:
        - no class is let through
        - control: no class depends on a condition that is not understood; else the check is
          inconclusive
    """
    _decide_by_rules(testbed, evidence, functools.partial(outwards, stops=True))


@pytest.mark.claims("NT-24", "IS-06")
@pytest.mark.changes_network("lifts the host's packet filter for the bridge")
def test_no_sample_comes_in(testbed: Testbed, evidence: Evidence) -> None:
    """Samples of ports and protocols from the outside do not arrive at any guest.

    Preconditions:
        - an outside machine is on the host's uplink
        - each guest has its address
    Steps:
        1. Give the outside a route to the guests' subnet, and turn on forwarding in the host's
           kernel.
        2. Send ICMP, and TCP and UDP to the ports 22, 53, 80, 443 and 49321, from the outside to
           each guest, with a capture on its TAP.
        3. Have the host's packet filter accept everything of the bridge, and send the same.
    Verify:
        - with the host's own rules none of them is seen at the TAP
        - control: with the filter lifted each of them is; else the check is inconclusive
    """
    with testbed.way_from_outside():
        _decide_on_the_wire(
            testbed, evidence, functools.partial(_sent, testbed, evidence, inwards=True)
        )


@pytest.mark.claims("IS-06")
@pytest.mark.changes_network("lifts the host's packet filter for the bridge")
def test_no_sample_gets_out(testbed: Testbed, evidence: Evidence) -> None:
    """Samples of ports and protocols from a guest do not arrive outside.

    Preconditions:
        - an outside machine is on the host's uplink
        - each guest has its address
    Steps:
        1. Give each guest a default route to the host, and turn on forwarding in the host's kernel.
        2. Send ICMP, and TCP and UDP to the ports 22, 53, 80, 443 and 49321, from each guest to the
           outside, with a capture there.
        3. Have the host's packet filter accept everything of the bridge, and send the same.
    Verify:
        - with the host's own rules none of them is seen outside
        - control: with the filter lifted each of them is; else the check is inconclusive
    """
    with contextlib.ExitStack() as stack:
        for guest in testbed.guests:
            stack.enter_context(default_route(guest, testbed.host_address))
        _decide_on_the_wire(
            testbed, evidence, functools.partial(_sent, testbed, evidence, inwards=False)
        )


def _decide_by_rules(
    testbed: Testbed,
    evidence: Evidence,
    follow: Callable[[Ruleset, Surroundings], list[Flow]],
) -> None:
    rules = read_rules(testbed.host, IPV4)
    evidence.text("rules.txt", str(rules))
    around = surroundings(testbed.host, IPV4, testbed.switch.name, testbed.subnet, testbed.uplink)
    flows = follow(rules, around)
    wrong = decide(flows, rules, _let_through)
    assert not wrong, wrong
    evidence.reason = (
        f"{len(list(rules))} rules of {len(rules.tables)} tables part the packets into "
        f"{len(flows)} classes; none is let through"
    )


def _let_through(flow: Flow) -> str:
    """Return the words for packets that are let through; "": they are not."""
    if flow.fate == "dropped":
        return ""
    return f"is let through by {' and '.join(flow.accepted_by) or flow.by or 'the lack of a rule'}"


def _decide_on_the_wire(
    testbed: Testbed, evidence: Evidence, send: Callable[[str], Arrived]
) -> None:
    rules = read_rules(testbed.host, IPV4)
    with forwarding(testbed.host, IPV4, testbed.host_links):
        in_place = send("in-place")
        for name, seen in in_place.items():
            assert not seen, f"{name}: {_listed(seen)} arrived"
        with forward_bypass(testbed.host, testbed.switch.name, rules) as refused:
            lifted = send("lifted")
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


def _sent(testbed: Testbed, evidence: Evidence, phase: str, *, inwards: bool) -> Arrived:
    """Send the samples from or to each guest, all guests at once."""
    outside = testbed.end("outside")

    def to_or_from(guest: Guest) -> frozenset[Sample]:
        inside = testbed.guest_end(guest)
        near, far = (outside, inside) if inwards else (inside, outside)
        machine, link = (
            (testbed.host, guest.tap) if inwards else (testbed.outside, testbed.outside_nic)
        )
        # What gets out may have the host's address by then.
        sources = {near.address} if inwards else {near.address, str(testbed.figures.host)}
        with evidence.capture(machine, link, f"{guest.name}-{phase}") as frames:
            send_samples(near, far)
            pause(IN_FLIGHT_S)
            seen = [sample_of(frame.packet, sources, far.address) for frame in frames.frames()]
            frames.require_whole()
        return frozenset(sample for sample in seen if sample is not None)

    with ThreadPoolExecutor(len(testbed.guests)) as pool:
        arrived = pool.map(to_or_from, testbed.guests)
        return {g.name: seen for g, seen in zip(testbed.guests, arrived, strict=True)}
