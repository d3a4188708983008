# SPDX-License-Identifier: GPL-2.0-or-later
"""The IPv6 of a libvirt network, read from its XML.

Source: libvirt, "Network XML format".
"""

from collections.abc import Iterator
from ipaddress import IPv6Interface
from typing import Any, Final

from contracts.address_family import FamilyName
from topologies.network_import.dhcp6_keys import dhcp6_keys
from topologies.network_import.xml_reader import Element

# Guests make themselves an address of a prefix that long alone (RFC 4862, 5.5.3; RFC 4291, 2.5.1).
PREFIX_BITS: Final = 64
DHCP: Final = "network/ip/dhcp"


def of_family(root: Element, name: FamilyName) -> Iterator[Element]:
    """Give the elements `<ip>` of an address family; without a word of it they are IPv4's."""
    return (each for each in root.find("ip") if each.attributes.get("family", "ipv4") == name)


def ipv6_keys(root: Element, *, leased: bool) -> tuple[dict[str, Any], list[Element]]:
    """Return the keys of the model that its IPv6 is, and the elements `<ip>` that are left unread.

    The model has one IPv6 address, beside one of IPv4.

    Args:
        root: the element `<network>`.
        leased: whether its guests may be those of a DHCPv6 server. An existing network's are not:
            nothing of the run's would give the leases back.
    """
    every = list(of_family(root, "ipv6"))
    for ip in every:
        if (held := _advertised(ip)) is not None and (leased or not ip.children):
            forward = root.first("forward")
            translated = (
                forward is not None
                and forward.attributes.get("mode", "nat") == "nat"
                and forward.get("nat", "ipv6") == "yes"
            )
            served, unread = dhcp6_keys(ip, held)
            keys = {"address6": held, "nat6": translated, "dhcp6": served}
            return keys, [*(each for each in every if each is not ip), *unread]
    return {"guests_ipv6": root.attributes.get("ipv6") == "yes"}, every


def _advertised(ip: Element) -> IPv6Interface | None:
    """Return an address whose prefix guests can take; None: it is none, or has more below it."""
    try:
        # libvirt takes 64 where none is given.
        bits = ip.attributes.get("prefix", str(PREFIX_BITS))
        held = IPv6Interface(f"{ip.attributes.get('address')}/{bits}")
    except ValueError:
        return None
    # Without a range it serves known clients alone, and the run's guests are none of them.
    has_more = any(each.path != DHCP or each.first("range") is None for each in ip.children)
    return None if held.network.prefixlen != PREFIX_BITS or has_more else held
