# SPDX-License-Identifier: GPL-2.0-or-later
"""Where each claim was decided, how, and which faults prove it: Markdown, from run records.

What came of each harmless change is a table of its own (`reports/harmless_changes.py`).

    python -m reports.coverage RUN.json … >docs/coverage.md

Records of the same kind of host, the same profile and the same release share a column.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from ipaddress import ip_interface
from pathlib import Path

from pydantic import JsonValue

from contracts.exit_codes import EXIT_USAGE
from contracts.verdicts import Verdict, worst
from reports.harmless_changes import harmless_table
from reports.host_column import Column, column_of, named
from reports.record import Check, RecordError, RunRecord, TopologyRecord, load
from reports.shipped_data import ShippedChange, claim_ids, shipped_changes

HEAD = """\
# Where each claim was decided

One row for each claim of `topologies/claims.yaml`, one column for each host that runs were made on.
A verdict is the worst of the claim's checks on the topologies that it is about, which are counted
behind it where there are several; topologies on which the host could not test it are not counted.
The last column has the faults of `faults/` that the claim must notice, by id, or by one of its
checks; in brackets where no record of `./plumbline prove` has the claim violated by it. A claim
about the harness's own doings is proven by the test that is named. Where a document's own commands
do not do what it says: [errata.md](errata.md).
Made by `python -m reports.coverage RECORD...` from run records.
"""
# No fault of a topology can make it: these break the run itself.
PROVING_TESTS = {"HR-01": "tests/test_as_it_was.py"}
FAMILIES = """\
## By family

On how many topologies each claim was decided whose guests have IPv4 alone, both, or IPv6 alone.
A claim is decided for each family that its topology has, unless it is about one.
"""
NOWHERE = "–"
# "QEMU emulator version 7.2.22 (Debian …)"
NUMBER = re.compile(r"\d+(\.\d+)+")
# A topology's guests have addresses of IPv4, of IPv6, or of both.
FORMS = {frozenset({4}): "IPv4", frozenset({4, 6}): "both", frozenset({6}): "IPv6"}
DECIDED = frozenset({Verdict.CONFORMS, Verdict.VIOLATES})


def main(argv: Sequence[str]) -> int:
    """Print the table; return 1 if a claim was decided nowhere."""
    if not argv:
        print("python -m reports.coverage RECORD...: at least one run.json", file=sys.stderr)
        return EXIT_USAGE
    try:
        records = [load(Path(name)) for name in argv]
    except RecordError as error:
        print(f"plumbline: {error}", file=sys.stderr)
        return EXIT_USAGE
    print(table(records), end="")
    return 1 if undecided(records) else 0


def table(records: Iterable[RunRecord]) -> str:
    """Return the page: its heading, the runs, and a row for each claim and harmless change."""
    cells: dict[str, dict[Column, list[Verdict]]] = {id_: {} for id_ in claim_ids()}
    columns: dict[Column, list[str]] = {}
    records = list(records)
    for record in _of_whole_topologies(records):
        column = column_of(record)
        columns.setdefault(column, _versions(record.host.facts.get("versions")))
        for claim in record.claims:
            cells[claim.id].setdefault(column, []).append(claim.verdict)
    lines = [HEAD, "| host | release | versions |", "|---|---|---|"]
    lines += [f"| {kind} | {release} | {', '.join(v)} |" for (kind, release), v in columns.items()]
    names = [named(column) for column in columns]
    names.append("faults")
    lines += ["", f"| claim | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    seen = caught_for(records)
    proofs = proving_faults(records)
    for id_, row in cells.items():
        cells_of_row = [_cell(row.get(column, [])) for column in columns]
        named_by = proofs.get(id_, [])
        faults = [each if id_ in seen.get(each, ()) else f"({each})" for each in named_by]
        faults += [PROVING_TESTS[id_]] if id_ in PROVING_TESTS else []
        lines.append(f"| {' | '.join((id_, *cells_of_row, ', '.join(faults) or NOWHERE))} |")
    missing = undecided(records)
    said = f"decided nowhere: {', '.join(missing)}" if missing else "each decided somewhere"
    lines += ["", f"{len(cells)} claims, {said}.", "", *by_family(records), ""]
    lines += [*harmless_table(records), ""]
    return "\n".join(lines)


def by_family(records: Iterable[RunRecord]) -> list[str]:
    """Return the lines of the table by family: on how many topologies each claim was decided."""
    rows = [
        f"| {id_} | {' | '.join(str(number or NOWHERE) for number in counted.values())} |"
        for id_, counted in families_of(records).items()
        if any(counted.values())
    ]
    return [FAMILIES, f"| claim | {' | '.join(FORMS.values())} |", "|---|---|---|---|", *rows]


def proving_faults(records: Iterable[RunRecord] = ()) -> dict[str, list[str]]:
    """Return the faults that each claim must notice.

    Args:
        records: what the claims of a check are known from, where a fault names a check in place of
            a claim: those that the check decides beside the fault if it notices it there, and else
            on the fault's topologies.
    """
    checks = [check for record in records for check in record.checks]
    found: dict[str, list[str]] = {}
    for fault in shipped_changes():
        for each in fault.caught_by:
            claims = _decided_by(each, fault, checks) if "." in each else [each]
            for claim in claims:
                if fault.id not in found.setdefault(claim, []):
                    found[claim].append(fault.id)
    return found


def _decided_by(prefix: str, fault: ShippedChange, checks: Sequence[Check]) -> list[str]:
    """Return the claims of the checks whose ids begin with a prefix, for `proving_faults`."""
    meant = [check for check in checks if check.id.startswith(prefix)]
    noticed = [
        check
        for check in meant
        if check.topology.endswith(f"+{fault.id}") and check.verdict is Verdict.VIOLATES
    ]
    deciding = noticed or [check for check in meant if check.topology in fault.topologies]
    return sorted({claim for check in deciding for claim in check.claims})


def caught_for(records: Iterable[RunRecord]) -> dict[str, set[str]]:
    """Return the claims that each fault was seen to violate, on a topology where it was caught."""
    seen: dict[str, set[str]] = {}
    for record in records:
        caught = {each.topology: each.id for each in record.faults if each.outcome == "caught"}
        for claim in record.claims:
            if claim.topology in caught and claim.verdict is Verdict.VIOLATES:
                seen.setdefault(caught[claim.topology], set()).add(claim.id)
    return seen


def undecided(records: Iterable[RunRecord]) -> list[str]:
    """Return the claims that no record decides."""
    verdicts: dict[str, set[Verdict]] = {id_: set() for id_ in claim_ids()}
    for record in _of_whole_topologies(records):
        for claim in record.claims:
            verdicts[claim.id].add(claim.verdict)
    return [id_ for id_, seen in verdicts.items() if not seen & DECIDED]


def families_of(records: Iterable[RunRecord]) -> dict[str, dict[str, int]]:
    """Return on how many topologies each claim was decided, by their guests' families."""
    counted = {id_: dict.fromkeys(FORMS.values(), 0) for id_ in claim_ids()}
    seen: set[tuple[str, str]] = set()
    for record in _of_whole_topologies(records):
        forms = {each.name: _form(each) for each in record.topologies}
        for claim in record.claims:
            form = forms.get(str(claim.topology))
            place = (claim.id, str(claim.topology))
            # Records of several hosts may have one topology.
            if form is not None and claim.verdict in DECIDED and place not in seen:
                seen.add(place)
                counted[claim.id][form] += 1
    return counted


def _form(topology: TopologyRecord) -> str | None:
    """Return the families of a topology's guests; None: it was not built, or they have none."""
    nodes = [] if topology.built is None else topology.built.nodes
    lines = [line for node in nodes if node.kind == "guest" for line in node.lines]
    return FORMS.get(frozenset(_versions_in(lines)))


def _versions_in(lines: Iterable[str]) -> Iterable[int]:
    """Give the IP version of each line that begins with an address, as in `10.0.0.2 by DHCP`."""
    for line in lines:
        try:
            yield ip_interface(line.split()[0]).version
        except ValueError:
            continue


def _of_whole_topologies(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Return the records of networks as documented: those with faults show what notices them."""
    return [record for record in records if not record.faults]


def _cell(verdicts: Sequence[Verdict]) -> str:
    tested = [verdict for verdict in verdicts if verdict is not Verdict.NOT_TESTABLE]
    if not tested:
        return str(Verdict.NOT_TESTABLE) if verdicts else NOWHERE
    return f"{worst(tested)} ({len(tested)})" if len(tested) > 1 else str(worst(tested))


def _versions(known: JsonValue) -> list[str]:
    if not isinstance(known, dict):
        return []
    found = {
        name: NUMBER.search(str(known.get(name))) for name in ("libvirt", "qemu", "openvswitch")
    }
    return [f"{name} {number[0]}" for name, number in found.items() if number]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
