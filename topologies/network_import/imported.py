# SPDX-License-Identifier: GPL-2.0-or-later
"""A network that exists as a topology: the run's own guests on it, and the type's promises."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from typing import Any, Literal

from pydantic import ValidationError

from topologies.data_error import DataError
from topologies.default_promises import promises_of
from topologies.network_import.reading import Reading
from topologies.network_import.xml_reader import Element
from topologies.network_types import find_type
from topologies.schema import Network, Physical
from topologies.topology import SCHEMA, Topology
from topologies.yaml_reader import FieldPath

TOPOLOGY_NAME_MAX = 32
DIGEST_MAX = 6
GUEST = "kvm"
GUESTS = 2
GUEST_NAMES = tuple(f"{GUEST}{number + 1}" for number in range(GUESTS))
NETWORK, BRIDGE = "--network", "--bridge"
# QEMU's own prefix; the rest is of the host and the network.
MAC_PREFIX = "52:54:00"
UNSUITABLE = re.compile(r"[^a-z0-9]+")
LIMITED = ("guest_host_tcp_mbit_s", "guest_host_udp_mbit_s", "udp_offered_mbit_s")


@dataclass(frozen=True)
class Imported:
    """A network that exists, as Plumbline's model has it.

    Attributes:
        network: its data.
        attach: how guests are attached: by the libvirt network's name, or the bridge's.
        reading: everything that was read of it.
        isolated_ports: guests do not reach each other (`<port isolated='yes'/>`).
        limit_mbit_s: the least bandwidth that it grants; None: no limit.
        router: of the physical network that it is on, as far as the host knows.
        device: the NIC of the host's that alone packets leave by; None: any.
        spoken_for: addresses that its definition gives to somebody.
        spoken_for6: the same, of IPv6.
        places: the elements that entries of its keys were read from, by the keys' paths.
        uplink_mtu: of its bridge with the uplink; None: it is not known.
    """

    network: Network
    attach: Literal["network", "bridge"]
    reading: Reading
    isolated_ports: bool = False
    limit_mbit_s: float | None = None
    router: IPv4Address | None = None
    device: str | None = None
    spoken_for: frozenset[IPv4Address] = frozenset()
    spoken_for6: frozenset[IPv6Address] = frozenset()
    places: Mapping[FieldPath, Element] = field(default_factory=dict)
    uplink_mtu: int | None = None

    @property
    def name(self) -> str:
        """The topology's name, as in `network-default` or `bridge-br0`."""
        return topology_name(self.reading.option, self.reading.name)

    def data(
        self,
        *,
        macs: Sequence[str],
        names: Sequence[str] = GUEST_NAMES,
        addresses: Sequence[IPv4Interface] = (),
        physical: Physical | None = None,
    ) -> dict[str, Any]:
        """Return the topology in the form of a topology file.

        Args:
            macs: of the guests, one each.
            names: of the guests, one each.
            addresses: static addresses of the guests; none: they ask by DHCP, where it is IPv4's.
            physical: the network beyond it; None: none is known.
        """
        what = self.what
        given: Sequence[object] = addresses or [self._asked()] * len(macs)
        type_ = find_type(self.network)
        return {
            "schema": SCHEMA,
            "name": self.name,
            "kind": "" if type_ is None else type_.name,
            "title": f"The {what} {self.reading.name} of a host, as it is there",
            "sources": sorted({each.source for each in self.reading.settings})
            or [f"{what} {self.reading.name}"],
            "networks": [self.network],
            "physical": physical,
            "guests": [
                {
                    "name": name,
                    "network": self.network.name,
                    "attach": self.attach,
                    "mac": mac,
                    "model": "virtio",
                    "address": address,
                }
                for name, mac, address in zip(names, macs, given, strict=True)
            ],
            "promises": [self._as_asked(each) for each in promises_of(self.network, physical)],
            "throughput": self._floors(),
        }

    def topology(self, *, macs: Sequence[str], addresses: Sequence[IPv4Interface] = ()) -> Topology:
        """Return it as the topology of a run that attaches guests to it.

        Raises:
            DataError: the model cannot have it.
        """
        try:
            made = Topology.model_validate(self.data(macs=macs, addresses=addresses))
        except ValidationError as error:
            said = "; ".join(str(each["msg"]) for each in error.errors(include_url=False))
            raise DataError(
                f"{self.reading.name}: {said}",
                field=self.reading.option,
                hint="describe it in a topology file: docs/topologies.md",
            ) from error
        return made.read_as(self.reading)

    @property
    def what(self) -> str:
        """What it is on its host: a libvirt network, or a bridge alone."""
        return "network" if self.reading.option == NETWORK else "bridge"

    @property
    def has_ipv6_alone(self) -> bool:
        """Whether guests get no IPv4 there: on another bridge somebody else may serve it."""
        type_ = find_type(self.network)
        return self.network.is_ipv6_alone and type_ is not None and type_.host_advertises

    def _asked(self) -> str | None:
        """Return a guest's `address` where it has no static one."""
        return None if self.has_ipv6_alone else "dhcp"

    def _as_asked(self, promise: Mapping[str, Any]) -> dict[str, Any]:
        """Return a promise of the type, unless the network's own settings say otherwise."""
        if self.isolated_ports and promise["from"] == promise["to"] == "guest":
            return {**promise, "reach": False, "claims": []}
        return dict(promise)

    def _floors(self) -> dict[str, float]:
        """Return floors below a limit of bandwidth; none: the defaults are below what is there."""
        if self.limit_mbit_s is None:
            return {}
        floors = Topology.model_fields["throughput"].get_default(call_default_factory=True)
        # A limit is an average: half of it is reached beside bursts and headers.
        return {name: min(getattr(floors, name), self.limit_mbit_s / 2) for name in LIMITED}


def topology_name(option: str, name: str) -> str:
    """Return the name of the topology of an existing network.

    Args:
        option: the option that names the network: `--network` or `--bridge`.
        name: its name on the host.
    """
    whole = f"{option.removeprefix('--')}-{name}"
    plain = UNSUITABLE.sub("-", whole.lower()).strip("-")
    if plain == whole and len(whole) <= TOPOLOGY_NAME_MAX:
        return whole
    # Two names may differ only in what a topology's name cannot have.
    digest = hashlib.sha256(whole.encode()).hexdigest()[:DIGEST_MAX]
    return f"{plain[: TOPOLOGY_NAME_MAX - DIGEST_MAX - 1].rstrip('-')}-{digest}"


def macs_for(seed: str, taken: Iterable[str], count: int = GUESTS) -> list[str]:
    """Return MACs for the run's guests, the same on each run, and those of no other.

    Args:
        seed: of the host and the network: two hosts on one wire must not choose the same.
        taken: MACs in use, in lower case.
        count: how many.
    """
    used, found, round_ = set(taken), list[str](), 0
    while len(found) < count:
        digest = hashlib.sha256(f"{seed} {round_}".encode()).digest()
        mac = f"{MAC_PREFIX}:{digest[0]:02x}:{digest[1]:02x}:{digest[2]:02x}"
        if mac not in used:
            used.add(mac)
            found.append(mac)
        round_ += 1
    return found
