# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenFlow rules on a bridge: an access list that drops one flow and leaves the others."""

from collections.abc import Sequence

import pytest

from fixtures.errors import Inconclusive
from fixtures.probe.blocking import CONTROL_WAIT_S, WAIT_S, Attempt, attempt
from fixtures.probe.evidence import Evidence
from fixtures.probe.input_exception import said
from fixtures.probe.reach import ECHO_PORT, End, Proto
from fixtures.switch.openflow import flow, matched_packets
from fixtures.testbed.ports_let_in import ECHO_PORTS, ports_let_in
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

# Open vSwitch applies a change to flows that it has forwarded, and brings home what its datapath
# counted, when it revalidates them: within half a second on an idle machine.
IN_FORCE_DEADLINE_S = 20.0


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("OV-13")
@pytest.mark.changes_network("adds an OpenFlow rule to the bridge")
@pytest.mark.needs("ovs")
def test_rule_drops_one_flow(testbed: Testbed, evidence: Evidence) -> None:
    """A rule that drops one guest's TCP to one port of the host leaves all other traffic.

    Preconditions:
        - each guest has its address
        - the host has an address on the bridge
    Steps:
        1. Where the host refuses every port that it does not know, let in the probes' ones. Probe
           the host from the first guest by TCP, with a capture on the bridge.
        2. Add the rule, wait until no request arrives, and probe again.
        3. With the rule, probe by the first guest's ICMP and UDP and by the other guests' TCP.
        4. Remove the rule, and probe from the first guest by TCP.
        5. Do the same with a rule for each other guest.
    Verify:
        - with the rule no TCP request of its guest is answered, and none arrives at the host
        - the rule counts packets that it dropped
        - with the rule all other probes are answered
        - without the rule again, every TCP request is answered
        - control: before the rule every TCP request is answered; else the check is inconclusive
    """
    ends = [testbed.guest_end(guest) for guest in testbed.guests]
    evidence.reason = "; ".join(_dropped(testbed, evidence, guest, ends) for guest in ends)


def _dropped(testbed: Testbed, evidence: Evidence, guest: End, ends: Sequence[End]) -> str:
    """Require a rule to drop a guest's TCP and nothing else; returns what was seen."""
    host, bridge = testbed.host, testbed.switch.name
    far = testbed.end("host")
    others: list[tuple[End, Proto]] = [(guest, "icmp"), (guest, "udp")]
    others += [(other, "tcp") for other in ends if other is not guest]

    def tried(near: End, proto: Proto, phase: str) -> Attempt:
        label = f"{near.name}-{proto}-{phase}-{guest.name}"
        wait_s = WAIT_S if phase in {"in-force", "blocked"} else CONTROL_WAIT_S
        with evidence.capture(host, bridge, label) as frames:
            return attempt(proto, near, far, frames, wait_s=wait_s)

    match = f"tcp,nw_src={guest.address},nw_dst={far.address},tp_dst={ECHO_PORT}"
    with ports_let_in(testbed, far.family, ECHO_PORTS) as let_in:
        before = tried(guest, "tcp", "before")
        if not _works(before):
            raise Inconclusive(f"control failed: {guest.name} tcp without the rule: {before}")
        with flow(host, bridge, match, "drop") as cookie:
            poll(
                lambda: tried(guest, "tcp", "in-force"),
                lambda done: done.arrived == 0,
                deadline_s=IN_FORCE_DEADLINE_S,
            )
            # Once more: the result has to be stable.
            blocked = tried(guest, "tcp", "blocked")
            left = {f"{near.name} {proto}": tried(near, proto, "beside") for near, proto in others}
            counted = _counted(testbed, cookie) if blocked.arrived == 0 else 0
        after = tried(guest, "tcp", "after")
    assert blocked.answer.none_answered, f"{guest.name} tcp with the rule: {blocked}"
    assert blocked.arrived == 0, f"{guest.name} tcp with the rule: {blocked}"
    for name, done in left.items():
        assert _works(done), f"{name}, which the rule does not match: {done}"
    assert _works(after), f"{guest.name} tcp, the rule being gone: {after}"
    return (
        f"{match}: before {before}; dropped {blocked}, the rule counts {counted} packets; "
        f"after {after}; left alone: {', '.join(left)}{said(let_in, ECHO_PORTS)}"
    )


def _works(done: Attempt) -> bool:
    return done.answer.all_answered and done.arrived > 0


def _counted(testbed: Testbed, cookie: int) -> int:
    """Return how many packets the rule dropped; the datapath's counters come home now and then."""
    packets = poll(
        lambda: matched_packets(testbed.host, testbed.switch.name, cookie),
        deadline_s=IN_FORCE_DEADLINE_S,
    )
    assert packets, f"not within {IN_FORCE_DEADLINE_S:g} s: the rule counts packets that it dropped"
    return packets
