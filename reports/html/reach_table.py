# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom on a topology: the checks of each cell, and what they saw of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from contracts.address_family import FAMILIES, FamilyName
from contracts.language import gettext, word
from contracts.verdicts import Verdict, worst
from reports.record import Check

PROTOCOLS = ("icmp", "tcp", "udp")
Shape = Literal["through", "stopped", "open"]
"""Packets went through, or were stopped; or that is open."""


@dataclass(frozen=True)
class Way:
    """One end to another: a row of the table, and an arrow of the drawing.

    Attributes:
        source: the role of the end that speaks first.
        target: the role of the other.
        family: the address family.
        promised: whether it is to be reached.
        by_protocol: the check for each of `PROTOCOLS`; None where there is none.
    """

    source: str
    target: str
    family: FamilyName
    promised: bool
    by_protocol: dict[str, Check | None]

    @property
    def checks(self) -> list[Check]:
        """Its checks."""
        return [check for check in self.by_protocol.values() if check is not None]

    @property
    def verdict(self) -> Verdict:
        """The gravest of its checks."""
        return worst(check.verdict for check in self.checks)

    @property
    def shape(self) -> Shape:
        """What was seen by the checks that have its verdict."""
        if self.verdict is Verdict.CONFORMS:
            return "through" if self.promised else "stopped"
        if self.verdict is Verdict.VIOLATES:
            return "stopped" if self.promised else "through"
        return "open"

    @property
    def exceptions(self) -> list[str]:
        """The protocols with this verdict, where not all have it."""
        of_it = [name for name, check in self.by_protocol.items() if _has(check, self.verdict)]
        return [] if len(of_it) == len(self.checks) else [name.upper() for name in of_it]

    @property
    def says(self) -> str:
        """The way in words."""
        promise = (
            gettext("{source} is to reach {target}{family}")
            if self.promised
            else gettext("{source} is not to reach {target}{family}")
        )
        each = ", ".join(
            f"{name.upper()} {word(check.verdict)}"
            for name, check in self.by_protocol.items()
            if check
        )
        return f"{self._filled(promise)}: {each}"

    @property
    def in_words(self) -> str:
        """What is promised, as the table has it."""
        return self._filled(
            gettext("{source} reaches {target}{family}")
            if self.promised
            else gettext("{source} does not reach {target}{family}")
        )

    def _filled(self, sentence: str) -> str:
        return sentence.format(
            source=word(self.source), target=word(self.target), family=self.by_family
        )

    @property
    def by_family(self) -> str:
        """Words for its family; none for the first, which every topology has."""
        by = gettext(" by {family}")
        return {each.name: by.format(family=each) for each in FAMILIES[1:]}.get(self.family, "")


def ways(checks: Iterable[Check]) -> list[Way]:
    """Return the ways that checks of one topology decide, in the order in which they come."""
    found: dict[tuple[str, str, FamilyName, bool], dict[str, Check]] = {}
    for check in checks:
        if (cell := check.reach) is not None:
            way = found.setdefault((cell.from_, cell.to, cell.family, cell.promised), {})
            way[cell.protocol] = check
    return [
        Way(source, target, family, promised, {name: by.get(name) for name in PROTOCOLS})
        for (source, target, family, promised), by in found.items()
    ]


def _has(check: Check | None, verdict: Verdict) -> bool:
    return check is not None and check.verdict is verdict
