# SPDX-License-Identifier: GPL-2.0-or-later
"""A deliberate change of a topology that is up: its commands, and how it is undone."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, StringConstraints

from topologies.part import Part
from topologies.topology import Topology

SHIPPED_FOLDER = Path(__file__).resolve().parent

Place = Literal["host", "outside", "lan", "guest"]
"""The machine of the change's commands; `guest` is the topology's first."""
Command = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Change(Part):
    """One deliberate change of a topology that is up: a fault, or one that harms nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    is_harmless: ClassVar[bool] = False

    id: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,47}$", description="Short name in small letters."
    )
    title: str = Field(min_length=1, description="The change in a few words.")
    topologies: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=1, description="Names, or paths from this file, of the topologies it changes."
    )
    on: Place = Field(default="host", description="The machine of its commands.")
    before_build: Command | None = Field(
        default=None,
        description="Shell commands on the host before anything of the topology is built: it is "
        "built for this one, and taken down after it.",
    )
    before: Command | None = Field(
        default=None,
        description="Shell commands on the host before its guests are booted: the topology is "
        "built for this one, and taken down after it.",
    )
    apply: Command = Field(description="Shell commands that make it, once the topology is up.")
    undo: Command | None = Field(
        default=None,
        description="Shell commands that take it back, so that the topology serves the next one; "
        "null: it is taken down.",
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

    @property
    def needs_own_build(self) -> bool:
        """Whether the topology is built for this change alone: it finds the change at its start."""
        return self.before is not None or self.before_build is not None

    def as_built(self, topology: Topology) -> Topology:
        """Return the topology to build; its checks see the documented one."""
        return topology

    def canonical(self) -> str:
        """Return the value of `--fault` for it: its id, or the path of a user's own file."""
        if self._source_path is None or self.folder.resolve() == SHIPPED_FOLDER:
            return self.id
        return str(self._source_path.absolute())

    def is_for(self, claims: tuple[str, ...], check: str) -> bool:
        """Whether a check is made beside it however long it takes."""
        raise NotImplementedError
