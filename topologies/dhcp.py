# SPDX-License-Identifier: GPL-2.0-or-later
"""What libvirt's DHCP server hands out: ranges, lease times, reservations, the file to boot.

Source: libvirt, "Network XML format", "Addressing".
"""

import re
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from topologies.data_error import shown
from topologies.field_types import Address, Mac, refuse, text
from topologies.part import Part

UNIT_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}
# dnsmasq takes no shorter lease; libvirt refuses what is below.
LEASE_MIN_S = 120
# What a sandbox keeps to itself of the host's file system.
TFTP_ROOTS = ("/var/", "/run/", "/srv/")
OPTION_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]*(=[^\n]+)?")  # dhcp-option=42,10.10.10.1
LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOST_PATTERN = re.compile(rf"{LABEL}(\.{LABEL})*")  # web-1, web-1.lab.example


def _host_name(value: object) -> str:
    expected = "a host name, as in web-1 or web-1.lab.example"
    name = text(value, expected, "write it in quotes if it looks like a number")
    if not HOST_PATTERN.fullmatch(name):
        raise refuse(f"{shown(name)} cannot be a name here; expected {expected}", "rename it")
    return name


HostName = Annotated[str, BeforeValidator(_host_name)]
"""A host's name (RFC 1123, 2.1), with a domain or without one."""


def _tftp_root(value: object) -> str:
    expected = f"a folder below {' or '.join(TFTP_ROOTS)}"
    root = text(value, expected, "write it as in /var/lib/tftpboot")
    path = PurePosixPath(root)
    if not path.is_absolute() or ".." in path.parts or not root.startswith(TFTP_ROOTS):
        raise refuse(
            f"{shown(root)} is no folder that a run may make on its host; expected {expected}",
            "write it as in /var/lib/tftpboot",
        )
    return str(path)


def _dnsmasq_option(value: object) -> str:
    expected = "an option as dnsmasq's file has it, as in dhcp-option=42,10.10.10.1"
    option = text(value, expected, "write it in quotes")
    if not OPTION_PATTERN.fullmatch(option):
        raise refuse(
            f"{shown(option)} is no option of dnsmasq; expected {expected}",
            "write its name without '--', and its value after '='",
        )
    return option


DnsmasqOption = Annotated[str, BeforeValidator(_dnsmasq_option)]
"""A line of dnsmasq's configuration."""
TftpRoot = Annotated[str, BeforeValidator(_tftp_root)]
"""The folder of a TFTP server's files."""


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
    """An address kept for one client: `<host mac=… name=… ip=…/>` below `<dhcp>`.

    Without `id`: libvirt hands it to dnsmasq for IPv6 alone.
    """

    mac: Mac | None = Field(default=None, description="The client's MAC.")
    name: HostName | None = Field(default=None, description="The host name that it is given.")
    ip: Address = Field(description="The address that is kept for it.")
    lease: LeaseTime | None = Field(default=None, description="Its lease time; null: the range's.")

    def is_for(self, mac: str, name: str) -> bool:
        """Whether it is a client's: by its MAC, or without one by its host name.

        dnsmasq compares names without their domains.
        """
        if self.mac is not None or self.name is None:
            return self.mac == mac
        return self.name.partition(".")[0] == name.partition(".")[0]


class Bootp(Part):
    """What a client boots over the network: `<bootp file=… server=…/>`."""

    file: str = Field(min_length=1, description="The file's name on the TFTP server.")
    server: Address | None = Field(
        default=None, description="The TFTP server; null: the network's own."
    )


class Tftp(Part):
    """libvirt's TFTP server of a network: `<tftp root=…/>`."""

    root: TftpRoot = Field(description="The host's folder of its files, which the run makes.")


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

    def reservation(self, mac: str, name: str) -> Reservation | None:
        """Return what is kept for a client by its MAC or its host name; None: nothing is."""
        return next((each for each in self.hosts if each.is_for(mac, name)), None)
