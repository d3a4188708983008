# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of a network's XML for which the model has no key: its NIC, addresses and bandwidth."""

from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from topologies.given_xml import IPV4
from topologies.network_import.xml_reader import Element

# libvirt counts bandwidth in kilobytes (1024 octets) a second.
KILOBYTE_MBIT = 1024 * 8 / 1_000_000
ROUTED: Final = ("nat", "route", "open")


def device(root: Element) -> str | None:
    """Return the NIC that packets of a routed network leave the host by; None: any."""
    forward = root.first("forward")
    if forward is None or forward.attributes.get("mode", "nat") not in ROUTED:
        return None
    return forward.attributes.get("dev") or forward.get("interface", "dev")


def addresses(root: Element) -> Iterator[IPv4Address]:
    """Give each IPv4 address that any attribute has."""
    for element in root.walk():
        for value in element.attributes.values():
            for written in IPV4.findall(value):
                try:
                    yield IPv4Address(written)
                except AddressValueError:
                    continue


def addresses6(root: Element) -> Iterator[IPv6Address]:
    """Give each IPv6 address that an attribute is."""
    for element in root.walk():
        for value in element.attributes.values():
            try:
                yield IPv6Address(value)
            except AddressValueError:
                continue


def classful(address: str) -> int:
    """Return the prefix length of an address by its class, as libvirt does without a netmask."""
    written = address.partition(".")[0]
    # What is no address at all is refused as one.
    first = int(written) if written.isdecimal() else 0
    return 8 if first < 128 else 16 if first < 192 else 24  # noqa: PLR2004 - RFC 791, 3.2


def limit(root: Element) -> float | None:
    """Return the least bandwidth that a network grants, in Mbit/s; None: it has no limit."""
    bandwidth = root.first("bandwidth")
    if bandwidth is None:
        return None
    rates = [bandwidth.get(way, "average") for way in ("inbound", "outbound")]
    found = [int(rate) * KILOBYTE_MBIT for rate in rates if rate is not None]
    return min(found, default=None)
