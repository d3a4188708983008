# SPDX-License-Identifier: GPL-2.0-or-later
"""Checksums of what guests send and get, where their frames pass."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from scapy.layers.inet import UDP
from scapy.packet import Packet

from fixtures.errors import Inconclusive
from fixtures.guest.guest_address import request_lease
from fixtures.probe.capture import Capture
from fixtures.probe.checksums import Checksum, checksum
from fixtures.probe.dhcp import CLIENT_PORT, SERVER_PORT
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import End, Proto, send_one
from fixtures.testbed.physical_network import OUTSIDE_NIC
from fixtures.testbed.testbed import Testbed

TRANSPORTS: tuple[Proto, ...] = ("udp", "tcp")


@pytest.mark.claims("GN-11")
def test_checksums_of_guests(testbed: Testbed, evidence: Evidence) -> None:
    """UDP and TCP between each guest and the host and outside have right checksums.

    At a TAP a checksum may be left to the receiver; then it has to be the pseudo header's.

    Source: RFC 768, RFC 9293, 3.1; virtio 1.1, 5.1.6.

    Preconditions:
        - the guests have their addresses
    Steps:
        1. Send UDP and TCP from each guest to the host and back, with a capture at each guest's
           TAP.
        2. Where guests reach the outside, send them there too, with a capture there.
    Verify:
        - at the TAPs every checksum is right, or pending with the right sum of the pseudo header
        - outside every checksum is right
        - control: the captures have frames of each guest; else the check is inconclusive
    """
    seen = {}
    host = testbed.end("host")
    for guest in testbed.guests:
        near = testbed.guest_end(guest)
        with evidence.capture(testbed.host, guest.tap, guest.name) as frames:
            _exchanged(((near, host), (host, near)))
            seen[guest.name] = _checksums(frames)
    outside = _outside(testbed, evidence)
    for name, found in {**seen, **outside}.items():
        if not found:
            raise Inconclusive(f"control failed: no UDP and no TCP in the capture of {name}")
        wrong = [each.said for each in found if each.state == "wrong"]
        assert not wrong, (
            f"{name}: {len(wrong)} of {len(found)} checksums are wrong, the first of {wrong[0]}"
        )
    for name, found in outside.items():
        pending = [each.said for each in found if each.state == "pending"]
        assert not pending, f"{name}: a frame has no complete checksum: {pending[0]}"
    evidence.reason = "; ".join(
        f"{name}: {_counted(found)}" for name, found in (*seen.items(), *outside.items())
    )


@pytest.mark.claims("GN-11")
def test_checksums_of_dhcp_answers(testbed: Testbed, evidence: Evidence) -> None:
    """DHCP answers have complete and right checksums at the guests' TAPs.

    A client reads them as they are, before its interface has an address, and some drop what has a
    pending checksum. libvirt has them filled in where it writes rules; without any, a pending one
    has to have the right sum of the pseudo header.

    Source: RFC 2131, 4.1; iptables-extensions(8), CHECKSUM.

    Preconditions:
        - at least one guest has its address by DHCP
    Steps:
        1. Have each such guest ask by DHCP again, with a capture at its TAP.
    Verify:
        - every answer to a client has a right checksum; where libvirt writes no rules, or one that
          is pending
        - control: the captures have answers; else the check is inconclusive
    """
    allowed = ("right",) if testbed.topology.type.completes_dhcp_answers else ("right", "pending")
    seen = {}
    for guest in testbed.dhcp_guests:
        with evidence.capture(testbed.host, guest.tap, guest.name) as frames:
            request_lease(guest)
            seen[guest.name] = _checksums(frames, _is_dhcp_answer)
    for name, found in seen.items():
        if not found:
            raise Inconclusive(f"control failed: no DHCP answer to {name}")
        wrong = [f"{each.said}, {each.state}" for each in found if each.state not in allowed]
        assert not wrong, (
            f"{len(wrong)} of {len(found)} DHCP answers to {name} have no right one: {wrong[0]}"
        )
    evidence.reason = "; ".join(f"{name}: {_counted(found)}" for name, found in seen.items())


def _exchanged(pairs: Sequence[tuple[End, End]]) -> None:
    """Send UDP and TCP between ends; what is lost is for other checks."""
    sending = [(proto, *pair) for pair in pairs for proto in TRANSPORTS]
    with ThreadPoolExecutor(len(sending)) as pool:
        list(pool.map(send_one, *zip(*sending, strict=True)))


def _outside(testbed: Testbed, evidence: Evidence) -> dict[str, list[Checksum]]:
    """Return the checksums that the outside sees, where guests reach it."""
    promises = testbed.topology.promises
    if not any((p.from_, p.to) == ("guest", "outside") and p.reach for p in promises):
        return {}
    far = testbed.end("outside")
    with evidence.capture(testbed.outside, OUTSIDE_NIC, "outside") as frames:
        _exchanged([(near, far) for near in testbed.ends("guest")])
        return {"outside": _checksums(frames)}


def _checksums(frames: Capture, wanted: Callable[[Packet], bool] | None = None) -> list[Checksum]:
    found = (checksum(frame) for frame in frames.frames(wanted))
    return [each for each in found if each is not None]


def _is_dhcp_answer(packet: Packet) -> bool:
    return UDP in packet and (packet[UDP].sport, packet[UDP].dport) == (SERVER_PORT, CLIENT_PORT)


def _counted(found: Sequence[Checksum]) -> str:
    states = [each.state for each in found]
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
