# SPDX-License-Identifier: GPL-2.0-or-later
"""The network types, each in its module; a new one is a new module and a line here."""

from types import MappingProxyType
from typing import Final

from topologies.network_types.bridged import Bridged
from topologies.network_types.isolated import Isolated
from topologies.network_types.linux_bridge import LinuxBridgeNetwork
from topologies.network_types.nat import Nat
from topologies.network_types.network_type import NetworkType
from topologies.network_types.open import Open
from topologies.network_types.ovs import OvsNetwork
from topologies.network_types.passthrough import Passthrough
from topologies.network_types.routed import Routed
from topologies.schema import Network

__all__ = ["NETWORK_TYPES", "NetworkType", "find_type", "type_of"]

NETWORK_TYPES: Final = MappingProxyType(
    {
        each.name: each
        for each in (
            LinuxBridgeNetwork(),
            OvsNetwork(),
            Nat(),
            Isolated(),
            Routed(),
            Open(),
            Bridged(),
            Passthrough(),
        )
    }
)
"""Every type by its name, in the order in which errors and docs list them."""


def find_type(network: Network) -> NetworkType | None:
    """Return the type of a network; None: its keys fit none."""
    return next((each for each in NETWORK_TYPES.values() if each.fits(network)), None)


def type_of(network: Network) -> NetworkType:
    """Return the type of a network.

    Raises:
        LookupError: its keys fit none; a validated topology has no such network.
    """
    if (found := find_type(network)) is not None:
        return found
    raise LookupError(
        f"network {network.name}: made_by {network.made_by}, forward {network.forward} and switch "
        f"{network.switch} fit no network type"
    )
