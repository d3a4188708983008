# SPDX-License-Identifier: GPL-2.0-or-later
"""Which NICs of guests are made to finish their frames."""

from collections.abc import Sequence

import pytest

from fixtures.guest.domain_xml import Nic
from fixtures.guest.whole_frames import finish_frames
from fixtures.host.command import Completed


class Recorded:
    """Keeps what is run."""

    def __init__(self) -> None:
        self.ran: list[Sequence[str]] = []

    def run(self, argv: Sequence[str]) -> Completed:
        """Keep it."""
        self.ran.append(argv)
        return Completed("guest", tuple(argv), 0, "", "", 0.0)


@pytest.mark.parametrize(
    ("model", "whole_frames", "made_to"),
    [
        ("e1000e", True, True),
        ("e1000e", False, False),
        ("e1000", True, False),
        ("rtl8139", True, False),
        ("virtio", True, False),
        (None, True, False),
    ],
)
def test_only_what_qemu_leaves_to_the_tap(
    model: str | None, whole_frames: bool, made_to: bool
) -> None:
    guest = Recorded()
    nic = Nic("bridge", "virbr1", "52:54:00:00:00:01", model, whole_frames=whole_frames)
    finish_frames(guest, "eth1", nic)
    assert guest.ran == ([["ethtool", "-K", "eth1", "tx", "off"]] if made_to else [])
