# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet as data: hosts, claims, and what red hosts share. Every form of the report is made of it.

`--format json` is this model (schema `plumbline/fleet/1`).
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from contracts.language import gettext_noop
from contracts.verdicts import Verdict
from reports.fleet.host_status import HostState
from reports.record_types import Moment, RecordPart

FLEET_SCHEMA: Literal["plumbline/fleet/1"] = "plumbline/fleet/1"
NO_CLAIM = gettext_noop("without a claim")
"""The column of the checks that decide no claim: they compare a topology with its own data."""


class ClaimOnHost(RecordPart):
    """A claim on a host, over its topologies."""

    verdict: Verdict
    reason: str | None = Field(default=None, description="of the gravest check; null: it conforms")
    anchor: str | None = Field(
        default=None, description="that check in the host's page; null: it conforms"
    )


class FleetHost(RecordPart):
    """A host of the fleet: a row.

    A host that did not run to its end has the verdicts that it came to, if any.
    """

    name: str
    state: HostState
    says: str = Field(description="the result in a sentence, or the reason why there is none")
    verdict: Verdict | None = Field(description="of the whole run; null: it has no record")
    folder: str = Field(description="relative to the fleet's")
    exit_code: int | None = Field(
        default=None, description="of the run, by the host's status; null: not known"
    )
    started: Moment | None = None
    finished: Moment | None = None
    groups: list[str] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)
    unusual: list[str] = Field(
        default_factory=list, description="those of its versions that most hosts do not have"
    )
    claims: dict[str, ClaimOnHost] = Field(default_factory=dict)
    facts: dict[str, list[str]] = Field(default_factory=dict)
    deviation: float = Field(
        default=0.0,
        description="the sum, over the claims that it violates, of the share of the deciding hosts "
        "on which they conform; outliers have more",
    )

    @property
    def is_red(self) -> bool:
        """Whether a claim is violated on it, or it refused to build a topology."""
        return self.verdict is Verdict.VIOLATES or any(
            claim.verdict is Verdict.VIOLATES for claim in self.claims.values()
        )

    def count(self, verdict: Verdict | str) -> int:
        """Return how many claims have this verdict on it."""
        return sum(claim.verdict == verdict for claim in self.claims.values())


class FleetClaim(RecordPart):
    """A claim over all hosts: a column."""

    id: str
    statement: str | None = None
    source: str | None = None
    counts: dict[Verdict, int] = Field(description="on how many hosts it has each verdict")

    @property
    def differs(self) -> bool:
        """Whether it is violated, or hosts differ in it."""
        return len(self.counts) > 1 or Verdict.VIOLATES in self.counts


class FactValue(RecordPart):
    """A value of a fact."""

    fact: str
    value: str


class SharedValue(RecordPart):
    """What red hosts have more often than green ones."""

    claims: list[str] = Field(description="violated on exactly the same hosts")
    values: list[FactValue] = Field(
        description="on exactly the same hosts: which of them matters cannot be seen from these"
    )
    red: int = Field(description="hosts on which the claims are violated")
    red_with: int
    green: int = Field(description="hosts on which the claims conform")
    green_with: int
    p: float = Field(description="Fisher's exact test, one-sided")
    adjusted_p: float | None = Field(
        description="corrected for all tests; null: so few hosts cannot show it"
    )
    shown: bool = Field(description="whether that is below the level")


class Shared(RecordPart):
    """The tests of what red hosts have in common."""

    level: float
    tests: int = Field(description="pairs of claims and values that were looked at")
    testable: int = Field(description="those whose hosts are enough to reach the level at all")
    found: list[SharedValue] = Field(
        description="those that are shown; where none is, those that every red host has and no "
        "green one, though they are too few to tell that from chance"
    )


class Fleet(RecordPart):
    """All hosts, the outliers first."""

    schema_: Literal["plumbline/fleet/1"] = Field(default=FLEET_SCHEMA, alias="schema")
    made: Moment
    hosts: list[FleetHost]
    claims: list[FleetClaim]
    shared: Shared

    def of(self, *states: HostState) -> Sequence[FleetHost]:
        """Return the hosts of these states."""
        return [host for host in self.hosts if host.state in states]
