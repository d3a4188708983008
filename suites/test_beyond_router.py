# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest reaches beyond the physical network: by way of the host's default route."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from scapy.layers.inet import IP

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import PROTOCOLS, Answer, End, ping, send_one, unanswered
from fixtures.testbed.beyond_router import ADDRESS, NIC, beyond_router
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

READY_DEADLINE_S = 10.0


@pytest.mark.claims("NT-10")
def test_beyond_the_router(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest reaches a machine that is on no network of the host's, and is answered.

    The outside machine is on the host's own physical network: a host without a default route, or
    with another one, reaches it all the same. A host that keeps its own default route gets one to
    the network behind the router.

    Preconditions:
        - the host's uplink has a router
        - the guests have IPv4 addresses
    Steps:
        1. Put a machine behind the router, on another network.
        2. Probe it from each guest by ICMP, TCP and UDP, all guests at once, with a capture there.
    Verify:
        - every request of every guest is answered
        - the packets arrive there with the host's address as source
        - control: the router itself is answered by that machine; else the check is inconclusive
    """
    if IPV4 not in testbed.topology.families:
        raise testbed.without("guests with IPv4", "the address of each is null")
    far = str(ADDRESS.ip)
    with beyond_router(testbed) as beyond:
        near = End(testbed.lan, str(testbed.figures.router), testbed.tool)
        control = poll(
            lambda: send_one("udp", near, End(beyond, far, testbed.tool)),
            lambda answer: answer.all_answered,
            deadline_s=READY_DEADLINE_S,
        )
        if not (control.all_answered and ping(near, far).all_answered):
            raise Inconclusive(f"the router itself does not reach {far}: {control}")
        there = End(beyond, far, testbed.tool)
        with evidence.capture(beyond, NIC) as frames:
            ends = testbed.ends("guest")
            with ThreadPoolExecutor(len(ends)) as pool:
                answers = list(pool.map(lambda end: _probed(end, there), ends))
            arrived = frames.collect(lambda p: IP in p and p[IP].dst == far)
    seen = {name: answer for found in answers for name, answer in found.items()}
    lost = unanswered(seen)
    assert not lost, f"behind the router {far} is not reached: {lost}"
    sources = {frame.packet[IP].src for frame in arrived}
    own = str(testbed.figures.host)
    assert sources == {own}, f"at {far} packets arrive from {sorted(sources)}, the host is {own}"
    evidence.reason = f"{far} behind the router answers {', '.join(seen)}"


def _probed(near: End, far: End) -> dict[str, Answer]:
    return {f"{near.name} by {proto}": send_one(proto, near, far) for proto in PROTOCOLS}
