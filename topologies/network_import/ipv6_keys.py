# SPDX-License-Identifier: GPL-2.0-or-later
"""The IPv6 of a libvirt network, read from its XML.

Source: libvirt, "Network XML format".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Interface
from typing import Any, Final

from contracts.address_family import FamilyName
from topologies.network_import.dhcp6_keys import Dhcp6Keys, dhcp6_keys
from topologies.network_import.xml_reader import Element
from topologies.yaml_reader import FieldPath

# Guests make themselves an address of a prefix that long alone (RFC 4862, 5.5.3; RFC 4291, 2.5.1).
PREFIX_BITS: Final = 64


@dataclass
class Ipv6Keys:
    """The keys of the model that a network's IPv6 is.

    Attributes:
        keys: by their names in `Network`; without `address6` guests take no address of it.
        places: the element that each key was read from, by the key's path.
        unread: the elements that the model cannot have.
    """

    keys: dict[str, Any]
    places: dict[FieldPath, Element] = field(default_factory=dict)
    unread: list[Element] = field(default_factory=list)


def of_family(root: Element, name: FamilyName) -> Iterator[Element]:
    """Give the elements `<ip>` of an address family; without a word of it they are IPv4's."""
    return (each for each in root.find("ip") if each.attributes.get("family", "ipv4") == name)


def ipv6_keys(root: Element, *, alone: bool) -> Ipv6Keys:
    """Return the keys of the model that its IPv6 is, and the elements `<ip>` that are left unread.

    The model has one IPv6 address: the first, or the first with DHCP where libvirt starts dnsmasq
    for that alone.

    Args:
        root: the element `<network>`.
        alone: whether it has no address of IPv4. Its guests may be the clients of reservations
            then; beside IPv4 these are those of the other family.
    """
    every = list(of_family(root, "ipv6"))
    for ip in every if has_dnsmasq(root) else ():
        if (held := _advertised(ip)) is None:
            continue
        served = dhcp6_keys(ip, held)
        if served.known_clients_alone and not (alone and served.keys is not None):
            continue
        if served.keys is None and not _has_dnsmasq_beside_ipv6(root):
            # dnsmasq is there for another one's server, which the model would not have.
            continue
        keys = {"address6": held, "nat6": _is_translated(root), "dhcp6": served.keys}
        left = [each for each in ip.children if each.path != f"{ip.path}/dhcp"]
        return Ipv6Keys(keys, _places(ip, served), [*_others(every, ip), *left, *served.unread])
    return unread_ipv6(root)


def unread_ipv6(root: Element) -> Ipv6Keys:
    """Return the keys where no address of IPv6 is the guests'; each is left unread."""
    every = list(of_family(root, "ipv6"))
    return Ipv6Keys({"guests_ipv6": root.attributes.get("ipv6") == "yes"}, unread=every)


def has_dnsmasq(root: Element) -> bool:
    """Whether libvirt starts a dnsmasq, which alone advertises prefixes.

    It starts none for a network without DNS and without an address to hand out.
    """
    return _has_dnsmasq_beside_ipv6(root) or _hands_out(of_family(root, "ipv6"))


def _has_dnsmasq_beside_ipv6(root: Element) -> bool:
    return root.get("dns", "enable") != "no" or _hands_out(of_family(root, "ipv4"))


def _hands_out(every: Iterable[Element]) -> bool:
    """Whether one of some elements `<ip>` has an address to hand out."""
    served = [dhcp for ip in every for dhcp in ip.find("dhcp")]
    return any(each.first(kind) is not None for each in served for kind in ("range", "host"))


def _places(ip: Element, served: Dhcp6Keys) -> dict[FieldPath, Element]:
    found: dict[FieldPath, Element] = {("address6",): ip}
    return found | {("dhcp6", *path): element for path, element in served.places.items()}


def _others(every: list[Element], ip: Element) -> Iterator[Element]:
    return (each for each in every if each is not ip)


def _is_translated(root: Element) -> bool:
    forward = root.first("forward")
    if forward is None or forward.attributes.get("mode", "nat") != "nat":
        return False
    return forward.get("nat", "ipv6") == "yes"


def _advertised(ip: Element) -> IPv6Interface | None:
    """Return an address whose prefix guests can take; None: it is none."""
    try:
        # libvirt takes 64 where none is given.
        bits = ip.attributes.get("prefix", str(PREFIX_BITS))
        held = IPv6Interface(f"{ip.attributes.get('address')}/{bits}")
    except ValueError:
        return None
    return held if held.network.prefixlen == PREFIX_BITS else None
