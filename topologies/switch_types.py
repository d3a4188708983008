# SPDX-License-Identifier: GPL-2.0-or-later
"""The types of switch: what the data has to know of each."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class SwitchType:
    """One kind of switch.

    Attributes:
        name: as `switch` in a topology file.
        virtualport: libvirt's `<virtualport type=…>` of a port on it; None: it needs none.
        needs: capabilities of the host that it needs.
        path_obstacle: why a NIC that carries the operator's own connection is no port of it; "": it
            may be one.
        is_kernels: it is a bridge of the Linux kernel.
        gives_vlans: libvirt gives its ports the VLANs of a `<vlan>`.
    """

    name: str
    virtualport: str | None = None
    needs: frozenset[str] = frozenset()
    path_obstacle: str = ""
    is_kernels: bool = False
    gives_vlans: bool = False


SWITCH_TYPES: Final = MappingProxyType(
    {
        each.name: each
        for each in (
            SwitchType("linux", is_kernels=True),
            SwitchType(
                "ovs",
                virtualport="openvswitch",
                needs=frozenset({"ovs"}),
                gives_vlans=True,
                path_obstacle="frames of an Open vSwitch bridge depend on a daemon, ovs-vswitchd",
            ),
            SwitchType("nic", path_obstacle="its functions are guests' NICs"),
        )
    }
)
