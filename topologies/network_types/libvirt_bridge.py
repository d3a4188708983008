# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks with a bridge made by libvirt, which routes by the network's type.

Source: libvirt, "Network XML format".
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar
from xml.etree import ElementTree as ET

from contracts.address_family import IPV6
from topologies.dns import Dns
from topologies.field_types import ETHERNET_MTU, IPV6_MTU_MIN
from topologies.network_types.build_steps import BootFolder, BuildStep, LibvirtNetwork
from topologies.network_types.dnsmasq_xml import add_dhcp, add_dhcp6, add_names, add_options
from topologies.network_types.network_type import Breach, Hop, LinkMtu, NetworkType
from topologies.portgroups import VLANS
from topologies.schema import OF_LIBVIRT, Network, Physical, Role

NAT = "nat"
"""The only forward mode with a `<nat>` in it."""


class LibvirtBridge(NetworkType):
    """A virtual network of libvirt.

    Attributes:
        mode: of `<forward mode=…/>`; None: the element is left out.
    """

    mode: ClassVar[str | None]
    made_by = "libvirt"
    switches = ("linux",)
    # libvirt, "Network XML format", `<bridge stp= delay=>`: on and 0 by default.
    spanning_tree = (True, 0)
    # libvirt turns IPv6 off on a bridge that it gives no IPv6 address.
    host_end_has_ipv6 = False
    # By dnsmasq, where it gives it one.
    host_advertises = True
    other_switch = "a network made by libvirt is a Linux bridge"

    def breaches(self, network: Network) -> Iterator[Breach]:
        """See `NetworkType.breaches`."""
        yield from bridge_breaches(network)
        if network.libvirt_name is not None:
            yield Breach(
                "libvirt_name",
                f"a network made by libvirt is called by its name, {network.name}; expected null",
                "leave it out",
            )
        if network.uplink is not None:
            yield Breach(
                "uplink",
                "libvirt adds no physical NIC to the bridge it makes; expected null",
                "write made_by: host for a bridge with an uplink",
            )
        if network.bridge_settings is not None:
            yield Breach(
                "bridge_settings",
                "libvirt's bridge has those of its <bridge> alone; expected null",
                "leave it out, or write made_by: host",
            )
        for key in filter(network.asks_for, VLANS):
            yield Breach(
                key,
                "a bridge of libvirt's gives its ports no VLANs; expected none",
                "leave it out, or write made_by: host and switch: ovs",
            )
        if network.nat6 and (network.address6 is None or network.forward != NAT):
            yield Breach(
                "nat6",
                "true without something to translate; expected forward: nat and an address6",
                "write both, or leave it out",
            )
        if network.address6 is not None and (network.mtu or IPV6_MTU_MIN) < IPV6_MTU_MIN:
            yield Breach(
                "mtu",
                f"{network.mtu} with an address6; expected {IPV6_MTU_MIN} or more: a link with "
                "less has no IPv6",
                "write a larger one, or leave address6 out",
            )
        if network.dhcp6 is not None and network.address6 is None:
            yield Breach(
                "dhcp6",
                "a DHCPv6 server without an IPv6 address on the bridge; expected both or none",
                "give the network its address6",
            )
        if network.address6 is not None and not _has_dnsmasq(network):
            yield Breach(
                "dns",
                "no DNS, and no DHCP of either family: libvirt starts no dnsmasq, and nothing "
                "advertises the prefix of address6; expected one of them",
                "leave dns out, or give the network dhcp6",
            )
        if network.dhcp is not None and network.address is None:
            yield Breach(
                "dhcp",
                "a DHCP range without an address on the bridge; expected both or none",
                "give the network its address",
            )
        for key in OF_LIBVIRT:
            if network.address is None and _is_for_ipv4(network, key):
                yield Breach(
                    key,
                    "DNS and routes of a bridge without an IPv4 address, which are not checked; "
                    "expected both or none"
                    if network.address6 is not None
                    else "libvirt starts no dnsmasq on a bridge without an address, and routes by "
                    "none; expected both or none",
                    "give the network its address",
                )
        if self.mode is not None and network.address is None and network.address6 is None:
            yield Breach(
                "forward",
                f"{self.forward} without an address on the bridge; expected one to route from",
                "give the network its address",
            )

    def libvirt_name(self, network: Network) -> str | None:
        """See `NetworkType.libvirt_name`."""
        return network.name

    def link_mtu(self, network: Network, physical: Physical | None) -> LinkMtu | None:
        """See `NetworkType.link_mtu`: the bridge's, which libvirt gives it."""
        del physical
        return LinkMtu(network.mtu or ETHERNET_MTU, "mtu")

    def build_steps(self, network: Network) -> Sequence[BuildStep]:
        """See `NetworkType.build_steps`."""
        made = LibvirtNetwork(self.xml(network), network.given_file)
        if network.tftp is None:
            return (made,)
        bootp = None if network.dhcp is None else network.dhcp.bootp
        file = None if bootp is None or bootp.server is not None else bootp.file
        return BootFolder(network.tftp.root, file), made

    def xml(self, network: Network) -> str:
        """Return the network's definition: the user's own, else the keys of the data, no others."""
        if network.given is not None:
            return network.given.text
        root = ET.Element("network", {"ipv6": "yes"} if network.guests_ipv6 else {})
        ET.SubElement(root, "name").text = network.name
        if network.uuid is not None:
            ET.SubElement(root, "uuid").text = str(network.uuid)
        if self.mode is not None:
            forward = ET.SubElement(root, "forward", mode=self.mode)
            if network.nat6:
                ET.SubElement(forward, "nat", ipv6="yes")
        bridge = ET.SubElement(root, "bridge", name=network.bridge)
        if network.stp is not None:
            bridge.set("stp", "on" if network.stp else "off")
        if network.forward_delay_s is not None:
            bridge.set("delay", str(network.forward_delay_s))
        if network.mac is not None:
            ET.SubElement(root, "mac", address=network.mac)
        if network.mtu is not None:
            ET.SubElement(root, "mtu", size=str(network.mtu))
        add_names(root, network)
        _add_addresses(root, network)
        _add_routes(root, network)
        add_options(root, network.dnsmasq_options)
        return as_text(root)

    def gateway(self, network: Network, physical: Physical | None) -> IPv4Address | None:
        """See `NetworkType.gateway`: the bridge, where libvirt routes."""
        del physical
        if self.mode is None or network.address is None:
            return None
        return network.address.ip

    def gateway6(self, network: Network) -> IPv6Address | None:
        """See `NetworkType.gateway6`: the bridge, where libvirt routes."""
        if self.mode is None or network.address6 is None:
            return None
        return network.address6.ip

    def hops(self, from_: Role, to: Role) -> tuple[Hop, ...]:
        """See `NetworkType.hops`: packets to the outside pass the bridge and the uplink."""
        ends: dict[Role, tuple[Hop, ...]] = {
            "guest": ("tap",),
            "host": ("bridge",),
            "outside": ("bridge", "uplink", "outside nic"),
        }
        return (*reversed(ends[from_]), *ends[to])


def _has_dnsmasq(network: Network) -> bool:
    return network.has_dns or network.dhcp is not None or network.dhcp6 is not None


def _is_for_ipv4(network: Network, key: str) -> bool:
    """Whether a key asks for what is looked at by IPv4 alone; by IPv6 there is DNS, or none."""
    if key == "dns" and network.address6 is not None and network.dns is not None:
        return network.dns != Dns(enable=network.dns.enable)
    return network.asks_for(key)


def bridge_breaches(network: Network) -> Iterator[Breach]:
    """Give the keys of a network that contradict its bridge."""
    if network.bridge_name is None:
        yield Breach(
            "bridge",
            "the key is missing, or null; expected a name",
            "The bridge's interface name.",
        )
    if network.vfs is not None:
        yield Breach(
            "vfs",
            f"{network.vfs} virtual functions for a bridge; expected null",
            "leave it out, or write forward: hostdev",
        )


def _add_addresses(root: ET.Element, network: Network) -> None:
    if network.address is not None:
        address, netmask = str(network.address.ip), str(network.address.netmask)
        ip = ET.SubElement(root, "ip", address=address, netmask=netmask)
        if network.tftp is not None:
            ET.SubElement(ip, "tftp", root=network.tftp.root)
        if network.dhcp is not None:
            add_dhcp(ip, network.dhcp)
    for further in network.further_addresses:
        held, netmask = str(further.ip), str(further.netmask)
        ET.SubElement(root, "ip", address=held, netmask=netmask)
    if network.address6 is not None:
        # Without <dhcp> dnsmasq advertises the prefix, and serves no addresses.
        address, prefix = str(network.address6.ip), str(network.address6.network.prefixlen)
        ip = ET.SubElement(root, "ip", family=IPV6.name, address=address, prefix=prefix)
        if network.dhcp6 is not None:
            add_dhcp6(ip, network.dhcp6)


def _add_routes(root: ET.Element, network: Network) -> None:
    for route in network.routes:
        to, prefix = str(route.to.network_address), str(route.to.prefixlen)
        added = ET.SubElement(root, "route", address=to, prefix=prefix)
        added.set("gateway", str(route.gateway))
        if route.metric is not None:
            added.set("metric", str(route.metric))


def as_text(root: ET.Element) -> str:
    """Return an element as indented XML."""
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")
