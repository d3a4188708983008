# SPDX-License-Identifier: GPL-2.0-or-later
"""Router advertisements of the physical network, as they pass a bridge to the guests."""

import functools
import json
from ipaddress import IPv6Address
from typing import Any

import pytest
from scapy.packet import Packet

from contracts.address_family import IPV6
from fixtures.host.links import link_mac
from fixtures.host.machine import Machine
from fixtures.probe.advertisement import (
    is_advertisement,
    read_advertisement,
    solicit,
    solicitation,
)
from fixtures.probe.captures import captured
from fixtures.probe.evidence import Evidence
from fixtures.testbed.physical_network import LAN_BRIDGE
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause

HOP_LIMIT = 255
ANSWERS_WITHIN_S = 1.0


@pytest.mark.claims("V6-30")
def test_advertisements_pass_the_bridge(testbed: Testbed, evidence: Evidence) -> None:
    """A guest asks the physical network's router, and gets its advertisement unchanged.

    Source: RFC 4861, 4.2 and 6.1: a bridge is no router, so hop limit, addresses and options are
    those of the sender.

    Preconditions:
        - the physical network has a router that advertises its prefix, and its switch can be
          captured on
    Steps:
        1. For each guest: capture on the guest's TAP and on the router's end of each cable of the
           uplink, and send a router solicitation from the guest.
        2. Read the router's link-local addresses.
    Verify:
        - the guest's solicitation arrives on a cable octet for octet
        - an advertisement comes to the guest
        - each that comes to the guest is on a cable octet for octet, with hop limit 255
        - each is the router's: from a link-local address and the MAC of its own, with the physical
          network's prefix alone, and as a default router
    """
    lan, prefix, reasons = testbed.lan, testbed.subnet_of(IPV6), []
    # A bond takes and sends by one of its NICs, not always by the first.
    ports = testbed.beyond.uplink.switch_ports
    own = _link_local(lan, LAN_BRIDGE)
    mac = link_mac(lan, LAN_BRIDGE)
    for guest in testbed.guests:
        with (
            captured(evidence, lan, ports, guest.name) as cable,
            evidence.capture(testbed.host, guest.tap) as tap,
        ):
            solicit(guest, tap)
            # Another router may wait half a second with its answer (RFC 4861, 6.2.6).
            pause(ANSWERS_WITHIN_S)
            asked = cable.collect(functools.partial(_is_same, bytes(solicitation(guest.mac))))
            assert asked, cable.missing(f"the router solicitation of {guest.name}")
            passed = [frame.packet for frame in tap.frames(is_advertisement)]
            sent = {bytes(frame.packet) for frame in cable.frames(is_advertisement)}
        seen = [read_advertisement(packet) for packet in passed]
        assert seen, f"no router advertisement came to {guest.name}, which asked for one"
        for each, packet in zip(seen, passed, strict=True):
            assert bytes(packet) in sent, f"what came to {guest.name} was not on the cable: {each}"
            assert (each.source in own, each.mac) == (True, mac), (
                f"another router than {mac} advertises, {each.mac}: {each}"
            )
            assert each.hop_limit == HOP_LIMIT, f"its hop limit is {each.hop_limit}: {each}"
            assert [p.prefix for p in each.prefixes] == [prefix], f"expected {prefix}: {each}"
            assert each.lifetime_s > 0, f"it is no default router: {each}"
        reasons.append(f"{guest.name}: {seen[-1]}")
    evidence.reason = "; ".join(reasons)


def _is_same(octets: bytes, packet: Packet) -> bool:
    return bytes(packet) == octets


def _link_local(machine: Machine, link: str) -> set[IPv6Address]:
    argv = ["ip", IPV6.option, "-json", "address", "show", "dev", link, "scope", "link"]
    found: list[dict[str, Any]] = json.loads(machine.run(argv).stdout)
    return {IPv6Address(entry["local"]) for each in found for entry in each["addr_info"] if entry}
