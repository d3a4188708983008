# SPDX-License-Identifier: GPL-2.0-or-later
"""What libvirt's DHCP server hands out: ranges, lease times, reservations, the file to boot.

Source: libvirt, "Network XML format", "Addressing".
"""

import re
from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from topologies.field_types import Address, Mac, refuse, shown, text
from topologies.part import Part

UNIT_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}
# dnsmasq takes no shorter lease; libvirt refuses what is below.
LEASE_MIN_S = 120
HOST_PATTERN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # web-1


def _host_name(value: object) -> str:
    expected = "a host name without a domain, as in web-1"
    name = text(value, expected, "write it in quotes if it looks like a number")
    if not HOST_PATTERN.fullmatch(name):
        raise refuse(f"{shown(name)} cannot be a name here; expected {expected}", "rename it")
    return name


HostName = Annotated[str, BeforeValidator(_host_name)]
"""One label of a domain name (RFC 1123, 2.1)."""


class DhcpRange(Part):
    """The addresses that a DHCP server hands out, both ends included."""

    start: Address = Field(description="First address of the range.")
    end: Address = Field(description="Last address of the range.")

    @property
    def size(self) -> int:
        """How many addresses the range holds; libvirt's lease limit is this number (D4)."""
        return int(self.end) - int(self.start) + 1

    def __contains__(self, address: IPv4Address) -> bool:
        """Tell whether an address lies in the range."""
        return self.start <= address <= self.end


class LeaseTime(Part):
    """The time of a lease: `<lease expiry=… unit=…/>`."""

    expiry: int = Field(ge=0, le=2**32 - 1, description="Its length; 0: the lease never ends.")
    unit: Literal["seconds", "minutes", "hours"] = Field(
        default="minutes", description="The unit of expiry."
    )

    @property
    def seconds(self) -> int:
        """Its length in seconds; a lease without end has DHCP's own number for that (RFC 2131)."""
        return self.expiry * UNIT_SECONDS[self.unit] or 2**32 - 1


class Reservation(Part):
    """An address kept for one client: `<host mac=… id=… name=… ip=…/>` below `<dhcp>`."""

    mac: Mac | None = Field(default=None, description="The client's MAC.")
    id: str | None = Field(default=None, min_length=1, description="The client's identifier.")
    name: HostName | None = Field(default=None, description="The host name that it is given.")
    ip: Address = Field(description="The address that is kept for it.")
    lease: LeaseTime | None = Field(default=None, description="Its lease time; null: the range's.")


class Bootp(Part):
    """What a client boots over the network: `<bootp file=… server=…/>`."""

    file: str = Field(min_length=1, description="The file's name on the TFTP server.")
    server: Address | None = Field(
        default=None, description="The TFTP server; null: the network's own."
    )


class Dhcp(Part):
    """libvirt's DHCP server of a network: `<dhcp>`."""

    start: Address | None = Field(
        default=None, description="First address of the range; null: reservations alone."
    )
    end: Address | None = Field(
        default=None, description="Last address of the range; null: reservations alone."
    )
    lease: LeaseTime | None = Field(
        default=None, description="The range's lease time; null: dnsmasq's, an hour."
    )
    hosts: Annotated[tuple[Reservation, ...], Field(strict=False)] = Field(
        default=(), description="Addresses kept for clients."
    )
    bootp: Bootp | None = Field(
        default=None, description="The file that clients boot; null: none is named."
    )

    @property
    def range(self) -> DhcpRange | None:
        """The range; None: only clients with a reservation get an address."""
        if self.start is None or self.end is None:
            return None
        return DhcpRange(start=self.start, end=self.end)

    def reservation(self, mac: str) -> Reservation | None:
        """Return what is kept for a client by its MAC; None: nothing is."""
        return next((each for each in self.hosts if each.mac == mac), None)
