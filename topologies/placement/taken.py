# SPDX-License-Identifier: GPL-2.0-or-later
"""Names, networks and addresses that a host has already."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID


@dataclass(frozen=True)
class Taken:
    """What a topology on a shared host has to stay clear of.

    Attributes:
        names: of links, bridges, domains, libvirt's networks and network namespaces.
        networks: those that a route, an address or a network of libvirt's names.
        macs: of links, and of the NICs of domains and bridges of networks, in lower case.
        uuids: of libvirt's networks.
        ipv6_networks: those of IPv6 that a route, an address or a network of libvirt's names.
    """

    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network, ...] = ()
    macs: frozenset[str] = frozenset()
    uuids: frozenset[UUID] = frozenset()
    ipv6_networks: tuple[IPv6Network, ...] = ()
