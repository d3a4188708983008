# SPDX-License-Identifier: GPL-2.0-or-later
"""MTU as data: the keys, libvirt's XML of both, and the sizes of packets that are told apart."""

import json
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from fixtures.guest.domain_xml import Nic, interface_xml
from fixtures.host.command import Completed
from fixtures.probe.packet_sizes import Sized, TooLarge, sized, too_large
from fixtures.probe.reach import End, send
from topologies.data_error import DataError
from topologies.dnsmasq_options import undecided_by
from topologies.library import load
from topologies.network_import.libvirt_xml import imported, without_host
from topologies.network_import.topology_file import topology_yaml
from topologies.network_import.xml_reader import read_xml
from topologies.network_types import type_of
from topologies.network_types.libvirt_bridge import LibvirtBridge
from topologies.network_types.network_type import Breach
from topologies.schema import Network

NEAR, FAR = "10.0.0.1", "10.0.0.2"
NEAR6, FAR6 = "fd00::1", "fd00::2"


def breaches(name: str, **changed: object) -> list[Breach]:
    """Return what contradicts the type of a shipped topology's network with other keys."""
    network = load(name).network.model_copy(update=changed)
    return list(type_of(network).breaches(network))


def xml(network: Network) -> ET.Element:
    """Return a network's definition."""
    type_ = type_of(network)
    assert isinstance(type_, LibvirtBridge)
    return ET.fromstring(type_.xml(network))


def test_libvirt_is_asked_for_an_mtu_only_where_a_file_is() -> None:
    given = xml(load("nat-dual-stack").network).find("mtu")
    assert given is not None
    assert given.attrib == {"size": "9000"}
    assert xml(load("nat").network).find("mtu") is None


def test_an_mtu_is_read_from_the_xml_and_written_to_the_file() -> None:
    text = ET.tostring(xml(load("nat-dnsmasq").network), encoding="unicode")
    found = imported(read_xml(text), without_host)
    assert found.network.mtu == 9000
    assert "    mtu: 9000\n" in topology_yaml(found, "a test")
    assert not [each for each in found.reading.not_looked_at if "mtu" in each.element]


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("linux-bridge", {"mtu": 9000}, "the host gives its bridge no MTU"),
        ("passthrough", {"mtu": 9000}, "no bridge between functions"),
        ("nat-dual-stack", {"mtu": 1279}, "expected 1280 or more"),
    ],
)
def test_an_mtu_that_the_network_cannot_have_is_refused(
    name: str, changed: dict[str, object], said: str
) -> None:
    [found] = breaches(name, **changed)
    assert found.key == "mtu"
    assert said in found.what


def test_an_mtu_of_ipv4_alone_may_be_smaller() -> None:
    assert not breaches("nat-dnsmasq", mtu=576)
    assert not breaches("nat-dual-stack", mtu=1280)


def test_a_nic_has_an_mtu_only_where_it_is_given() -> None:
    nic = Nic("network", "lab", "52:54:00:00:00:01", "virtio")
    assert "<mtu" not in interface_xml(nic)
    own = interface_xml(Nic("network", "lab", nic.mac, "virtio", mtu=1400))
    assert '<mtu size="1400" />' in own


def test_an_mtu_by_an_option_of_the_users_own_decides_nothing() -> None:
    for option in ("dhcp-option=26,1400", "dhcp-option=option:mtu,1400"):
        assert set(undecided_by(option)) == {"MT-01", "MT-02", "MT-03", "MT-04"}


def on_the_wire(packet: Packet) -> Packet:
    """Return a packet as a capture has it."""
    return Ether(bytes(Ether() / packet))


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (IP(src=NEAR, dst=FAR) / ICMP() / Raw(bytes(72)), Sized(NEAR, FAR, 100, False, True)),
        (IP(src=NEAR, dst=FAR, flags="MF") / Raw(bytes(8)), Sized(NEAR, FAR, 28, True, False)),
        (IP(src=NEAR, dst=FAR, frag=9) / Raw(bytes(8)), Sized(NEAR, FAR, 28, True, False)),
        (IP(src=NEAR, dst=FAR) / UDP(dport=9) / Raw(b"12"), Sized(NEAR, FAR, 30, False, False)),
        (
            IPv6(src=NEAR6, dst=FAR6) / ICMPv6EchoRequest(data=bytes(52)),
            Sized(NEAR6, FAR6, 100, False, True),
        ),
        (
            IPv6(src=NEAR6, dst=FAR6) / IPv6ExtHdrFragment(m=1) / ICMPv6EchoRequest(data=bytes(44)),
            Sized(NEAR6, FAR6, 100, True, True),
        ),
        (ARP(pdst=FAR), None),
    ],
)
def test_the_size_of_a_packet_is_that_of_ip(packet: Packet, expected: Sized | None) -> None:
    assert sized(on_the_wire(packet)) == expected


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (
            IP(src=NEAR) / ICMP(type=3, code=4, nexthopmtu=1400) / IP(dst=FAR) / UDP(),
            TooLarge(NEAR, 1400),
        ),
        (IP(src=NEAR) / ICMP(type=3, code=1) / IP(dst=FAR) / UDP(), None),
        (IP(src=NEAR) / ICMP(), None),
        (IPv6(src=NEAR6) / ICMPv6PacketTooBig(mtu=1400) / IPv6(dst=FAR6), TooLarge(NEAR6, 1400)),
        (IPv6(src=NEAR6) / ICMPv6EchoRequest(), None),
    ],
)
def test_a_routers_word_has_the_mtu_of_the_next_hop(
    packet: Packet, expected: TooLarge | None
) -> None:
    assert too_large(on_the_wire(packet)) == expected


class Said:
    """Runs a probe by what the tool is to print, once for each time that it is run."""

    name = "near"

    def __init__(self, *outputs: dict[str, object]) -> None:
        self.outputs = list(outputs)

    def run(self, argv: Sequence[str], *, deadline_s: float = 1.0, check: bool = True) -> Completed:
        """Print the next one."""
        del deadline_s, check
        printed = self.outputs.pop(0)
        status = 1 if printed["unanswered"] else 0
        return Completed(self.name, tuple(argv), status, json.dumps(printed), "", 0.0)


def printed(sent: int, unanswered: list[int], error: str | None = None) -> dict[str, object]:
    """Return what the tool prints."""
    answered = sent - len(unanswered)
    return {"sent": sent, "answered": answered, "unanswered": unanswered, "error": error}


def answers(*outputs: dict[str, object]) -> tuple[int, int, int]:
    """Return what was sent and answered by a probe, and how many runs of the tool were left."""
    near = Said(*outputs)
    answer = send("udp", End(near, NEAR, "tool"), End(Said(), FAR, "tool"))
    return answer.sent, answer.answered, len(near.outputs)


def test_what_a_smaller_hop_refused_is_sent_anew() -> None:
    told, then = printed(4, [4000], "EMSGSIZE"), printed(1, [])
    assert answers(told, then) == (4, 4, 0)


@pytest.mark.parametrize(
    "first",
    [
        printed(4, [4000]),
        printed(4, [4000], "EHOSTUNREACH"),
        printed(4, [1472, 4000], "EMSGSIZE"),
        printed(4, []),
    ],
)
def test_nothing_else_is_sent_anew(first: dict[str, object]) -> None:
    assert answers(first, printed(1, []))[2] == 1


def test_what_is_lost_even_then_stays_lost() -> None:
    told, then = printed(4, [4000], "EMSGSIZE"), printed(1, [4000], "EMSGSIZE")
    assert answers(told, then) == (4, 3, 0)


def test_an_mtu_that_is_no_number_is_refused_with_its_line() -> None:
    text = ET.tostring(xml(load("nat-dnsmasq").network), encoding="unicode")
    with pytest.raises(DataError, match='size="large"; expected a number of octets') as refused:
        imported(read_xml(text.replace('size="9000"', 'size="large"')), without_host)
    assert refused.value.field == "network/mtu"
    assert refused.value.line == text[: text.index("<mtu")].count("\n") + 1
