# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology: one documented network as data, with its promises."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from contracts.address_family import FAMILIES, IPV4, AddressFamily
from topologies.catalogue import Claim
from topologies.data_error import DataError, near_miss
from topologies.default_promises import promises_of
from topologies.dhcp import DhcpRange
from topologies.dnsmasq_options import undecided_by
from topologies.field_types import Sentence, TopologyName, found, refuse
from topologies.network_import.reading import Reading, Setting
from topologies.network_types import NETWORK_TYPES, NetworkType, type_of
from topologies.origins import Origin, origin_of
from topologies.part import Part
from topologies.rules import Draft, broken
from topologies.schema import (
    Guest,
    Network,
    Physical,
    Promise,
    Role,
    Switch,
)
from topologies.switch_types import SWITCH_TYPES
from topologies.throughput import Throughput

__all__ = [
    "SCHEMA",
    "DhcpRange",
    "Guest",
    "Network",
    "Physical",
    "Promise",
    "Role",
    "Switch",
    "Throughput",
    "Topology",
]

SCHEMA = "plumbline/topology/1"
"""The version of the format that this release reads."""
SHIPPED_FOLDER = Path(__file__).resolve().parent


def _kind(value: object) -> object:
    if not isinstance(value, str) or value not in NETWORK_TYPES:
        *most, last = NETWORK_TYPES
        expected = f"{', '.join(most)} or {last}"
        hint = near_miss(value, NETWORK_TYPES) if isinstance(value, str) else ""
        raise refuse(f"found {found(value)}; expected {expected}", hint or f"write {expected}")
    return value


Kind = Annotated[str, BeforeValidator(_kind)]
"""The name of the network type of the network under test."""


class Shape(Part):
    """The keys of a topology file, before the rules between its parts are applied."""

    schema_name: Literal["plumbline/topology/1"] = Field(
        alias="schema", description="The format and its version."
    )
    name: TopologyName = Field(description="Its name, unique in a run.")
    kind: Kind = Field(
        description="The network type under test; the claims that apply follow from this."
    )
    title: Sentence = Field(description="One line for people.")
    sources: Annotated[tuple[Sentence, ...], Field(strict=False)] = Field(
        min_length=1, description="The documents of its figures and promises."
    )
    networks: Annotated[tuple[Network, ...], Field(strict=False)] = Field(
        min_length=1, description="The networks to build; the first is the one under test."
    )
    physical: Physical | None = Field(
        default=None, description="The network beyond the host's uplink; null: there is none."
    )
    guests: Annotated[tuple[Guest, ...], Field(strict=False)] = Field(
        min_length=2, description="The guests; at least two on the network under test."
    )
    promises: Annotated[tuple[Promise, ...], Field(strict=False)] = Field(
        default=(),
        min_length=1,
        description="Who reaches whom, one entry per cell; left out: the network type's promises.",
    )
    throughput: Throughput = Field(
        default_factory=Throughput, description="Floors under measured rates."
    )


class Topology(Shape):
    """One documented network: bridges, addresses, guests, and who reaches whom."""

    _source_path: Path | None = PrivateAttr(default=None)
    _reading: Reading | None = PrivateAttr(default=None)
    _warnings: tuple[DataError, ...] = PrivateAttr(default=())

    @model_validator(mode="before")
    @classmethod
    def _promise_what_the_type_says(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "promises" in data:
            return data
        shape = Shape.model_validate(data)
        return {**data, "promises": promises_of(shape.networks[0], shape.physical)}

    @model_validator(mode="after")
    def _keep_the_rules(self) -> Self:
        draft = Draft(
            kind=self.kind,
            networks=dict(enumerate(self.networks)),
            physical=self.physical,
            guests=dict(enumerate(self.guests)),
            promises=dict(enumerate(self.promises)),
            throughput=self.throughput,
        )
        if problems := tuple(broken(draft)):
            raise ValueError("\n".join(f"{p.field}: {p.what}; {p.hint}" for p in problems))
        return self

    @property
    def network(self) -> Network:
        """The network under test: the first one."""
        return self.networks[0]

    @property
    def type(self) -> NetworkType:
        """The type of the network under test."""
        return NETWORK_TYPES[self.kind]

    @property
    def origin(self) -> Origin:
        """The origin of the network under test."""
        return origin_of(self.network)

    @property
    def made_networks(self) -> tuple[Network, ...]:
        """Its networks that the run makes, and takes down."""
        return tuple(each for each in self.networks if origin_of(each).is_the_runs)

    @property
    def switch(self) -> Switch:
        """The switch of the network under test."""
        return self.network.switch

    @property
    def needs(self) -> frozenset[str]:
        """The capabilities of the host that its networks need."""
        return frozenset().union(
            *(type_of(each).needs | SWITCH_TYPES[each.switch].needs for each in self.networks)
        )

    @property
    def families(self) -> tuple[AddressFamily, ...]:
        """The address families of the guests on the network under test: each has its promises."""
        tested = [guest for guest in self.guests if guest.network == self.network.name]
        found = self.network.families.union(*(guest.families for guest in tested))
        return tuple(family for family in FAMILIES if family in found)

    @property
    def first_family(self) -> AddressFamily:
        """The family of whatever asks for no other: IPv4 where the guests have it."""
        return next(iter(self.families), IPV4)

    def gateway(self, network: Network) -> IPv4Address | None:
        """Return the router that guests on one of its networks use; None: there is none."""
        return type_of(network).gateway(network, self.physical)

    def applies(self, claim: Claim) -> bool:
        """Whether a claim is about this topology's network under test."""
        return (
            claim.applies_to(self.kind, self.switch)
            and claim.is_asked_of(self.network)
            and any(claim.is_about(family) for family in self.families)
        )

    @property
    def source_path(self) -> Path | None:
        """The file it was read from; None for a topology that was made in Python."""
        return self._source_path

    def network_of(self, guest: Guest) -> Network:
        """Return the network that a guest of this topology is on.

        Raises:
            LookupError: The guest's network is not one of this topology's.
        """
        for network in self.networks:
            if network.name == guest.network:
                return network
        known = ", ".join(network.name for network in self.networks)
        raise LookupError(
            f"guest {guest.name} is on network {guest.network}, which topology {self.name} does "
            f"not have; expected one of {known}: ask the topology that the guest belongs to"
        )

    def promise(self, from_: Role, to: Role) -> Promise | None:
        """Return the promise for one cell, or None where there is none."""
        return next((p for p in self.promises if (p.from_, p.to) == (from_, to)), None)

    @property
    def reading(self) -> Reading | None:
        """What was read of an existing network of a host; None for a topology of a file."""
        return self._reading

    def obstacle(self, claims: Iterable[str]) -> Setting | None:
        """Return a setting by which its network is to do otherwise than these claims say."""
        read = self._reading or Reading("--topology", self.name, tuple(self._options()))
        return read.obstacle(claims)

    def _options(self) -> Iterator[Setting]:
        """Give the options that a topology file passes through to dnsmasq."""
        for number, option in enumerate(self.network.dnsmasq_options):
            place = f"networks[0].dnsmasq_options[{number}]"
            source = f"topology {self.name}"
            yield Setting(source, place, None, None, option, "used", undecided_by(option))

    @property
    def selection(self) -> tuple[str, str]:
        """The option of `run` that selects it, and the option's value."""
        if self._reading is not None and self._source_path is None:
            return self._reading.option, self._reading.name
        return "--topology", self.canonical()

    def canonical(self) -> str:
        """Return the value of `--topology` for this topology.

        The name of a shipped one; the whole path of a user's own file, one for each file, so that
        the command works from any folder.
        """
        path = self._source_path
        if path is None or path.resolve().parent == SHIPPED_FOLDER:
            return self.name
        return str(path.resolve())

    def read_as(self, reading: Reading) -> Self:
        """Return a copy that knows what was read of its network on a host."""
        copy = self.model_copy()
        copy._reading = reading
        return copy

    @property
    def warnings(self) -> tuple[DataError, ...]:
        """What is doubtful in its file, and no error."""
        return self._warnings

    def warned_of(self, doubtful: DataError) -> Self:
        """Return a copy with one more warning."""
        copy = self.model_copy()
        copy._warnings = (*self._warnings, doubtful)
        return copy

    def read_from(self, path: Path, warnings: tuple[DataError, ...] = ()) -> Self:
        """Return a copy that knows which file it came from, and what is doubtful there."""
        copy = self.model_copy()
        copy._source_path = path
        copy._warnings = warnings
        return copy
