# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a topology: networks, the physical network, guests and promises.

Each part knows its own shape. Rules between parts (an address inside its network, a MAC used once)
are in `topologies.rules`.
"""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface
from typing import Annotated, Literal

from pydantic import Field

from contracts.address_family import IPV4, IPV6, AddressFamily, FamilyName
from topologies.bridge_settings import BridgeSettings
from topologies.dhcp import Dhcp, DhcpRange, DnsmasqOption, Tftp
from topologies.dhcp6 import Dhcp6
from topologies.dns import Dns, Domain
from topologies.field_types import (
    ETHERNET_MTU,
    Address,
    ForwardMode,
    GuestAddress,
    GuestName,
    Interface,
    Interface6,
    InterfaceName,
    Mac,
    Mtu,
    NetworkName,
    Subnet,
    Uuid,
)
from topologies.given import Given
from topologies.part import Part
from topologies.physical_ipv6 import PhysicalIpv6
from topologies.portgroups import Portgroup, PortVlan
from topologies.static_route import StaticRoute
from topologies.uplink_links import UplinkBond, UplinkVlan

Switch = Literal["linux", "ovs", "nic"]
"""The switch: a Linux bridge, an Open vSwitch bridge, or an SR-IOV NIC itself."""
Role = Literal["guest", "host", "outside"]
"""One end of a promise."""
Model = Literal["virtio", "rtl8139", "e1000", "e1000e"]
"""The model of a guest's NIC, by libvirt's names."""
OriginName = Literal["made", "existing"]
"""Where a network comes from (`topologies.origins`)."""
OF_LIBVIRT = (*("further_addresses", "domain", "dns", "tftp", "routes", "dnsmasq_options"),)
"""Keys of what libvirt adds to a bridge of its own that has an address, beside a DHCP server."""


class Network(Given):
    """One bridge and its network; or an SR-IOV NIC, whose virtual functions the guests get."""

    name: NetworkName = Field(
        description="libvirt's name of the network; for a bridge made by the host just its name."
    )
    made_by: Literal["libvirt", "host"] = Field(
        description="libvirt: a virtual network. host: ip or ovs-vsctl make the bridge."
    )
    bridge_name: InterfaceName | None = Field(
        default=None,
        alias="bridge",
        description="The bridge's interface name; null with forward: hostdev.",
    )
    switch: Switch = Field(
        description="linux: a kernel bridge. ovs: an Open vSwitch bridge. nic: an SR-IOV NIC."
    )
    forward: ForwardMode = Field(
        description="libvirt's <forward mode=…>; none: isolated, or a bridge without uplink."
    )
    address: Interface | None = Field(
        default=None,
        description="The host's address on the bridge, with hostdev on the uplink; null: none.",
    )
    address6: Interface6 | None = Field(
        default=None,
        description="The host's IPv6 address on the bridge, of the guests' prefix; null: none.",
    )
    nat6: bool = Field(
        default=False, description="libvirt's <nat ipv6='yes'/>: IPv6 is translated, too."
    )
    guests_ipv6: bool = Field(
        default=False,
        description="libvirt's <network ipv6='yes'>: guests have IPv6 among themselves, without an "
        "IPv6 address of the host's.",
    )
    further_addresses: Annotated[tuple[Interface, ...], Field(strict=False)] = Field(
        default=(),
        description="More of the host's addresses on the bridge; guests are on that of `address`.",
    )
    stp: bool | None = Field(
        default=None, description="Spanning tree; null: libvirt's or the kernel's default."
    )
    forward_delay_s: int | None = Field(
        default=None, ge=0, le=30, description="Forward delay in seconds; null: the default."
    )
    mac: Mac | None = Field(default=None, description="The bridge's MAC; null: made up.")
    bridge_settings: BridgeSettings | None = Field(
        default=None,
        description="More settings of a Linux bridge that the host makes; null: the kernel's.",
    )
    mtu: Mtu | None = Field(
        default=None,
        description="libvirt's <mtu size=>, of bridge and by DHCP of guests; null: Ethernet's.",
    )
    guests_mtu: Mtu | None = Field(
        default=None, description="libvirt's <mtu size=> of each guest's NIC; null: the network's."
    )
    uuid: Uuid | None = Field(
        default=None, description="The libvirt network's UUID; null: libvirt makes one."
    )
    domain: Domain | None = Field(
        default=None, description="The domain of the guests' names; null: they have none."
    )
    dns: Dns | None = Field(
        default=None, description="libvirt's DNS server; null: it is on, without entries."
    )
    dhcp: Dhcp | None = Field(
        default=None, description="libvirt's DHCP server and its range; null: there is none."
    )
    dhcp6: Dhcp6 | None = Field(
        default=None, description="libvirt's DHCPv6 server; null: there is none."
    )
    tftp: Tftp | None = Field(
        default=None, description="libvirt's TFTP server; null: there is none."
    )
    routes: Annotated[tuple[StaticRoute, ...], Field(strict=False)] = Field(
        default=(), description="The host's routes by way of the network's guests."
    )
    dnsmasq_options: Annotated[tuple[DnsmasqOption, ...], Field(strict=False)] = Field(
        default=(), description="Options that libvirt passes through to its dnsmasq."
    )
    uplink: InterfaceName | None = Field(
        default=None, description="The bridge's port that is a NIC, or with hostdev the PF."
    )
    uplink_vlan: UplinkVlan | None = Field(
        default=None, description="The uplink is a VLAN of another link; null: it is none."
    )
    uplink_bond: UplinkBond | None = Field(
        default=None,
        description="The uplink, or the link that its VLAN is of, is a bond; null: it is a NIC.",
    )
    vfs: int | None = Field(
        default=None, ge=1, le=256, description="With hostdev: the number of virtual functions."
    )
    origin: OriginName = Field(
        default="made",
        description="made: the run builds it and takes it down. existing: the host has it; the "
        "run attaches guests to it and changes nothing of it.",
    )
    libvirt_name: NetworkName | None = Field(
        default=None,
        description="For made_by host: a libvirt network with <forward mode='bridge'/> over "
        "the bridge; null: none.",
    )
    portgroups: Annotated[tuple[Portgroup, ...], Field(strict=False)] = Field(
        default=(), description="Classes of NICs of that libvirt network, by their VLANs."
    )
    vlan: PortVlan | None = Field(
        default=None, description="Those of its NICs whose portgroup has none; null: the bridge's."
    )

    @property
    def dhcp_range(self) -> DhcpRange | None:
        """The range that libvirt's DHCP server hands out; None: it has no server, or no range."""
        return None if self.dhcp is None else self.dhcp.range

    @property
    def has_dns(self) -> bool:
        """Whether libvirt's dnsmasq answers questions for names, where libvirt starts one."""
        return self.dns is None or self.dns.enable

    @property
    def bridge(self) -> str:
        """The bridge's interface name.

        Raises:
            LookupError: it has none: its guests have functions of a NIC.
        """
        if self.bridge_name is None:
            raise LookupError(f"network {self.name} has no bridge (forward: {self.forward})")
        return self.bridge_name

    @property
    def pf(self) -> str:
        """The NIC whose virtual functions guests get.

        Raises:
            LookupError: it is a network of another type.
        """
        if self.vfs is None or self.uplink is None:
            raise LookupError(f"network {self.name} has no physical function")
        return self.uplink

    @property
    def subnet(self) -> IPv4Network | None:
        """The network that the bridge's address lies in; None without an address."""
        return self.address.network if self.address else None

    def interface(self, family: AddressFamily) -> IPv4Interface | IPv6Interface | None:
        """Return the host's address of a family on the bridge; None: it has none."""
        return {IPV4: self.address, IPV6: self.address6}[family]

    @property
    def families(self) -> frozenset[AddressFamily]:
        """The families of which guests take their addresses from the host's, without a client."""
        return frozenset() if self.address6 is None else frozenset({IPV6})

    @property
    def is_ipv6_alone(self) -> bool:
        """Whether the host's only address on the bridge is of IPv6."""
        return self.address is None and self.address6 is not None

    @property
    def subnets(self) -> tuple[IPv4Network, ...]:
        """The networks that the bridge's addresses lie in, that of the guests first."""
        every = (self.address, *self.further_addresses)
        return tuple(each.network for each in every if each is not None)

    @property
    def is_on_physical_network(self) -> bool:
        """Whether its guests are on the physical network: the uplink is a port or the PF."""
        return self.uplink is not None


class Physical(Part):
    """The network beyond the host's uplink."""

    uplink: InterfaceName = Field(description="The host's NIC on it.")
    subnet: Subnet = Field(description="Its addresses.")
    router: Address = Field(description="Its router, which is also its DHCP and name server.")
    dhcp: DhcpRange = Field(description="The range its DHCP server hands out.")
    host: Address = Field(
        description="The host's address on it: on the NIC, or on the bridge with the NIC as a port."
    )
    outside: Address = Field(description="A machine on it other than host and router.")
    mtu: Mtu = Field(
        default=ETHERNET_MTU, description="That of its links: the uplink's and the outside's."
    )
    ipv6: PhysicalIpv6 | None = Field(
        default=None, description="Its IPv6 addresses; null: there are none."
    )

    def of(self, family: AddressFamily) -> "Physical | PhysicalIpv6 | None":
        """Return the figures of a family; None: the network has none."""
        return {IPV4: self, IPV6: self.ipv6}[family]

    @property
    def gateway(self) -> IPv4Address | None:
        """The router as a machine on it knows it; None where the network is not the run's."""
        return self.router if self.router in self.subnet else None

    @property
    def host_interface(self) -> IPv4Interface:
        """The host's address with the network's prefix length."""
        return IPv4Interface((self.host, self.subnet.prefixlen))

    @property
    def router_interface(self) -> IPv4Interface:
        """The router's address with the network's prefix length."""
        return IPv4Interface((self.router, self.subnet.prefixlen))

    @property
    def outside_interface(self) -> IPv4Interface:
        """The outside machine's address with the network's prefix length."""
        return IPv4Interface((self.outside, self.subnet.prefixlen))


class Guest(Part):
    """One throwaway virtual machine and its NIC."""

    name: GuestName = Field(description="The domain's name and the guest's host name.")
    network: NetworkName = Field(description="The name of one of the networks above.")
    attach: Literal["network", "bridge"] = Field(
        description="<interface type='network'> or <interface type='bridge'>."
    )
    mac: Mac = Field(description="The NIC's MAC.")
    model: Model = Field(default="virtio", description="The NIC's model.")
    address: GuestAddress | None = Field(
        description="dhcp, or a static address with its prefix length; null: none of IPv4."
    )
    address6: Interface6 | None = Field(
        default=None,
        description="A static address of IPv6 with its prefix length; null: what its network "
        "gives it.",
    )

    @property
    def static_address(self) -> IPv4Interface | None:
        """The guest's static address; None with DHCP, and without IPv4."""
        return None if self.address == "dhcp" else self.address

    @property
    def asks_by_dhcp(self) -> bool:
        """Whether it asks for an address by DHCP of IPv4."""
        return self.address == "dhcp"

    @property
    def families(self) -> frozenset[AddressFamily]:
        """The families of which it has an address of its own, beside what its network gives."""
        held = {IPV4: self.address, IPV6: self.address6}
        return frozenset(family for family, address in held.items() if address is not None)


class Promise(Part):
    """One cell of the table of who reaches whom."""

    from_: Role = Field(alias="from", description="The end that sends first.")
    to: Role = Field(description="The end that answers.")
    family: FamilyName | None = Field(
        default=None, description="The address family; null: each that the guests have."
    )
    reach: bool = Field(description="true: packets arrive and are answered. false: none arrives.")
    source: Literal["host", "self"] | None = Field(
        default=None,
        description="The source address outside: the host's or the guest's (self); null: any.",
    )
    claims: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(), description="The claims of the catalogue that this cell decides."
    )

    @property
    def cell(self) -> str:
        """The cell's name, as in `guest → outside`."""
        return f"{self.from_} → {self.to}"

    def is_about(self, family: AddressFamily) -> bool:
        """Whether it promises something about packets of a family."""
        return self.family in (None, family.name)
