# SPDX-License-Identifier: GPL-2.0-or-later
"""What libvirt's DHCPv6 server hands out: a range, and addresses kept for clients by their DUID.

Source: libvirt, "Network XML format", "Addressing"; RFC 8415.
"""

import re
from ipaddress import IPv6Address
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from topologies.data_error import shown
from topologies.dhcp import HostName, LeaseTime
from topologies.field_types import Address6, Mac, refuse, text
from topologies.part import Part

# RFC 8415, 11.1: a type of two octets, and at least one and at most 128 of its own.
DUID_OCTETS = range(3, 131)
DUID_PATTERN = re.compile(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2})*")  # 00:03:00:01:52:54:00:63:99:c1
# A DUID of a link-layer address (RFC 8415, 11.4): type 3, and Ethernet's hardware type.
OF_A_MAC = "00:03:00:01:"
_MAC: TypeAdapter[str] = TypeAdapter(Mac)


def _duid(value: object) -> str:
    expected = "a DUID, pairs of hexadecimal digits as text"
    hint = 'write it in quotes, as in "00:03:00:01:52:54:00:12:34:56"'
    written = text(value, expected, hint).lower()
    octets = written.split(":")
    if not DUID_PATTERN.fullmatch(written) or len(octets) not in DUID_OCTETS:
        raise refuse(f"{shown(value)} is no DUID; expected {expected}", hint)
    return ":".join(octet.zfill(2) for octet in octets)


Duid = Annotated[str, BeforeValidator(_duid)]
"""A DHCPv6 client's identifier, octet by octet, as in `00:03:00:01:52:54:00:12:34:56`."""


class Dhcp6Range(Part):
    """The addresses that a DHCPv6 server hands out, both ends included."""

    start: Address6 = Field(description="First address of the range.")
    end: Address6 = Field(description="Last address of the range.")

    @property
    def size(self) -> int:
        """How many addresses the range holds."""
        return int(self.end) - int(self.start) + 1

    def __contains__(self, address: IPv6Address) -> bool:
        """Tell whether an address lies in the range."""
        return self.start <= address <= self.end

    def __str__(self) -> str:
        return f"{self.start} – {self.end}"


class Reservation6(Part):
    """An address kept for one client: `<host id=… name=… ip=…/>` below `<dhcp>` of IPv6.

    Without `mac`: libvirt refuses it there.
    """

    duid: Duid = Field(description="The client's DUID.")
    name: HostName | None = Field(default=None, description="The host name that it is given.")
    ip: Address6 = Field(description="The address that is kept for it.")
    lease: LeaseTime | None = Field(default=None, description="Its lease time; null: the range's.")


class Dhcp6(Part):
    """libvirt's DHCPv6 server of a network: `<dhcp>` of its IPv6 address."""

    start: Address6 | None = Field(
        default=None, description="First address of the range; null: reservations alone."
    )
    end: Address6 | None = Field(
        default=None, description="Last address of the range; null: reservations alone."
    )
    lease: LeaseTime | None = Field(
        default=None, description="The range's lease time; null: dnsmasq's, a day."
    )
    hosts: Annotated[tuple[Reservation6, ...], Field(strict=False)] = Field(
        default=(), description="Addresses kept for clients."
    )

    @property
    def range(self) -> Dhcp6Range | None:
        """The range; None: only clients with a reservation get an address."""
        if self.start is None or self.end is None:
            return None
        return Dhcp6Range(start=self.start, end=self.end)

    def reservation(self, duid: str) -> Reservation6 | None:
        """Return what is kept for a client by its DUID; None: nothing is."""
        return next((each for each in self.hosts if each.duid == duid), None)


def mac_of(duid: str) -> str | None:
    """Return the MAC of a client with a DUID of its MAC (DUID-LL); None: it has another DUID."""
    if not duid.startswith(OF_A_MAC):
        return None
    try:
        return _MAC.validate_python(duid.removeprefix(OF_A_MAC))
    except ValidationError:
        return None


def duid_of(mac: str) -> str:
    """Return the DUID of a client that is known by its MAC (DUID-LL), as a guest's is."""
    return OF_A_MAC + mac
