# SPDX-License-Identifier: GPL-2.0-or-later
"""Bridges that the host makes by its own tools, with or without a libvirt network over them.

Source: libvirt, "Network XML format", "Using an existing host bridge".
"""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from topologies.network_types.build_steps import (
    BuildStep,
    HostBridge,
    LibvirtNetwork,
    StanzaBridge,
)
from topologies.network_types.libvirt_bridge import as_text, bridge_breaches
from topologies.network_types.network_type import Breach, NetworkType
from topologies.portgroups import VLANS, Portgroup, PortVlan, default_class
from topologies.schema import OF_LIBVIRT, Guest, Network
from topologies.switch_types import SWITCH_TYPES

# The key `address6` is the bridge's own.
OF_LIBVIRTS_IPV6: Final = ("dhcp6", "nat6", "guests_ipv6")


class HostMadeBridge(NetworkType):
    """A bridge that `ip` or `ovs-vsctl` makes."""

    made_by = "host"
    other_switch = "a NIC switches only between its own functions"

    def breaches(self, network: Network) -> Iterator[Breach]:
        """See `NetworkType.breaches`."""
        yield from bridge_breaches(network)
        if network.dhcp is not None:
            yield Breach(
                "dhcp",
                "a bridge made by the host has no DHCP server; expected null",
                "write made_by: libvirt, or give the guests static addresses",
            )
        for key in OF_LIBVIRT:
            if network.asks_for(key):
                yield Breach(
                    key,
                    "a bridge made by the host has no dnsmasq, address or route of libvirt's; "
                    "expected none",
                    "write made_by: libvirt, or leave it out",
                )
        for key in OF_LIBVIRTS_IPV6:
            if network.asks_for(key):
                yield Breach(
                    key,
                    "on a bridge made by the host nothing serves or translates IPv6; expected none",
                    "write made_by: libvirt, or leave it out",
                )
        if network.asks_for("bridge_settings") and not SWITCH_TYPES[network.switch].is_kernels:
            yield Breach(
                "bridge_settings",
                "they are those of a Linux bridge; expected null",
                "write switch: linux, or leave it out",
            )
        yield from _vlan_breaches(network)
        if network.mtu is not None:
            yield Breach(
                "mtu",
                "the host gives its bridge no MTU, it follows the bridge's ports; expected null",
                "write made_by: libvirt, or leave it out",
            )
        if network.uuid is not None:
            yield Breach(
                "uuid",
                "a bridge made by the host has no UUID; expected null",
                "leave it out",
            )

    def guest_breaches(self, network: Network, guest: Guest) -> Iterator[Breach]:
        """See `NetworkType.guest_breaches`."""
        yield from super().guest_breaches(network, guest)
        default = default_class(network.portgroups, network.vlan)
        if guest.attach == "network" and default is not None:
            holder = f"default portgroup, {default.portgroup}," if default.portgroup else "network"
            yield Breach(
                "attach",
                f"network: its {holder} has VLANs, and neither host nor outside are in them; "
                "expected bridge",
                "write attach: bridge; OV-19 is about NICs in the VLANs",
            )

    def libvirt_name(self, network: Network) -> str | None:
        """See `NetworkType.libvirt_name`."""
        return network.libvirt_name

    def build_steps(self, network: Network) -> Sequence[BuildStep]:
        """See `NetworkType.build_steps`."""
        stanza = network.stanza
        made = HostBridge(network) if stanza is None else StanzaBridge(network, stanza)
        if network.libvirt_name is None:
            return (made,)
        xml = _over_the_bridge(network.libvirt_name, network)
        return made, LibvirtNetwork(xml, network.given_file)

    def listed_source(self, network: Network, guest: Guest) -> tuple[str, str]:
        """See `NetworkType.listed_source`: the bridge, however it is attached."""
        del guest
        return "bridge", network.bridge


def _vlan_breaches(network: Network) -> Iterator[Breach]:
    """Give what contradicts VLANs and portgroups; libvirt takes one group of a name and default."""
    for key in filter(network.asks_for, VLANS):
        if not SWITCH_TYPES[network.switch].gives_vlans:
            yield Breach(
                key,
                "a Linux bridge's ports get no VLANs of libvirt's; expected none",
                "write switch: ovs, or leave it out",
            )
        if network.libvirt_name is None:
            yield Breach(
                key,
                "it is of a libvirt network over the bridge; expected a libvirt_name",
                "give the network a libvirt_name, or leave it out",
            )
    names = [each.name for each in network.portgroups]
    defaults = [each for each in network.portgroups if each.default]
    if len(set(names)) < len(names) or len(defaults) > 1:
        yield Breach(
            "portgroups",
            f"{', '.join(names)}; expected each name once, and default: true once at most",
            "rename, or take out, all but one",
        )


def _over_the_bridge(name: str, network: Network) -> str:
    """Return the definition of a `<forward mode='bridge'>` network over the host's own bridge."""
    if network.given is not None:
        return network.given.text
    root = ET.Element("network")
    ET.SubElement(root, "name").text = name
    ET.SubElement(root, "forward", mode="bridge")
    ET.SubElement(root, "bridge", name=network.bridge)
    if (virtualport := SWITCH_TYPES[network.switch].virtualport) is not None:
        ET.SubElement(root, "virtualport", type=virtualport)
    if network.vlan is not None:
        _add_vlan(root, network.vlan)
    for group in network.portgroups:
        _add_portgroup(root, group)
    return as_text(root)


def _add_portgroup(root: ET.Element, group: Portgroup) -> None:
    added = ET.SubElement(root, "portgroup", name=group.name)
    if group.default:
        added.set("default", "yes")
    if group.vlan is not None:
        _add_vlan(added, group.vlan)


def _add_vlan(parent: ET.Element, vlan: PortVlan) -> None:
    added = ET.SubElement(parent, "vlan")
    if vlan.trunk:
        added.set("trunk", "yes")
    for tag in vlan.tags:
        each = ET.SubElement(added, "tag", id=str(tag))
        if tag == vlan.native:
            each.set("nativeMode", "tagged" if vlan.native_tagged else "untagged")
