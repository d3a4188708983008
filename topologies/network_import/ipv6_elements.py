# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of an element below an IPv6 address, where it is not what becomes of IPv4's."""

from collections.abc import Mapping
from typing import Final

from topologies.network_import.element_table import RULES, Rule

_LEASED: Final = ("V6-17", "V6-19")
_RESERVED: Final = ("V6-17", "V6-18", "V6-19")


def _read(key: str, *unread: str) -> Rule:
    return Rule("used", f"`networks.{key}`", unread=unread)


_OWN: Final[Mapping[str, Rule]] = {
    "network/ip/dhcp": _read("dhcp6"),
    "network/ip/dhcp/range": Rule(
        "used", "`networks.dhcp6`: the first one; another leaves leases undecided"
    ),
    "network/ip/dhcp/range@start": _read("dhcp6.start"),
    "network/ip/dhcp/range@end": _read("dhcp6.end"),
    "network/ip/dhcp/range/lease": _read("dhcp6.lease", "V6-17"),
    "network/ip/dhcp/range/lease@expiry": _read("dhcp6.lease.expiry"),
    "network/ip/dhcp/range/lease@unit": _read("dhcp6.lease.unit"),
    "network/ip/dhcp/host": _read("dhcp6.hosts", *_RESERVED),
    "network/ip/dhcp/host@id": _read("dhcp6.hosts.duid"),
    "network/ip/dhcp/host@name": _read("dhcp6.hosts.name"),
    "network/ip/dhcp/host@ip": _read("dhcp6.hosts.ip"),
    "network/ip/dhcp/host/lease": _read("dhcp6.hosts.lease"),
    "network/ip/dhcp/host/lease@expiry": _read("dhcp6.hosts.lease.expiry"),
    "network/ip/dhcp/host/lease@unit": _read("dhcp6.hosts.lease.unit"),
}
# Of a second range.
UNREAD_RANGE: Final = _LEASED
RULES6: Final[Mapping[str, Rule]] = {**RULES, **_OWN}
"""Each element and attribute by its path, as below `<ip family='ipv6'>`."""


def ipv6_by(place: str) -> str:
    """Return by what an element of IPv6 is used, for the documentation; "": as of IPv4."""
    own = _OWN.get(place)
    if own is None:
        return ""
    unread = f"; undecided where it is not looked at: {', '.join(own.unread)}" if own.unread else ""
    used = "" if own.treatment == RULES[place].treatment else f"{own.treatment}, "
    return f"of IPv6 {used}{own.by}{unread}"
