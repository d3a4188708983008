# SPDX-License-Identifier: GPL-2.0-or-later
"""Checksums of what guests send and get, where their frames pass."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import pytest
from scapy.layers.inet import UDP
from scapy.packet import Packet

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.guest.guest_address import request_lease
from fixtures.probe.capture import Capture
from fixtures.probe.checksums import Checksum, checksum
from fixtures.probe.dhcp import CLIENT_PORT, SERVER_PORT
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import End, Proto, send_one
from fixtures.testbed.physical_network import OUTSIDE_NIC
from fixtures.testbed.testbed import Testbed

TRANSPORTS: tuple[Proto, ...] = ("udp", "tcp")


State = Literal["right", "pending", "wrong"]


@dataclass(frozen=True)
class Seen:
    """The checksums that passed at one place.

    Attributes:
        place: the place, in words.
        found: the checksums, in order.
        allowed: what they may be there.
    """

    place: str
    found: Sequence[Checksum]
    allowed: tuple[State, ...]


@pytest.mark.claims("GN-11")
def test_checksums(testbed: Testbed, evidence: Evidence) -> None:
    """UDP, TCP and DHCP answers have right checksums at the TAPs and outside.

    At a TAP the checksum of UDP and TCP may be left to the receiver; then it has to be the pseudo
    header's. A DHCP client reads answers as they are, before its interface has an address, and some
    drop what has a pending checksum: libvirt has them filled in where it writes rules.

    Source: RFC 768, RFC 9293, 3.1; virtio 1.1, 5.1.6; iptables-extensions(8), CHECKSUM.

    Preconditions:
        - the guests have their addresses
    Steps:
        1. Send UDP and TCP from each guest to the host and back, with a capture at the guest's TAP.
        2. Have each guest that has its address by DHCP ask for it again, with a capture there.
        3. Where guests reach the outside, send UDP and TCP there too, with a capture there.
    Verify:
        - at the TAPs every checksum is right, or pending with the right sum of the pseudo header
        - every DHCP answer has a right checksum; where libvirt writes no rules, or a pending one
        - outside every checksum is right
        - control: each capture has such frames; else the check is inconclusive
    """
    seen = [_at_the_tap(testbed, guest, evidence) for guest in testbed.guests]
    asking = [guest for guest in testbed.guests if guest.name in testbed.leases]
    seen += [_dhcp_answers(testbed, guest, evidence) for guest in asking]
    seen += _outside(testbed, evidence)
    for each in seen:
        if not each.found:
            raise Inconclusive(f"control failed: nothing in the capture of {each.place}")
        wrong = [c for c in each.found if c.state not in each.allowed]
        assert not wrong, (
            f"{each.place}: {len(wrong)} of {len(each.found)} checksums are not "
            f"{' or '.join(each.allowed)}, the first {wrong[0].state}: {wrong[0].said}"
        )
    evidence.reason = "; ".join(f"{each.place}: {_counted(each.found)}" for each in seen)


def _at_the_tap(testbed: Testbed, guest: Guest, evidence: Evidence) -> Seen:
    near, host = testbed.guest_end(guest), testbed.end("host")
    with evidence.capture(testbed.host, guest.tap, guest.name) as frames:
        _exchanged(((near, host), (host, near)))
        return Seen(f"TAP of {guest.name}", _checksums(frames), ("right", "pending"))


def _dhcp_answers(testbed: Testbed, guest: Guest, evidence: Evidence) -> Seen:
    filled = testbed.topology.type.completes_dhcp_answers
    allowed: tuple[State, ...] = ("right",) if filled else ("right", "pending")
    with evidence.capture(testbed.host, guest.tap, f"{guest.name}-dhcp") as frames:
        request_lease(guest)
        found = _checksums(frames, _is_dhcp_answer)
    return Seen(f"DHCP answers to {guest.name}", found, allowed)


def _exchanged(pairs: Sequence[tuple[End, End]]) -> None:
    """Send UDP and TCP between ends; what is lost is for other checks."""
    sending = [(proto, *pair) for pair in pairs for proto in TRANSPORTS]
    with ThreadPoolExecutor(len(sending)) as pool:
        list(pool.map(send_one, *zip(*sending, strict=True)))


def _outside(testbed: Testbed, evidence: Evidence) -> list[Seen]:
    """Return what the outside sees, where guests reach it."""
    promises = testbed.topology.promises
    reached = any((p.from_, p.to) == ("guest", "outside") and p.reach for p in promises)
    if not (reached and testbed.has_outside):
        return []
    far = testbed.end("outside")
    with evidence.capture(testbed.outside, OUTSIDE_NIC, "outside") as frames:
        _exchanged([(near, far) for near in testbed.ends("guest")])
        return [Seen("outside", _checksums(frames), ("right",))]


def _checksums(frames: Capture, wanted: Callable[[Packet], bool] | None = None) -> list[Checksum]:
    found = (checksum(frame) for frame in frames.frames(wanted))
    return [each for each in found if each is not None]


def _is_dhcp_answer(packet: Packet) -> bool:
    return UDP in packet and (packet[UDP].sport, packet[UDP].dport) == (SERVER_PORT, CLIENT_PORT)


def _counted(found: Sequence[Checksum]) -> str:
    states = [each.state for each in found]
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
