# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology with free names and addresses in place of the documented ones.

Its structure, its promises and its name stay; every figure that is derived from a subnet keeps its
place in it.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import NamedTuple, Self
from uuid import UUID, uuid5

from topologies.data_error import DataError
from topologies.dhcp import Tftp
from topologies.dhcp6 import duid_of
from topologies.given_xml import GivenXml, Replacements, moved_text
from topologies.placement.dnsmasq_moves import Moves, moved_dhcp, moved_dns
from topologies.placement.free_names import FreeMacs, FreeNames, free_prefix
from topologies.placement.ipv6_moves import Ipv6Moves
from topologies.placement.taken import Taken
from topologies.placement.wire import Wire, without_advertisements, without_dhcp
from topologies.subnet_pool import free_pool, free_subnets, pool_in
from topologies.topology import DhcpRange, Guest, Network, Physical, Topology


@dataclass(frozen=True)
class Placement:
    """Where topologies go on one host.

    Attributes:
        prefix: the beginning of all names.
        pool: the network that subnets are taken from.
        taken: what the host has.
        uplink: the NIC that is the topologies' uplink; None: the run makes one.
        serves_dhcp: the run's physical network has its DHCP server; without, guests on it have
            static addresses.
        wire: the site's network that the uplink is on; None: the physical network is the run's.
    """

    prefix: str
    pool: IPv4Network
    taken: Taken
    uplink: str | None = None
    serves_dhcp: bool = True
    wire: Wire | None = None

    @classmethod
    def beside(
        cls,
        taken: Taken,
        stem: str,
        subnets: str | None,
        uplink: str | None = None,
        *,
        serves_dhcp: bool = True,
        wire: Wire | None = None,
    ) -> Self:
        """Return the placement beside what a host has.

        Args:
            taken: what the host has.
            stem: the beginning of all names, before the run's number.
            subnets: the value of `--subnets`; None: a free private network.
            uplink: the NIC that is the topologies' uplink; None: the run makes one.
            serves_dhcp: the run's physical network has its DHCP server.
            wire: the site's network that the uplink is on.

        Raises:
            DataError: `subnets` is no network, or there is no free one.
        """
        if wire is not None:
            taken = replace(taken, networks=(*taken.networks, wire.subnet))
        pool = free_pool(taken.networks) if subnets is None else pool_in(subnets)
        return cls(free_prefix(stem, taken.names), pool, taken, uplink, serves_dhcp, wire)

    def place(self, topology: Topology) -> Topology:
        """Return a topology under free names, on free subnets, with free MACs and UUIDs.

        Of one on existing networks only the guests get other names.

        Raises:
            DataError: the pool has no room for it.
        """
        if not topology.made_networks:
            return self._attached(topology)
        topology = without_advertisements(topology)
        if not self.serves_dhcp:
            topology = without_dhcp(topology)
        on_wire: dict[IPv4Network, IPv4Network] = {}
        if self.wire is not None:
            topology = self.wire.moved(topology)
            on_wire = {self.wire.subnet: self.wire.subnet}
        documented = [each for each in _subnets(topology) if each not in on_wire]
        lengths = [each.prefixlen for each in documented]
        free = free_subnets(self.pool, self.taken.networks, lengths)
        moves = on_wire | dict(zip(documented, free, strict=True))
        moves6 = Ipv6Moves(topology, self.prefix, self.taken.ipv6_networks)
        names = FreeNames(self.prefix, self.taken.names)
        macs = FreeMacs(self.taken.macs, list(_macs(topology)))
        uplink = {
            name: name if topology.type.uplink_is_real else self.uplink or names.link(name)
            for name in _uplinks(topology)
        }
        clients = _Clients(
            {guest.mac: macs.mac(guest.mac) for guest in topology.guests},
            {guest.name: names.guest(guest.name) for guest in topology.guests},
        )
        networks = tuple(
            self._network(network, moves, moves6, names, macs, uplink, clients).model_copy(
                update=moves6.network(network, clients.macs, clients.names)
            )
            for network in topology.networks
        )
        renamed = dict(
            zip(
                (each.name for each in topology.networks),
                (each.name for each in networks),
                strict=True,
            )
        )
        guests = tuple(
            guest.model_copy(
                update={
                    "name": clients.names[guest.name],
                    "network": renamed[guest.network],
                    "mac": clients.macs[guest.mac],
                    "address": _guest_address(guest, moves),
                    "address6": guest.address6 and moves6.interface(guest.address6),
                }
            )
            for guest in topology.guests
        )
        physical = topology.physical and _physical(topology.physical, moves, uplink)
        if physical is not None and physical.ipv6 is not None:
            placed = moves6.physical(physical.ipv6)
            physical = physical.model_copy(update={"ipv6": placed})
        update = {"networks": networks, "guests": guests, "physical": physical}
        return topology.model_copy(update=update)

    def _attached(self, topology: Topology) -> Topology:
        names = FreeNames(self.prefix, self.taken.names)
        guests = tuple(
            guest.model_copy(update={"name": names.guest(guest.name)}) for guest in topology.guests
        )
        return topology.model_copy(update={"guests": guests})

    def _network(
        self,
        network: Network,
        moves: Moves,
        moves6: Ipv6Moves,
        names: FreeNames,
        macs: FreeMacs,
        uplink: Mapping[str, str],
        clients: "_Clients",
    ) -> Network:
        if network.stanza is not None:
            raise DataError(
                "ifup would run its lines under other names, with its commands, on a host with "
                "other users; expected a sandbox",
                file=network.stanza.file,
                hint="leave --host out; or attach to the bridge as it is, with "
                f"--bridge {network.bridge}",
            )
        move = functools.partial(_address, moves=moves)
        own = network.bridge_name == network.name
        placed = network.model_copy(
            update={
                # A bridge of the host's is called by one name in both places.
                "name": names.link(network.name) if own else names.network(network.name),
                "bridge_name": network.bridge_name and names.link(network.bridge_name),
                "libvirt_name": network.libvirt_name and names.network(network.libvirt_name),
                "address": network.address and _interface(network.address, moves),
                "further_addresses": tuple(
                    _interface(each, moves) for each in network.further_addresses
                ),
                "dns": network.dns and moved_dns(network.dns, moves),
                "dhcp": network.dhcp and moved_dhcp(network.dhcp, moves, *clients),
                # A folder of the run's own, in place of one that the host may have.
                "tftp": network.tftp and Tftp(root=f"/run/{names.network(network.name)}-tftp"),
                "routes": tuple(
                    each.model_copy(update={"gateway": move(each.gateway)})
                    for each in network.routes
                ),
                "dnsmasq_options": tuple(
                    moved_text(each, moves) for each in network.dnsmasq_options
                ),
                "uplink": network.uplink and uplink[network.uplink],
                # A host with other users gets no bond and no VLAN: its uplink is one NIC.
                "uplink_vlan": None,
                "uplink_bond": None,
                "mac": network.mac and macs.mac(network.mac),
                "uuid": network.uuid and self._uuid(network.uuid),
            }
        )
        if network.given is None:
            return placed
        definition = self._definition(network.given, placed, moves, moves6, uplink, clients)
        return placed.given_by(definition)

    def _definition(
        self,
        given: GivenXml,
        placed: Network,
        moves: Moves,
        moves6: Ipv6Moves,
        uplink: Mapping[str, str],
        clients: "_Clients",
    ) -> GivenXml:
        for held in given.addresses6():
            if not any(held in subnet for subnet in moves6.subnets):
                raise DataError(
                    f"its address {held} is of no subnet that guests use, and is not put on a free "
                    "one; expected no further IPv6 address on a host with other users",
                    file=given.file,
                    hint="run it in a sandbox: leave --host out",
                )
        return given.replaced(
            Replacements(
                # Over a bridge of the host's its libvirt name is another key.
                name=placed.libvirt_name or placed.name,
                bridge=placed.bridge_name,
                mac=placed.mac,
                uuid=given.uuid and str(self._uuid(UUID(given.uuid))),
                subnets=moves,
                subnets6=moves6.subnets,
                devices=uplink,
                macs=clients.macs,
                duids={duid_of(mac): duid_of(used) for mac, used in clients.macs.items()},
                guests=clients.names,
                tftp_root=None if placed.tftp is None else placed.tftp.root,
            )
        )

    def _uuid(self, documented: UUID) -> UUID:
        return uuid5(documented, self.prefix) if documented in self.taken.uuids else documented


class _Clients(NamedTuple):
    """Documented MACs and names of a topology's guests, each with the one in its place."""

    macs: Mapping[str, str]
    names: Mapping[str, str]


def _subnets(topology: Topology) -> Iterator[IPv4Network]:
    """Give the subnets of a topology, that of the physical network first; none overlap."""
    if topology.physical is not None:
        yield topology.physical.subnet
    for network in topology.networks:
        if not network.is_on_physical_network:
            yield from network.subnets


def _macs(topology: Topology) -> Iterator[str]:
    """Give the MACs of a topology's guests, and of the clients that addresses are kept for."""
    yield from (guest.mac for guest in topology.guests)
    for network in topology.networks:
        kept = () if network.dhcp is None else network.dhcp.hosts
        yield from (each.mac for each in kept if each.mac is not None)


def _uplinks(topology: Topology) -> Iterator[str]:
    if topology.physical is not None:
        yield topology.physical.uplink


def _physical(physical: Physical, moves: Moves, uplink: Mapping[str, str]) -> Physical:
    return physical.model_copy(
        update={
            "uplink": uplink[physical.uplink],
            "subnet": moves[physical.subnet],
            # On a wire of the site's both are not moved: it has its own.
            "router": _if_own(physical.router, moves),
            "dhcp": _range(physical.dhcp, moves),
            "host": _address(physical.host, moves),
            "outside": _address(physical.outside, moves),
        }
    )


def _guest_address(guest: Guest, moves: Moves) -> IPv4Interface | str | None:
    static = guest.static_address
    return guest.address if static is None else _interface(static, moves)


def _range(served: DhcpRange, moves: Moves) -> DhcpRange:
    return DhcpRange(start=_if_own(served.start, moves), end=_if_own(served.end, moves))


def _interface(address: IPv4Interface, moves: Moves) -> IPv4Interface:
    return IPv4Interface((_address(address.ip, moves), address.network.prefixlen))


def _if_own(address: IPv4Address, moves: Moves) -> IPv4Address:
    """Return the address in place of one of the topology's; another one as it is."""
    return _address(address, moves) if any(address in each for each in moves) else address


def _address(address: IPv4Address, moves: Moves) -> IPv4Address:
    """Return the address at the same place of the subnet that its own one moves to."""
    for documented, used in moves.items():
        if address in documented:
            return used[int(address) - int(documented.network_address)]
    raise LookupError(f"{address} is of no subnet of its topology: {', '.join(map(str, moves))}")
