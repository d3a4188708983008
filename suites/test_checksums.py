# SPDX-License-Identifier: GPL-2.0-or-later
"""Checksums of what guests send and get, where their frames pass."""

import pytest

from fixtures.guest.guest import Guest
from fixtures.guest.guest_address import request_lease
from fixtures.probe.checksums import (
    AT_A_TAP,
    ON_A_WIRE,
    Passed,
    State,
    checksums,
    exchange,
    is_dhcp_answer,
    require_found,
)
from fixtures.probe.evidence import Evidence
from fixtures.testbed.testbed import Testbed


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
    # Of guests that are cut off nothing comes by DHCP either, and each would ask for 30 s.
    require_found(seen)
    asking = [guest for guest in testbed.guests if guest.name in testbed.leases]
    seen += [_dhcp_answers(testbed, guest, evidence) for guest in asking]
    seen += _outside(testbed, evidence)
    require_found(seen)
    for each in seen:
        assert not each.fault, each.fault
    evidence.reason = "; ".join(map(str, seen))


def _at_the_tap(testbed: Testbed, guest: Guest, evidence: Evidence) -> Passed:
    near, host = testbed.guest_end(guest), testbed.end("host")
    with evidence.capture(testbed.host, guest.tap, guest.name) as frames:
        exchange(((near, host), (host, near)))
        return Passed(f"TAP of {guest.name}", checksums(frames.frames()), AT_A_TAP)


def _dhcp_answers(testbed: Testbed, guest: Guest, evidence: Evidence) -> Passed:
    with evidence.capture(testbed.host, guest.tap, f"{guest.name}-dhcp") as frames:
        request_lease(guest)
        found = checksums(frames.collect(is_dhcp_answer))
    return Passed(f"DHCP answers to {guest.name}", found, _allowed_for_dhcp(testbed))


def _allowed_for_dhcp(testbed: Testbed) -> tuple[State, ...]:
    filled = testbed.topology.type.completes_dhcp_answers
    return ON_A_WIRE if filled else AT_A_TAP


def _outside(testbed: Testbed, evidence: Evidence) -> list[Passed]:
    """Return what the outside sees, where guests reach it."""
    promises = testbed.topology.promises
    reached = any((p.from_, p.to) == ("guest", "outside") and p.reach for p in promises)
    if not (reached and testbed.has_outside):
        return []
    far = testbed.end("outside")
    with evidence.capture(testbed.outside, testbed.outside_nic, "outside") as frames:
        exchange([(near, far) for near in testbed.ends("guest")])
        return [Passed("outside", checksums(frames.frames()), ON_A_WIRE)]
