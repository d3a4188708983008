# SPDX-License-Identifier: GPL-2.0-or-later
"""A fault: its topologies, its commands, its undo, and the checks that have to notice."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, StringConstraints

from topologies.schema import Model, Part
from topologies.topology import Topology

SCHEMA = "plumbline/faults/1"
SHIPPED_FOLDER = Path(__file__).resolve().parent

Place = Literal["host", "outside", "lan", "guest"]
"""The machine of the fault's commands; `guest` is the topology's first."""
Command = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Named = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}-[0-9]{2}|[a-z_]+\.[a-z_]+.*)$")]
"""A claim's id, or the beginning of a check's id: `connectivity.reach` decides promises too."""


class Fault(Part):
    """One deliberate break of a topology that is up."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,47}$", description="Short name in small letters."
    )
    title: str = Field(min_length=1, description="The fault in a few words.")
    topologies: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=1, description="Names, or paths from this file, of the topologies it breaks."
    )
    on: Place = Field(default="host", description="The machine of its commands.")
    apply: Command = Field(description="Shell commands that break it, once the topology is up.")
    guest_model: Model | None = Field(
        default=None,
        description="The first guest's NIC model, in place of the topology's.",
    )
    vfs: int | None = Field(
        default=None,
        ge=1,
        description="The number of virtual functions, in place of the topology's.",
    )
    undo: Command | None = Field(
        default=None,
        description="Shell commands that repair it, so that the topology serves the next fault; "
        "null: it is taken down.",
    )
    caught_by: Annotated[tuple[Named, ...], Field(strict=False)] = Field(
        min_length=1, description="Claims, or beginnings of check ids, that must be violated."
    )
    also: dict[str, str] = Field(
        default_factory=dict,
        description="Other claims or checks that are rightly violated, each with the reason.",
    )

    _source_path: Path | None = PrivateAttr(default=None)

    def read_from(self, path: Path) -> Self:
        """Return a copy that knows which file it came from."""
        copy = self.model_copy()
        copy._source_path = path
        return copy

    @property
    def folder(self) -> Path:
        """The folder of its relative paths."""
        return (self._source_path or SHIPPED_FOLDER / "faults.yaml").absolute().parent

    def as_built(self, topology: Topology) -> Topology:
        """Return the topology to build; its checks see the documented one."""
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
        """Return the value of `--fault` for it: its id, or the path of a user's own file."""
        if self._source_path is None or self.folder.resolve() == SHIPPED_FOLDER:
            return self.id
        return str(self._source_path.absolute())

    def is_for(self, claims: tuple[str, ...], check: str) -> bool:
        """Whether a check, or one of the claims that it decides, has to notice it."""
        return any(
            entry in claims or ("." in entry and check.startswith(entry))
            for entry in self.caught_by
        )
