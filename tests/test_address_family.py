# SPDX-License-Identifier: GPL-2.0-or-later
"""Address families: found by an address, an axis of reach cells, never written as a number."""

import ast
import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from contracts.address_family import FAMILIES, IPV4, IPV6, family_of
from fixtures.plugin.collection import Cell
from fixtures.probe.packets import LAYERS, carries, is_request, protocol_number, sender
from fixtures.probe.reach import ECHO_PORT, PROTOCOLS, full_payload
from reports.record_types import Reach
from topologies.library import load, names

ROOT = Path(__file__).resolve().parent.parent
AF = re.compile(r"\bAF_[A-Z0-9]+\b")
FAR = "203.0.113.1"


@pytest.mark.parametrize(
    "address",
    [
        *(FAR, f"{FAR}/24", "203.0.113.0/24"),
        *(IPv4Address(FAR), IPv4Network("203.0.113.0/24")),
    ],
)
def test_an_ipv4_address_is_of_ipv4(address: str | IPv4Address | IPv4Network) -> None:
    assert family_of(address) is IPV4


@pytest.mark.parametrize(
    "address",
    ["2001:db8::1", "2001:db8::/64", IPv6Address("::1"), IPv6Network("2001:db8::/64")],
)
def test_an_ipv6_address_is_of_ipv6(address: str | IPv6Address | IPv6Network) -> None:
    assert family_of(address) is IPV6


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="bridge"):
        family_of("bridge")


def test_no_two_families_share_a_name() -> None:
    for key in ("name", "version", "af", "iproute", "nft", "iptables", "forwarding", "icmp"):
        assert len({getattr(family, key) for family in FAMILIES}) == len(FAMILIES), key


def test_every_family_can_be_recognised_in_a_capture() -> None:
    assert set(LAYERS) == set(FAMILIES)


def test_a_full_frame_is_as_large_as_ethernet_allows() -> None:
    assert len(IP() / UDP() / bytes(full_payload(IPV4))) == 1500
    assert len(IP() / ICMP() / bytes(full_payload(IPV4))) == 1500
    assert len(IPv6() / UDP() / bytes(full_payload(IPV6))) == 1500


def test_protocol_numbers_are_those_in_the_header() -> None:
    numbers = {proto: protocol_number(proto, IPV4) for proto in PROTOCOLS}
    assert numbers == {"icmp": 1, "tcp": 6, "udp": 17}
    assert protocol_number("icmp", IPV6) == 58


def test_a_fragment_carries_its_datagrams_protocol() -> None:
    whole, part = (IPv6() / UDP()), IPv6() / IPv6ExtHdrFragment(nh=17, offset=1) / b"."
    assert [carries(each, IPV6, 17) for each in (whole, part, IP() / UDP())] == [True, True, False]
    assert carries(IP() / UDP(), IPV4, 17)


FAR6 = "2001:db8::1"


@pytest.mark.parametrize(
    ("packet", "is_it"),
    [
        (IPv6(dst=FAR6) / ICMPv6EchoRequest(), True),
        (IPv6(dst=FAR6) / ICMPv6EchoReply(), False),
        (IPv6(dst="2001:db8::2") / ICMPv6EchoRequest(), False),
        (IP(dst=FAR) / ICMP(type="echo-request"), False),
    ],
)
def test_requests_of_ipv6_are_recognised(packet: Packet, is_it: bool) -> None:
    assert is_request(Ether() / packet, "icmp", FAR6) is is_it


@pytest.mark.parametrize(
    ("packet", "is_it"),
    [
        (IP(dst=FAR) / ICMP(type="echo-request"), True),
        (IP(dst=FAR) / ICMP(type="echo-reply"), False),
        (IP(dst="203.0.113.2") / ICMP(type="echo-request"), False),
        (IPv6(dst="2001:db8::1") / UDP(dport=ECHO_PORT), False),
        (ARP(pdst=FAR), False),
    ],
)
def test_requests_are_recognised_by_the_family_of_their_destination(
    packet: Packet, is_it: bool
) -> None:
    assert is_request(Ether() / packet, "icmp", FAR) is is_it


def test_a_frame_says_who_sent_it() -> None:
    assert sender(Ether() / IP(src=FAR)) == FAR
    assert sender(Ether() / ARP(psrc=FAR)) == FAR
    assert sender(Ether() / b"") is None


@pytest.mark.parametrize("name", names())
def test_a_shipped_topology_has_ipv6_where_it_has_an_address_of_it(name: str) -> None:
    topology = load(name)
    wanted = (IPV4,) if topology.network.address6 is None else (IPV4, IPV6)
    assert topology.families == wanted
    assert (IPV6 in wanted) == name.endswith("-dual-stack")


def test_the_first_family_does_not_show_in_the_id_of_a_cell() -> None:
    promise = load("nat").promises[0]
    cell = Cell(promise, "icmp", IPV4)
    assert cell.id == f"{promise.from_}-to-{promise.to}-icmp"
    assert Cell(promise, "icmp", IPV6).id == f"{cell.id}-ipv6"


def test_a_record_from_before_families_is_read_as_of_ipv4() -> None:
    old = {"from": "guest", "to": "host", "protocol": "icmp", "promised": True}
    assert Reach.model_validate(old).family == "ipv4"


def _numbers_of_families(tree: ast.AST) -> Iterator[int]:
    """Give the lines on which an address family is written as a number."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="family", value=ast.Constant(value=int())):
                yield node.value.lineno
            case ast.Assign(targets=[target], value=value) if AF.search(ast.unparse(target)):
                if any(
                    isinstance(n, ast.Constant) and type(n.value) is int for n in ast.walk(value)
                ):
                    yield node.lineno
            case ast.Call(func=ast.Attribute(attr="socket"), args=[ast.Constant(value=int()), *_]):
                yield node.lineno


@pytest.mark.parametrize(
    "source",
    ["get_addr(family=2)", "AF_INET, AF_INET6 = 2, 10", "AF_INET = 2", "machine.socket(2, 1)"],
)
def test_a_number_for_a_family_is_found(source: str) -> None:
    assert list(_numbers_of_families(ast.parse(source))) == [1]


def test_no_source_file_writes_a_family_as_a_number() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line}"
        for folder in ("fixtures", "suites", "topologies", "launcher")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for line in _numbers_of_families(ast.parse(file.read_text()))
    ]
    assert not wrong, wrong
