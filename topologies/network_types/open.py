# SPDX-License-Identifier: GPL-2.0-or-later
"""An open network: libvirt's bridge without libvirt's rules; the host's own rules decide."""

from types import MappingProxyType

from topologies.network_types.libvirt_bridge import LibvirtBridge
from topologies.network_types.network_type import CELLS


class Open(LibvirtBridge):
    """`<forward mode='open'/>` (libvirt, "Network XML format", "Connectivity").

    On a host without rules of its own it is like a routed network.
    """

    name = "open"
    forward = "open"
    mode = "open"
    elsewhere = "only libvirt has open networks"
    reach = MappingProxyType(dict.fromkeys(CELLS, True))
    source = "self"
    # A kernel leaves checksums to virtio NICs; elsewhere a rule of libvirt's fills them in.
    completes_dhcp_answers = False
    outside_needs_route = True
    own_rules_decide = True
