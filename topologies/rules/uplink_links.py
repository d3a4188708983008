# SPDX-License-Identifier: GPL-2.0-or-later
"""An uplink's VLAN and bond: they have an uplink on a bridge, and names of their own."""

from collections.abc import Iterator
from typing import Final

from topologies.rules.draft import Draft, Problem
from topologies.schema import Network

KEYS: Final = ("uplink_vlan", "uplink_bond")


def of_an_uplink(draft: Draft) -> Iterator[Problem]:
    """A VLAN or a bond is that of a bridge's port."""
    for index, network in draft.planned.items():
        for key in KEYS:
            is_port = network.is_on_physical_network and network.bridge_name is not None
            if network.asks_for(key) and not is_port:
                yield Problem(
                    ("networks", index, key),
                    "the network has no uplink that is a port of its bridge; expected null",
                    "write the uplink's name as uplink, or leave it out",
                )


def names_apart(draft: Draft) -> Iterator[Problem]:
    """Each link below the uplink has a name of its own."""
    for index, network in draft.planned.items():
        taken = {network.bridge_name: "the bridge", network.uplink: "the uplink"}
        for path, name in _below(network):
            if name in taken:
                yield Problem(
                    ("networks", index, *path),
                    f"{name} is already the name of {taken[name]}; expected one of its own",
                    "rename one of the two",
                )
            taken.setdefault(name, ".".join(map(str, path)))


def _below(network: Network) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if network.uplink_vlan is not None:
        yield ("uplink_vlan", "link"), network.uplink_vlan.link
    if network.uplink_bond is not None:
        for number, name in enumerate(network.uplink_bond.ports):
            yield ("uplink_bond", "ports", number), name


RULES: Final = (of_an_uplink, names_apart)
