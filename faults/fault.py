# SPDX-License-Identifier: GPL-2.0-or-later
"""A fault: its topologies, its commands, its undo, and the checks that have to notice."""

from typing import Annotated

from pydantic import Field, StringConstraints

from faults.change import Change
from topologies.schema import Model
from topologies.topology import Topology

Named = Annotated[
    str, StringConstraints(pattern=r"^([A-Z][A-Z0-9]-[0-9]{2}|[a-z0-9_]+\.[a-z0-9_]+.*)$")
]
"""A claim's id, or the beginning of a check's id: `connectivity.reach` decides promises too."""


class Fault(Change):
    """One deliberate break of a topology that is up."""

    guest_model: Model | None = Field(
        default=None,
        description="The first guest's NIC model, in place of the topology's.",
    )
    vfs: int | None = Field(
        default=None,
        ge=1,
        description="The number of virtual functions, in place of the topology's.",
    )
    caught_by: Annotated[tuple[Named, ...], Field(strict=False)] = Field(
        min_length=1, description="Claims, or beginnings of check ids, that must be violated."
    )

    def as_built(self, topology: Topology) -> Topology:
        """See `Change.as_built`: with the fault's NIC model or number of functions."""
        if self.vfs is not None:
            network, *more = topology.networks
            fewer = network.model_copy(update={"vfs": self.vfs})
            return topology.model_copy(update={"networks": (fewer, *more)})
        if self.guest_model is None:
            return topology
        first, *others = topology.guests
        changed = first.model_copy(update={"model": self.guest_model})
        return topology.model_copy(update={"guests": (changed, *others)})

    def is_for(self, claims: tuple[str, ...], check: str) -> bool:
        """Whether a check, or one of the claims that it decides, has to notice it."""
        return any(
            entry in claims or ("." in entry and check.startswith(entry))
            for entry in self.caught_by
        )
