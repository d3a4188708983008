# SPDX-License-Identifier: GPL-2.0-or-later
"""The collector's readers: datagrams as the RFC and sFlow's text have them."""

import struct
from ipaddress import IPv4Address

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether

from fixtures.probe.flow_export import Flow, _ipfix, _sflow

GUEST, HOST = "192.168.122.92", "192.168.122.1"
# The name of the way in and of the way out (82, of variable length), an enterprise's own element,
# protocol, source port and addresses.
TEMPLATE = struct.pack("!HH", 256, 7) + b"".join(
    (
        struct.pack("!HHHH", 82, 0xFFFF, 82, 0xFFFF),
        struct.pack("!HHI", 0x8000 | 891, 1, 6876),
        struct.pack("!HHHHHHHH", 4, 1, 7, 2, 8, 4, 12, 4),
    )
)


def message(*sets: tuple[int, bytes]) -> bytes:
    """Return an IPFIX message of sets."""
    body = b"".join(struct.pack("!HH", number, 4 + len(each)) + each for number, each in sets)
    return struct.pack("!HHIII", 10, 16 + len(body), 0, 1, 0) + body


def record(protocol: int, port: int) -> bytes:
    """Return a record of that template."""
    ends = IPv4Address(GUEST).packed + IPv4Address(HOST).packed
    return b"\x05vnet0\x00\x01" + struct.pack("!BH", protocol, port) + ends


def test_ipfix_needs_the_template_first_and_reads_udp_alone() -> None:
    data = (256, record(17, 20001) + record(6, 20002) + record(17, 20003) + b"\x00\x00")
    assert _ipfix([message(data)]) == []
    assert _ipfix([message((2, TEMPLATE)), message(data)]) == [
        Flow(GUEST, HOST, 20001),
        Flow(GUEST, HOST, 20003),
    ]


def test_ipfix_of_another_template_is_left_out() -> None:
    assert _ipfix([message((2, TEMPLATE)), message((257, record(17, 20001)))]) == []


def test_sflow_reads_the_first_octets_of_a_sampled_packet() -> None:
    for packet, flows in (
        (Ether() / IP(src=GUEST, dst=HOST) / UDP(sport=20001), [Flow(GUEST, HOST, 20001)]),
        (Ether() / IP(src=GUEST, dst=HOST) / ICMP(), []),
    ):
        head = bytes(packet)
        raw = struct.pack("!4I", 1, len(head), 4, len(head)) + head + bytes(-len(head) % 4)
        # Another record first, which has none of a packet's octets.
        records = struct.pack("!2I", 1001, 4) + bytes(4) + struct.pack("!2I", 1, len(raw)) + raw
        sample = struct.pack("!8I", 1, 1, 1, 1, 0, 1, 2, 2) + records
        datagram = struct.pack("!3I4I", 5, 1, 0x7F000001, 0, 1, 0, 2)
        counters = struct.pack("!2I", 2, 4) + bytes(4)
        assert _sflow([datagram + counters + struct.pack("!2I", 1, len(sample)) + sample]) == flows
