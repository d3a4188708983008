# SPDX-License-Identifier: GPL-2.0-or-later
"""Definitions of libvirt networks, and what rules name them."""

from ipaddress import IPv4Address, IPv4Network
from xml.etree import ElementTree as ET

import pytest

from fixtures.probe.libvirt_leftovers import _names
from fixtures.switch.libvirt_network import SPARE, beside, definition
from topologies import library


def test_a_network_beside_another_is_defined_like_it() -> None:
    first = library.load("nat1").network
    second = beside(first, "plumb-two", [IPv4Network("192.168.66.0/24")])
    mine, theirs = ET.fromstring(definition(second)), ET.fromstring(definition(first))
    assert mine.findtext("name") == "plumb-two"
    [bridge], [their_bridge] = mine.findall("bridge"), theirs.findall("bridge")
    assert bridge.attrib == their_bridge.attrib | {"name": "plumb-two"}
    assert [e.attrib for e in mine.findall("forward")] == [{"mode": "nat"}]
    assert mine.find("uuid") is None
    assert mine.find("mac") is None


def test_a_network_beside_another_has_addresses_of_its_own() -> None:
    taken = [IPv4Network("198.18.0.0/24"), IPv4Network("198.18.1.0/25"), IPv4Network("10.0.0.0/8")]
    second = beside(library.load("nat").network, "plumb-two", taken)
    assert second.subnet is not None
    assert second.subnet.subnet_of(SPARE)
    assert not any(second.subnet.overlaps(other) for other in taken)
    assert second.address is not None
    assert second.dhcp_range is not None
    assert second.address.ip not in second.dhcp_range
    assert second.dhcp_range.size == 253
    assert IPv4Address(int(second.dhcp_range.end)) in second.subnet


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("-A LIBVIRT_FWO -s 198.18.0.0/24 -i plumb-two -j ACCEPT", True),
        ("-A LIBVIRT_FWX -i plumb-two -o plumb-two -j ACCEPT", True),
        ('iifname "plumb-two" counter accept', True),
        ("ip saddr 198.18.0.0/24 ip daddr 224.0.0.0/24 counter return", True),
        ("ip saddr { 198.18.0.0/24, 10.0.0.0/8 } accept", True),
        ("-A LIBVIRT_FWO -s 198.18.0.0/25 -i plumb-two2 -j ACCEPT", False),
        (":LIBVIRT_PRT - [0:0]", False),
    ],
)
def test_a_rule_names_a_network_by_its_bridge_or_its_subnet(line: str, named: bool) -> None:
    assert _names(line, "plumb-two", "198.18.0.0/24") == named
