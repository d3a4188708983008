# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU of a path: a sender learns it from the router before a smaller hop."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.address_family import IPV4, IPV6, AddressFamily
from fixtures.errors import Inconclusive
from fixtures.probe.bridge_filter import BRIDGED_IPV6
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.packet_sizes import Sized, sized, too_large
from fixtures.probe.reach import TRANSPORT_OCTETS
from fixtures.testbed.physical_network import LAN_BRIDGE
from fixtures.testbed.small_hop import behind_small_hop
from fixtures.testbed.testbed import Testbed
from suites.path_mtu_learnt import adapted, require_outside_adapts
from topologies.field_types import ETHERNET_MTU, IPV6_MTU_MIN

HOP_MTU = 1400
# How much smaller the hop is than the packets of a network with a small MTU.
LESS = 100
TOLD = {IPV4: "fragmentation needed", IPV6: "packet too big"}


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("NT-22")
def test_sender_learns_the_paths_mtu(testbed: Testbed, evidence: Evidence) -> None:
    """Senders learn the MTU of a smaller hop: a full datagram and a large TCP transfer get through.

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
        4. Where the outside reaches guests by a route, have the host pass on to each in turn
           packets of that size at most, and send the same from the outside to the guest.
    Verify:
        - the second datagram is answered, and all of the transfer comes back
        - control: small datagrams are answered; and where a guest does not adapt, the router
          answered its larger packets with "fragmentation needed"; else the check is inconclusive
        - control: the outside reaches the guests by small datagrams, and where it adapts its kernel
          has learnt that size; else the check is inconclusive
    """
    _learns(testbed, evidence, IPV4)
    topology = testbed.topology
    if topology.type.as_forwarded(topology.network, IPV4).outside_needs_route:
        whole, hop = _sizes(testbed)
        payload = whole - IPV4.header_octets - TRANSPORT_OCTETS
        try:
            evidence.reason += f"; {require_outside_adapts(testbed, evidence, payload, hop)}"
        except Inconclusive as undecided:
            raise Inconclusive(f"{evidence.reason}; {undecided}") from undecided


def _sizes(testbed: Testbed) -> tuple[int, int]:
    """Return the octets of a packet that the network takes, and of one that the hop takes."""
    whole = min(testbed.topology.network.mtu or ETHERNET_MTU, ETHERNET_MTU)
    return whole, min(HOP_MTU, whole - LESS)


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
        - all of the transfer comes back
        - the second datagram is answered; where the host translates IPv6 and calls ip6tables for
          bridged packets (`bridge-nf-call-ip6tables`) its kernel puts the guests' fragments
          together again, and sends them whole: there the datagram leaves the guest in fragments
          that fit the hop
        - control: small datagrams are answered; and where a guest does not adapt, the router
          answered its larger packets with "packet too big"; else the check is inconclusive
    """
    _learns(testbed, evidence, IPV6)


def _learns(testbed: Testbed, evidence: Evidence, family: AddressFamily) -> None:
    """Assert that each guest adapts to a smaller hop by one address family."""
    whole, hop = _sizes(testbed)
    if family is IPV6 and hop < IPV6_MTU_MIN:
        raise testbed.without(f"an MTU above that of every {family} link", f"its MTU is {whole}")
    merges = family is IPV6 and testbed.topology.network.nat6 and _is_called(testbed)
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(behind_small_hop(testbed, hop, family))
        frames = stack.enter_context(evidence.capture(testbed.lan, LAN_BRIDGE))
        taps = [
            stack.enter_context(evidence.capture(testbed.host, guest.tap))
            for guest in testbed.guests
            if merges
        ]
        pool = stack.enter_context(ThreadPoolExecutor(len(testbed.guests)))
        payload = whole - family.header_octets - TRANSPORT_OCTETS
        ends = testbed.ends("guest", family)
        seen = list(pool.map(lambda near: adapted(near, far, payload), ends))
        large = [each for each in _packets_to(frames, far.address) if each.octets > hop]
        told = frames.frames(lambda packet: too_large(packet) is not None)
        fits = [_in_fragments(tap, far.address, hop) for tap in taps]
    evidence.reason = "; ".join(
        f"{guest.name} {each}" for guest, each in zip(testbed.guests, seen, strict=True)
    )
    if merges:
        evidence.reason += "; bridged packets pass ip6tables, so the host puts fragments together"
    in_parts = fits or [False] * len(seen)
    wrong = [
        guest.name
        for guest, each, parted in zip(testbed.guests, seen, in_parts, strict=True)
        if not ((each.datagram.all_answered or parted) and each.transfer.all_answered)
    ]
    far_off = [guest.name for guest, each in zip(testbed.guests, seen, strict=True) if each.cut_off]
    if far_off:
        raise Inconclusive(
            f"control failed: {', '.join(far_off)} does not reach the router's far side"
        )
    if wrong and large and not told:
        raise Inconclusive(f'control failed: no "{TOLD[family]}" on {frames.place}')
    assert not wrong, (
        f"{', '.join(wrong)} did not adapt to a hop of {hop} octets ({len(large)} larger "
        f'packets came to its router, which sent {len(told)} times "{TOLD[family]}"): '
        f"{evidence.reason}"
    )


def _is_called(testbed: Testbed) -> bool:
    """Whether the host calls ip6tables for what passes the bridge."""
    own = f"/sys/class/net/{testbed.switch.name}/bridge/{BRIDGED_IPV6.of_bridge}"
    is_on = testbed.host.run(["cat", own], check=False).stdout.strip() == "1"
    return is_on or testbed.host.sysctl(BRIDGED_IPV6.sysctl) == "1"


def _packets_to(frames: Capture, address: str) -> list[Sized]:
    every = (sized(frame.packet) for frame in frames.frames())
    return [each for each in every if each is not None and each.target == address]


def _in_fragments(tap: Capture, address: str, hop: int) -> bool:
    """Whether a guest sent fragments to an address, all of which fit a hop."""
    parts = [each.octets for each in _packets_to(tap, address) if each.is_fragment]
    return bool(parts) and max(parts) <= hop
