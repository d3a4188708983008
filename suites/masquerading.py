# SPDX-License-Identifier: GPL-2.0-or-later
"""What the masquerading rules of a host mean for a subnet, of either address family."""

import contextlib
import functools
import ipaddress

from scapy.packet import Packet

from contracts.address_family import AddressFamily
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
from fixtures.probe.packets import is_request, sender
from fixtures.probe.reach import PROTOCOLS, Proto, send
from fixtures.testbed.testbed import Testbed

NAT_PORTS = range(1024, 65536)
MAPPED = (NAT_PORTS[0], NAT_PORTS[-1])
TCP, UDP = (Spans.one(PROTOCOL_NUMBERS[name]) for name in ("tcp", "udp"))
REST = EVERY_PROTOCOL - TCP - UDP


def requests_outside(
    testbed: Testbed, proto: Proto, family: AddressFamily, frames: Capture, count: int = 1
) -> list[Packet]:
    """Return the guests' requests that were seen outside, as soon as there are `count`."""
    to = testbed.end("outside", family).address
    found = frames.collect(lambda p: is_request(p, proto, to), count=count)
    return [frame.packet for frame in found]


def require_masqueraded(testbed: Testbed, evidence: Evidence, family: AddressFamily) -> None:
    """Assert that the rules masquerade the subnet to anywhere else, and nothing on its link."""
    rules, around = read_rules(testbed.host, family), _around(testbed, family)
    evidence.text("rules.txt", str(rules))
    asked = 0
    for name, protocols, ports in (
        ("tcp", TCP, MAPPED),
        ("udp", UDP, MAPPED),
        ("rest", REST, None),
    ):
        flows = outwards(rules, around, protocols, stops=False)
        asked += len(flows)
        wrong = decide(flows, rules, functools.partial(_not_mapped, testbed, family, ports))
        assert not wrong, f"{name}: {wrong}"
    flows = on_the_link(rules, around)
    wrong = decide(flows, rules, _masqueraded)
    assert not wrong, wrong
    evidence.reason = (
        f"{len(list(rules))} rules of {len(rules.tables)} tables part the subnet's packets to "
        f"anywhere else into {asked} classes, all masqueraded to the right ports; "
        f"{len(flows)} classes stay on the link"
    )


def require_no_masquerading(testbed: Testbed, evidence: Evidence, family: AddressFamily) -> None:
    """Assert that no rule gives the subnet another source, nor any packet that is let out.

    Raises:
        Inconclusive: a packet that is let out does not arrive outside.
    """
    rules = read_rules(testbed.host, family)
    evidence.text("rules.txt", str(rules))
    flows = outwards(rules, _around(testbed, family), stops=False)
    wrong = decide(flows, rules, _masqueraded)
    assert not wrong, wrong
    evidence.reason = (
        f"{len(flows)} classes of packets of {testbed.subnet_of(family)}, none translated"
    )
    if not testbed.topology.origin.is_the_runs:
        return
    far, seen = testbed.end("outside", family), dict[str, set[str]]()
    with contextlib.ExitStack() as stack:
        stack.enter_context(testbed.way_from_outside(family))
        for guest in testbed.guests:
            own = default_route(guest, testbed.host_address_of(family))
            stack.enter_context(own)
        stack.enter_context(forwarding(testbed.host, family, testbed.host_links))
        bypass = forward_bypass(testbed.host, testbed.switch.name, rules)
        refused = stack.enter_context(bypass)
        for near in testbed.ends("guest", family):
            place = testbed.outside, testbed.outside_nic, near.name
            with evidence.capture(*place) as frames:
                for proto in PROTOCOLS:
                    send(proto, near, far)
                    arrived = requests_outside(testbed, proto, family, frames)
                    if not arrived:
                        failed = frames.missing(f"a request of {near.name} by {proto}, let out")
                        raise Inconclusive(f"control failed, {'; '.join([failed, *refused])}")
                    sources = {str(sender(packet)) for packet in arrived}
                    seen[near.address] = seen.get(near.address, set()) | sources
    evidence.reason += f"; on the wire {', '.join(seen)}"
    for address, sources in seen.items():
        assert sources == {address}, f"let out, packets of {address} came from {sorted(sources)}"


def _around(testbed: Testbed, family: AddressFamily) -> Surroundings:
    subnet = testbed.subnet_of(family)
    link = testbed.way_out(family).link
    return surroundings(testbed.host, family, testbed.switch.name, subnet, link)


def _masqueraded(flow: Flow) -> str:
    """Return the words for a translated source; "": it is kept."""
    return f"is masqueraded: {flow.translator}" if flow.translator else ""


def _not_mapped(
    testbed: Testbed, family: AddressFamily, ports: tuple[int, int] | None, flow: Flow
) -> str:
    """Return the words for a source that is not masqueraded to these ports; "": it is."""
    address = testbed.way_out(family).address
    uplink = None if address is None else Spans.one(int(ipaddress.ip_address(address)))
    if not flow.translator:
        return f"is not masqueraded ({flow.by})"
    if flow.addresses not in (None, uplink):
        given = flow.addresses.addresses(family)
        return f"is given the source {given}, not the uplink's: {flow.translator}"
    if flow.ports != ports:
        return f"is masqueraded {_to(flow.ports)}, not {_to(ports)}: {flow.translator}"
    return ""


def _to(ports: tuple[int, int] | None) -> str:
    return "without a range of ports" if ports is None else f"to ports {ports[0]}–{ports[1]}"
