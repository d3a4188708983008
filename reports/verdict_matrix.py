# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix of a run: a row for each property, a column for each topology, and their sums."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.verdicts import REPORTED_ORDER, Verdict, worst
from reports.record import Check, RunRecord


@dataclass(frozen=True)
class MatrixCell:
    """The checks of one property on one topology.

    Attributes:
        topology: "" for all of them.
        property: "" for all of them.
        counts: how many have each verdict, in the order of reports.
        verdict: the gravest; None without a check.
        first: the check to go to: the first of that verdict; None without one.
    """

    topology: str
    property: str
    counts: list[tuple[Verdict, int]]
    verdict: Verdict | None
    first: Check | None


@dataclass(frozen=True)
class MatrixRow:
    """A property on each topology, and on all."""

    property: str
    cells: list[MatrixCell]
    all: MatrixCell


@dataclass(frozen=True)
class VerdictMatrix:
    """Topologies × properties, with the sums of both."""

    topologies: list[str]
    rows: list[MatrixRow]
    all: MatrixRow


def matrix(record: RunRecord) -> VerdictMatrix:
    """Count the verdicts of a record's checks."""
    names = [topology.name for topology in record.topologies]
    properties = list(dict.fromkeys(check.property for check in record.checks))
    return VerdictMatrix(
        names, [_row(record, each, names) for each in properties], _row(record, "", names)
    )


def counts(checks: Iterable[Check]) -> list[tuple[Verdict, int]]:
    """Return how many checks have each verdict that occurs."""
    found = Counter(check.verdict for check in checks)
    return [(verdict, found[verdict]) for verdict in REPORTED_ORDER if found[verdict]]


def _row(record: RunRecord, property_: str, topologies: Iterable[str]) -> MatrixRow:
    about = [check for check in record.checks if property_ in ("", check.property)]
    cells = [
        _cell([check for check in about if check.topology == name], name, property_)
        for name in topologies
    ]
    return MatrixRow(property_, cells, _cell(about, "", property_))


def _cell(checks: list[Check], topology: str, property_: str) -> MatrixCell:
    found = counts(checks)
    gravest = worst(verdict for verdict, _ in found) if found else None
    first = next((check for check in checks if check.verdict is gravest), None)
    return MatrixCell(topology, property_, found, gravest, first)
