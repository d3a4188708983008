# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU of a path: a sender learns it from the router before a smaller hop."""

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.packet import Packet

from contracts.address_family import IPV4, IPV6, AddressFamily
from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.probe.evidence import Evidence
from fixtures.probe.path_mtu import forget_paths, path_mtu
from fixtures.probe.reach import ANSWER_S, SMALL_PAYLOAD, TRANSPORT_OCTETS, Answer, End, send_sized
from fixtures.testbed.physical_network import LAN_BRIDGE
from fixtures.testbed.small_hop import behind_small_hop
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.field_types import ETHERNET_MTU, IPV6_MTU_MIN

HOP_MTU = 1400
# How much smaller the hop is than the packets of a network with a small MTU.
LESS = 100
# Far more than a window's first segments.
TRANSFER_OCTETS = 200_000
# The router's message is there within a round trip; then the kernel has the path's MTU.
LEARNT_DEADLINE_S = 2.0
TRANSFER_S = 6.0
# The first datagram is too large: what is waited for is not its answer.
LOST_S = 0.5
UNREACHABLE, FRAGMENTATION_NEEDED = 3, 4  # RFC 792
TOLD = {IPV4: "fragmentation needed", IPV6: "packet too big"}


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
        1. Put a machine behind that router, which passes on to it packets of 1400 octets at most;
           of a network with a smaller MTU, of 100 octets less than that.
           Have the guests' kernels forget the MTU of paths, here and at the end.
        2. Send a UDP datagram that fills a frame of 1500 octets, or of the network's MTU if that
           is smaller, with "don't fragment", from each guest to that machine, with a capture at the
           router; ask the guest's kernel for the path's MTU, and send the datagram again.
        3. Have the guest's kernel forget the path's MTU, and send 200 kB by TCP, which come back.
    Verify:
        - the second datagram is answered, and all of the transfer comes back
        - control: small datagrams are answered, and the router answered larger packets with
          "fragmentation needed", if any came to it; else the check is inconclusive
    """
    _learns(testbed, evidence, IPV4)


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("MT-05")
def test_sender_of_ipv6_learns_the_paths_mtu(testbed: Testbed, evidence: Evidence) -> None:
    """By IPv6 guests learn the MTU of a smaller hop: full datagram and TCP transfer get through.

    Source: RFC 8201, 3 and 4: the router's "packet too big" has the MTU of the next hop. No router
    takes packets of IPv6 apart.

    Preconditions:
        - the physical network has IPv6, and packets larger than 1280 octets fit the network
    Steps:
        1. Put a machine behind the physical network's router, which passes on to it packets of
           1400 octets at most; of a network with a smaller MTU, of 100 octets less than that.
           Have the guests' kernels forget the MTU of paths, here and at the end.
        2. Send a UDP datagram that fills a frame of 1500 octets, or of the network's MTU if that
           is smaller, from each guest to that machine, with a capture at the router; ask the
           guest's kernel for the path's MTU, and send the datagram again.
        3. Have the guest's kernel forget the path's MTU, and send 200 kB by TCP, which come back.
    Verify:
        - the second datagram is answered, and all of the transfer comes back
        - control: small datagrams are answered, and the router answered larger packets with
          "packet too big", if any came to it; else the check is inconclusive
    """
    _learns(testbed, evidence, IPV6)


def _learns(testbed: Testbed, evidence: Evidence, family: AddressFamily) -> None:
    """Assert that each guest adapts to a smaller hop by one address family."""
    whole = min(testbed.topology.network.mtu or ETHERNET_MTU, ETHERNET_MTU)
    hop = min(HOP_MTU, whole - LESS)
    if family is IPV6 and hop < IPV6_MTU_MIN:
        raise testbed.without(f"an MTU above that of every {family} link", f"its MTU is {whole}")
    with (
        behind_small_hop(testbed, hop, family) as far,
        evidence.capture(testbed.lan, LAN_BRIDGE) as frames,
        ThreadPoolExecutor(len(testbed.guests)) as pool,
    ):
        payload = whole - family.header_octets - TRANSPORT_OCTETS
        tried = functools.partial(_adapted, testbed, far, payload)
        seen = list(pool.map(tried, testbed.guests))
        large = frames.frames(lambda p: _octets_to(p, far.address) > hop)
        told = frames.frames(_says_too_large)
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
    if large and not told:
        raise Inconclusive(f'control failed: no "{TOLD[family]}" on {frames.place}')
    assert not wrong, (
        f"{', '.join(wrong)} did not adapt to a hop of {hop} octets ({len(large)} larger "
        f'packets came to its router, which sent {len(told)} times "{TOLD[family]}"): '
        f"{evidence.reason}"
    )


def _octets_to(packet: Packet, address: str) -> int:
    """Return the length of a packet to an address; 0: it is to another."""
    if IP in packet and packet[IP].dst == address:
        return int(packet[IP].len)
    if IPv6 in packet and packet[IPv6].dst == address:
        return IPV6.header_octets + int(packet[IPv6].plen)
    return 0


def _says_too_large(packet: Packet) -> bool:
    """Whether it is a router's message that a packet was too large."""
    if ICMP in packet:
        return (packet[ICMP].type, packet[ICMP].code) == (UNREACHABLE, FRAGMENTATION_NEEDED)
    return ICMPv6PacketTooBig in packet


def _adapted(testbed: Testbed, far: End, payload: int, guest: Guest) -> Adapted:
    near = testbed.guest_end(guest, far.family)
    forget_paths(guest, far.family)
    cut_off = not send_sized("udp", near, far, SMALL_PAYLOAD, wait_s=ANSWER_S).all_answered
    send_sized("udp", near, far, payload, wait_s=LOST_S)
    learnt = poll(
        functools.partial(path_mtu, guest, far.family, far.address),
        deadline_s=LEARNT_DEADLINE_S,
        interval_s=0.3,
    )
    datagram = send_sized("udp", near, far, payload, wait_s=ANSWER_S)
    forget_paths(guest, far.family)
    transfer = send_sized("tcp", near, far, TRANSFER_OCTETS, wait_s=TRANSFER_S)
    forget_paths(guest, far.family)
    return Adapted(cut_off, learnt, datagram, transfer)
