# SPDX-License-Identifier: GPL-2.0-or-later
"""What an uplink is made of where it is no NIC: a VLAN of a NIC, a bond of NICs, or both."""

from typing import Annotated, Literal

from pydantic import Field

from topologies.field_types import InterfaceName
from topologies.part import Part

TAG_MIN, TAG_MAX = 1, 4094
"""IEEE 802.1Q, 9.6: 0 is no VLAN, 4095 is reserved."""
BondMode = Literal["active-backup"]
"""Modes for which the switch at the other end needs no setting of its own."""


class UplinkVlan(Part):
    """The uplink is a VLAN: it sends and takes frames of one 802.1Q tag by another link."""

    tag: int = Field(ge=TAG_MIN, le=TAG_MAX, description="The VLAN's number.")
    link: InterfaceName = Field(description="The NIC, or the bond, that carries its frames.")

    @property
    def usual_name(self) -> str:
        """The name by which bridge-utils makes it, as in `eth0.20`."""
        return f"{self.link}.{self.tag}"


class UplinkBond(Part):
    """The uplink, or the link that carries its VLAN, is a bond of NICs on one switch."""

    ports: Annotated[tuple[InterfaceName, ...], Field(strict=False)] = Field(
        min_length=2, description="Its NICs, at least two."
    )
    mode: BondMode = Field(
        default="active-backup", description="active-backup: one NIC carries all frames."
    )
    monitor_ms: int | None = Field(
        default=None,
        ge=0,
        description="The interval in which the bond looks for its NICs' carrier, in milliseconds; "
        "0: never; null: the kernel's.",
    )
