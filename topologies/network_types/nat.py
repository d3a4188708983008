# SPDX-License-Identifier: GPL-2.0-or-later
"""A NAT network: libvirt's bridge, whose subnet the host masquerades towards the outside."""

from types import MappingProxyType

from topologies.network_types.libvirt_bridge import LibvirtBridge
from topologies.network_types.network_type import CELLS, OUTSIDE_TO_GUEST


class Nat(LibvirtBridge):
    """`<forward mode='nat'/>` (libvirt, "Network XML format", "NAT based network"; D3, D4)."""

    name = "nat"
    forward = "nat"
    mode = "nat"
    elsewhere = "only libvirt masquerades for a network of its own"
    reach = MappingProxyType({cell: cell != OUTSIDE_TO_GUEST for cell in CELLS})
    source = "host"
