# SPDX-License-Identifier: GPL-2.0-or-later
"""What a wire with others on it does to a topology: static addresses, or the site's network."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from topologies.data_error import DataError
from topologies.network_import.address_range import OPTION
from topologies.topology import Guest, Network, Topology


@dataclass(frozen=True)
class Wire:
    """The network on the wire of the uplink, as far as a run may use it.

    Attributes:
        subnet: its addresses.
        outside: that of the site's machine on it.
        set_aside: those that the run may have; the host's is the first.
    """

    subnet: IPv4Network
    outside: IPv4Address
    set_aside: tuple[IPv4Address, ...]

    def moved(self, topology: Topology) -> Topology:
        """Return a topology whose physical network is this one.

        Its guests on it get static addresses, as its DHCP server is the site's. Router and DHCP
        range stay the documented ones: they are the run's, and here it has none.

        Raises:
            DataError: the addresses that were set aside are not enough.
        """
        physical = topology.physical
        if physical is None or topology.type.uplink_is_real:
            return topology
        free = self._free(topology)
        host = next(free)
        guests = tuple(
            guest.model_copy(update={"address": next(free)})
            if topology.network_of(guest).is_on_physical_network
            else guest
            for guest in topology.guests
        )
        networks = tuple(_with_host(network, host) for network in topology.networks)
        # Nothing of IPv6 was set aside on the site's network.
        update = {
            "subnet": self.subnet,
            "host": host.ip,
            "outside": self.outside,
            "ipv6": None,
        }
        return topology.model_copy(
            update={
                "networks": networks,
                "guests": guests,
                "physical": physical.model_copy(update=update),
            }
        )

    def _free(self, topology: Topology) -> Iterator[IPv4Interface]:
        needed = 1 + len([guest for guest in topology.guests if _is_on_wire(topology, guest)])
        if len(self.set_aside) < needed:
            raise DataError(
                f"{len(self.set_aside)} addresses of {self.subnet} are set aside; expected "
                f"{needed} for topology {topology.name}: one for the host, and one for each guest "
                "on the bridge",
                field=OPTION,
                hint="set aside more",
            )
        return (IPv4Interface((each, self.subnet.prefixlen)) for each in self.set_aside)


def _is_on_wire(topology: Topology, guest: Guest) -> bool:
    return topology.network_of(guest).is_on_physical_network


def _with_host(network: Network, host: IPv4Interface) -> Network:
    if not network.is_on_physical_network or network.address is None:
        return network
    return network.model_copy(update={"address": host})


def without_advertisements(topology: Topology) -> Topology:
    """Return a topology without the IPv6 that its physical network's router advertises.

    The host's kernel would take an address and a default route from such a router, and so would
    whoever else is on the wire.
    """
    physical = topology.physical
    if physical is None or physical.ipv6 is None or not physical.ipv6.advertised:
        return topology
    networks = tuple(
        network.model_copy(update={"address6": None}) if network.is_on_physical_network else network
        for network in topology.networks
    )
    left_out = DataError(
        "a host with other users takes no router's advertisements of a run's, so the bridge has "
        "IPv4 alone there",
        file=topology.source_path,
        field="physical.ipv6",
        hint="run it in a sandbox for its IPv6",
    )
    update = {"networks": networks, "physical": physical.model_copy(update={"ipv6": None})}
    return topology.model_copy(update=update).warned_of(left_out)


def without_dhcp(topology: Topology) -> Topology:
    """Return a topology whose guests on the physical network have addresses of its DHCP range."""
    physical = topology.physical
    if physical is None:
        return topology
    free = iter(range(int(physical.dhcp.start), int(physical.dhcp.end) + 1))
    guests = [
        guest.model_copy(update={"address": IPv4Interface((next(free), physical.subnet.prefixlen))})
        if topology.network_of(guest).is_on_physical_network and guest.asks_by_dhcp
        else guest
        for guest in topology.guests
    ]
    return topology.model_copy(update={"guests": tuple(guests)})
