# SPDX-License-Identifier: GPL-2.0-or-later
"""The interface of a network type: everything that differs between NAT, isolated, bridged, ….

One subclass per type. Nothing outside this folder compares types; it asks the type.
`docs/topologies.md` has the steps for a new one.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, Final, Literal, NamedTuple

from contracts.address_family import AddressFamily
from topologies.network_types.build_steps import BuildStep
from topologies.schema import Guest, Network, Physical, Role

Cell = tuple[Role, Role]
"""One cell of the table of who reaches whom: the end that sends first, the end that answers."""
Source = Literal["host", "self"]

AMONG_HOST_AND_GUESTS: Final[tuple[Cell, ...]] = (
    ("guest", "guest"),
    ("guest", "host"),
    ("host", "guest"),
)
GUEST_TO_OUTSIDE: Final[Cell] = ("guest", "outside")
OUTSIDE_TO_GUEST: Final[Cell] = ("outside", "guest")
CELLS: Final[tuple[Cell, ...]] = (*AMONG_HOST_AND_GUESTS, GUEST_TO_OUTSIDE, OUTSIDE_TO_GUEST)
"""The table of who reaches whom (D3, "NAT, isolated and bridged network topology")."""

WITHOUT_STP_S: Final = 2.0
LEAST_FORWARD_DELAY_S: Final = 2

Hop = Literal["tap", "bridge", "pf", "uplink", "outside nic"]
"""A link that a packet passes; `tap` is the guest's at that end of the path."""


class Breach(NamedTuple):
    """A key of a network or guest that does not fit the type.

    Attributes:
        key: as the topology file writes it.
        what: what was found and what was expected.
        hint: the remedy.
    """

    key: str
    what: str
    hint: str


class LinkMtu(NamedTuple):
    """The MTU of what guests are on.

    Attributes:
        octets: the MTU.
        key: the key of a topology file that gives it.
    """

    octets: int
    key: str


@dataclass(frozen=True)
class GuestNic:
    """How a guest's NIC is attached.

    Attributes:
        attach: libvirt's `<interface type=…>`: `network` or `bridge`.
        source: the name of that network or bridge.
        model: the NIC's model; None: a virtual function, which has no model.
    """

    attach: Literal["network", "bridge"]
    source: str
    model: str | None


class NetworkType(ABC):
    """One type of network.

    Attributes:
        name: as `kind` in a topology file and `types` in the catalogue of claims.
        made_by: its maker, by the words of the `made_by` key.
        forward: its `forward` key.
        switches: its possible switches, by the words of the `switch` key.
        elsewhere: why a network of another maker cannot have this `forward`.
        other_switch: why it cannot have another switch.
        reach: the cells, and whether each works, where a topology file has no `promises`.
        source: the source address outside, the host's or the guest's; None: no packet arrives.
        needs: capabilities of the host that the type needs, beside those of its switch.
        outside_needs_route: the outside needs a route to the guests' subnet, which the run adds.
        own_rules_decide: libvirt writes no rule for it: what passes is its administrator's choice.
        spanning_tree: whether it is on and the forward delay in seconds, where the keys `stp` and
            `forward_delay_s` are null.
        completes_dhcp_answers: DHCP answers reach the guests' TAPs with complete checksums.
        names_from_outside: the network's DNS server asks the host's resolver for what it does not
            know itself.
        host_end_has_ipv6: the host has a link-local address on the network.
        host_advertises: the host, and nobody else, advertises the prefix of its IPv6 address there.
        gives_ipv6: somebody advertises the prefix of its IPv6 address there, or leases addresses of
            it.
        guests_have_taps: each guest's NIC is a TAP device of the host.
        uplink_is_real: the uplink is a NIC of the host, not made by the run.
        changes_run_objects_only: its checks and faults change no other objects of the host.
    """

    name: ClassVar[str]
    made_by: ClassVar[Literal["libvirt", "host"]]
    forward: ClassVar[str]
    switches: ClassVar[tuple[str, ...]]
    elsewhere: ClassVar[str] = ""
    other_switch: ClassVar[str]
    reach: ClassVar[Mapping[Cell, bool]]
    source: ClassVar[Source | None] = None
    needs: ClassVar[frozenset[str]] = frozenset()
    outside_needs_route: ClassVar[bool] = False
    own_rules_decide: ClassVar[bool] = False
    spanning_tree: ClassVar[tuple[bool, int]] = (False, 15)
    completes_dhcp_answers: ClassVar[bool] = True
    names_from_outside: ClassVar[bool] = True
    host_end_has_ipv6: ClassVar[bool] = True
    host_advertises: ClassVar[bool] = False
    gives_ipv6: ClassVar[bool] = True
    guests_have_taps: ClassVar[bool] = True
    uplink_is_real: ClassVar[bool] = False
    changes_run_objects_only: ClassVar[bool] = False

    def fits(self, network: Network) -> bool:
        """Whether a network is of this type."""
        return (
            network.made_by == self.made_by
            and network.forward == self.forward
            and network.switch in self.switches
        )

    def as_forwarded(self, network: Network, family: AddressFamily) -> "NetworkType":
        """Return the type whose reach, source and route a network's packets of a family have."""
        del network, family
        return self

    @abstractmethod
    def breaches(self, network: Network) -> Iterator[Breach]:
        """Give the keys of a network of this type that contradict it."""

    def lost(self, network: Network) -> str | None:
        """Return the part that an existing network of this type has lost; None: it is whole."""
        del network
        return None

    def guest_breaches(self, network: Network, guest: Guest) -> Iterator[Breach]:
        """Give the keys of a guest that contradict the type of its network."""
        if guest.attach == "network" and self.libvirt_name(network) is None:
            yield Breach(
                "attach",
                f"network {network.name} is a bridge made by the host, without a libvirt network "
                "over it; expected attach: bridge",
                "write attach: bridge, or give the network a libvirt_name",
            )

    def size_breaches(self, network: Network, guests: int) -> Iterator[Breach]:
        """Give the keys of a network that are too small for the number of its guests."""
        del network, guests
        yield from ()

    @abstractmethod
    def libvirt_name(self, network: Network) -> str | None:
        """Return the name in `<source network=…/>`; None: there is no libvirt network on it."""

    @abstractmethod
    def build_steps(self, network: Network) -> Sequence[BuildStep]:
        """Return the steps that make a network, in order."""

    @abstractmethod
    def gateway(self, network: Network, physical: Physical | None) -> IPv4Address | None:
        """Return the default gateway of the network's guests; None: there is none."""

    def gateway6(self, network: Network) -> IPv6Address | None:
        """Return the default gateway of guests with a static IPv6 address; None: there is none."""
        del network
        return None

    def nic(self, network: Network, guest: Guest) -> GuestNic:
        """Return how a guest's NIC is attached to a network of this type."""
        if guest.attach == "network":
            return GuestNic("network", str(self.libvirt_name(network)), guest.model)
        return GuestNic("bridge", network.bridge, guest.model)

    def listed_source(self, network: Network, guest: Guest) -> tuple[str, str]:
        """Return type and source of a guest's NIC as `virsh domiflist` shows them."""
        nic = self.nic(network, guest)
        return nic.attach, nic.source

    @abstractmethod
    def hops(self, from_: Role, to: Role) -> tuple[Hop, ...]:
        """Return the observable links between two ends, in the order of a request."""

    def first_frame_s(self, network: Network) -> float:
        """Return the seconds within which a new port of the network's switch passes a frame.

        With spanning tree a port listens for the forward delay and learns for as long (IEEE
        802.1D, 8.4); the kernel takes no less than 2 s for each while it is on. Without, it passes
        frames at once, and 2 s are left for a busy machine.
        """
        stp, delay_s = self.spanning_tree
        if not (stp if network.stp is None else network.stp):
            return WITHOUT_STP_S
        if network.forward_delay_s is not None:
            delay_s = network.forward_delay_s
        return 2 * max(delay_s, LEAST_FORWARD_DELAY_S)

    def link_mtu(self, network: Network, physical: Physical | None) -> LinkMtu | None:
        """Return the MTU of what guests are on; None: their NICs have it follow theirs."""
        del network, physical
        return None

    def links(self, network: Network) -> tuple[str, ...]:
        """Return the links that the network's build makes on the host, without TAPs."""
        return (network.bridge,)
