# SPDX-License-Identifier: GPL-2.0-or-later
"""Policy routing on a bridge: OpenFlow rules choose a packet's way by more than its destination."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from fixtures.errors import Inconclusive
from fixtures.guest.guest import GUEST_TOOL, Guest
from fixtures.guest.guest import NIC as GUEST_NIC
from fixtures.host.links import link_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, Station, station
from fixtures.switch.openflow import flow, forget_flows
from fixtures.switch.ovs_bridge import rows
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll

# RFC 5737, documentation: no machine has it.
FAR = "203.0.113.1"
PORT, OTHER_PORT = 1111, 2222
IN_FORCE_DEADLINE_S = 20.0
IN_FLIGHT_S = 0.3


@dataclass(frozen=True)
class Sender:
    """A flow: who sends it, from which port, and the station that the rules send it to."""

    guest: Guest
    port: int
    way: int

    @property
    def name(self) -> str:
        """The flow, as evidence has it."""
        return f"{self.guest.name}:{self.port}"


@pytest.mark.claims("OV-18")
@pytest.mark.changes_network("adds OpenFlow rules to the bridge")
@pytest.mark.needs("ovs")
def test_way_by_sender_and_port(testbed: Testbed, evidence: Evidence) -> None:
    """Packets for one destination leave by different ports: by their sender, and by its port.

    Preconditions:
        - two guests are on the bridge
    Steps:
        1. Plug two stations into the bridge.
        2. Send UDP for one far address from each guest and from two ports of the first, to the
           MAC of the host's port, with captures at both stations.
        3. Add a rule for each flow, which names the station's port that it leaves by; send again.
        4. Remove the rules, and send again.
    Verify:
        - with the rules each packet arrives at the station that its rule names, and there alone
        - control: without the rules, before and after, no packet arrives at a station; else the
          check is inconclusive
    """
    if len(testbed.guests) == 1:
        raise testbed.without("two guests", "guests has one")
    one, two = testbed.guests[:2]
    flows = [Sender(one, PORT, 0), Sender(one, OTHER_PORT, 1), Sender(two, PORT, 1)]
    wanted = [sorted(each.name for each in flows if each.way == way) for way in (0, 1)]
    with contextlib.ExitStack() as stack:
        ways = [
            stack.enter_context(station(testbed.host, testbed.switch, f"way{number}"))
            for number in (1, 2)
        ]
        before = _arrived(testbed, flows, ways, evidence, "before")
        with contextlib.ExitStack() as rules:
            for each in flows:
                [row] = rows(testbed.host, "Interface", f"name={ways[each.way].port}")
                match = f"udp,nw_src={each.guest.address},nw_dst={FAR},tp_src={each.port}"
                action = f"output:{row['ofport']}"
                rules.enter_context(flow(testbed.host, testbed.switch.name, match, action))
            chosen = poll(
                lambda: _arrived(testbed, flows, ways, evidence, "with-rules"),
                lambda seen: seen == wanted,
                deadline_s=IN_FORCE_DEADLINE_S,
            )
        after = poll(
            lambda: _arrived(testbed, flows, ways, evidence, "after"),
            lambda seen: not any(seen),
            deadline_s=IN_FORCE_DEADLINE_S,
        )
    evidence.json("arrived.json", {"before": before, "with rules": chosen, "after": after})
    evidence.reason = f"for {FAR}: by the first port {chosen[0]}, by the second {chosen[1]}"
    if any(before) or any(after):
        raise Inconclusive(f"control failed, without the rules: before {before}, after {after}")
    assert chosen == wanted, f"by the two ports leave {chosen}, the rules name {wanted}"


def _arrived(
    testbed: Testbed,
    flows: Sequence[Sender],
    ways: Sequence[Station],
    evidence: Evidence,
    phase: str,
) -> list[list[str]]:
    """Send a packet of each flow; returns which arrive at each station."""
    to = link_mac(testbed.host, testbed.switch.name)
    # A rule is no reason for the switch to look again at once at flows that it is forwarding.
    forget_flows(testbed.host)
    with contextlib.ExitStack() as stack:
        captures = [stack.enter_context(evidence.capture(way.machine, NIC, phase)) for way in ways]
        for each in flows:
            header = IP(src=each.guest.address, dst=FAR) / UDP(sport=each.port, dport=PORT)
            frame = Ether(src=each.guest.mac, dst=to) / header
            each.guest.run([GUEST_TOOL, "frame", GUEST_NIC, bytes(frame).hex()])
        pause(IN_FLIGHT_S)
        named = {(each.guest.address, each.port): each.name for each in flows}
        seen = []
        for frames in captures:
            packets = [f.packet for f in frames.frames() if not f.outgoing]
            senders = {(p[IP].src, p[UDP].sport) for p in packets if IP in p and UDP in p}
            seen.append(sorted(named[sender] for sender in senders & named.keys()))
            frames.require_whole()
        return seen
