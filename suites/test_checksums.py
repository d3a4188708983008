# SPDX-License-Identifier: GPL-2.0-or-later
"""Checksums of what guests send and get, where their frames pass."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet

from fixtures.errors import Inconclusive, NotTestable
from fixtures.guest.guest import Guest
from fixtures.guest.guest_address import request_lease
from fixtures.host.links import add_address
from fixtures.probe.capture import Capture, Frame
from fixtures.probe.checksums import Checksum, checksum
from fixtures.probe.dhcp import CLIENT_PORT, SERVER_PORT, clients, new_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import apart
from fixtures.probe.nic_models import MODELS, Trial, dealt, missing_models, plugged
from fixtures.probe.reach import End, Proto, send_one
from fixtures.probe.station import NIC, Station, plugged_station
from fixtures.testbed.physical_network import OUTSIDE_NIC
from fixtures.testbed.testbed import GUEST_TOOL, Testbed

TRANSPORTS: tuple[Proto, ...] = ("udp", "tcp")
NAMESPACE = "plumb"

State = Literal["right", "pending", "wrong"]
AT_A_TAP: tuple[State, ...] = ("right", "pending")
ON_A_WIRE: tuple[State, ...] = ("right",)


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
    _require_allowed(seen, evidence)


@pytest.mark.lengthy
@pytest.mark.claims("GN-11")
def test_checksums_of_each_model(testbed: Testbed, evidence: Evidence) -> None:
    """UDP, TCP and DHCP answers have right checksums beside each NIC model, virtio or emulated.

    The models are those that no guest's own NIC has, of which QEMU has the device and the guests a
    driver. They are dealt out to the guests. What may be pending, and the source, is as for the
    guests' own NICs.

    Preconditions:
        - QEMU has the device, and the guests have the driver, of a model that is not their own
    Steps:
        1. Plug a NIC of each model into its guest, attached as its own NIC is, with a subnet of its
           own in a network namespace of the guest, and the other end at a station on the switch.
        2. Send UDP and TCP from each NIC to the station and back, with captures at the TAP of each
           NIC and at the station.
        3. Where guests have their addresses by DHCP, ask for an offer from the station, in such a
           way that the answer is broadcast, with captures at the TAPs going on.
    Verify:
        - at each TAP every checksum is right, or pending with the right sum of the pseudo header
        - at the station every checksum is right
        - at each TAP every DHCP answer has a right checksum; where libvirt writes no rules, or a
          pending one
        - control: each capture has UDP and TCP in both directions, and a DHCP answer where one is
          due; else the check is inconclusive
    """
    own = {guest.plan.nics[0].model for guest in testbed.guests}
    missing = missing_models(testbed.guests)
    models = [model for model in MODELS if model.name not in own | missing.keys()]
    if not models:
        raise NotTestable("a further NIC model", f"{missing} beside {own}")
    trials = dealt(testbed.guests, models)
    with plugged_station(testbed.host, testbed.switch, "st1") as peer:
        for trial in trials:
            add_address(peer.machine, NIC, str(trial.ends[1]))
        with (
            peer.machine.background([testbed.tool, "serve"]),
            ThreadPoolExecutor(len(testbed.guests)) as pool,
        ):
            seen = pool.map(
                lambda guest: _beside_models(
                    testbed, [each for each in trials if each.guest is guest], peer, evidence
                ),
                testbed.guests,
            )
            _require_allowed([each for places in seen for each in places], evidence)


def _beside_models(
    testbed: Testbed, trials: Sequence[Trial], peer: Station, evidence: Evidence
) -> list[Seen]:
    """Return what passes at the TAPs of a guest's further NICs, and of them at the station."""
    if not trials:
        return []
    guest = trials[0].guest
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(plugged(testbed.switch, guest, trials, peer.port))
        absent = [trial.name for trial in trials if trial not in made.nics]
        if absent:
            raise Inconclusive(f"no NIC with a driver: {', '.join(absent)}")
        inside = stack.enter_context(apart(guest, NAMESPACE, made.addresses))
        serve = ["ip", "netns", "exec", NAMESPACE, GUEST_TOOL, "serve"]
        stack.enter_context(guest.background(serve))
        begin = stack.enter_context
        taps = {
            trial: begin(evidence.capture(testbed.host, tap, f"{guest.name}-{trial.model.name}"))
            for trial, tap in made.taps.items()
        }
        wire = begin(evidence.capture(peer.machine, NIC, f"{guest.name}-station"))
        for trial in trials:
            near, far = (str(end.ip) for end in trial.ends)
            ends = End(inside, near, GUEST_TOOL), End(peer.machine, far, testbed.tool)
            _exchanged((ends, ends[::-1]))
        seen = [
            _of_nic(place, frames, trial, allowed)
            for trial in trials
            for place, frames, allowed in (
                (f"TAP of {trial.name}", taps[trial], AT_A_TAP),
                (f"station beyond {trial.name}", wire, ON_A_WIRE),
            )
        ]
        if testbed.leases:
            with clients(peer, wire) as asking:
                asking.offer(new_mac())
            allowed = _allowed_for_dhcp(testbed)
            seen += [
                Seen(f"DHCP answers at the TAP of {trial.name}", _answers(frames), allowed)
                for trial, frames in taps.items()
            ]
    return seen


def _of_nic(place: str, frames: Capture, trial: Trial, allowed: tuple[State, ...]) -> Seen:
    """Return the checksums of one NIC's frames; without all that has to pass there: none."""
    address = str(trial.ends[0].ip)
    found = frames.frames(lambda p: IP in p and address in (p[IP].src, p[IP].dst))
    passed = {
        (transport, frame.packet[IP].src == address)
        for frame in found
        for transport in (UDP, TCP)
        if transport in frame.packet
    }
    whole = len(passed) == len(TRANSPORTS) * 2
    return Seen(place, _checksums_of(found) if whole else [], allowed)


def _require_allowed(seen: Sequence[Seen], evidence: Evidence) -> None:
    """Assert that every checksum is what it may be at its place.

    Raises:
        Inconclusive: a place where no frame passed.
    """
    for each in seen:
        if not each.found:
            raise Inconclusive(f"control failed: not enough in the capture of {each.place}")
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
        return Seen(f"TAP of {guest.name}", _checksums_of(frames.frames()), AT_A_TAP)


def _dhcp_answers(testbed: Testbed, guest: Guest, evidence: Evidence) -> Seen:
    with evidence.capture(testbed.host, guest.tap, f"{guest.name}-dhcp") as frames:
        request_lease(guest)
        found = _answers(frames)
    return Seen(f"DHCP answers to {guest.name}", found, _allowed_for_dhcp(testbed))


def _allowed_for_dhcp(testbed: Testbed) -> tuple[State, ...]:
    filled = testbed.topology.type.completes_dhcp_answers
    return ON_A_WIRE if filled else AT_A_TAP


def _exchanged(pairs: Sequence[tuple[End, End]]) -> None:
    """Send UDP and TCP between ends; what is lost is for other checks."""
    sending = [(proto, *pair) for pair in pairs for proto in TRANSPORTS]
    with ThreadPoolExecutor(len(sending)) as pool:
        list(pool.map(send_one, *zip(*sending, strict=True)))


def _outside(testbed: Testbed, evidence: Evidence) -> list[Seen]:
    """Return what the outside sees, where guests reach it."""
    promises = testbed.topology.promises
    if not any((p.from_, p.to) == ("guest", "outside") and p.reach for p in promises):
        return []
    far = testbed.end("outside")
    with evidence.capture(testbed.outside, OUTSIDE_NIC, "outside") as frames:
        _exchanged([(near, far) for near in testbed.ends("guest")])
        return [Seen("outside", _checksums_of(frames.frames()), ON_A_WIRE)]


def _checksums_of(frames: Sequence[Frame]) -> list[Checksum]:
    return [each for each in map(checksum, frames) if each is not None]


def _answers(frames: Capture) -> list[Checksum]:
    return _checksums_of(frames.frames(_is_dhcp_answer))


def _is_dhcp_answer(packet: Packet) -> bool:
    return UDP in packet and (packet[UDP].sport, packet[UDP].dport) == (SERVER_PORT, CLIENT_PORT)


def _counted(found: Sequence[Checksum]) -> str:
    states = [each.state for each in found]
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
