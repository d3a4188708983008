# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a network comes from, and what follows: built by the run, or attached to as it is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import MappingProxyType
from typing import ClassVar, Final

from topologies.network_types import type_of
from topologies.network_types.build_steps import BuildStep
from topologies.schema import Network, OriginName


class Origin(ABC):
    """The origin of a network.

    Attributes:
        name: as `origin` in a topology file and in the run record.
        is_the_runs: the run makes the network, so its checks may change it, and its end takes it
            down.
        planned: a topology file says how the network is to be, so that contradictions in the file
            are errors; else the host has decided.
        without_outside: why there is no machine beyond the network, where a topology has no
            physical network.
    """

    name: ClassVar[OriginName]
    is_the_runs: ClassVar[bool]
    planned: ClassVar[bool]
    without_outside: ClassVar[str]

    @abstractmethod
    def build_steps(self, network: Network) -> Sequence[BuildStep]:
        """Return the steps that make a network of this origin on a host, in order."""

    @abstractmethod
    def change_refusal(self, change: str) -> str | None:
        """Return why a check may not make a change to the network; None: it may.

        Args:
            change: the change, as the marker `changes_network` has it: "turns STP on".
        """


class Made(Origin):
    """Built by the run, and taken down with it."""

    name = "made"
    is_the_runs = True
    planned = True
    without_outside = "physical is null"

    def build_steps(self, network: Network) -> Sequence[BuildStep]:
        """See `Origin.build_steps`: those of its type."""
        return type_of(network).build_steps(network)

    def change_refusal(self, change: str) -> str | None:
        """See `Origin.change_refusal`."""
        del change
        return None


class Existing(Origin):
    """A network that the host has: guests are attached to it, and nothing of it is changed."""

    name = "existing"
    is_the_runs = False
    planned = False
    without_outside = "it is an existing network, beyond which the run has no machine"

    def build_steps(self, network: Network) -> Sequence[BuildStep]:
        """See `Origin.build_steps`: it is there."""
        del network
        return ()

    def change_refusal(self, change: str) -> str | None:
        """See `Origin.change_refusal`."""
        return f"the check {change}, and an existing network stays as it is"


ORIGINS: Final = MappingProxyType({each.name: each for each in (Made(), Existing())})


def origin_of(network: Network) -> Origin:
    """Return the origin of a network."""
    return ORIGINS[network.origin]
