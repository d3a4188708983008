# SPDX-License-Identifier: GPL-2.0-or-later
"""The time within which a new port passes a frame; and who opened a connection, by a raw frame."""

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from fixtures.probe.packets import opened_from
from topologies.library import load
from topologies.network_types import type_of


@pytest.mark.parametrize(
    ("topology", "stp", "delay_s", "wanted"),
    [
        ("nat", None, None, 4),
        ("nat", False, None, 2),
        ("nat", True, 15, 30),
        ("linux-bridge", None, None, 2),
        ("linux-bridge", True, None, 30),
        ("linux-bridge", True, 3, 6),
        ("ovs", None, None, 2),
    ],
)
def test_first_frame(topology: str, stp: bool | None, delay_s: int | None, wanted: int) -> None:
    network = load(topology).network.model_copy(update={"stp": stp, "forward_delay_s": delay_s})
    assert type_of(network).first_frame_s(network) == wanted


def test_who_opened_a_connection() -> None:
    ends = IP(src="192.0.2.1", dst="192.0.2.2")
    opening = Ether() / ends / TCP(sport=4711, dport=7777, flags="S")
    assert opened_from(bytes(opening), "192.0.2.2", 7777) == ("192.0.2.1", 4711)
    for other in (
        Ether() / ends / TCP(sport=4711, dport=7777, flags="SA"),
        Ether() / ends / TCP(sport=4711, dport=7777, flags="A"),
        Ether() / ends / TCP(sport=4711, dport=22, flags="S"),
        Ether() / IP(src="192.0.2.1", dst="192.0.2.3") / TCP(dport=7777, flags="S"),
        Ether() / ends / UDP(dport=7777),
        Ether() / ARP(),
    ):
        assert opened_from(bytes(other), "192.0.2.2", 7777) is None
