# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of a Linux bridge beside spanning tree and forward delay.

Source: Linux kernel, Documentation/networking/bridge.rst; bridge-utils-interfaces(5).
"""

from pydantic import Field

from topologies.part import Part

PRIORITY_MAX = 65535


class BridgeSettings(Part):
    """Settings that a host gives its bridge; each is left to the kernel where it is null."""

    ageing_s: int | None = Field(
        default=None, ge=0, description="The time after which a learnt address is forgotten."
    )
    priority: int | None = Field(
        default=None, ge=0, le=PRIORITY_MAX, description="The first half of its id."
    )
    hello_s: int | None = Field(default=None, ge=0, description="The spanning tree's hello time.")
    max_age_s: int | None = Field(default=None, ge=0, description="The spanning tree's max age.")
    vlan_aware: bool | None = Field(
        default=None, description="Whether it filters frames by their VLAN."
    )
