# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of exactly the network's MTU and of an octet more: whole, in fragments, or not at all."""

import contextlib
import functools
import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.address_family import AddressFamily
from fixtures.guest.guest import Guest
from fixtures.host.links import link_mtu
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.packet_sizes import TooLarge, too_large
from fixtures.probe.path_mtu import forget_paths, nic_mtu, path_mtu
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from suites.sized_pings import (
    AS_LEARNT,
    SMALL,
    WHOLE,
    Way,
    require_control,
    require_whole_of,
    tried_by,
)
from topologies.topology import Role

# The message is there; the guest's kernel takes it within milliseconds.
LEARNT_DEADLINE_S = 2.0


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
        ways = [way for family in _families(testbed) for way in _among(testbed, family, taps)]
        # Each waits for the silence after a packet that may not pass.
        with ThreadPoolExecutor(len(ways)) as pool:
            tried = list(pool.map(lambda way: tried_by(way, mtu), ways))
    require_whole_of(ways, tried, mtu, mtu, evidence)


@pytest.mark.claims("MT-07")
def test_packet_of_the_nics_own_mtu_passes(testbed: Testbed, evidence: Evidence) -> None:
    """Guests have the MTU that their NICs are given, and packets of exactly that size pass whole.

    Source: libvirt, "Domain XML format", "MTU configuration"; RFC 791, 2.3; RFC 8200, 5.

    Preconditions:
        - the guests' NICs have an MTU of their own
    Steps:
        1. Read the MTU of each guest's TAP, and of the NIC in the guest.
        2. Capture at the TAPs and, with an uplink as a port, outside. From each guest to the host
           and back, to the next guest, and to the outside and back, by each address family: ping
           with packets of exactly the MTU that nobody may take apart; with packets of an octet more
           that anybody may; with one of an octet more that nobody may.
    Verify:
        - each TAP and each NIC has the MTU
        - the first packets are answered, and arrive in one frame
        - the second are answered, and arrive in fragments, none of them larger than the MTU
        - the third is not answered, and does not arrive
        - control: small packets are answered; else the check is inconclusive
    """
    mtu, guests = testbed.topology.network.guests_mtu, testbed.guests
    if mtu is None:
        raise testbed.without("an MTU of its guests' NICs", "networks[0].guests_mtu is null")
    seen = {f"{guest.tap} of {guest.name}": link_mtu(testbed.host, guest.tap) for guest in guests}
    seen |= {guest.name: nic_mtu(guest).mtu for guest in guests}
    evidence.json("mtu.json", seen)
    wrong = [f"{name} {size}" for name, size in seen.items() if size != mtu]
    assert not wrong, f"the NICs' MTU is {mtu}, and others are had: {', '.join(wrong)}"
    with contextlib.ExitStack() as stack:
        taps = {
            guest.name: stack.enter_context(evidence.capture(testbed.host, guest.tap))
            for guest in guests
        }
        ways = [way for family in _families(testbed) for way in _among(testbed, family, taps)]
        if testbed.topology.network.is_on_physical_network and testbed.has_outside:
            wire = stack.enter_context(evidence.capture(testbed.outside, testbed.outside_nic))
            ways += [way for f in _families(testbed) for way in _beyond(testbed, f, taps, wire)]
        with ThreadPoolExecutor(len(ways)) as pool:
            tried = list(pool.map(lambda way: tried_by(way, mtu), ways))
    require_whole_of(ways, tried, mtu, mtu, evidence)


def _among(testbed: Testbed, family: AddressFamily, taps: Mapping[str, Capture]) -> Iterator[Way]:
    """Give the ways between the host and the guests whose TAPs are captured on."""
    host = testbed.end("host", family)
    ends = [end for end in testbed.ends("guest", family) if end.name in taps]
    for end in ends:
        # At the bridge's own link the kernel may have put fragments together again.
        yield Way(end, host, taps[end.name])
        # A host with several addresses of a family may send from another one.
        yield Way(host, end, taps[end.name], is_translated=True)
    for one, other in itertools.pairwise(ends):
        yield Way(one, other, taps[other.name])


def _beyond(
    testbed: Testbed, family: AddressFamily, taps: Mapping[str, Capture], wire: Capture
) -> Iterator[Way]:
    """Give the ways between guests and a machine on the physical network, which is their own."""
    outside = testbed.end("outside", family)
    for end in testbed.ends("guest", family):
        yield Way(end, outside, wire)
        # It may have an address of the advertised prefix as well, as the host.
        yield Way(outside, end, taps[end.name], is_translated=True)


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
            require_whole_of(ways, [tried_by(way, mtu) for way in ways], mtu, uplink, evidence)
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
    require_control(way, way.ping(SMALL, WHOLE))
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
