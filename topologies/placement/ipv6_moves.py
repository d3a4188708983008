# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 subnets of a placed topology: unique local ones that the host has no part of."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from itertools import count

from topologies.dhcp6 import Dhcp6, duid_of
from topologies.physical_ipv6 import PhysicalIpv6
from topologies.schema import Network
from topologies.topology import Topology

# A site's prefix is 40 random bits behind fd (RFC 4193, 3.2): here those of a digest, so that two
# runs on an unchanged host are the same.
RANDOM_OCTETS, SITE_PREFIX, SUBNET_PREFIX = 5, 48, 64


class Ipv6Moves:
    """Moves each documented IPv6 subnet of a topology to a free one.

    Args:
        topology: as documented.
        seed: what the choice follows from.
        taken: networks that the host has.
    """

    def __init__(self, topology: Topology, seed: str, taken: Sequence[IPv6Network]) -> None:
        documented = list(dict.fromkeys(_subnets(topology)))
        site = next(
            each for each in _sites(seed) if not any(each.overlaps(other) for other in taken)
        )
        free = site.subnets(new_prefix=SUBNET_PREFIX)
        self._moves = {subnet: next(free) for subnet in documented}

    @property
    def subnets(self) -> Mapping[IPv6Network, IPv6Network]:
        """Documented subnet → the one in its place."""
        return self._moves

    def interface(self, address: IPv6Interface) -> IPv6Interface:
        """Return the address at the same place of the free subnet, with its prefix length."""
        return IPv6Interface((self._address(address.ip), address.network.prefixlen))

    def network(
        self, network: Network, macs: Mapping[str, str], names: Mapping[str, str]
    ) -> dict[str, object]:
        """Return the keys of a network with addresses of the free subnet.

        Args:
            network: as documented.
            macs: a guest's documented MAC → the one in its place.
            names: a guest's documented name → the one in its place.
        """
        served = network.dhcp6
        return {
            "address6": network.address6 and self.interface(network.address6),
            "dhcp6": served and self._served(served, macs, names),
        }

    def _served(self, dhcp: Dhcp6, macs: Mapping[str, str], names: Mapping[str, str]) -> Dhcp6:
        duids = {duid_of(mac): duid_of(used) for mac, used in macs.items()}
        hosts = tuple(
            each.model_copy(
                update={
                    "duid": duids.get(each.duid, each.duid),
                    "name": each.name and names.get(each.name, each.name),
                    "ip": self._address(each.ip),
                }
            )
            for each in dhcp.hosts
        )
        ends = {"start": dhcp.start, "end": dhcp.end}
        moved = {key: end and self._address(end) for key, end in ends.items()}
        return dhcp.model_copy(update={"hosts": hosts, **moved})

    def physical(self, figures: PhysicalIpv6) -> PhysicalIpv6:
        """Return the figures of the physical network on the free subnet."""
        return figures.model_copy(
            update={
                "subnet": self._moves[figures.subnet],
                "router": self._address(figures.router),
                "host": self._address(figures.host),
                "outside": self._address(figures.outside),
            }
        )

    def _address(self, address: IPv6Address) -> IPv6Address:
        for documented, used in self._moves.items():
            if address in documented:
                return used[int(address) - int(documented.network_address)]
        raise LookupError(f"{address} is of no subnet of its topology")


def _sites(seed: str) -> Iterator[IPv6Network]:
    for number in count():
        digest = hashlib.sha256(f"{seed} {number}".encode()).digest()[:RANDOM_OCTETS]
        head = (b"\xfd" + digest).ljust(16, b"\0")
        yield IPv6Network((head, SITE_PREFIX))


def _subnets(topology: Topology) -> Iterator[IPv6Network]:
    if topology.physical is not None and topology.physical.ipv6 is not None:
        yield topology.physical.ipv6.subnet
    for network in topology.networks:
        if network.address6 is not None:
            yield network.address6.network
