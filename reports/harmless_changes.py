# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of each harmless change, on which topologies and hosts: Markdown, from run records."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from reports.host_column import Column, column_of, named
from reports.record import FaultOutcome, RunRecord

HEAD = """\
## Harmless changes

What healthy hosts have too: beside none of these changes of `faults/` may a check turn red or stay
undecided ([faults.md](faults.md) has the outcomes). Of several records of a host the latest counts
that decided it; a topology without a host is in none.
"""
FAULTS = Path(__file__).resolve().parent.parent / "faults"
NOWHERE = "–"
# What is needed of a file of faults; the files are ours and of one style.
LINE = re.compile(r"^(faults|harmless):$|^  - id: (\S+)$|^    topologies: \[(.*)\]$", re.MULTILINE)


def harmless_table(records: Iterable[RunRecord]) -> list[str]:
    """Return the lines of the table: a row for each change, host and outcome."""
    seen = _outcomes(records)
    hosts = dict.fromkeys(column for _, _, column in seen)
    lines = [HEAD, "| change | topologies | host | outcome |", "|---|---|---|---|"]
    for id_, topologies in shipped_harmless().items():
        rows: dict[tuple[str, str], list[str]] = {}
        for topology in topologies:
            found = {
                host: seen[id_, topology, host] for host in hosts if (id_, topology, host) in seen
            }
            for host, outcome in found.items():
                rows.setdefault((named(host), outcome), []).append(topology)
            if not found:
                rows.setdefault((NOWHERE, NOWHERE), []).append(topology)
        lines += [
            f"| {id_} | {', '.join(of)} | {host} | {outcome} |"
            for (host, outcome), of in rows.items()
        ]
    return lines


def shipped_harmless() -> dict[str, list[str]]:
    """Return the shipped harmless changes, each with the names of its topologies."""
    found: dict[str, list[str]] = {}
    for file in sorted(FAULTS.glob("*.yaml")):
        section = id_ = ""
        for heading, listed, topologies in LINE.findall(file.read_text(encoding="utf-8")):
            section, id_ = heading or section, listed or id_
            if topologies and section == "harmless":
                # A topology that is no shipped one is known by its file's name.
                found[id_] = [PurePosixPath(each).stem for each in topologies.split(", ")]
    return found


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
