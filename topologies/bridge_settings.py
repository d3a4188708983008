# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of a Linux bridge beside spanning tree and forward delay.

Source: Linux kernel, Documentation/networking/bridge.rst; bridge-utils-interfaces(5).
"""

from pydantic import Field

from topologies.part import Part

PRIORITY_MAX = 65535
# net/bridge/br_private.h and br_stp.h: BR_MIN_HELLO_TIME and so on.
HELLO_MIN_S, HELLO_MAX_S = 1, 10
COST_MIN, COST_MAX = 1, 65535
PORT_PRIORITY_MAX = 63
MAX_AGE_MIN_S, MAX_AGE_MAX_S = 6, 40
AGEING_MAX_S = (2**32 - 1) // 100
"""Netlink has it in hundredths of a second, in 32 bits."""


class BridgeSettings(Part):
    """Settings that a host gives its bridge; each is left to the kernel where it is null."""

    ageing_s: int | None = Field(
        default=None,
        ge=0,
        le=AGEING_MAX_S,
        description="The time after which a learnt address is forgotten; 0: none is learnt.",
    )
    priority: int | None = Field(
        default=None, ge=0, le=PRIORITY_MAX, description="The first half of its id."
    )
    hello_s: int | None = Field(
        default=None, ge=HELLO_MIN_S, le=HELLO_MAX_S, description="The spanning tree's hello time."
    )
    max_age_s: int | None = Field(
        default=None,
        ge=MAX_AGE_MIN_S,
        le=MAX_AGE_MAX_S,
        description="The spanning tree's max age.",
    )
    vlan_aware: bool | None = Field(
        default=None, description="Whether it filters frames by their VLAN."
    )
    uplink_cost: int | None = Field(
        default=None,
        ge=COST_MIN,
        le=COST_MAX,
        description="The spanning tree's cost of the uplink's port.",
    )
    uplink_priority: int | None = Field(
        default=None,
        ge=0,
        le=PORT_PRIORITY_MAX,
        description="The uplink's first half of a port id.",
    )
