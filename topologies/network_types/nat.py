# SPDX-License-Identifier: GPL-2.0-or-later
"""A NAT network: libvirt's bridge, whose subnet the host masquerades towards the outside."""

from types import MappingProxyType

from contracts.address_family import IPV6, AddressFamily
from topologies.network_types.libvirt_bridge import LibvirtBridge
from topologies.network_types.network_type import CELLS, OUTSIDE_TO_GUEST, NetworkType
from topologies.network_types.routed import Routed
from topologies.schema import Network


class Nat(LibvirtBridge):
    """`<forward mode='nat'/>` (libvirt, "Network XML format", "NAT based network"; D3, D4)."""

    name = "nat"
    forward = "nat"
    mode = "nat"
    elsewhere = "only libvirt masquerades for a network of its own"
    reach = MappingProxyType({cell: cell != OUTSIDE_TO_GUEST for cell in CELLS})
    source = "host"

    def as_forwarded(self, network: Network, family: AddressFamily) -> NetworkType:
        """See `NetworkType.as_forwarded`: without `<nat ipv6='yes'/>` IPv6 is routed."""
        return Routed() if family is IPV6 and not network.nat6 else self
