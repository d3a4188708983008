# SPDX-License-Identifier: GPL-2.0-or-later
"""Bridges without an uplink: host and guests, and nothing beyond."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from topologies.network_types.host_bridge import HostMadeBridge
from topologies.network_types.network_type import AMONG_HOST_AND_GUESTS, Breach, Hop
from topologies.schema import Network, Physical, Role


class UnconnectedBridge(HostMadeBridge):
    """A bridge made by the host, without an uplink (D3: host and guests reach each other)."""

    forward = "none"
    reach = dict.fromkeys(AMONG_HOST_AND_GUESTS, True)
    gives_ipv6 = False

    def breaches(self, network: Network) -> Iterator[Breach]:
        """See `NetworkType.breaches`."""
        yield from super().breaches(network)
        if network.uplink is not None:
            yield Breach(
                "forward",
                "none on a bridge with an uplink; expected bridge",
                "write forward: bridge, or change uplink",
            )

    def gateway(self, network: Network, physical: Physical | None) -> IPv4Address | None:
        """See `NetworkType.gateway`: there is no route out."""
        del network, physical
        return None

    def hops(self, from_: Role, to: Role) -> tuple[Hop, ...]:
        """See `NetworkType.hops`."""
        ends: dict[Role, tuple[Hop, ...]] = {"guest": ("tap",), "host": ("bridge",)}
        return (*ends.get(from_, ()), *ends.get(to, ()))
