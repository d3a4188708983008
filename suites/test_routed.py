# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks that the host routes without translation: guests keep their own address outside."""

import contextlib
import functools
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import libvirt
import pytest
from scapy.layers.inet import IP

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.host_rules import read_rules
from fixtures.packet_filter.questions import decide, outwards, surroundings
from fixtures.probe.blocking import CONTROL_WAIT_S, WAIT_S, Attempt, Blocking, attempt
from fixtures.probe.evidence import Evidence
from fixtures.probe.packets import is_request
from fixtures.probe.reach import PROTOCOLS, Proto, send_one
from fixtures.testbed.testbed import Testbed
from suites.blocked import require_blocked

# A port that nothing takes by itself: a translation would change it.
SOURCE_PORT = 777


@pytest.mark.claims("RT-01", "OP-01")
def test_xml_says_so(testbed: Testbed, evidence: Evidence) -> None:
    """The live XML has the network's forward mode, and so has its definition.

    Preconditions:
        - The network is active.
    Steps:
        1. Read the live XML and the definition that libvirt starts the network from next.
    Verify:
        - The mode of `<forward>` in each is the topology's.
    """
    wanted = testbed.topology.network.forward
    for name, flags in (("live", 0), ("inactive", libvirt.VIR_NETWORK_XML_INACTIVE)):
        xml = testbed.libvirt_network.XMLDesc(flags)
        evidence.text(f"network-{name}.xml", xml, "application/xml")
        forward = ET.fromstring(xml).find("forward")
        mode = None if forward is None else forward.get("mode")
        assert mode == wanted, f"the {name} XML has forward mode {mode}, not {wanted}"
    evidence.reason = f"forward mode {wanted} in the live XML and in the definition"


@pytest.mark.claims("RT-05", "OP-02")
def test_nothing_is_translated(testbed: Testbed, evidence: Evidence) -> None:
    """No rule translates the subnet, and no packet's source address or port changes.

    Preconditions:
        - The outside has a route to the guests' subnet.
    Steps:
        1. Read the rules of all tables, of either backend, and follow every class of packets of
           the subnet to anywhere else through them, out of the uplink.
        2. Capture outside; each guest sends ICMP, and TCP and UDP from port 777.
    Verify:
        - By the rules no class of packets gets another source.
        - Each packet arrives outside with the guest's own address and source port.
    """
    [far] = testbed.ends("outside")
    rules = read_rules(testbed.host, IPV4)
    evidence.text("rules.txt", str(rules))
    around = surroundings(
        testbed.host, IPV4, testbed.switch.name, testbed.subnet, testbed.figures.uplink
    )
    wrong = decide(outwards(rules, around, stops=False), rules, _translated)
    assert not wrong, wrong
    seen = []
    for guest in testbed.guests:
        for proto in PROTOCOLS:
            with evidence.capture(
                testbed.outside, testbed.outside_nic, f"{guest.name}-{proto}"
            ) as frames:
                send_one(proto, testbed.guest_end(guest), far, port=SOURCE_PORT)
                wanted = functools.partial(is_request, proto=proto, to=far.address)
                arrived = frames.collect(wanted)
            if not arrived:
                raise Inconclusive(frames.missing(f"a {proto} request of {guest.name}"))
            packet = arrived[0].packet[IP]
            assert packet.src == guest.address, f"{proto} of {guest.name} comes from {packet.src}"
            if proto != "icmp":
                port = packet.payload.sport
                assert port == SOURCE_PORT, f"{proto} of {guest.name} comes from port {port}"
            seen.append(f"{guest.address} {proto}")
    evidence.reason = f"no rule for {testbed.subnet}; as sent: {', '.join(seen)}"


def _translated(flow: Flow) -> str:
    """Return the words for a source that a rule translates; "": none does."""
    return f"is translated: {flow.translator}" if flow.translator else ""


@pytest.mark.claims("RT-04")
def test_outside_needs_a_route(testbed: Testbed, evidence: Evidence) -> None:
    """Without a route to the guests' subnet the outside does not reach a guest.

    Preconditions:
        - The outside has a route to the guests' subnet, by the host, and its default route by the
          physical network's router.
    Steps:
        1. The outside sends ICMP, TCP and UDP to each guest.
        2. Take the outside's route to the subnet away, and send again.
        3. Put the route back, and send again.
    Verify:
        - Answered, not answered, answered.
        - The capture at the guest's TAP shows the requests of 1 and 3, and none of 2.
    """
    tried: dict[str, Blocking] = {}
    with _default_route(testbed):
        for guest in testbed.guests:
            for proto in PROTOCOLS:
                tried[f"{guest.name} {proto}"] = Blocking(
                    _attempt(testbed, guest.name, proto, "route", evidence),
                    _without_route(testbed, guest.name, proto, evidence),
                    _attempt(testbed, guest.name, proto, "route-again", evidence),
                )
    require_blocked(tried, evidence, during="without the route", after="with the route")


def _attempt(
    testbed: Testbed, guest_name: str, proto: Proto, label: str, evidence: Evidence
) -> Attempt:
    [guest] = [each for each in testbed.guests if each.name == guest_name]
    name = f"{guest_name}-{proto}-{label}"
    wait_s = WAIT_S if label == "no-route" else CONTROL_WAIT_S
    with evidence.capture(testbed.host, guest.tap, name) as frames:
        near, far = testbed.end("outside"), testbed.guest_end(guest)
        return attempt(proto, near, far, frames, wait_s=wait_s)


def _without_route(testbed: Testbed, guest_name: str, proto: Proto, evidence: Evidence) -> Attempt:
    """Try with the outside's route to the subnet taken away."""
    subnet, host = str(testbed.subnet), str(testbed.figures.host)
    testbed.outside.netlink.route("del", dst=subnet, gateway=host)
    try:
        return _attempt(testbed, guest_name, proto, "no-route", evidence)
    finally:
        testbed.outside.netlink.route("add", dst=subnet, gateway=host)


@contextlib.contextmanager
def _default_route(testbed: Testbed) -> Iterator[None]:
    """Give the outside the physical network's router as any machine there has it."""
    router = str(testbed.figures.router)
    testbed.outside.netlink.route("add", dst="default", gateway=router)
    try:
        yield
    finally:
        testbed.outside.netlink.route("del", dst="default", gateway=router)
