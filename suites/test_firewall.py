# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's packet filter leaves bridged traffic alone, with the kernel's switch for it at 0."""

import contextlib
from collections.abc import Callable, Sequence
from ipaddress import IPv6Interface

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
        - the first guest has its address, and an outside machine is on the same segment
    Steps:
        1. Read the kernel's switch, and probe the outside from the guest by ICMP, TCP and UDP, with
           a capture outside.
        2. Do the same with the switch at 1 and no DROP.
        3. Put a DROP for the guest's packets to the outside in front of FORWARD, and probe with the
           switch at 0, at 1, and at 0 again.
    Verify:
        - with the host's own setting the filter drops nothing that passes at 0
        - at 0 with the DROP every request is answered and seen outside, both times
        - control: at 1 without the DROP, or at 0 with it, every request is answered and seen
          outside; else the check is inconclusive
        - control: at 1 with the DROP nothing is answered and nothing is seen outside; else the
          check is inconclusive
    """
    near, far = testbed.guest_end(testbed.guests[0]), testbed.end("outside")

    def probe(frames: Capture, wait_s: float) -> list[Attempt]:
        return [attempt(proto, near, far, frames, wait_s=wait_s) for proto in PROTOCOLS]

    _decide(testbed, evidence, BRIDGED_IPV4, [["-s", near.address, "-d", far.address]], probe)


@pytest.mark.lengthy
@pytest.mark.claims("BR-09")
@pytest.mark.changes_network("turns the filtering of bridged packets on and drops some")
@pytest.mark.needs("bridge-nf", "iptables")
@pytest.mark.changes_host(f"sets {CALL_IP6TABLES}", only_if=is_on(CALL_IP6TABLES))
def test_bridged_ipv6_is_not_filtered(testbed: Testbed, evidence: Evidence) -> None:
    """With bridge-nf-call-ip6tables at 0 a DROP in FORWARD changes nothing for bridged IPv6.

    The neighbour discovery before each ping passes the same filter.

    Preconditions:
        - the first guest and the outside machine, on the same segment, have link-local IPv6
          addresses
    Steps:
        1. Read the kernel's switch, have the guest forget the outside's MAC and ping its link-local
           address, with a capture outside.
        2. Do the same with the switch at 1 and no DROP.
        3. Put a DROP for everything from the guest's link-local address in front of FORWARD, and
           ping in the same way with the switch at 0, at 1, and at 0 again.
    Verify:
        - with the host's own setting the filter drops nothing that passes at 0
        - at 0 with the DROP every echo request is answered and seen outside, both times
        - control: at 1 without the DROP, or at 0 with it, every echo request is answered and seen
          outside; else the check is inconclusive
        - control: at 1 with the DROP nothing is answered and no echo request is seen outside; else
          the check is inconclusive
    """
    near = testbed.guest_end(testbed.guests[0])
    mine, theirs = _link_local(near.runner, NIC), _link_local(testbed.outside, testbed.outside_nic)

    def is_echo(packet: Packet) -> bool:
        return ICMPv6EchoRequest in packet and bool(packet[IPv6].src == mine)

    def probe(frames: Capture, wait_s: float) -> list[Attempt]:
        _forget(near.runner, theirs)
        return [_pinged(near, f"{theirs}%{NIC}", frames, is_echo, wait_s)]

    _decide(testbed, evidence, BRIDGED_IPV6, [["-s", mine]], probe)


@pytest.mark.lengthy
@pytest.mark.claims("BR-09")
@pytest.mark.changes_network("turns the filtering of bridged packets on and drops some")
@pytest.mark.needs("bridge-nf")
@pytest.mark.changes_host(f"sets {CALL_ARPTABLES}", only_if=is_on(CALL_ARPTABLES))
def test_bridged_arp_is_not_filtered(testbed: Testbed, evidence: Evidence) -> None:
    """With bridge-nf-call-arptables at 0 a DROP in FORWARD changes nothing for bridged ARP.

    Preconditions:
        - the host has an arptables with a FORWARD chain
        - the first guest has its address, and an outside machine is on the same segment
    Steps:
        1. Read the kernel's switch, have the guest forget the outside's MAC and ping the outside,
           with a capture there.
        2. Do the same with the switch at 1 and no DROP.
        3. Put DROPs for ARP of guest and outside in front of FORWARD, and ping in the same way with
           the switch at 0, at 1, and at 0 again.
    Verify:
        - with the host's own setting the filter drops nothing that passes at 0
        - at 0 with the DROPs every ping is answered and the guest's ARP request is seen outside,
          both times
        - control: at 1 without the DROPs, or at 0 with them, every ping is answered and the ARP
          request is seen outside; else the check is inconclusive
        - control: at 1 with the DROPs no ping is answered and no ARP request is seen outside; else
          the check is inconclusive
    """
    near, far = testbed.guest_end(testbed.guests[0]), testbed.end("outside")

    def asks(packet: Packet) -> bool:
        return (
            ARP in packet
            and packet[ARP].op == WHO_HAS
            and (packet[ARP].psrc, packet[ARP].pdst) == (near.address, far.address)
        )

    def probe(frames: Capture, wait_s: float) -> list[Attempt]:
        _forget(near.runner, far.address)
        return [_pinged(near, far.address, frames, asks, wait_s)]

    # Both ways: the outside's own request would tell the guest what it asks for.
    matches = [["-s", near.address], ["-s", far.address]]
    _decide(testbed, evidence, arp_filter(testbed.host), matches, probe)


def _decide(
    testbed: Testbed,
    evidence: Evidence,
    which: Filter,
    matches: Sequence[Sequence[str]],
    probe: Callable[[Capture, float], list[Attempt]],
) -> None:
    """Probe in each phase, and judge: at 0 all is answered, at 1 nothing of it arrives.

    Before, the host is probed as found: a filter that drops something then is the host's own. On a
    host that may not be changed the bridge's own setting is the one at 1.
    """
    own = testbed.host.sysctl(which.sysctl)
    tried: dict[str, list[Attempt]] = {}
    with evidence.capture(testbed.outside, testbed.outside_nic, "as-found") as frames:
        tried[AS_FOUND] = probe(frames, CONTROL_WAIT_S)
    for phase, on, drop in PHASES:
        with (
            called(testbed.host, which, testbed.switch.name, on=on),
            dropped(testbed.host, which, *matches) if drop else contextlib.nullcontext(),
            evidence.capture(
                testbed.outside, testbed.outside_nic, phase.replace(" ", "-")
            ) as frames,
        ):
            # An answer that is due is waited for; silence is, for a second.
            tried[phase] = probe(frames, WAIT_S if on and drop else CONTROL_WAIT_S)
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
