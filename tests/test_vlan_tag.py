# SPDX-License-Identifier: GPL-2.0-or-later
"""A captured frame's tag, put back from what the kernel tells beside it."""

import pytest
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from fixtures.host.vlan_tag import AUXDATA, TPID_VALID, VLAN_VALID, with_tag

PLAIN = Ether(src="02:00:5e:00:53:01", dst="ff:ff:ff:ff:ff:ff", type=0x88B5) / Raw(b"said")
# VLAN 10 with priority 3.
TCI = 3 << 13 | 10


def auxdata(status: int, tci: int = 0, tpid: int = 0) -> bytes:
    return AUXDATA.pack(status, len(PLAIN), len(PLAIN), 0, 14, tci, tpid)


def test_untagged_frame_stays_as_it_is() -> None:
    assert with_tag(bytes(PLAIN), auxdata(0)) == bytes(PLAIN)


@pytest.mark.parametrize(
    ("status", "tpid", "wanted"),
    [
        (VLAN_VALID | TPID_VALID, 0x8100, 0x8100),
        (VLAN_VALID | TPID_VALID, 0x88A8, 0x88A8),
        # A kernel that does not say which kind of tag it took out means 802.1Q's.
        (VLAN_VALID, 0, 0x8100),
    ],
)
def test_tag_is_back_in_its_place(status: int, tpid: int, wanted: int) -> None:
    seen = with_tag(bytes(PLAIN), auxdata(status, TCI, tpid))
    tagged = Ether(src=PLAIN.src, dst=PLAIN.dst, type=wanted) / Dot1Q(prio=3, vlan=10, type=0x88B5)
    assert seen == bytes(tagged / Raw(b"said"))
