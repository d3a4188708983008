# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a network's XML has a key of the model, for errors about its value."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from topologies.network_import.ipv6_keys import of_family
from topologies.network_import.xml_reader import Element
from topologies.yaml_reader import FieldPath

# Of each key the path from the root.
ELEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": "name",
        "bridge": "bridge",
        "stp": "bridge",
        "forward_delay_s": "bridge",
        "mac": "mac",
        "mtu": "mtu",
        "uuid": "uuid",
        "address": "ip",
        "further_addresses": "ip",
        "dhcp": "ip/dhcp/range",
        "forward": "forward",
        "uplink": "forward/pf",
        "switch": "virtualport",
    }
)


def place_of(root: Element, key: str) -> Element:
    """Return the element that is a key of the model, or the nearest one around it."""
    if key == "address6":
        return next(of_family(root, "ipv6"), root)
    found = root
    for name in ELEMENTS.get(key, "").split("/"):
        found = found.first(name) or found
    return found


def place_in(root: Element, places: Mapping[FieldPath, Element], path: FieldPath) -> Element:
    """Return the element that a value was read from, or the one nearest to it.

    Args:
        root: the element `<network>`.
        places: the elements that values were read from, by their paths in the network.
        path: the value's path there.
    """
    for end in range(len(path), 0, -1):
        if (found := places.get(path[:end])) is not None:
            return found
    return place_of(root, str(path[0]) if path else "")
