# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose address the outside sees, and what the masquerading rules mean."""

import contextlib
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from contracts.address_family import IPV4
from fixtures.guest.guest import default_route
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.forward_bypass import forward_bypass, route
from fixtures.probe.nat_rules import outcome, read_rules
from fixtures.probe.packets import is_request
from fixtures.probe.reach import PROTOCOLS, Proto, send, send_one
from fixtures.testbed.physical_network import OUTSIDE_NIC
from fixtures.testbed.testbed import Testbed

NAT_PORTS = range(1024, 65536)
# Below the range: kept as it is, it would show that no range is applied.
PRIVILEGED_PORT = 777
# Any address that is not of the guests' subnet (RFC 5737, documentation).
ELSEWHERE = IPv4Address("203.0.113.1")
NEVER_TRANSLATED = (IPv4Address("224.0.0.251"), IPv4Address("255.255.255.255"))


def _arrived(testbed: Testbed, proto: Proto, frames: Capture, count: int = 1) -> list[Packet]:
    """Return the guests' requests that were seen outside, as soon as there are `count`."""
    to = testbed.end("outside").address
    found = frames.collect(lambda p: is_request(p, proto, to), count=count)
    what = f"{count} {proto} requests of a guest ({len(found)} seen)"
    assert len(found) >= count, frames.missing(what)
    return [frame.packet for frame in found]


def _sources_of_the_subnet(testbed: Testbed) -> list[IPv4Address]:
    """Return the guests' addresses, and the first and last that the subnet has."""
    guests = [IPv4Address(guest.address) for guest in testbed.guests]
    return [*guests, testbed.subnet[2], testbed.subnet[-2]]


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
            with evidence.capture(testbed.outside, OUTSIDE_NIC, f"{guest.name}-{proto}") as frames:
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

    The rules are read as the kernel applies them, for whichever backend libvirt uses.

    Preconditions:
        - each guest has its address
    Steps:
        1. Read the host's source translation rules.
        2. Follow a packet of each protocol through them, from each guest and from the first and
           last address of the subnet.
    Verify:
        - a packet to anywhere else is masqueraded: TCP and UDP to ports 1024–65535, ICMP without a
          range
        - a packet to 224.0.0.251, to 255.255.255.255 and to the host's address on the bridge is not
          masqueraded
    """
    rules = read_rules(testbed.host, IPV4)
    evidence.text("rules.txt", "\n".join(rule.text for rule in rules) + "\n")
    for source in _sources_of_the_subnet(testbed):
        for proto in PROTOCOLS:
            rule = outcome(rules, proto, source, ELSEWHERE)
            assert rule is not None, f"no rule masquerades {proto} from {source} ({rules.backend})"
            wanted = None if proto == "icmp" else (NAT_PORTS[0], NAT_PORTS[-1])
            assert rule.ports == wanted, (
                f"{proto} is masqueraded to ports {rule.ports}: {rule.text}"
            )
            for address in (*NEVER_TRANSLATED, testbed.subnet[1]):
                wrong = outcome(rules, proto, source, address)
                assert wrong is None, f"{proto} to {address} is masqueraded: {wrong and wrong.text}"
    evidence.reason = f"{len(list(rules))} rules by {rules.backend}"


@pytest.mark.claims("IS-04")
def test_isolated_is_not_masqueraded(testbed: Testbed, evidence: Evidence) -> None:
    """No rule masquerades an isolated subnet; a packet let out would keep the guest's address.

    Preconditions:
        - the guests have their addresses, and an outside machine is on the uplink
    Steps:
        1. Read the host's source translation rules, and follow a packet of each protocol through
           them, from each guest and from the first and last address of the subnet.
        2. Give the outside a route to the subnet and the first guest a default route, and let the
           packet filter accept everything of the bridge.
        3. Send ICMP, TCP and UDP from that guest to the outside, with a capture there.
    Verify:
        - no rule masquerades any of these packets
        - outside, the requests of each protocol arrive, and from the guest's own address alone
    """
    rules, guest = read_rules(testbed.host, IPV4), testbed.guests[0]
    evidence.text("rules.txt", "\n".join(rule.text for rule in rules) + "\n")
    for source in _sources_of_the_subnet(testbed):
        for proto in PROTOCOLS:
            rule = outcome(rules, proto, source, ELSEWHERE)
            assert rule is None, f"{proto} from {source} is masqueraded: {rule and rule.text}"
    seen = set()
    with contextlib.ExitStack() as stack:
        stack.enter_context(route(testbed.outside, testbed.subnet, str(testbed.figures.host)))
        stack.enter_context(default_route(guest, testbed.host_address))
        stack.enter_context(forward_bypass(testbed.host, testbed.switch.name, rules))
        frames = stack.enter_context(evidence.capture(testbed.outside, OUTSIDE_NIC))
        for proto in PROTOCOLS:
            send(proto, testbed.guest_end(guest), testbed.end("outside"))
            seen |= {packet[IP].src for packet in _arrived(testbed, proto, frames)}
    evidence.reason = f"{rules.backend}: no rule for {testbed.subnet}; on the wire {sorted(seen)}"
    assert seen == {guest.address}, f"let out, the guest's packets came from {sorted(seen)}"


@pytest.mark.claims("BR-06")
def test_outside_sees_the_guest(testbed: Testbed, evidence: Evidence) -> None:
    """On a bridged network the guests' packets arrive outside with their own address and MAC.

    Preconditions:
        - an outside machine is on the physical network
        - each guest has its address
    Steps:
        1. Send ICMP, TCP and UDP from each guest to the outside, with a capture there.
    Verify:
        - the requests of each protocol arrive outside
        - their source is the guest's own MAC and address, and nothing else
    """
    [far] = testbed.ends("outside")
    for guest in testbed.guests:
        near = testbed.guest_end(guest)
        for proto in PROTOCOLS:
            with evidence.capture(testbed.outside, OUTSIDE_NIC, f"{guest.name}-{proto}") as frames:
                send(proto, near, far)
                packets = _arrived(testbed, proto, frames)
            seen = {(packet[Ether].src, packet[IP].src) for packet in packets}
            wanted = {(guest.mac, near.address)}
            assert seen == wanted, f"{proto} arrives outside from {seen}, not {wanted}"
    evidence.reason = ", ".join(f"{guest.address} at {guest.mac}" for guest in testbed.guests)
