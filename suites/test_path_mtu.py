# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU of a path: a sender learns it from the router before a smaller hop."""

import functools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from scapy.layers.inet import ICMP, IP

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import ANSWER_S, SMALL_PAYLOAD, Answer, End, send_sized
from fixtures.testbed.physical_network import LAN_BRIDGE
from fixtures.testbed.small_hop import behind_small_hop
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

HOP_MTU = 1400
# Fills a frame of 1500 octets with its headers, and goes out whole: UDP sets "don't fragment".
FULL_DATAGRAM = 1472
# Far more than a window's first segments.
TRANSFER_OCTETS = 200_000
# The router's message is there within a round trip; then the kernel has the path's MTU.
LEARNT_DEADLINE_S = 2.0
TRANSFER_S = 6.0
# The first datagram is too large: what is waited for is not its answer.
LOST_S = 0.5
UNREACHABLE, FRAGMENTATION_NEEDED = 3, 4  # RFC 792


@dataclass(frozen=True)
class Adapted:
    """What a guest knew and sent.

    Attributes:
        cut_off: it did not get an answer to a small datagram.
        learnt: the MTU of the path that its kernel has after one full datagram; None: none.
        datagram: a full datagram, sent after that.
        transfer: a TCP transfer of a kernel that knows nothing of the path.
    """

    cut_off: bool
    learnt: int | None
    datagram: Answer
    transfer: Answer


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("NT-22")
def test_sender_learns_the_paths_mtu(testbed: Testbed, evidence: Evidence) -> None:
    """Guests learn the MTU of a smaller hop: a full datagram and a large TCP transfer get through.

    Source: RFC 1191, 3 and 4: the router's "fragmentation needed" has the MTU of the next hop.

    Preconditions:
        - the guests' packets to other networks pass the physical network's router
    Steps:
        1. Put a machine behind that router, which passes on to it packets of 1400 octets at most.
           Have the guests' kernels forget the MTU of paths, here and at the end.
        2. Send a UDP datagram that fills a frame of 1500 octets, with "don't fragment", from each
           guest to that machine, with a capture at the router; ask the guest's kernel for the
           path's MTU, and send the datagram again.
        3. Have the guest's kernel forget the path's MTU, and send 200 kB by TCP, which come back.
    Verify:
        - the second datagram is answered, and all of the transfer comes back
        - control: small datagrams are answered, and the router answered larger packets with
          "fragmentation needed", if any came to it; else the check is inconclusive
    """
    with (
        behind_small_hop(testbed, HOP_MTU) as far,
        evidence.capture(testbed.lan, LAN_BRIDGE) as frames,
        ThreadPoolExecutor(len(testbed.guests)) as pool,
    ):
        seen = list(pool.map(functools.partial(_adapted, testbed, far), testbed.guests))
        large = frames.frames(
            lambda p: IP in p and p[IP].dst == far.address and p[IP].len > HOP_MTU
        )
        told = frames.frames(
            lambda p: (
                ICMP in p and (p[ICMP].type, p[ICMP].code) == (UNREACHABLE, FRAGMENTATION_NEEDED)
            )
        )
    evidence.reason = "; ".join(
        f"{guest.name} learnt MTU {each.learnt}, UDP {each.datagram}, TCP {each.transfer}"
        for guest, each in zip(testbed.guests, seen, strict=True)
    )
    wrong = [
        guest.name
        for guest, each in zip(testbed.guests, seen, strict=True)
        if not (each.datagram.all_answered and each.transfer.all_answered)
    ]
    far_off = [guest.name for guest, each in zip(testbed.guests, seen, strict=True) if each.cut_off]
    if far_off:
        raise Inconclusive(
            f"control failed: {', '.join(far_off)} does not reach the router's far side"
        )
    if wrong and large and not told:
        raise Inconclusive(f'control failed: no "fragmentation needed" on {frames.place}')
    assert not wrong, (
        f"{', '.join(wrong)} did not adapt to a hop of {HOP_MTU} octets ({len(large)} larger "
        f'packets came to its router, which sent {len(told)} times "fragmentation needed"): '
        f"{evidence.reason}"
    )


def _adapted(testbed: Testbed, far: End, guest: Guest) -> Adapted:
    near, forget = testbed.guest_end(guest), ["ip", "route", "flush", "cache"]
    guest.run(forget)
    cut_off = not send_sized("udp", near, far, SMALL_PAYLOAD, wait_s=ANSWER_S).all_answered
    send_sized("udp", near, far, FULL_DATAGRAM, wait_s=LOST_S)
    learnt = poll(
        functools.partial(_path_mtu, guest, far.address),
        deadline_s=LEARNT_DEADLINE_S,
        interval_s=0.3,
    )
    datagram = send_sized("udp", near, far, FULL_DATAGRAM, wait_s=ANSWER_S)
    guest.run(forget)
    transfer = send_sized("tcp", near, far, TRANSFER_OCTETS, wait_s=TRANSFER_S)
    guest.run(forget)
    return Adapted(cut_off, learnt, datagram, transfer)


def _path_mtu(guest: Guest, address: str) -> int | None:
    """Return the MTU that a guest's kernel has learnt for an address."""
    [way] = json.loads(guest.run(["ip", "-json", "route", "get", address]).stdout)
    for metric in way.get("metrics", ()):
        if "mtu" in metric:
            return int(metric["mtu"])
    return None
