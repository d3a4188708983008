# SPDX-License-Identifier: GPL-2.0-or-later
"""VLANs on a bridge: access ports that hear each other or don't, trunks that carry the tags."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.probe.evidence import Evidence
from fixtures.probe.packets import is_request
from fixtures.probe.reach import send_one
from fixtures.probe.station import NIC, station
from fixtures.switch.ovs_bridge import vsctl
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll
from suites.tagged_frames import IN_FORCE_DEADLINE_S, Heard, Said, Speaker, require_heard

RED, BLUE, GREEN = 10, 20, 30
TRUNK = "trunk"
QUIET_S = 0.3
# An echo between emulated guests takes milliseconds; a busy machine was seen to take seconds.
ANSWER_S = 5.0


@pytest.mark.claims("OV-12")
@pytest.mark.needs("ovs")
def test_access_ports(testbed: Testbed, evidence: Evidence) -> None:
    """Access ports with one tag hear each other, with different tags they do not.

    Preconditions:
        - four stations can be plugged into the bridge
    Steps:
        1. Plug four stations into access ports: two with one tag, and the third with the same or
           the tag of the fourth.
        2. Have all broadcast while the third has the tag of the first two.
        3. Have all broadcast while the third has the tag of the fourth.
        4. Have all broadcast while the third has the tag of the first two again.
    Verify:
        - each station hears every other one of its tag, without a tag in the frame
        - no station hears one of another tag
        - control: the third station hears the first two before and after, while it has their tag
    """
    tags = {"st1": RED, "st2": RED, "st3": BLUE, "st4": BLUE}
    with _plugged(testbed, evidence, *tags) as stations:
        for third in (RED, BLUE, RED):
            tags["st3"] = third
            for name, tag in tags.items():
                vsctl(testbed.host, "set", "Port", stations[name].port, f"tag={tag}")
            require_heard(
                stations,
                [Said(name, None) for name in tags],
                {
                    (listener, Said(sender, None), None)
                    for sender in tags
                    for listener in tags
                    if listener != sender and tags[listener] == tags[sender]
                },
            )
    evidence.reason = (
        f"st3 with tag {RED} hears st1 and st2, with {BLUE} only st4, with {RED} them again"
    )


@pytest.mark.claims("OV-12")
@pytest.mark.needs("ovs")
def test_trunk_carries_tags(testbed: Testbed, evidence: Evidence) -> None:
    """A trunk carries the tags of its VLANs, both ways, and of no other.

    Preconditions:
        - four stations can be plugged into the bridge
    Steps:
        1. Plug three stations into access ports with three tags, and one into a trunk for two of
           the tags.
        2. Have each access port broadcast, and the trunk broadcast with each tag. Then have each
           access port send a frame to the trunk's address, and the trunk one to that of each
           access port, with its tag.
        3. Repeat with all three tags on the trunk, and with two again.
    Verify:
        - at the trunk the frames of the access ports have their 802.1Q tag
        - each access port hears the trunk's frames of its own tag alone, without the tag
        - a frame to an address that was learnt is heard there and nowhere else
        - nothing of the third tag passes while the trunk is not for it
        - control: the third tag passes, both ways, while the trunk is for it
    """
    tags = {"st1": RED, "st2": BLUE, "st3": GREEN}
    with _plugged(testbed, evidence, *tags, TRUNK) as stations:
        for name, tag in tags.items():
            vsctl(testbed.host, "set", "Port", stations[name].port, f"tag={tag}")
        for trunks in ({RED, BLUE}, {RED, BLUE, GREEN}, {RED, BLUE}):
            carried = ",".join(map(str, sorted(trunks)))
            vsctl(testbed.host, "set", "Port", stations[TRUNK].port, f"trunks={carried}")
            said: list[Said] = []
            wanted: set[Heard] = set()
            # The broadcasts come first, so that the addresses are learnt.
            for addressed in (False, True):
                for name, tag in tags.items():
                    up = Said(name, None, TRUNK if addressed else None)
                    down = Said(TRUNK, tag, name if addressed else None)
                    said += [up, down]
                    if tag in trunks:
                        wanted |= {(TRUNK, up, tag), (name, down, None)}
            require_heard(stations, said, wanted)
    evidence.reason = (
        f"on the trunk's wire tags {RED} and {BLUE}, to and from the access ports, by broadcast "
        "and to learnt addresses; "
        f"{GREEN} only while the trunk has it"
    )


@pytest.mark.lengthy
@pytest.mark.claims("OV-12")
@pytest.mark.needs("ovs")
def test_guests_by_their_tags(testbed: Testbed, evidence: Evidence) -> None:
    """Guests whose ports have one tag reach each other, with different tags they do not.

    By unicast, which passes where an address is learnt, and not only where broadcasts pass.

    Preconditions:
        - two guests have their addresses
    Steps:
        1. Give the ports of the first two guests one tag, and have each ping the other.
        2. Give them different tags, and ping both ways, with a capture at the other's TAP.
        3. Give them one tag again, and ping both ways.
    Verify:
        - with one tag each ping is answered, before and after
        - with different tags none is answered, and no request arrives at the other's TAP
        - control: with one tag requests are seen at the other's TAP; else the check is inconclusive
    """
    guests, ports = testbed.guests[:2], testbed.switch.ports()
    if len(guests) == 1:
        raise testbed.without("two guests", "guests has one")
    gone = [guest.tap for guest in guests if guest.tap not in ports]
    assert not gone, f"no port of {testbed.switch.name}: {', '.join(gone)}"
    found: list[Sequence[PingSeen]] = []
    with _own_tags_kept(testbed, guests):
        for tags in ((RED, RED), (RED, BLUE), (RED, RED)):
            for guest, tag in zip(guests, tags, strict=True):
                vsctl(testbed.host, "set", "Port", guest.tap, f"tag={tag}")
            found.append(_settled(testbed, guests, evidence, answered=tags[0] == tags[1]))
    before, apart, after = found
    for ping in (*before, *after):
        assert ping.answered, f"with tag {RED} on both ports: {ping}"
        if not ping.arrived:
            raise Inconclusive(f"with tag {RED} on both ports the capture saw nothing: {ping}")
    for ping in apart:
        assert not ping.answered, f"with tags {RED} and {BLUE}: {ping}"
        assert not ping.arrived, f"with tags {RED} and {BLUE}: {ping}"
    evidence.reason = f"tags {RED} and {RED}: {before[0]}; {RED} and {BLUE}: {apart[0]}"


@dataclass(frozen=True)
class PingSeen:
    """A guest's ping of another, seen from both ends."""

    near: str
    far: str
    answered: bool
    arrived: int

    def __str__(self) -> str:
        said = "answered" if self.answered else "not answered"
        return f"{self.near} → {self.far} {said}, {self.arrived} requests at its TAP"


@contextlib.contextmanager
def _own_tags_kept(testbed: Testbed, guests: Sequence[Guest]) -> Iterator[None]:
    """Have the guests' ports for a `with` block; after it their tags are as before."""
    tags = {guest.tap: vsctl(testbed.host, "get", "Port", guest.tap, "tag") for guest in guests}
    try:
        yield
    finally:
        for tap, tag in tags.items():
            vsctl(testbed.host, "set", "Port", tap, f"tag={tag.strip()}")


def _settled(
    testbed: Testbed, guests: Sequence[Guest], evidence: Evidence, *, answered: bool
) -> Sequence[PingSeen]:
    """Return the pings of two guests once the tags are in force.

    An answer that is due is waited for; silence is, for a second.
    """
    wait_s = ANSWER_S if answered else 1.0

    def seen() -> Sequence[PingSeen]:
        return _both_ways(testbed, guests, evidence, wait_s)

    poll(
        seen,
        lambda both: all(ping.answered == answered for ping in both),
        deadline_s=IN_FORCE_DEADLINE_S,
    )
    # Once more: the result has to be stable.
    return seen()


def _both_ways(
    testbed: Testbed, guests: Sequence[Guest], evidence: Evidence, wait_s: float
) -> Sequence[PingSeen]:
    """Have two guests ping each other once, one after the other."""
    found = []
    for near, far in (guests, reversed(guests)):
        with evidence.capture(testbed.host, far.tap, near.name) as frames:
            ends = testbed.guest_end(near), testbed.guest_end(far)
            answer = send_one("icmp", *ends, wait_s=wait_s)
            pause(QUIET_S)
            asks = functools.partial(is_request, proto="icmp", to=far.address)
            arrived = frames.frames(asks)
            frames.require_whole()
        found.append(PingSeen(near.name, far.name, answer.all_answered, len(arrived)))
    return found


@contextlib.contextmanager
def _plugged(testbed: Testbed, evidence: Evidence, *names: str) -> Iterator[dict[str, Speaker]]:
    with contextlib.ExitStack() as stack:
        stations = {}
        for name in names:
            made = stack.enter_context(station(testbed.host, testbed.switch, name))
            frames = stack.enter_context(evidence.capture(made.machine, NIC))
            stations[name] = Speaker(made.port, made.send, frames)
        yield stations
