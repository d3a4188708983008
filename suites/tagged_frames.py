# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames with and without an 802.1Q tag: who hears which, and with which tag then."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from fixtures.probe.capture import Capture
from fixtures.waiting import pause, poll

# IEEE 802 local experimental EtherType 1: no other traffic on the bridge uses it.
EXPERIMENTAL = 0x88B5
BROADCAST = "ff:ff:ff:ff:ff:ff"
# Open vSwitch applies a change to flows that it has forwarded when it revalidates them, within half
# a second on an idle machine.
IN_FORCE_DEADLINE_S = 20.0
# A frame that leaves a port does so within microseconds; this is for a busy machine.
FRAME_DEADLINE_S = 5.0
QUIET_S = 0.3


class Said(NamedTuple):
    """A frame.

    Attributes:
        sender: the speaker's name.
        vlan: the tag that it was sent with; None without one.
        to: the speaker that it is addressed to; None: it is a broadcast.
    """

    sender: str
    vlan: int | None
    to: str | None = None


# Who received a frame, which one, and the tag that it carried then.
Heard = tuple[str, Said, int | None]


@dataclass(frozen=True)
class Speaker:
    """One that sends frames, and hears the others.

    Attributes:
        port: the switch's port for it.
        say: sends one frame.
        frames: a capture on its link.
        hears_outgoing: what it hears leaves the captured link: the switch's port, and not its NIC.
    """

    port: str
    say: Callable[[Packet], None]
    frames: Capture
    hears_outgoing: bool = False


def require_heard(speakers: Mapping[str, Speaker], said: list[Said], wanted: set[Heard]) -> None:
    """Send frames; exactly what is wanted must be heard, as soon as the ports are set so."""
    poll(
        lambda: _exchange(speakers, said, wanted),
        lambda heard: heard == wanted,
        deadline_s=IN_FORCE_DEADLINE_S,
    )
    # Once more: the result has to be stable.
    seen = _exchange(speakers, said, wanted)
    missing, strays = _listed(wanted - seen), _listed(seen - wanted)
    assert not strays, f"heard and should not be: {strays}; missing: {missing or 'nothing'}"
    assert not missing, f"not heard: {missing}"


def _exchange(speakers: Mapping[str, Speaker], said: list[Said], wanted: set[Heard]) -> set[Heard]:
    """Send each frame once and return who heard what, when all that is wanted was heard."""
    marks = {f"{random.getrandbits(64):016x}".encode().ljust(46, b"."): each for each in said}
    # Locally administered, unused.
    macs = {name: f"02:00:5e:00:53:{number:02x}" for number, name in enumerate(speakers, 0x12)}
    for mark, (sender, vlan, to) in marks.items():
        addresses = {"src": macs[sender], "dst": macs[to] if to else BROADCAST}
        speakers[sender].say(_frame(mark, vlan, addresses))

    def heard() -> set[Heard]:
        return {
            (listener, marks[mark], vlan)
            for listener, each in speakers.items()
            for frame in each.frames.frames()
            if frame.outgoing == each.hears_outgoing
            for mark, vlan in [_read(frame.packet)]
            if mark in marks
        }

    poll(heard, lambda seen: wanted <= seen, deadline_s=FRAME_DEADLINE_S)
    pause(QUIET_S)
    for each in speakers.values():
        each.frames.require_whole()
    return heard()


def _listed(frames: set[Heard]) -> str:
    def tag(vlan: int | None) -> str:
        return "untagged" if vlan is None else f"with tag {vlan}"

    return "; ".join(
        f"{listener} gets {tag(vlan)} the frame that {sent.sender} sends {tag(sent.vlan)}"
        f"{f' to {sent.to}' if sent.to else ''}"
        for listener, sent, vlan in sorted(frames, key=str)
    )


def _frame(mark: bytes, vlan: int | None, addresses: Mapping[str, str]) -> Packet:
    if vlan is None:
        return Ether(**addresses, type=EXPERIMENTAL) / Raw(mark)
    return Ether(**addresses) / Dot1Q(vlan=vlan, type=EXPERIMENTAL) / Raw(mark)


def _read(packet: Packet) -> tuple[bytes, int | None]:
    """Return a frame's mark and its tag."""
    vlan = int(packet[Dot1Q].vlan) if Dot1Q in packet else None
    return bytes(packet[Raw]) if Raw in packet else b"", vlan
