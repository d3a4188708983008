# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of exactly the network's MTU and of an octet more: whole, in fragments, or not at all."""

import contextlib
import functools
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from contracts.address_family import AddressFamily
from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.host.links import link_mtu
from fixtures.probe.capture import Capture, Frame
from fixtures.probe.evidence import Evidence
from fixtures.probe.packet_sizes import Sized, TooLarge, sized, too_large
from fixtures.probe.path_mtu import forget_paths, nic_mtu, path_mtu
from fixtures.probe.reach import COUNT, TRANSPORT_OCTETS, Answer, End, ping
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.topology import Role

# Of iputils' `ping -M`: nobody takes the packet apart; the sender does for a path that it knows to
# be smaller; anybody does.
WHOLE, AS_LEARNT, IN_PARTS = "do", "want", "dont"
# The message is there; the guest's kernel takes it within milliseconds.
LEARNT_DEADLINE_S = 2.0
SMALL = 128  # octets of a packet that each link takes


@dataclass(frozen=True)
class Way:
    """From one end to another by one family, and where its packets arrive.

    Attributes:
        near: the end that sends.
        far: the end that answers.
        arrival: a capture at the far end.
        is_translated: packets may arrive from another address.
    """

    near: End
    far: End
    arrival: Capture
    is_translated: bool = False

    def __str__(self) -> str:
        return f"{self.near.name} → {self.far.name} by {self.far.family}"

    def ping(self, octets: int, how: str, count: int = COUNT) -> Answer:
        """Send echo requests in packets of a size.

        Args:
            octets: of the whole packet, with its header.
            how: as `ping -M` has it.
            count: how many.
        """
        payload = octets - self.far.family.header_octets - TRANSPORT_OCTETS
        extra = ("-M", how, "-s", str(payload))
        return ping(self.near, self.far.address, count=count, extra=extra)

    def arrived(self, frames: Sequence[Frame]) -> list[Sized]:
        """Return the packets of a capture that the near end sent to the far one.

        Other ends may send to it at the same time.
        """
        every = (sized(frame.packet) for frame in frames)
        return [
            each
            for each in every
            if each is not None
            and each.target == self.far.address
            and (self.is_translated or each.source == self.near.address)
        ]


@dataclass(frozen=True)
class Tried:
    """What came of packets of exactly an MTU, and of an octet more.

    Attributes:
        exact: the answers to packets of the MTU that nobody may take apart.
        parted: those to packets of an octet more that anybody may.
        uncut: those to packets of an octet more that nobody may.
        control: those to small packets.
        packets: what arrived at the far end.
    """

    exact: Answer
    parted: Answer
    uncut: Answer
    control: Answer
    packets: list[Sized]

    def faults(self, mtu: int, arrives: int) -> list[str]:
        """Return what is not as an MTU has it.

        Args:
            mtu: the MTU.
            arrives: the largest packet that may arrive. A router puts fragments together that it
                translates, and beyond it there may be room for the whole.
        """
        whole = [p for p in self.packets if p.is_request and not p.is_fragment and p.octets == mtu]
        parts = arrives > mtu or any(p.is_fragment for p in self.packets)
        longer = sorted({p.octets for p in self.packets if p.octets > arrives})
        found = {
            f"of {mtu} octets: {self.exact}": not self.exact.all_answered,
            f"no packet of {mtu} octets arrived whole": not whole,
            f"of {mtu + 1} octets, in fragments: {self.parted}": not self.parted.all_answered,
            f"a packet of {mtu + 1} octets arrived without fragments": not parts,
            f"of {mtu + 1} octets, whole: {self.uncut}": not self.uncut.none_answered,
            f"packets of {longer} octets arrived": bool(longer),
        }
        return [what for what, is_so in found.items() if is_so]


def _require(way: Way, control: Answer) -> None:
    if not control.all_answered:
        raise Inconclusive(f"control failed: {way} with packets of {SMALL} octets: {control}")


def _tried(way: Way, mtu: int) -> Tried:
    control = way.ping(SMALL, WHOLE)
    exact, parted = way.ping(mtu, WHOLE), way.ping(mtu + 1, IN_PARTS)
    uncut = way.ping(mtu + 1, WHOLE, count=1)
    return Tried(exact, parted, uncut, control, way.arrived(way.arrival.frames()))


def _guests(testbed: Testbed) -> tuple[int, list[Guest]]:
    """Return the network's MTU, and the guests that learn it and whose NICs take it."""
    mtu = testbed.topology.network.mtu
    if mtu is None:
        raise testbed.without("an MTU of the network's", "networks[0].mtu is null")
    taking = [guest for guest in testbed.dhcp_guests if nic_mtu(guest).largest >= mtu]
    if not taking:
        raise testbed.without("a guest whose NIC takes the network's MTU", f"it is {mtu}")
    return mtu, taking


def _families(testbed: Testbed) -> list[AddressFamily]:
    return [f for f in testbed.topology.families if testbed.topology.network.interface(f)]


@pytest.mark.claims("MT-03")
def test_packet_of_exactly_the_mtu_passes(testbed: Testbed, evidence: Evidence) -> None:
    """Between guests and host a packet of the network's MTU passes whole, an octet more does not.

    Source: RFC 791, 2.3; RFC 8200, 5; libvirt, "Network XML format", `<mtu size=>`.

    Preconditions:
        - the network has an MTU of its own
        - a guest has its address by DHCP, so that it learns the MTU, and its NIC takes it
    Steps:
        1. Capture at the TAPs of such guests: there packets of a guest reach the host, and those
           for it leave.
        2. From each to the host, from the host to each, and from each to the next one, by each
           address family: ping with packets of exactly the MTU that nobody may take apart; with
           packets of an octet more that anybody may; with one of an octet more that nobody may.
    Verify:
        - the first are answered, and arrive in one frame
        - the second are answered, and arrive in fragments, none of them larger than the MTU
        - the third is not answered, and does not arrive
        - control: small packets are answered; else the check is inconclusive
    """
    mtu, guests = _guests(testbed)
    with contextlib.ExitStack() as stack:
        taps = {
            guest.name: stack.enter_context(evidence.capture(testbed.host, guest.tap))
            for guest in guests
        }
        ways = []
        for family in _families(testbed):
            host = testbed.end("host", family)
            ends = [testbed.guest_end(guest, family) for guest in guests]
            # At the bridge's own link the kernel may have put fragments together again.
            ways += [Way(end, host, taps[end.name]) for end in ends]
            ways += [Way(host, end, taps[end.name]) for end in ends]
            ways += [Way(a, b, taps[b.name]) for a, b in itertools.pairwise(ends)]
        # Each waits for the silence after a packet that may not pass.
        with ThreadPoolExecutor(len(ways)) as pool:
            tried = list(pool.map(lambda way: _tried(way, mtu), ways))
    _expect(ways, tried, mtu, mtu, evidence)


def _expect(
    ways: Sequence[Way], tried: Sequence[Tried], mtu: int, arrives: int, evidence: Evidence
) -> None:
    """Assert that each way takes packets of the MTU, and none of an octet more.

    Args:
        ways: from which end to which.
        tried: what came of each.
        mtu: the MTU.
        arrives: the largest packet that may arrive.
        evidence: gets the observation.
    """
    for way, each in zip(ways, tried, strict=True):
        _require(way, each.control)
    found = [
        f"{way}: {fault}"
        for way, each in zip(ways, tried, strict=True)
        for fault in each.faults(mtu, arrives)
    ]
    evidence.reason = f"{mtu} octets whole, {mtu + 1} in fragments: {', '.join(map(str, ways))}"
    assert not found, f"the MTU is {mtu}; {'; '.join(found)}"


@pytest.mark.claims("MT-04")
def test_mtu_beyond_the_uplink(testbed: Testbed, evidence: Evidence) -> None:
    """A packet of the network's MTU gets outside whole, or its sender is told by the host.

    Source: RFC 1191, 3 and 4; RFC 8201, 3 and 4.

    Preconditions:
        - the network has an MTU of its own
        - a guest has its address by DHCP, so that it learns the MTU, and its NIC takes it
        - an outside machine is reached through the host's uplink
    Steps:
        1. Have the first such guest forget the MTU of paths, here and at the end.
        2. Where the uplink takes packets of the network's MTU: ping the outside by each address
           family as between guests and host, with a capture there.
        3. Where it takes smaller ones: ping it with one packet of the network's MTU that nobody may
           take apart, with a capture at the guest's TAP; ask the guest's kernel for the path's MTU;
           ping with packets of that size that the sender may take apart, with a capture outside.
    Verify:
        - an uplink that takes them: packets of the MTU are answered and arrive outside in one
          frame; those of an octet more in fragments, or put together again where the uplink takes
          more, and not at all where nobody may take them apart
        - a smaller uplink: the host tells the guest the uplink's MTU, from its address on the
          bridge ("fragmentation needed", "packet too big"); the guest's kernel knows it, and the
          further packets are answered
        - control: small packets are answered; else the check is inconclusive
    """
    mtu, guests = _guests(testbed)
    guest, uplink = guests[0], _uplink_mtu(testbed)
    families = [f for f in _families(testbed) if testbed.figures.of(f) is not None]
    with contextlib.ExitStack() as stack:
        outside = stack.enter_context(evidence.capture(testbed.outside, testbed.outside_nic))
        tap = stack.enter_context(evidence.capture(testbed.host, guest.tap))
        ways = [_way(testbed, guest, family, "outside", outside) for family in families]
        for family in families:
            forget_paths(guest, family)
            stack.callback(forget_paths, guest, family)
        if uplink >= mtu:
            _expect(ways, [_tried(way, mtu) for way in ways], mtu, uplink, evidence)
            return
        said = [_is_told(way, mtu, uplink, guest, tap, testbed) for way in ways]
    evidence.reason = "; ".join(said)


def _way(
    testbed: Testbed, guest: Guest, family: AddressFamily, role: Role, arrival: Capture
) -> Way:
    near, far = testbed.guest_end(guest, family), testbed.end(role, family)
    return Way(near, far, arrival, is_translated=True)


def _uplink_mtu(testbed: Testbed) -> int:
    """Return the size of the packets that the uplink is to take: a real NIC's is the site's."""
    if testbed.host.has_real_uplink(testbed.topology):
        return link_mtu(testbed.host, testbed.way_out().link)
    return testbed.figures.mtu


def _is_told(way: Way, mtu: int, uplink: int, guest: Guest, tap: Capture, testbed: Testbed) -> str:
    """Assert that a sender learns of the uplink's MTU by the host, and adapts."""
    family = way.far.family
    _require(way, way.ping(SMALL, WHOLE))
    first = way.ping(mtu, WHOLE, count=1)
    assert first.none_answered, f"{way}: {mtu} octets pass an uplink of {uplink}: {first}"
    told = TooLarge(testbed.host_address_of(family), uplink)
    seen = tap.collect(lambda packet: too_large(packet) == told)
    others = {each for frame in tap.frames() if (each := too_large(frame.packet)) is not None}
    assert seen, (
        f"{way}: a packet of {mtu} octets was too large for the uplink, and the host did not say "
        f"so ({told}); heard: {'; '.join(map(str, others)) or 'nothing of the kind'}"
    )
    learnt = poll(
        functools.partial(path_mtu, guest, family, way.far.address),
        deadline_s=LEARNT_DEADLINE_S,
        interval_s=0.3,
    )
    assert learnt == uplink, f"{way}: the guest's kernel has learnt {learnt}, not {uplink}"
    then = way.ping(mtu, AS_LEARNT)
    assert then.all_answered, f"{way}: after it was told of {uplink}: {then}"
    return f"{way}: {told.source} says {uplink}; then {then}"
