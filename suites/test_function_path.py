# SPDX-License-Identifier: GPL-2.0-or-later
"""The way of packets of a NIC's function: past the host, and through the NIC's own switch."""

import contextlib
import itertools
from functools import partial

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.packet import Packet

from fixtures.errors import Inconclusive
from fixtures.host.host import Host
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import send, unanswered
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.uplink_links import HOST_PORT


@pytest.mark.claims("PT-07")
@pytest.mark.needs("iommu", "sriov")
def test_past_the_host(testbed: Testbed, evidence: Evidence) -> None:
    """Traffic between each guest and the outside passes no link of the host's.

    Preconditions:
        - each guest has its address, and an outside machine is on the wire
        - the other end of the NIC's wire can be captured on
    Steps:
        1. Start captures on the wire, on the physical function, and on each bridge of the host.
        2. Probe the outside from each guest by ICMP.
        3. Probe the outside from the host by ICMP.
    Verify:
        - every request of each guest is answered, and requests and answers are on the wire
        - neither the physical function nor a bridge of the host has a packet of these
        - control: the host's own requests are in the capture on the physical function; else the
          check is inconclusive
    """
    ends, far, host = testbed.ends("guest"), testbed.end("outside"), testbed.host
    addresses = {near.address for near in ends}
    links = [testbed.topology.network.pf, *_bridges(host)]
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(evidence.capture(testbed.lan, HOST_PORT))
        watched = {link: stack.enter_context(evidence.capture(host, link)) for link in links}
        answers = {near.name: send("icmp", near, far) for near in ends}

        def theirs(packet: Packet) -> bool:
            here = {packet[IP].src, packet[IP].dst} if IP in packet else set()
            return far.address in here and bool(here & addresses)

        for name, answer in answers.items():
            assert answer.all_answered, f"{name} does not reach the outside: {answer}"
        said = sum(answer.sent + answer.answered for answer in answers.values())
        passed = len(wire.collect(theirs, count=said))
        assert passed >= said, wire.missing(f"{said} packets of ping and answer ({passed} seen)")
        own = send("icmp", testbed.end("host"), far)
        # Sent after the guests': when they are there, the guests' would be.
        control = len(watched[links[0]].collect(_is_icmp))
        if not control:
            missing = watched[links[0]].missing("the host's own pings")
            raise Inconclusive(f"control failed, {own}: {missing}")
        seen = {link: len(frames.frames(theirs)) for link, frames in watched.items()}
        for frames in watched.values():
            frames.require_whole()
    evidence.reason = (
        f"{passed} packets on the wire; on the host's links: {seen}; "
        f"of the host's own, {control} on {links[0]}"
    )
    assert not any(seen.values()), f"of {passed} packets the host's own links saw {seen}"


@pytest.mark.claims("PT-10")
@pytest.mark.needs("iommu", "sriov")
def test_through_the_nics_switch(testbed: Testbed, evidence: Evidence) -> None:
    """Guests on functions of one NIC reach each other in the NIC: not by the wire, not by the host.

    Preconditions:
        - two guests or more have their addresses on functions of one NIC
        - the other end of the NIC's wire can be captured on
    Steps:
        1. Start captures on the wire, on the physical function, and on each bridge of the host.
        2. Probe each guest from each other one by ICMP.
        3. Probe the outside from each guest by ICMP.
    Verify:
        - every request between the guests is answered
        - neither the wire nor a link of the host has a packet of theirs
        - control: the requests to the outside are on the wire; else the check is inconclusive
    """
    if len(testbed.guests) == 1:
        raise testbed.without("two guests", "guests has one")
    ends, far, host = testbed.ends("guest"), testbed.end("outside"), testbed.host
    own = {end.address for end in ends}
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(evidence.capture(testbed.lan, HOST_PORT))
        links = [testbed.topology.network.pf, *_bridges(host)]
        watched = {link: stack.enter_context(evidence.capture(host, link)) for link in links}
        answers = {
            f"{one.name} → {other.name}": send("icmp", one, other)
            for one, other in itertools.permutations(ends, 2)
        }
        for near in ends:
            # Sent after the others: when these are there, those would be.
            outwards = partial(_is_among, addresses={near.address, far.address})
            control = send("icmp", near, far)
            if len(wire.collect(outwards, count=control.sent)) < control.sent:
                raise Inconclusive(f"control failed, {control}: {wire.missing(near.name)}")
        seen = {
            capture.place: len(capture.frames(partial(_is_among, addresses=own)))
            for capture in (wire, *watched.values())
        }
        for frames in (wire, *watched.values()):
            frames.require_whole()
    lost = unanswered(answers)
    assert not lost, f"a guest does not reach another: {lost}"
    evidence.reason = f"{', '.join(answers)} answered; of their packets on wire and host: {seen}"
    assert not any(seen.values()), f"the guests' packets leave the NIC's own switch: {seen}"


def _is_among(packet: Packet, addresses: set[str]) -> bool:
    """Whether a packet is from one of some addresses to another of them."""
    return IP in packet and {packet[IP].src, packet[IP].dst} <= addresses


def _is_icmp(packet: Packet) -> bool:
    return ICMP in packet


def _bridges(host: Host) -> list[str]:
    """Return the host's own bridges."""
    return sorted(each.parent.name for each in host.seen("/sys/class/net").glob("*/bridge"))
