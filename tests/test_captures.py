# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures on several links: a frame counts on whichever it passes."""

import functools
import threading
import time
from collections.abc import Iterable

import pytest
from scapy.packet import Packet

from fixtures.host.frame_source import Frame
from fixtures.probe.capture import Capture
from fixtures.probe.captures import Captures
from fixtures.probe.marked_frames import BROADCAST, is_marked, marked

MAC = "02:00:5e:00:53:41"  # locally administered, unused
MARK = b"by either link"
WANTED = functools.partial(is_marked, mark=MARK)


class Given:
    """A source of frames that are known from the start; see `FrameSource`."""

    def __init__(self, packets: Iterable[Packet]) -> None:
        self._left = [Frame(time.time(), bytes(each), outgoing=True) for each in packets]

    def read(self) -> Frame | None:
        """See `FrameSource.read`."""
        return self._left.pop(0) if self._left else None

    def settle(self) -> None:
        """See `FrameSource.settle`."""

    def lost(self) -> int:
        """See `FrameSource.lost`."""
        return 0

    def close(self) -> None:
        """See `FrameSource.close`."""


def taken(link: str, *packets: Packet) -> Capture:
    """Return a capture that has all frames of its source."""
    found = Capture("lan", link, Given(packets))
    stop = threading.Event()
    stop.set()
    found.take(stop)
    return found


@pytest.mark.parametrize("number", [0, 1])
def test_a_frame_counts_on_each_link(number: int) -> None:
    frames: list[list[Packet]] = [[marked(MAC, BROADCAST, b"other")], []]
    frames[number].append(marked(MAC, BROADCAST, MARK))
    captures = Captures([taken(f"to-host{n}", *each) for n, each in enumerate(frames)])
    [found] = captures.collect(WANTED, deadline_s=0)
    assert MARK in found.raw
    assert len(captures.frames()) == len([each for own in frames for each in own])


def test_what_is_missing_is_so_on_all_links() -> None:
    captures = Captures([taken("to-host"), taken("to-host2")])
    assert captures.collect(WANTED, deadline_s=0) == []
    said = captures.missing("an answer", deadline_s=0)
    assert said == "not within 0 s: an answer on to-host of lan, to-host2 of lan"
