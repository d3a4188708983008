# SPDX-License-Identifier: GPL-2.0-or-later
"""A mirror: the frames of one port of a bridge, copied to another."""

import contextlib
from collections.abc import Iterator
from functools import partial

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.packet import Packet

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.host.links import link_mac
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import COUNT, ping
from fixtures.probe.station import NIC, Station, station
from fixtures.switch.openflow import forget_flows
from fixtures.switch.ovs_bridge import vsctl
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll

MIRROR = "plumb-mirror"
ECHO_REQUEST, ECHO_REPLY = 8, 0
IN_FORCE_DEADLINE_S = 20.0
COPY_DEADLINE_S = 10.0
LEARN_DEADLINE_S = 10.0
# A copy is made with the frame itself, so what is not there after this was not made.
QUIET_S = 0.3


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("OV-16")
@pytest.mark.changes_network("adds a mirror to the bridge")
@pytest.mark.needs("ovs")
def test_mirror_copies_a_port(testbed: Testbed, evidence: Evidence) -> None:
    """A mirror copies a guest's traffic, both ways, to a station's port.

    Preconditions:
        - the host has an address on the bridge that each guest reaches
    Steps:
        1. Plug a station into the bridge.
        2. Ping the host from a guest without a mirror, with captures on the guest's TAP and at
           the station.
        3. Mirror the TAP's port to the station's, and ping in the same way.
        4. Remove the mirror, and ping in the same way.
        5. Do the same with each guest.
    Verify:
        - with the mirror the station sees every request and reply octet for octet as on the TAP
        - without it, before and after, the station sees none of them
        - control: each time every ping is answered and on the TAP; unanswered, the check is
          inconclusive
    """
    seen: list[str] = []
    with station(testbed.host, testbed.switch, "probe") as listener:
        for guest in testbed.guests:
            pinged = partial(_pinged, testbed, evidence, listener, guest)
            seen.append(pinged("before", mirrored=False))
            with _mirror(testbed, guest.tap, listener):
                seen.append(pinged("mirrored", mirrored=True))
            seen.append(pinged("after", mirrored=False))
    evidence.reason = "; ".join(seen)


def _pinged(
    testbed: Testbed,
    evidence: Evidence,
    listener: Station,
    guest: Guest,
    phase: str,
    *,
    mirrored: bool,
) -> str:
    """Ping the host; all of it must be copied to the listener, or none."""

    def is_right(seen: tuple[list[bytes], list[bytes]]) -> bool:
        passed, copies = seen
        return copies == (passed if mirrored else [])

    def copied() -> tuple[list[bytes], list[bytes]]:
        with (
            evidence.capture(testbed.host, guest.tap, phase) as on_tap,
            evidence.capture(listener.machine, NIC, f"{guest.name}-{phase}") as on_listener,
        ):
            return _copied(testbed, guest, on_tap, on_listener)

    def copied_anew() -> tuple[list[bytes], list[bytes]]:
        # A mirror is no reason for Open vSwitch 3.1 to look again at flows that it is forwarding:
        # seen to be copied, or not, as before for as long as they went on.
        forget_flows(testbed.host)
        return copied()

    poll(copied_anew, is_right, deadline_s=IN_FORCE_DEADLINE_S)
    # Once more: the result has to be stable.
    passed, copies = copied()
    said = f"{guest.name} {phase}: {len(copies)} of {len(passed)} frames copied"
    assert is_right((passed, copies)), (
        f"{said}, expected {'these very frames' if mirrored else 'none'}"
    )
    return said


def _copied(
    testbed: Testbed, guest: Guest, tap: Capture, listener: Capture
) -> tuple[list[bytes], list[bytes]]:
    """Ping the host from a guest; returns what passes its TAP, and what of it the listener sees.

    What the switch floods because it does not know the address is not a copy: so the frames that
    count are those after a ping that taught it both ends.
    """
    near = testbed.guest_end(guest)
    _have_learnt(testbed, guest)
    before = len(tap.frames(_is_echo)), len(listener.frames(_is_echo))
    answer = ping(near, testbed.host_address)
    if not answer.all_answered:
        raise Inconclusive(f"{guest.name} does not reach the host: {answer}")
    wanted = before[0] + 2 * COUNT
    echoes = tap.collect(_is_echo, count=wanted, deadline_s=COPY_DEADLINE_S)
    what = f"the pings both ways ({len(echoes)} of {wanted} seen)"
    assert len(echoes) >= wanted, tap.missing(what, deadline_s=COPY_DEADLINE_S)
    pause(QUIET_S)
    tap.require_whole()
    listener.require_whole()
    passed = [frame.raw for frame in tap.frames(_is_echo)[before[0] :]]
    return sorted(passed), sorted(f.raw for f in listener.frames(_is_echo)[before[1] :])


def _have_learnt(testbed: Testbed, guest: Guest) -> None:
    """Have the switch know both ends of the ping, so that it does not flood.

    One that does not learn floods all the same: the pings that follow are at the listener then.
    """
    ends = {guest.mac, link_mac(testbed.host, testbed.switch.name)}

    def known() -> set[str]:
        ping(testbed.guest_end(guest), testbed.host_address, count=1)
        return ends & {entry.mac for entry in testbed.switch.fdb()}

    poll(known, lambda macs: macs == ends, deadline_s=LEARN_DEADLINE_S)


def _is_echo(packet: Packet) -> bool:
    return IP in packet and ICMP in packet and packet[ICMP].type in (ECHO_REQUEST, ECHO_REPLY)


@contextlib.contextmanager
def _mirror(testbed: Testbed, port: str, listener: Station) -> Iterator[None]:
    """Have everything that enters or leaves a port copied to the listener's."""
    host, bridge = testbed.host, testbed.switch.name
    argv = ["--", "--id=@from", "get", "Port", port, "--", "--id=@to", "get", "Port", listener.port]
    argv += ["--", "--id=@new", "create", "Mirror", f"name={MIRROR}", "select_src_port=@from"]
    argv += ["select_dst_port=@from", "output_port=@to", "--", "add", "Bridge", bridge, "mirrors"]
    made = vsctl(host, *argv, "@new").split()[-1]
    try:
        yield
    finally:
        # A mirror that no bridge refers to is gone (ovs-vswitchd.conf.db(5)).
        vsctl(host, "--if-exists", "remove", "Bridge", bridge, "mirrors", made)
