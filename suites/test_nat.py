# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose address the outside sees, and what the masquerading rules mean."""

import contextlib
import functools
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.guest.guest import default_route
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.host_rules import read_rules
from fixtures.packet_filter.packets import OCTET as EVERY_PROTOCOL
from fixtures.packet_filter.packets import PROTOCOLS as PROTOCOL_NUMBERS
from fixtures.packet_filter.questions import (
    Surroundings,
    decide,
    on_the_link,
    outwards,
    surroundings,
)
from fixtures.packet_filter.spans import Spans
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.forward_bypass import forward_bypass, forwarding
from fixtures.probe.packets import is_request
from fixtures.probe.reach import PROTOCOLS, Proto, send, send_one
from fixtures.testbed.testbed import Testbed

NAT_PORTS = range(1024, 65536)
# Below the range: kept as it is, it would show that no range is applied.
PRIVILEGED_PORT = 777
MAPPED = (NAT_PORTS[0], NAT_PORTS[-1])
TCP, UDP = (Spans.one(PROTOCOL_NUMBERS[name]) for name in ("tcp", "udp"))
REST = EVERY_PROTOCOL - TCP - UDP


def _requests(testbed: Testbed, proto: Proto, frames: Capture, count: int = 1) -> list[Packet]:
    """Return the guests' requests that were seen outside, as soon as there are `count`."""
    to = testbed.end("outside").address
    found = frames.collect(lambda p: is_request(p, proto, to), count=count)
    return [frame.packet for frame in found]


def _arrived(testbed: Testbed, proto: Proto, frames: Capture, count: int = 1) -> list[Packet]:
    """Return the guests' requests that were seen outside; the claim is that they are."""
    found = _requests(testbed, proto, frames, count)
    what = f"{count} {proto} requests of a guest ({len(found)} seen)"
    assert len(found) >= count, frames.missing(what)
    return found


def _around(testbed: Testbed) -> Surroundings:
    return surroundings(testbed.host, IPV4, testbed.switch.name, testbed.subnet, testbed.uplink)


def _masqueraded(flow: Flow) -> str:
    """Return the words for a translated source; "": it is kept."""
    return f"is masqueraded: {flow.translator}" if flow.translator else ""


def _not_mapped(testbed: Testbed, ports: tuple[int, int] | None, flow: Flow) -> str:
    """Return the words for a source that is not masqueraded to these ports; "": it is."""
    uplink = Spans.one(int(IPv4Address(testbed.uplink_address)))
    if not flow.translator:
        return f"is not masqueraded ({flow.by})"
    if flow.addresses not in (None, uplink):
        given = flow.addresses.addresses(IPV4)
        return f"is given the source {given}, not the uplink's: {flow.translator}"
    if flow.ports != ports:
        return f"is masqueraded {_to(flow.ports)}, not {_to(ports)}: {flow.translator}"
    return ""


def _to(ports: tuple[int, int] | None) -> str:
    return "without a range of ports" if ports is None else f"to ports {ports[0]}–{ports[1]}"


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
    rules, around = read_rules(testbed.host, IPV4), _around(testbed)
    evidence.text("rules.txt", str(rules))
    asked = 0
    for name, protocols, ports in (
        ("tcp", TCP, MAPPED),
        ("udp", UDP, MAPPED),
        ("rest", REST, None),
    ):
        flows = outwards(rules, around, protocols, stops=False)
        asked += len(flows)
        wrong = decide(flows, rules, functools.partial(_not_mapped, testbed, ports))
        assert not wrong, f"{name}: {wrong}"
    flows = on_the_link(rules, around)
    wrong = decide(flows, rules, _masqueraded)
    assert not wrong, wrong
    evidence.reason = (
        f"{len(list(rules))} rules of {len(rules.tables)} tables part the subnet's packets to "
        f"anywhere else into {asked} classes, all masqueraded to the right ports; "
        f"{len(flows)} classes stay on the link"
    )


@pytest.mark.claims("IS-04")
def test_isolated_is_not_masqueraded(testbed: Testbed, evidence: Evidence) -> None:
    """No rule masquerades an isolated subnet; a packet let out would keep the guest's address.

    Preconditions:
        - the guests have their addresses, and an outside machine is on the uplink
    Steps:
        1. Read the rules of iptables, of either variant, and of nftables; part the packets of the
           subnet to anywhere else into classes by every address, port and protocol that a rule
           looks at, and follow each class through the rules, as if none were dropped.
        2. Give the outside a route to the subnet and the first guest a default route, and let the
           packet filter accept everything of the bridge, and the kernel forward it.
        3. Send ICMP, TCP and UDP from that guest to the outside, with a capture there.
    Verify:
        - no class is given another source
        - outside, the requests come from the guest's own address alone
        - control: no class depends on a condition that is not understood, and let out, requests of
          each protocol arrive outside; else the check is inconclusive
        - nothing is let out of an existing network: there the rules decide
    """
    rules, guest = read_rules(testbed.host, IPV4), testbed.guests[0]
    evidence.text("rules.txt", str(rules))
    flows = outwards(rules, _around(testbed), stops=False)
    wrong = decide(flows, rules, _masqueraded)
    assert not wrong, wrong
    evidence.reason = f"{len(flows)} classes of packets of {testbed.subnet}, none translated"
    if not testbed.topology.origin.is_the_runs:
        return
    seen = set()
    with contextlib.ExitStack() as stack:
        stack.enter_context(testbed.way_from_outside())
        stack.enter_context(default_route(guest, testbed.host_address))
        stack.enter_context(forwarding(testbed.host, IPV4, testbed.host_links))
        bypass = forward_bypass(testbed.host, testbed.switch.name, rules)
        refused = stack.enter_context(bypass)
        frames = stack.enter_context(evidence.capture(testbed.outside, testbed.outside_nic))
        for proto in PROTOCOLS:
            send(proto, testbed.guest_end(guest), testbed.end("outside"))
            arrived = _requests(testbed, proto, frames)
            if not arrived:
                failed = frames.missing(f"a request by {proto}, let out")
                raise Inconclusive(f"control failed, {'; '.join([failed, *refused])}")
            seen |= {packet[IP].src for packet in arrived}
    evidence.reason += f"; on the wire {sorted(seen)}"
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
            with evidence.capture(
                testbed.outside, testbed.outside_nic, f"{guest.name}-{proto}"
            ) as frames:
                send(proto, near, far)
                packets = _arrived(testbed, proto, frames)
            seen = {(packet[Ether].src, packet[IP].src) for packet in packets}
            wanted = {(guest.mac, near.address)}
            assert seen == wanted, f"{proto} arrives outside from {seen}, not {wanted}"
    evidence.reason = ", ".join(f"{guest.address} at {guest.mac}" for guest in testbed.guests)
