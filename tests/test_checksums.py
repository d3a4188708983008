# SPDX-License-Identifier: GPL-2.0-or-later
"""What the checksum of a captured frame is: right, pending or wrong."""

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from fixtures.errors import Inconclusive
from fixtures.host.frame_source import Frame
from fixtures.host.vlan_tag import AUXDATA, CHECKSUM_NOT_READY, is_checksum_pending
from fixtures.probe.checksums import AT_A_TAP, ON_A_WIRE, Passed, checksum, checksums, require_found

ENDS = IP(src="192.0.2.1", dst="192.0.2.2")
# The sum of the pseudo header: the addresses, UDP, and 12 octets of datagram.
SEED = (0xC000 + 0x0201 + 0xC000 + 0x0202 + 17 + 12) % 0xFFFF


def frame(packet: Packet, *, pending: bool = False) -> Frame:
    return Frame(0.0, bytes(Ether() / packet), False, pending)


def state(packet: Packet, *, pending: bool = False) -> str | None:
    found = checksum(frame(packet, pending=pending))
    return found and found.state


@pytest.mark.parametrize("said", [b"", b"odd", b"even", b"x" * 1000])
@pytest.mark.parametrize("transport", [TCP, UDP])
def test_a_complete_checksum(transport: type[Packet], said: bytes) -> None:
    segment = transport(sport=7777, dport=40000)
    assert state(ENDS / segment / Raw(said)) == "right"
    segment.chksum = 0x1234
    assert state(ENDS / segment / Raw(said)) == "wrong"


def test_a_short_frame_is_padded() -> None:
    short = bytes(Ether() / ENDS / UDP() / Raw(b"said"))
    found = checksum(Frame(0.0, short + b"\1" * 14, False))
    assert found is not None
    assert found.state == "right"


def test_a_pending_one_is_that_of_the_pseudo_header() -> None:
    for field, wanted in ((SEED, "pending"), (SEED + 1, "wrong")):
        packet = ENDS / UDP(chksum=field) / Raw(b"said")
        assert state(packet, pending=True) == wanted
        assert state(packet) == "wrong"


def test_udp_may_have_none_and_tcp_may_not() -> None:
    assert state(ENDS / UDP(chksum=0) / Raw(b"said")) == "right"
    assert state(ENDS / TCP(chksum=0) / Raw(b"said")) == "wrong"


@pytest.mark.parametrize("packet", [ARP(), IP(flags="MF") / UDP(), IP(frag=3) / UDP()])
def test_what_has_no_checksum(packet: Packet) -> None:
    assert checksum(frame(packet)) is None


def test_the_kernel_says_that_it_is_pending() -> None:
    for status, wanted in ((CHECKSUM_NOT_READY, True), (0, False)):
        assert is_checksum_pending(AUXDATA.pack(status, 0, 0, 0, 14, 0, 0)) is wanted


# What a place allows

RIGHT, WRONG = frame(ENDS / UDP()), frame(ENDS / UDP(chksum=1))
PENDING = frame(ENDS / UDP(chksum=SEED) / Raw(b"said"), pending=True)


def test_a_tap_may_leave_it_to_the_receiver_and_a_wire_may_not() -> None:
    found = checksums([RIGHT, frame(ARP()), PENDING])
    assert not Passed("TAP", found, AT_A_TAP).fault
    on_a_wire = Passed("outside", found, ON_A_WIRE)
    assert on_a_wire.fault.startswith("outside: 1 of 2 checksums are not right, the first pending")
    assert str(on_a_wire) == "outside: 1 pending, 1 right"


def test_a_wrong_one_is_allowed_nowhere() -> None:
    assert "the first wrong" in Passed("TAP", checksums([RIGHT, WRONG]), AT_A_TAP).fault


def test_nothing_seen_decides_nothing() -> None:
    seen = [Passed("outside", checksums([RIGHT]), ON_A_WIRE), Passed("TAP", [], AT_A_TAP)]
    with pytest.raises(Inconclusive, match="capture of TAP"):
        require_found(seen)
