# SPDX-License-Identifier: GPL-2.0-or-later
"""What a fault is: where it is applied, how, how it is undone, and who has to notice."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, StringConstraints

from topologies.schema import Model, Part
from topologies.topology import Topology

SCHEMA = "plumbline/faults/1"
SHIPPED_FOLDER = Path(__file__).resolve().parent

Place = Literal["host", "outside", "lan", "guest"]
"""The machine that the fault's commands run on; `guest` is the topology's first."""
Command = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Named = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}-[0-9]{2}|[a-z_]+\.[a-z_]+.*)$")]
"""A claim's id, or the beginning of a check's id: `connectivity.reach` decides promises too."""


class Fault(Part):
    """One deliberate break of a topology that stands."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,47}$", description="Short name in small letters."
    )
    title: str = Field(min_length=1, description="What is wrong then, in a few words.")
    topologies: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=1, description="Names, or paths from this file, of the topologies it breaks."
    )
    on: Place = Field(default="host", description="The machine that its commands run on.")
    apply: Command = Field(description="Shell commands that break it, once the topology is up.")
    guest_model: Model | None = Field(
        default=None,
        description="The NIC model that the first guest is built with, whatever the topology says.",
    )
    vfs: int | None = Field(
        default=None,
        ge=1,
        description="How many virtual functions are on when it is built, whatever the topology "
        "says.",
    )
    undo: Command | None = Field(
        default=None,
        description="Shell commands that mend it, so that the topology can stand for the next "
        "fault; null: it is taken down.",
    )
    caught_by: Annotated[tuple[Named, ...], Field(strict=False)] = Field(
        min_length=1, description="Claims, or beginnings of check ids, that must be violated."
    )
    also: dict[str, str] = Field(
        default_factory=dict,
        description="Other claims or checks that it honestly breaks, each with the reason.",
    )

    _source_path: Path | None = PrivateAttr(default=None)

    def read_from(self, path: Path) -> Self:
        """Return a copy that knows which file it came from."""
        copy = self.model_copy()
        copy._source_path = path
        return copy

    @property
    def folder(self) -> Path:
        """The folder that paths in it are relative to."""
        return (self._source_path or SHIPPED_FOLDER / "faults.yaml").absolute().parent

    def as_built(self, topology: Topology) -> Topology:
        """Return what to build for a topology, which its checks know as it is documented."""
        if self.vfs is not None:
            network, *more = topology.networks
            fewer = network.model_copy(update={"vfs": self.vfs})
            return topology.model_copy(update={"networks": (fewer, *more)})
        if self.guest_model is None:
            return topology
        first, *others = topology.guests
        changed = first.model_copy(update={"model": self.guest_model})
        return topology.model_copy(update={"guests": (changed, *others)})

    def canonical(self) -> str:
        """Return what `--fault` takes to mean it again: its id, or the file of a user's own."""
        if self._source_path is None or self.folder.resolve() == SHIPPED_FOLDER:
            return self.id
        return str(self._source_path.absolute())

    def is_for(self, claims: tuple[str, ...], check: str) -> bool:
        """Tell whether a check, or one of the claims that it decides, has to notice it."""
        return any(
            entry in claims or ("." in entry and check.startswith(entry))
            for entry in self.caught_by
        )
