# SPDX-License-Identifier: GPL-2.0-or-later
"""The IPv6 addresses of the network beyond the host's uplink."""

from ipaddress import IPv6Interface

from pydantic import Field

from topologies.field_types import Address6, Subnet6
from topologies.part import Part


class PhysicalIpv6(Part):
    """The IPv6 addresses on the physical network."""

    subnet: Subnet6 = Field(description="Its addresses.")
    router: Address6 = Field(description="Its router.")
    host: Address6 = Field(description="The host's address on it, on the NIC.")
    outside: Address6 = Field(description="A machine on it other than host and router.")
    advertised: bool = Field(
        default=False,
        description="Whether its router sends router advertisements: guests of a bridge on it make "
        "themselves addresses of the subnet.",
    )

    @property
    def host_interface(self) -> IPv6Interface:
        """The host's address with the network's prefix length."""
        return IPv6Interface((self.host, self.subnet.prefixlen))

    @property
    def router_interface(self) -> IPv6Interface:
        """The router's address with the network's prefix length."""
        return IPv6Interface((self.router, self.subnet.prefixlen))

    @property
    def outside_interface(self) -> IPv6Interface:
        """The outside machine's address with the network's prefix length."""
        return IPv6Interface((self.outside, self.subnet.prefixlen))
