# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenFlow rules on a bridge: an access list that drops one flow and leaves the others."""

import pytest

from fixtures.errors import Inconclusive
from fixtures.probe.blocking import CONTROL_WAIT_S, WAIT_S, Attempt, attempt
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import ECHO_PORT, End, Proto
from fixtures.switch.openflow import flow, matched_packets
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
        - two guests have their addresses
        - the host has an address on the bridge
    Steps:
        1. Probe the host from the first guest by TCP, with a capture on the bridge.
        2. Add the rule, wait until no request arrives, and probe again.
        3. With the rule, probe by the first guest's ICMP and UDP and by the second guest's TCP.
        4. Remove the rule, and probe from the first guest by TCP.
    Verify:
        - with the rule no TCP request of the first guest is answered, and none arrives at the host
        - the rule counts packets that it dropped
        - with the rule all other probes are answered
        - without the rule again, every TCP request is answered
        - control: before the rule every TCP request is answered; else the check is inconclusive
    """
    host, bridge = testbed.host, testbed.switch.name
    guest, other = (testbed.guest_end(each) for each in testbed.guests[:2])
    far = testbed.end("host")
    others: list[tuple[End, Proto]] = [(guest, "icmp"), (guest, "udp"), (other, "tcp")]

    def tried(near: End, proto: Proto, phase: str) -> Attempt:
        label = f"{near.name}-{proto}-{phase}"
        wait_s = WAIT_S if phase in {"in-force", "blocked"} else CONTROL_WAIT_S
        with evidence.capture(host, bridge, label) as frames:
            return attempt(proto, near, far, frames, wait_s=wait_s)

    before = tried(guest, "tcp", "before")
    if not _works(before):
        raise Inconclusive(f"control failed: {guest.name} tcp without the rule: {before}")
    match = f"tcp,nw_src={guest.address},nw_dst={far.address},tp_dst={ECHO_PORT}"
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
    evidence.reason = (
        f"{match}: before {before}; dropped {blocked}, the rule counts {counted} packets; "
        f"after {after}; left alone: {', '.join(left)}"
    )
    assert blocked.answer.none_answered, f"{guest.name} tcp with the rule: {blocked}"
    assert blocked.arrived == 0, f"{guest.name} tcp with the rule: {blocked}"
    for name, done in left.items():
        assert _works(done), f"{name}, which the rule does not match: {done}"
    assert _works(after), f"{guest.name} tcp, the rule being gone: {after}"


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
