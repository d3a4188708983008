# SPDX-License-Identifier: GPL-2.0-or-later
"""An open network: libvirt's bridge, and no rule of libvirt's; the host's own rules decide."""

from types import MappingProxyType

from topologies.network_types.libvirt_bridge import LibvirtBridge
from topologies.network_types.network_type import CELLS


class Open(LibvirtBridge):
    """`<forward mode='open'/>` (libvirt, "Network XML format", "Connectivity").

    As routed, on a host whose own rules let everything pass.
    """

    name = "open"
    forward = "open"
    mode = "open"
    elsewhere = "only libvirt has open networks"
    reach = MappingProxyType(dict.fromkeys(CELLS, True))
    source = "self"
    outside_needs_route = True
