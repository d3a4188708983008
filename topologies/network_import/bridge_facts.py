# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge that exists, as its host describes it; and the network that it is without libvirt."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

from topologies.network_import.imported import BRIDGE, Imported
from topologies.network_import.reading import Reading, Setting
from topologies.schema import Network, Switch

# Without libvirt's <bridge delay=>, the kernel's range (IEEE 802.1D, 8.10.2).
FORWARD_DELAY_MAX_S = 30


@dataclass(frozen=True)
class BridgeFacts:
    """What a host says of one of its bridges.

    Attributes:
        name: its interface's name.
        switch: the word of the driver that it needs.
        address: the host's first IPv4 address on it.
        address6: the host's first IPv6 address on it from whose prefix guests may take theirs.
        stp: whether the spanning tree protocol is on.
        forward_delay_s: its forward delay; None: the switch has none.
        uplinks: ports that lead to other machines: physical NICs, bonds, VLANs.
        ports: all of its ports.
        router: that of the host's default route over it; None: there is no such route.
        router_is_silent: no port leads to other machines, and that router, which may be a guest,
            does not answer.
        settings: what else it is asked for.
    """

    name: str
    switch: Switch
    address: IPv4Interface | None
    stp: bool
    forward_delay_s: int | None
    uplinks: tuple[str, ...]
    ports: tuple[str, ...]
    router: IPv4Address | None = None
    router_is_silent: bool = False
    address6: IPv6Interface | None = None
    settings: tuple[Setting, ...] = field(default=())

    @property
    def source(self) -> str:
        """Whose settings they are."""
        return f"bridge {self.name}"

    def network(self, libvirt_name: str | None = None) -> Network:
        """Return it as a network of the model, with the libvirt network over it, if there is one.

        Without an uplink it is a bridge of the host alone; but a default route over it to a router
        that is not there shows that there is to be one.

        Raises:
            ValidationError: the model cannot have it.
        """
        delay = self.forward_delay_s
        return Network.model_validate(
            {
                "name": self.name,
                "made_by": "host",
                "bridge": self.name,
                "switch": self.switch,
                "forward": "bridge" if self.uplinks or self.router_is_silent else "none",
                "address": self.address,
                "address6": self.address6,
                "stp": self.stp,
                "forward_delay_s": None if delay is None else min(delay, FORWARD_DELAY_MAX_S),
                "uplink": self.uplinks[0] if self.uplinks else None,
                "libvirt_name": libvirt_name,
                "origin": "existing",
            }
        )

    def imported(self) -> Imported:
        """Return it as a network that guests are attached to by the bridge's name."""
        reading = Reading(BRIDGE, self.name, self.settings)
        return Imported(self.network(), "bridge", reading, router=self.router)
