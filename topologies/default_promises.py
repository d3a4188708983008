# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom on a network of a type, where a topology file has no promises of its own."""

from typing import Any

from contracts.address_family import FAMILIES, IPV4
from topologies.catalogue import claims
from topologies.network_types import find_type
from topologies.network_types.network_type import Cell, NetworkType
from topologies.origins import origin_of
from topologies.schema import Network, Physical


def promises_of(network: Network, physical: Physical | None) -> list[dict[str, Any]]:
    """Return the promises of a network's type, in the form of a topology file.

    A cell that is the same in every family of the network is one promise, else one for each.

    Args:
        network: the network under test; without a type there are no promises.
        physical: the physical network; without one a planned network has no promises about the
            outside. An existing one has: there may be something beyond it.
    """
    type_ = find_type(network)
    found: list[dict[str, Any]] = []
    if type_ is None:
        return found
    # A static address of a guest's, or DHCP, is of IPv4 on every network that has that.
    own = network.families if network.is_ipv6_alone else network.families | {IPV4}
    families = [each for each in FAMILIES if each in own]
    for cell in type_.reach:
        if physical is None and "outside" in cell and origin_of(network).planned:
            continue
        said = {each: _said(type_.as_forwarded(network, each), cell) for each in families}
        alike = len({tuple(each.items()) for each in said.values()}) == 1
        for family in families[:1] if alike else families:
            about = families if alike else [family]
            decided = [
                claim.id
                for claim in claims().values()
                if claim.applies_to(type_.name, network.switch)
                and claim.is_asked_of(network)
                and claim.says(*cell) == said[family]["reach"]
                and any(claim.is_about(each) for each in about)
            ]
            ends = {"from": cell[0], "to": cell[1]}
            alone = {} if alike else {"family": family.name}
            found.append(ends | alone | said[family] | {"claims": decided})
    return found


def _said(type_: NetworkType, cell: Cell) -> dict[str, Any]:
    """Return whether a cell works by a type, and the source address outside."""
    reached = type_.reach.get(cell, False)
    source = type_.source if reached and cell[1] == "outside" else None
    return {"reach": reached, "source": source}
