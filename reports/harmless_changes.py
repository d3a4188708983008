# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of each harmless change, on which topologies and hosts: Markdown, from run records."""

from collections.abc import Iterable

from reports.host_column import Column, column_of, named
from reports.record import FaultOutcome, RunRecord
from reports.shipped_data import shipped_changes

HEAD = """\
## Harmless changes

What healthy hosts have too: beside none of these changes of `faults/` may a check turn red or stay
undecided ([faults.md](faults.md) has the outcomes). Of several records of a host the latest counts
that decided it; a topology without a host is in none.
"""
NOWHERE = "–"


def harmless_table(records: Iterable[RunRecord]) -> list[str]:
    """Return the lines of the table: a row for each change, host and outcome."""
    seen = _outcomes(records)
    hosts = dict.fromkeys(column for _, _, column in seen)
    lines = [HEAD, "| change | topologies | host | outcome |", "|---|---|---|---|"]
    for change in shipped_changes():
        if not change.is_harmless:
            continue
        rows: dict[tuple[str, str], list[str]] = {}
        for topology in change.topologies:
            found = {
                host: seen[change.id, topology, host]
                for host in hosts
                if (change.id, topology, host) in seen
            }
            for host, outcome in found.items():
                rows.setdefault((named(host), outcome), []).append(topology)
            if not found:
                rows.setdefault((NOWHERE, NOWHERE), []).append(topology)
        lines += [
            f"| {change.id} | {', '.join(of)} | {host} | {outcome} |"
            for (host, outcome), of in rows.items()
        ]
    return lines


def _outcomes(records: Iterable[RunRecord]) -> dict[tuple[str, str, Column], FaultOutcome]:
    """Return what came of each change on each topology of each kind of host."""
    found: dict[tuple[str, str, Column], FaultOutcome] = {}
    for record in sorted(records, key=lambda each: each.started):
        for change in record.faults:
            topology = change.topology.removesuffix(f"+{change.id}")
            place = (change.id, topology, column_of(record))
            if change.is_harmless and (place not in found or change.outcome != "not decided"):
                found[place] = change.outcome
    return found
