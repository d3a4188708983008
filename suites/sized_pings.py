# SPDX-License-Identifier: GPL-2.0-or-later
"""Pings with packets of exactly an MTU and of an octet more, from one end to another."""

from collections.abc import Sequence
from dataclasses import dataclass

from fixtures.errors import Inconclusive
from fixtures.probe.capture import Capture, Frame
from fixtures.probe.evidence import Evidence
from fixtures.probe.packet_sizes import Sized, sized
from fixtures.probe.reach import COUNT, TRANSPORT_OCTETS, Answer, End, ping

# Of iputils' `ping -M`: nobody takes the packet apart; the sender does for a path that it knows to
# be smaller; anybody does.
WHOLE, AS_LEARNT, IN_PARTS = "do", "want", "dont"
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


def require_control(way: Way, control: Answer) -> None:
    """Require that small packets of a way were answered.

    Raises:
        Inconclusive: they were not.
    """
    if not control.all_answered:
        raise Inconclusive(f"control failed: {way} with packets of {SMALL} octets: {control}")


def tried_by(way: Way, mtu: int) -> Tried:
    """Ping by a way with packets of an MTU and of an octet more, and with small ones."""
    control = way.ping(SMALL, WHOLE)
    exact, parted = way.ping(mtu, WHOLE), way.ping(mtu + 1, IN_PARTS)
    uncut = way.ping(mtu + 1, WHOLE, count=1)
    return Tried(exact, parted, uncut, control, way.arrived(way.arrival.frames()))


def require_whole_of(
    ways: Sequence[Way], tried: Sequence[Tried], mtu: int, arrives: int, evidence: Evidence
) -> None:
    """Require that each way takes packets of the MTU, and none of an octet more.

    Args:
        ways: from which end to which.
        tried: what came of each.
        mtu: the MTU.
        arrives: the largest packet that may arrive.
        evidence: gets the observation.
    """
    for way, each in zip(ways, tried, strict=True):
        require_control(way, each.control)
    found = [
        f"{way}: {fault}"
        for way, each in zip(ways, tried, strict=True)
        for fault in each.faults(mtu, arrives)
    ]
    evidence.reason = f"{mtu} octets whole, {mtu + 1} in fragments: {', '.join(map(str, ways))}"
    assert not found, f"the MTU is {mtu}; {'; '.join(found)}"
