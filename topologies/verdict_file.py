# SPDX-License-Identifier: GPL-2.0-or-later
"""The format of a file of expected verdicts, and what is read from it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = "plumbline/verdicts/1"

ReleaseName = str
TopologyName = str
Names = Annotated[tuple[str, ...], Field(strict=False)]
OtherVerdict = Literal["violates", "inconclusive", "not-testable"]
"""Any but `conforms`, which needs no exception, and `error`, which is no host's."""


@dataclass(frozen=True, slots=True)
class ExpectedException:
    """Claims that are expected not to conform.

    Attributes:
        claims: their ids; empty: checks that decide no claim.
        topologies: where.
        checks: beginnings of check ids; only these checks of the claims are meant, and the others
            are expected to conform. Empty: all.
        lacking: the capabilities for want of which it is so.
        having: the capabilities by which it is so.
        verdict: the expected one.
        why: why that is right.
    """

    claims: tuple[str, ...]
    topologies: tuple[TopologyName, ...]
    checks: tuple[str, ...]
    lacking: tuple[str, ...]
    having: tuple[str, ...]
    verdict: OtherVerdict
    why: str

    def holds(self, had: Collection[str]) -> bool:
        """Whether it is about a host with these capabilities."""
        return not set(self.lacking) & set(had) and set(self.having) <= set(had)


@dataclass(frozen=True, slots=True)
class ExpectedVerdicts:
    """What is expected of one release of a host.

    Attributes:
        seen: by topology the claims that were seen there, and beginnings of check ids.
        exceptions: those that do not conform.
        unseen: by topology beginnings of check ids that were not seen, though `seen` has a shorter
            beginning of them.
    """

    seen: Mapping[TopologyName, tuple[str, ...]]
    exceptions: tuple[ExpectedException, ...]
    unseen: Mapping[TopologyName, tuple[str, ...]] = field(default_factory=dict)

    def on(self, had: Collection[str]) -> "ExpectedVerdicts":
        """Return what is expected where a host has these capabilities, and no other.

        What was seen for want of a capability was not seen on a host that has it.
        """
        unmet = [each for each in self.exceptions if not each.holds(had)]
        gone = {(t, claim) for each in unmet for t in each.topologies for claim in each.claims}
        unseen: dict[TopologyName, tuple[str, ...]] = dict(self.unseen)
        for each in unmet:
            for topology in () if each.claims else each.topologies:
                unseen[topology] = unseen.get(topology, ()) + each.checks
        return ExpectedVerdicts(
            seen={
                topology: tuple(
                    name
                    for name in names
                    if (topology, name) not in gone
                    and not name.startswith(unseen.get(topology, ()))
                )
                for topology, names in self.seen.items()
            },
            exceptions=tuple(each for each in self.exceptions if each.holds(had)),
            unseen=unseen,
        )


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class WrittenException(_Entry):
    """An exception as a file has it."""

    claims: Names = Field(
        default=(), description="The claims that do not conform; none: checks without a claim."
    )
    topologies: Names = Field(
        default=(), description="The topologies; none: all on which the claims were seen."
    )
    checks: Names = Field(
        default=(), description="Beginnings of check ids; none: all checks of the claims."
    )
    releases: Names = Field(default=(), description="The releases; none: all.")
    lacking: Names = Field(
        default=(), description="The capabilities for want of which it is so, as in --expect."
    )
    having: Names = Field(
        default=(), description="The capabilities by which it is so, as in --expect."
    )
    verdict: OtherVerdict = Field(description="The verdict in the place of conforms.")
    why: str = Field(min_length=1, description="Why that is right, for an operator.")


class SharedFile(_Entry):
    """A file of the exceptions that several hosts have."""

    schema_name: str = Field(alias="schema", description=f"The format: {SCHEMA}.")
    exceptions: Annotated[tuple[WrittenException, ...], Field(strict=False)] = Field(
        default=(), description="The claims that do not conform."
    )


class VerdictFile(SharedFile):
    """The file of a host."""

    shared: Names = Field(
        default=(), description="Names of files beside it whose exceptions count here as well."
    )
    seen: dict[str, dict[str, Names]] = Field(
        min_length=1, description="By release and topology the claims that were seen."
    )
