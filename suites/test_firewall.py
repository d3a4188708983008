# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's packet filter leaves bridged traffic alone, with the kernel's switch for it at 0."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv6Interface
from typing import TypeVar

import pytest
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP
from scapy.packet import Packet

from fixtures.errors import Inconclusive, NotTestable
from fixtures.guest.guest import NIC
from fixtures.probe.blocking import CONTROL_WAIT_S, IN_FLIGHT_S, WAIT_S, Attempt, attempt
from fixtures.probe.bridge_filter import (
    BRIDGED_IPV4,
    BRIDGED_IPV6,
    CALL_ARPTABLES,
    CALL_IP6TABLES,
    CALL_IPTABLES,
    Filter,
    arp_filter,
    called,
    dropped,
    is_on,
)
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import PROTOCOLS, End, Runner, ping
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause

WHO_HAS = 1  # RFC 826, ares_op$REQUEST
# The host's own setting of the kernel's switch, before the check sets it.
AS_FOUND = "as found"
W = TypeVar("W")
OUTSIDE = "outside"
# Whether the filter is shown bridged packets, and whether it has the DROP, one after the other.
PHASES = (
    ("at 1 without DROP", True, False),
    ("at 0 with DROP", False, True),
    ("at 1 with DROP", True, True),
    ("at 0 with DROP again", False, True),
)


@pytest.mark.lengthy
@pytest.mark.claims("BR-09")
@pytest.mark.changes_network("turns the filtering of bridged packets on and drops some")
@pytest.mark.needs("bridge-nf", "iptables")
@pytest.mark.changes_host(f"sets {CALL_IPTABLES}", only_if=is_on(CALL_IPTABLES))
def test_bridged_ipv4_is_not_filtered(testbed: Testbed, evidence: Evidence) -> None:
    """With bridge-nf-call-iptables at 0 a DROP in FORWARD changes nothing for bridged IPv4.

    Preconditions:
        - each guest has its address, and an outside machine is on the same segment
    Steps:
        1. Read the kernel's switch, and probe the outside from each guest, and each guest from the
           outside, by ICMP, TCP and UDP, all at once, with captures outside and on the TAPs.
        2. Do the same with the switch at 1 and no DROP.
        3. Put DROPs for the guests' packets to the outside and for the outside's to the guests in
           front of FORWARD, and probe with the switch at 0, at 1, and at 0 again.
    Verify:
        - with the host's own setting the filter drops nothing that passes at 0
        - at 0 with the DROPs every request is answered and seen at its far end, both times
        - control: at 1 without the DROPs, or at 0 with them, every request is answered and seen at
          its far end; else the check is inconclusive
        - control: at 1 with the DROPs nothing is answered and nothing is seen at a far end; else
          the check is inconclusive
    """
    outside = testbed.end("outside")
    ways = [
        way
        for guest in testbed.guests
        for way in (
            _Way(testbed.guest_end(guest), outside, OUTSIDE),
            _Way(outside, testbed.guest_end(guest), guest.tap),
        )
    ]

    def probe(captures: Mapping[str, Capture], wait_s: float) -> list[Attempt]:
        def along(way: _Way) -> list[Attempt]:
            frames = captures[way.watched]
            return [attempt(p, way.near, way.far, frames, wait_s=wait_s) for p in PROTOCOLS]

        return _at_once(along, ways)

    matches = [["-s", way.near.address, "-d", way.far.address] for way in ways]
    _decide(testbed, evidence, BRIDGED_IPV4, matches, probe)


@pytest.mark.lengthy
@pytest.mark.claims("BR-09")
@pytest.mark.changes_network("turns the filtering of bridged packets on and drops some")
@pytest.mark.needs("bridge-nf", "iptables")
@pytest.mark.changes_host(f"sets {CALL_IP6TABLES}", only_if=is_on(CALL_IP6TABLES))
def test_bridged_ipv6_is_not_filtered(testbed: Testbed, evidence: Evidence) -> None:
    """With bridge-nf-call-ip6tables at 0 a DROP in FORWARD changes nothing for bridged IPv6.

    The neighbour discovery before each ping passes the same filter.

    Preconditions:
        - each guest and the outside machine, on the same segment, have link-local IPv6 addresses
    Steps:
        1. Read the kernel's switch, have each guest forget the outside's MAC and ping its
           link-local address, and then the outside ping the guest's, all guests at once, with
           captures outside and on the TAPs.
        2. Do the same with the switch at 1 and no DROP.
        3. Put DROPs for everything from each guest's link-local address, and for the outside's to
           it, in front of FORWARD, and ping in the same way with the switch at 0, at 1, and at 0
           again.
    Verify:
        - with the host's own setting the filter drops nothing that passes at 0
        - at 0 with the DROPs every echo request is answered and seen at its far end, both times
        - control: at 1 without the DROPs, or at 0 with them, every echo request is answered and
          seen at its far end; else the check is inconclusive
        - control: at 1 with the DROPs nothing is answered and no echo request is seen at its far
          end; else the check is inconclusive
    """
    outside, theirs = testbed.end("outside"), _link_local(testbed.outside, testbed.outside_nic)
    own = {guest.tap: _link_local(guest, NIC) for guest in testbed.guests}
    ways = [
        (
            _Way(testbed.guest_end(guest), outside, OUTSIDE, own[guest.tap], NIC),
            _Way(outside, testbed.guest_end(guest), guest.tap, theirs, testbed.outside_nic),
        )
        for guest in testbed.guests
    ]

    def probe(captures: Mapping[str, Capture], wait_s: float) -> list[Attempt]:
        def along(way: _Way) -> Attempt:
            to = theirs if way.watched == OUTSIDE else own[way.watched]

            def is_echo(packet: Packet) -> bool:
                return ICMPv6EchoRequest in packet and (packet[IPv6].src, packet[IPv6].dst) == (
                    way.source,
                    to,
                )

            if way.watched == OUTSIDE:
                _forget(way.near.runner, to)
            return _pinged(way.near, f"{to}%{way.link}", captures[way.watched], is_echo, wait_s)

        # The guest's own ping tells the outside its MAC anew, which a DROP kept from it.
        return _at_once(lambda both: list(map(along, both)), ways)

    every = own.values()
    matches = [["-s", mine] for mine in every] + [["-s", theirs, "-d", mine] for mine in every]
    _decide(testbed, evidence, BRIDGED_IPV6, matches, probe)


@pytest.mark.lengthy
@pytest.mark.claims("BR-09")
@pytest.mark.changes_network("turns the filtering of bridged packets on and drops some")
@pytest.mark.needs("bridge-nf")
@pytest.mark.changes_host(f"sets {CALL_ARPTABLES}", only_if=is_on(CALL_ARPTABLES))
def test_bridged_arp_is_not_filtered(testbed: Testbed, evidence: Evidence) -> None:
    """With bridge-nf-call-arptables at 0 a DROP in FORWARD changes nothing for bridged ARP.

    Preconditions:
        - the host has an arptables with a FORWARD chain
        - each guest has its address, and an outside machine is on the same segment
    Steps:
        1. Read the kernel's switch, have each guest forget the outside's MAC and ping the outside,
           all at once, with a capture there.
        2. Do the same with the switch at 1 and no DROP.
        3. Put DROPs for ARP of guests and outside in front of FORWARD, and ping in the same way
           with the switch at 0, at 1, and at 0 again.
    Verify:
        - with the host's own setting the filter drops nothing that passes at 0
        - at 0 with the DROPs every ping is answered and each guest's ARP request is seen outside,
          both times
        - control: at 1 without the DROPs, or at 0 with them, every ping is answered and each
          ARP request is seen outside; else the check is inconclusive
        - control: at 1 with the DROPs no ping is answered and no ARP request is seen outside; else
          the check is inconclusive
    """
    far = testbed.end("outside")
    ways = [_Way(testbed.guest_end(guest), far, OUTSIDE) for guest in testbed.guests]

    def probe(captures: Mapping[str, Capture], wait_s: float) -> list[Attempt]:
        def along(way: _Way) -> list[Attempt]:
            def asks(packet: Packet) -> bool:
                return (
                    ARP in packet
                    and packet[ARP].op == WHO_HAS
                    and (packet[ARP].psrc, packet[ARP].pdst) == (way.near.address, far.address)
                )

            _forget(way.near.runner, far.address)
            return [_pinged(way.near, far.address, captures[OUTSIDE], asks, wait_s)]

        return _at_once(along, ways)

    # Both ways: the outside's own request would tell the guest what it asks for.
    matches = [["-s", way.near.address] for way in ways] + [["-s", far.address]]
    _decide(testbed, evidence, arp_filter(testbed.host), matches, probe)


@dataclass(frozen=True)
class _Way:
    """A way of probes over the bridge.

    Attributes:
        near: where they are sent from.
        far: where they go.
        watched: where they arrive: `outside`, or a guest's TAP.
        source: the near end's link-local IPv6 address, for probes by that.
        link: the near end's link, likewise.
    """

    near: End
    far: End
    watched: str
    source: str = ""
    link: str = ""


def _at_once(along: Callable[[W], list[Attempt]], ways: Sequence[W]) -> list[Attempt]:
    """Probe along all ways at the same time; returns what came of each, way by way."""
    with ThreadPoolExecutor(len(ways)) as pool:
        return [each for tried in pool.map(along, ways) for each in tried]


@contextlib.contextmanager
def _watched(testbed: Testbed, evidence: Evidence, label: str) -> Iterator[dict[str, Capture]]:
    """Capture outside and on each guest's TAP, by the names that `_Way.watched` has."""
    outside, host = testbed.outside, testbed.host
    with contextlib.ExitStack() as stack:
        captures = {OUTSIDE: evidence.capture(outside, testbed.outside_nic, label)}
        captures |= {
            guest.tap: evidence.capture(host, guest.tap, label) for guest in testbed.guests
        }
        yield {name: stack.enter_context(each) for name, each in captures.items()}


def _decide(
    testbed: Testbed,
    evidence: Evidence,
    which: Filter,
    matches: Sequence[Sequence[str]],
    probe: Callable[[Mapping[str, Capture], float], list[Attempt]],
) -> None:
    """Probe in each phase, and judge: at 0 all is answered, at 1 nothing of it arrives.

    Before, the host is probed as found: a filter that drops something then is the host's own. On a
    host that may not be changed the bridge's own setting is the one at 1.
    """
    own = testbed.host.sysctl(which.sysctl)
    tried: dict[str, list[Attempt]] = {}
    with _watched(testbed, evidence, "as-found") as captures:
        tried[AS_FOUND] = probe(captures, CONTROL_WAIT_S)
    for phase, on, drop in PHASES:
        with (
            called(testbed.host, which, testbed.switch.name, on=on),
            dropped(testbed.host, which, *matches) if drop else contextlib.nullcontext(),
            _watched(testbed, evidence, phase.replace(" ", "-")) as captures,
        ):
            # An answer that is due is waited for; silence is, for a second.
            tried[phase] = probe(captures, WAIT_S if on and drop else CONTROL_WAIT_S)
    said = {phase: "; ".join(map(str, attempts)) for phase, attempts in tried.items()}
    evidence.json("attempts.json", {"own setting": own, **said})
    evidence.reason = f"{which.sysctl}, the host's own setting {own}; " + "; ".join(
        f"{phase}: {_counted(attempts)}" for phase, attempts in tried.items()
    )
    dropped_by_host = not _pass(tried[AS_FOUND]) and _pass(tried["at 0 with DROP"])
    assert not dropped_by_host, (
        f"{which.sysctl} is {own} on this host, and its packet filter drops what passes at 0: "
        f"{said[AS_FOUND]}"
    )
    # A host whose own rules drop it at 1 needs no DROP: what matters is that it passes at 0.
    if not _pass(tried["at 1 without DROP"]) and not _pass(tried["at 0 with DROP"]):
        raise Inconclusive(f"nothing to block, at 1 without DROP: {said['at 1 without DROP']}")
    for phase in ("at 0 with DROP", "at 0 with DROP again"):
        assert _pass(tried[phase]), f"{which.sysctl} {phase}: {said[phase]}"
    if any(not a.answer.none_answered or a.arrived for a in tried["at 1 with DROP"]):
        raise Inconclusive(f"the DROP drops nothing at 1: {said['at 1 with DROP']}")


def _counted(attempts: Sequence[Attempt]) -> str:
    answered = sum(each.answer.answered for each in attempts)
    sent = sum(each.answer.sent for each in attempts)
    return f"{answered} of {sent} answered, {sum(a.arrived for a in attempts)} arrived"


def _pass(attempts: Sequence[Attempt]) -> bool:
    return all(each.answer.all_answered and each.arrived for each in attempts)


def _pinged(
    near: End, address: str, frames: Capture, wanted: Callable[[Packet], bool], wait_s: float
) -> Attempt:
    """Ping an address, and count the expected packets at the far end."""
    answer = ping(near, address, wait_s=wait_s)
    pause(IN_FLIGHT_S)
    arrived = frames.frames(wanted)
    frames.require_whole()
    return Attempt(answer, len(arrived))


def _forget(runner: Runner, address: str) -> None:
    """Take an address out of a machine's neighbour table."""
    runner.run(["ip", "neighbour", "flush", "to", address, "dev", NIC])


def _link_local(runner: Runner, link: str) -> str:
    """Return the IPv6 address that a link gave itself."""
    shown = runner.run(["ip", "-6", "-o", "address", "show", "dev", link, "scope", "link"]).stdout
    # 2: eth0    inet6 fe80::5054:ff:feda:c3dc/64 scope link \       valid_lft forever …
    words = shown.split()
    if "inet6" not in words:
        raise NotTestable(f"IPv6 on {link} of {runner.name}", f"ip -6 address: {shown or 'none'}")
    return str(IPv6Interface(words[words.index("inet6") + 1]).ip)
