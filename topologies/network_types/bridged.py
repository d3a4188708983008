# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge that the host makes, with the physical NIC as a port."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from topologies.network_types.host_bridge import HostMadeBridge
from topologies.network_types.network_type import CELLS, Breach, Hop, LinkMtu
from topologies.schema import Network, Physical, Role


class Bridged(HostMadeBridge):
    """Guests are on the physical network, each with its own address (D1, D2, D3, D5)."""

    name = "bridged"
    forward = "bridge"
    switches = ("linux", "ovs")
    elsewhere = "libvirt does not make the bridge of a network in bridge mode"
    reach = dict.fromkeys(CELLS, True)
    source = "self"

    def breaches(self, network: Network) -> Iterator[Breach]:
        """See `NetworkType.breaches`."""
        yield from super().breaches(network)
        if network.uplink is None:
            yield Breach(
                "forward",
                "bridge on a bridge with no uplink; expected none",
                "write forward: none, or change uplink",
            )

    def lost(self, network: Network) -> str | None:
        """See `NetworkType.lost`: the port that leads to other machines."""
        if network.uplink is not None:
            return None
        return (
            f"bridge {network.bridge} has the host's default route, whose router does not answer, "
            "and none of its ports leads to other machines"
        )

    def gateway(self, network: Network, physical: Physical | None) -> IPv4Address | None:
        """See `NetworkType.gateway`: the physical network's router."""
        del network
        return None if physical is None else physical.gateway

    def link_mtu(self, network: Network, physical: Physical | None) -> LinkMtu | None:
        """See `NetworkType.link_mtu`: the uplink's."""
        del network
        return None if physical is None else LinkMtu(physical.mtu, "physical.mtu")

    def hops(self, from_: Role, to: Role) -> tuple[Hop, ...]:
        """See `NetworkType.hops`: a frame passes from port to port."""
        ends: dict[Role, tuple[Hop, ...]] = {
            "guest": ("tap",),
            "host": ("bridge",),
            "outside": ("uplink", "outside nic"),
        }
        return (*reversed(ends[from_]), *ends[to])
