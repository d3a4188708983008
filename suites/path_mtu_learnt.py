# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a sender adapts to the MTU of a path, and the outside to that of its way to a guest."""

import functools
from dataclasses import dataclass

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.probe.evidence import Evidence
from fixtures.probe.packet_sizes import too_large
from fixtures.probe.path_mtu import forget_paths, path_mtu
from fixtures.probe.reach import ANSWER_S, SMALL_PAYLOAD, Answer, End, send_sized
from fixtures.testbed.small_hop import small_way_to
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

# Far more than a window's first segments.
TRANSFER_OCTETS = 200_000
# The router's message is there within a round trip; then the kernel has the path's MTU.
LEARNT_DEADLINE_S = 2.0
TRANSFER_S = 6.0
# The first datagram is too large: what is waited for is not its answer.
LOST_S = 0.5


@dataclass(frozen=True)
class Adapted:
    """What a sender knew and sent.

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

    def __str__(self) -> str:
        return f"learnt MTU {self.learnt}, UDP {self.datagram}, TCP {self.transfer}"


def adapted(near: End, far: End, payload: int) -> Adapted:
    """Send datagrams and a transfer by a path whose MTU the sender's kernel does not know.

    Args:
        near: the sender.
        far: where to.
        payload: of a datagram that is too large for the path, in octets.
    """
    sender, family = near.runner, far.family
    forget_paths(sender, family)
    cut_off = not send_sized("udp", near, far, SMALL_PAYLOAD, wait_s=ANSWER_S).all_answered
    send_sized("udp", near, far, payload, wait_s=LOST_S)
    learnt = poll(
        functools.partial(path_mtu, sender, family, far.address),
        deadline_s=LEARNT_DEADLINE_S,
        interval_s=0.3,
    )
    datagram = send_sized("udp", near, far, payload, wait_s=ANSWER_S)
    forget_paths(sender, family)
    transfer = send_sized("tcp", near, far, TRANSFER_OCTETS, wait_s=TRANSFER_S)
    forget_paths(sender, family)
    return Adapted(cut_off, learnt, datagram, transfer)


def require_outside_adapts(testbed: Testbed, evidence: Evidence, payload: int, hop: int) -> str:
    """Assert that the outside adapts to a host that passes smaller packets on to its guests.

    Args:
        testbed: a network that the outside reaches.
        evidence: gets the frames.
        payload: of a datagram that is too large for that, in octets.
        hop: the size of the largest packet that the host passes on, in octets.

    Returns:
        What the outside learnt and sent, in words.

    Raises:
        Inconclusive: it reaches a guest not at all, or by packets of any size.
    """
    with testbed.way_from_outside(IPV4):
        said = [_adapted_to(testbed, evidence, guest, payload, hop) for guest in testbed.guests]
    return "; ".join(said)


def _adapted_to(testbed: Testbed, evidence: Evidence, guest: Guest, payload: int, hop: int) -> str:
    outside = testbed.own_outside
    near, far = testbed.end("outside", IPV4), testbed.guest_end(guest, IPV4)
    with (
        small_way_to(testbed.host, far.address, hop),
        evidence.capture(outside, testbed.outside_nic, f"to-{guest.name}") as frames,
    ):
        seen = adapted(near, far, payload)
        told = frames.frames(lambda packet: too_large(packet) is not None)
    said = f"outside → {guest.name}: {seen}"
    if seen.cut_off:
        raise Inconclusive(f"control failed: the outside does not reach {guest.name}")
    is_through = seen.datagram.all_answered and seen.transfer.all_answered
    assert is_through, (
        f"the outside did not adapt to a host that passes on {hop} octets at most, and said so "
        f"{len(told)} times: {said}"
    )
    if seen.learnt != hop:
        raise Inconclusive(f"control failed: the way of {hop} octets is not in effect: {said}")
    return said
