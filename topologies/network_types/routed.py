# SPDX-License-Identifier: GPL-2.0-or-later
"""A routed network: libvirt's bridge; the host forwards its subnet without translation."""

from types import MappingProxyType

from topologies.network_types.libvirt_bridge import LibvirtBridge
from topologies.network_types.network_type import CELLS


class Routed(LibvirtBridge):
    """`<forward mode='route'/>` (libvirt, "Network XML format", "Routed network config").

    The outside reaches the guests once it has a route to their subnet.
    """

    name = "routed"
    forward = "route"
    mode = "route"
    elsewhere = "only libvirt routes for a network of its own"
    reach = MappingProxyType(dict.fromkeys(CELLS, True))
    source = "self"
    outside_needs_route = True
