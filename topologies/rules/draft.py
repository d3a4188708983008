# SPDX-License-Identifier: GPL-2.0-or-later
"""The readable parts of a topology, and the errors between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import TypeVar

from pydantic import ValidationError

from topologies.network_types import NETWORK_TYPES
from topologies.origins import origin_of
from topologies.part import Part
from topologies.schema import Guest, Network, Physical, Promise
from topologies.throughput import Throughput
from topologies.yaml_reader import FieldPath, Value, field_name

P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Problem:
    """One breach of a rule.

    Attributes:
        path: The place of the error.
        what: What was found and what was expected.
        hint: The remedy.
    """

    path: FieldPath
    what: str
    hint: str

    @property
    def field(self) -> str:
        """The path as an error writes it."""
        return field_name(self.path) or "the file"


@dataclass(frozen=True)
class Draft:
    """The parts of a topology that are well formed, by their place in the file.

    A part with an error of its own is left out, so that the rules can still be applied to the
    rest and one run of the reader reports everything. Rules that conclude from something's
    absence ask `lacks` first.

    Attributes:
        kind: The topology's kind; None where it was refused.
        networks: The networks by their index.
        physical: The physical network; None where there is none or it was refused.
        guests: The guests by their index.
        promises: The promises by their index.
        throughput: The floors; None where they were refused.
        lacks: The sections from which something was left out.
    """

    kind: str | None
    networks: Mapping[int, Network]
    physical: Physical | None
    guests: Mapping[int, Guest]
    promises: Mapping[int, Promise]
    throughput: Throughput | None
    lacks: frozenset[str] = field(default_factory=frozenset)

    @property
    def under_test(self) -> Network | None:
        """The first network; None where it was refused."""
        return self.networks.get(0)

    @property
    def planned(self) -> Mapping[int, Network]:
        """The networks whose addresses and ports the file decides, and not the host."""
        return {i: each for i, each in self.networks.items() if origin_of(each).planned}

    @property
    def lacks_outside(self) -> bool:
        """Whether a promise about the outside is a mistake: the file plans a network without."""
        return self.has_no_physical and len(self.planned) == len(self.networks)

    @property
    def has_no_physical(self) -> bool:
        """Whether the file has no physical network."""
        return self.physical is None and "physical" not in self.lacks

    def network_of(self, guest: Guest) -> Network | None:
        """Return the network that a guest names, or None where it is not known."""
        return next((n for n in self.networks.values() if n.name == guest.network), None)

    def subnet_of(self, network: Network) -> IPv4Network | None:
        """Return the network's addresses: its own, or the physical ones where the NIC is a port."""
        if network.is_on_physical_network and self.physical is not None:
            return self.physical.subnet
        return network.subnet


def draft_of(data: Mapping[str, Value]) -> Draft:
    """Return the well-formed parts of a topology file's values; the others are left out.

    The validation of the whole file against its model reports those.
    """
    lacks: set[str] = set()

    def listed(section: str, part: type[P]) -> dict[int, P]:
        entries = data.get(section, [] if section == "promises" else None)
        if not isinstance(entries, list):
            lacks.add(section)
            return {}
        read = {index: _well_formed(part, entry) for index, entry in enumerate(entries)}
        whole = {index: entry for index, entry in read.items() if entry is not None}
        if len(whole) < len(read):
            lacks.add(section)
        return whole

    physical = _well_formed(Physical, data.get("physical"))
    if physical is None and data.get("physical") is not None:
        lacks.add("physical")
    return Draft(
        kind=_kind(data.get("kind")),
        networks=listed("networks", Network),
        physical=physical,
        guests=listed("guests", Guest),
        promises=listed("promises", Promise),
        throughput=_well_formed(Throughput, data.get("throughput", {})),
        lacks=frozenset(lacks),
    )


def _well_formed(part: type[P], value: Value) -> P | None:
    try:
        return part.model_validate(value)
    except ValidationError:
        return None


def _kind(value: Value) -> str | None:
    return value if isinstance(value, str) and value in NETWORK_TYPES else None
