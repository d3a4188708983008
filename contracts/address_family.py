# SPDX-License-Identifier: GPL-2.0-or-later
"""Address families: what differs between them, by the names that each tool has for it.

A reach cell, a lease, a capture's filter, a rule and an obstacle are each of one family. Whatever
depends on it is asked of the family here, so that another family is another value of `FAMILIES`.
"""

import ipaddress
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network
FamilyName = Literal["ipv4", "ipv6"]


@dataclass(frozen=True)
class AddressFamily:
    """One address family.

    Attributes:
        name: its name in a run record, and libvirt's (`<protocol family='ipv4'>`).
        version: the version in the packets' header, and what `ip -4` and `dhclient -4` take.
        af: its number for sockets, and for netlink.
        iproute: its name in what `ip -json` prints.
        nft: the nftables family of its tables.
        iptables: the iptables program for its packets.
        forwarding: the sysctl by which the kernel forwards its packets at all.
        icmp: the protocol number of its ICMP.
        header_octets: the length of its header without options.
        network: the class of its networks.
        forwards_by_link: whether the kernel asks the link that a packet came in by; else it asks
            the one setting for all links alone (Documentation/networking/ip-sysctl).
    """

    name: FamilyName
    version: Literal[4, 6]
    af: socket.AddressFamily
    iproute: str
    nft: str
    iptables: str
    forwarding: str
    icmp: int
    header_octets: int
    network: type[IPv4Network] | type[IPv6Network]
    forwards_by_link: bool

    def __str__(self) -> str:
        """The name that standards have for it: `IPv4`."""
        return f"IPv{self.version}"

    def forwarding_from(self, link: str) -> str:
        """Return the sysctl by which the kernel forwards what comes in by a link."""
        if not self.forwards_by_link:
            return self.forwarding
        # With slashes, as a link's name may have dots.
        return f"net/{self.name}/conf/{link}/forwarding"

    @property
    def option(self) -> str:
        """The option of `ip` and `dhclient` that restricts them to this family."""
        return f"-{self.version}"


IPV4 = AddressFamily(
    name="ipv4",
    version=4,
    af=socket.AF_INET,
    iproute="inet",
    nft="ip",
    iptables="iptables",
    forwarding="net.ipv4.ip_forward",
    icmp=socket.IPPROTO_ICMP,
    header_octets=20,
    network=IPv4Network,
    forwards_by_link=True,
)
IPV6 = AddressFamily(
    name="ipv6",
    version=6,
    af=socket.AF_INET6,
    iproute="inet6",
    nft="ip6",
    iptables="ip6tables",
    forwarding="net.ipv6.conf.all.forwarding",
    icmp=socket.IPPROTO_ICMPV6,
    header_octets=40,
    network=IPv6Network,
    forwards_by_link=False,
)
FAMILIES = (IPV4, IPV6)
"""Every family that a topology may have; the first is the one that is meant where none is named."""


def family_of(address: IpAddress | IpNetwork | str) -> AddressFamily:
    """Return the family of an address or network; as text with or without a prefix length.

    Raises:
        ValueError: it is no address, or of a family that is not in `FAMILIES`.
    """
    version = (ipaddress.ip_interface(address) if isinstance(address, str) else address).version
    for family in FAMILIES:
        if family.version == version:
            return family
    known = ", ".join(map(str, FAMILIES))
    raise ValueError(f"{address} is an IPv{version} address; expected {known}")
