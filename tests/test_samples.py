# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples of ports and protocols: what is one, and what is not."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from fixtures.probe.samples import SAMPLES, Sample, sample_of

NEAR, FAR = "192.0.2.1", "203.0.113.1"


@pytest.mark.parametrize(
    ("packet", "sample"),
    [
        (IP(src=NEAR, dst=FAR) / TCP(dport=22), Sample("tcp", 22)),
        (IP(src=NEAR, dst=FAR) / UDP(dport=53), Sample("udp", 53)),
        (IP(src=NEAR, dst=FAR) / ICMP(type="echo-request"), Sample("icmp")),
        (IP(src=NEAR, dst=FAR) / ICMP(type="echo-reply"), None),
        (IP(src=NEAR, dst=FAR) / TCP(sport=22, dport=7777), None),
        (IP(src=FAR, dst=NEAR) / TCP(dport=22), None),
        (IP(src="192.0.2.2", dst=FAR) / TCP(dport=22), None),
        (ARP(), None),
    ],
)
def test_a_sample_is_known_by_its_ends_and_its_port(packet: Packet, sample: Sample | None) -> None:
    assert sample_of(Ether() / packet, {NEAR}, FAR) == sample


def test_samples_are_of_every_protocol_and_each_once() -> None:
    assert len(SAMPLES) == 11
    assert {sample.proto for sample in SAMPLES} == {"icmp", "tcp", "udp"}
    assert sorted(map(str, SAMPLES))[:2] == ["icmp", "tcp 22"]
