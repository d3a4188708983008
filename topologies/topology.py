# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology: one documented network as data, what is built and what it promises."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from topologies.field_types import Sentence, TopologyName
from topologies.rules import Draft, broken
from topologies.schema import (
    DhcpRange,
    Guest,
    Kind,
    Network,
    Part,
    Physical,
    Promise,
    Role,
    Switch,
    Throughput,
)

__all__ = [
    "SCHEMA",
    "DhcpRange",
    "Guest",
    "Kind",
    "Network",
    "Physical",
    "Promise",
    "Role",
    "Switch",
    "Throughput",
    "Topology",
]

SCHEMA = "plumbline/topology/1"
"""The one version of the format that this release reads."""
SHIPPED_FOLDER = Path(__file__).resolve().parent


class Shape(Part):
    """The keys of a topology file, before the rules between its parts are applied."""

    schema_name: Literal["plumbline/topology/1"] = Field(
        alias="schema", description="The format and its version."
    )
    name: TopologyName = Field(description="Its name, unique in a run.")
    kind: Kind = Field(description="What it is; the claims that apply follow from this.")
    title: Sentence = Field(description="One line for people.")
    sources: Annotated[tuple[Sentence, ...], Field(strict=False)] = Field(
        min_length=1, description="Where its figures and promises are documented."
    )
    networks: Annotated[tuple[Network, ...], Field(strict=False)] = Field(
        min_length=1, description="What is built; the first is the one under test."
    )
    physical: Physical | None = Field(
        default=None, description="The network beyond the host's uplink; null: there is none."
    )
    guests: Annotated[tuple[Guest, ...], Field(strict=False)] = Field(
        min_length=2, description="The guests; at least two on the network under test."
    )
    promises: Annotated[tuple[Promise, ...], Field(strict=False)] = Field(
        min_length=1, description="Who reaches whom, one entry per cell."
    )
    throughput: Throughput = Field(
        default_factory=Throughput, description="Floors under measured rates."
    )


class Topology(Shape):
    """One documented network: what is built, the addresses, and who reaches whom."""

    _source_path: Path | None = PrivateAttr(default=None)

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
    def switch(self) -> Switch:
        """What the network under test is switched by."""
        return self.network.switch

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
        """Return what is promised for one cell, or None where nothing is."""
        return next((p for p in self.promises if (p.from_, p.to) == (from_, to)), None)

    def canonical(self) -> str:
        """Return what `--topology` takes to mean this topology again.

        The name of a shipped one; the absolute path of a file of the user's own, so that the
        command works from any folder.
        """
        path = self._source_path
        if path is None or path.resolve().parent == SHIPPED_FOLDER:
            return self.name
        return str(path.absolute())

    def read_from(self, path: Path) -> Self:
        """Return a copy that knows which file it came from."""
        copy = self.model_copy()
        copy._source_path = path
        return copy
