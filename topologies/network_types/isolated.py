# SPDX-License-Identifier: GPL-2.0-or-later
"""An isolated network: libvirt's bridge, without forwarding to or from the outside."""

from types import MappingProxyType

from topologies.network_types.libvirt_bridge import LibvirtBridge
from topologies.network_types.network_type import AMONG_HOST_AND_GUESTS, CELLS


class Isolated(LibvirtBridge):
    """No `<forward>` (libvirt, "Network XML format", "Isolated network config"; D3)."""

    name = "isolated"
    forward = "none"
    mode = None
    # libvirt writes no-resolv: what its guests asked could carry data out.
    names_from_outside = False
    reach = MappingProxyType({cell: cell in AMONG_HOST_AND_GUESTS for cell in CELLS})
