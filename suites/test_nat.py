# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose address the outside sees, and what the masquerading rules mean."""

from itertools import product

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from contracts.address_family import IPV4, AddressFamily
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.packets import sender
from fixtures.probe.reach import PROTOCOLS, Proto, send, send_one
from fixtures.testbed.testbed import Testbed
from suites.families_outside import families_outside
from suites.masquerading import (
    NAT_PORTS,
    requests_outside,
    require_masqueraded,
    require_no_masquerading,
)

# Below the range: kept as it is, it would show that no range is applied.
PRIVILEGED_PORT = 777


def _arrived(
    testbed: Testbed,
    proto: Proto,
    frames: Capture,
    count: int = 1,
    family: AddressFamily = IPV4,
) -> list[Packet]:
    """Return the guests' requests that were seen outside; the claim is that they are."""
    found = requests_outside(testbed, proto, family, frames, count)
    what = f"{count} {proto} requests of a guest ({len(found)} seen)"
    assert len(found) >= count, frames.missing(what)
    return found


@pytest.mark.claims("NT-09")
def test_outside_sees_the_host(testbed: Testbed, evidence: Evidence) -> None:
    """The outside sees the uplink's address as source, and a source port in 1024–65535.

    Preconditions:
        - an outside machine is reached through the host's uplink
        - each guest has its address
    Steps:
        1. Start a capture on the outside machine.
        2. Send ICMP, and TCP and UDP from an ordinary port, from each guest to the outside.
        3. Send TCP and UDP from port 777, which is below the range, too.
    Verify:
        - every request arrives outside with the host's uplink address as source
        - every request is answered
        - every TCP and UDP request arrives from a port in 1024–65535
    """
    [far], host = testbed.ends("outside"), str(testbed.figures.host)
    seen: list[str] = []
    for guest in testbed.guests:
        near = testbed.guest_end(guest)
        for proto in PROTOCOLS:
            with evidence.capture(
                testbed.outside, testbed.outside_nic, f"{guest.name}-{proto}"
            ) as frames:
                asked = [send(proto, near, far)]
                if proto != "icmp":
                    asked.append(send_one(proto, near, far, port=PRIVILEGED_PORT))
                packets = _arrived(testbed, proto, frames, sum(answer.sent for answer in asked))
            sources = {packet[IP].src for packet in packets}
            assert sources == {host}, f"{proto} arrives outside from {sorted(sources)}, not {host}"
            lost = [answer for answer in asked if not answer.all_answered]
            assert not lost, f"{proto} from {guest.name} is not answered: {lost[0]}"
            if proto != "icmp":
                ports = sorted({packet[IP].payload.sport for packet in packets})
                low = [port for port in ports if port not in NAT_PORTS]
                assert not low, f"{proto} arrives outside from port {low}, below 1024"
                seen.append(f"{guest.name} {proto} {', '.join(map(str, ports))}")
    evidence.reason = f"source {host}; ports: {'; '.join(seen)}"


@pytest.mark.claims("NT-08")
def test_rules(testbed: Testbed, evidence: Evidence) -> None:
    """The rules masquerade the subnet to anywhere else, tcp and udp to ports 1024–65535.

    The rules of all tables are read as the kernel applies them, libvirt's and others'.

    Preconditions:
        - each guest has its address
    Steps:
        1. Read the rules of iptables, of either variant, and of nftables.
        2. Part the packets of the subnet into classes by every address, port and protocol that a
           rule looks at, and follow each class through the rules, out of the uplink.
        3. Do the same with packets to the subnet, to 224.0.0.0/24 and to 255.255.255.255, which
           stay on the bridge.
    Verify:
        - every class to anywhere else is masqueraded as the uplink's address: TCP and UDP to ports
          1024–65535, the rest without a range
        - no class to the subnet, to 224.0.0.0/24 or to 255.255.255.255 is masqueraded
        - control: no class depends on a condition that is not understood; else the check is
          inconclusive
    """
    require_masqueraded(testbed, evidence, IPV4)


@pytest.mark.claims("IS-04")
def test_isolated_is_not_masqueraded(testbed: Testbed, evidence: Evidence) -> None:
    """No rule masquerades an isolated subnet; a packet let out would keep the guest's address.

    Preconditions:
        - the guests have their addresses, and an outside machine is on the uplink
    Steps:
        1. Read the rules of iptables, of either variant, and of nftables; part the packets of the
           subnet to anywhere else into classes by every address, port and protocol that a rule
           looks at, and follow each class through the rules, as if none were dropped.
        2. Give the outside a route to the subnet and each guest a default route, and let the
           packet filter accept everything of the bridge, and the kernel forward it.
        3. Send ICMP, TCP and UDP from each to the outside, with a capture there.
    Verify:
        - no class is given another source
        - outside, the requests come from each guest's own address alone
        - control: no class depends on a condition that is not understood, and let out, requests of
          each protocol arrive outside; else the check is inconclusive
        - nothing is let out of an existing network: there the rules decide
    """
    require_no_masquerading(testbed, evidence, IPV4)


@pytest.mark.claims("BR-06")
def test_outside_sees_the_guest(testbed: Testbed, evidence: Evidence) -> None:
    """On a bridged network the guests' packets arrive outside with their own address and MAC.

    Preconditions:
        - an outside machine is on the physical network
        - each guest has its address
    Steps:
        1. Send ICMP, TCP and UDP from each guest to the outside, by each address family that
           guests and outside have, with a capture there.
    Verify:
        - the requests of each protocol arrive outside
        - their source is the guest's own MAC and address, and nothing else
    """
    families = families_outside(testbed)
    for family, guest in product(families.decided, testbed.guests):
        near, far = testbed.guest_end(guest, family), testbed.end("outside", family)
        for proto in PROTOCOLS:
            with evidence.capture(
                testbed.outside, testbed.outside_nic, f"{guest.name}-{proto}-{family.name}"
            ) as frames:
                send(proto, near, far)
                packets = _arrived(testbed, proto, frames, family=family)
            seen = {(packet[Ether].src, sender(packet)) for packet in packets}
            wanted = {(guest.mac, near.address)}
            assert seen == wanted, f"{proto} arrives outside from {seen}, not {wanted}"
    seen_as = ", ".join(
        f"{' and '.join(guest.addresses.values())} at {guest.mac}" for guest in testbed.guests
    )
    evidence.reason = "; ".join((seen_as, *families.left))
