# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix of a run: a row for each property, a column for each topology, counts in the cells."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.language import gettext, gettext_noop, word
from contracts.verdicts import REPORTED_ORDER, Verdict
from reports.claim_runs import runs_of
from reports.record import RunRecord
from reports.verdict_matrix import VerdictMatrix, matrix
from reports.wording import SEPARATOR, STYLES, count

NO_CHECK = "·"
TOTAL = gettext_noop("all")

_COLUMN_GAP = 2


def print_matrix(record: RunRecord, console: Console) -> None:
    """Print the matrix, its legend and what claims it is about; nothing for a run without checks.

    More topologies than fit side by side go into further blocks below each other.
    """
    if not record.checks:
        return
    counted = matrix(record)
    for block in _blocks(counted, console.width):
        console.print(_table(block, counted))
        console.print()
    console.print(_legend(record))
    console.print()
    decided = SEPARATOR.join(
        " ".join((each, *runs_of(claims))) for each, claims in _claims(record).items()
    )
    said = gettext("decides: {claims}").format(claims=decided)
    wrap = textwrap.TextWrapper(
        console.width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    for line in wrap.wrap(said):
        console.print(Text(line, style="dim"), soft_wrap=True)


def _claims(record: RunRecord) -> dict[str, list[str]]:
    """Return the claims that each property of this run decides, in order."""
    found: dict[str, set[str]] = {}
    for check in record.checks:
        found.setdefault(check.property, set()).update(check.claims)
    return {name: sorted(ids) for name, ids in found.items() if ids}


def cell(counts: Iterable[tuple[Verdict, int]]) -> Text:
    """Return a cell: `12`, or `10 1✗ 2?`, each count in its verdict's colour."""
    parts = [Text(count(number, verdict), style=STYLES[verdict]) for verdict, number in counts]
    return Text(" ").join(parts) if parts else Text(NO_CHECK, style="dim")


def _blocks(counted: VerdictMatrix, width: int) -> Iterator[list[int]]:
    """Divide the topologies, by number, into groups whose columns fit into `width`."""
    first = max(
        cell_len(each) for each in [*(row.property for row in counted.rows), gettext(TOTAL)]
    )
    block: list[int] = []
    used = first
    for number, name in enumerate(counted.topologies):
        rows = [*counted.rows, counted.all]
        widest = max(cell(row.cells[number].counts).cell_len for row in rows)
        column = _COLUMN_GAP + max(len(name), widest)
        if block and used + column > width:
            yield block
            block, used = [], first
        block.append(number)
        used += column
    yield block


def _table(block: Sequence[int], counted: VerdictMatrix) -> Table:
    table = Table(
        box=box.SIMPLE,
        show_edge=False,
        show_footer=len(counted.rows) > 1,
        pad_edge=False,
        # The box adds a column of its own between two columns.
        padding=(0, _COLUMN_GAP - 1, 0, 0),
    )
    table.add_column("", Text(gettext(TOTAL), style="dim"), no_wrap=True)
    for number in block:
        total = cell(counted.all.cells[number].counts)
        name = Text(counted.topologies[number])
        table.add_column(name, total, justify="right", no_wrap=True)
    for row in counted.rows:
        table.add_row(Text(row.property), *(cell(row.cells[number].counts) for number in block))
    return table


def _legend(record: RunRecord) -> Text:
    counts = record.counts()
    shown = [
        Text(f"{count('n', verdict)} {word(verdict)}", style=STYLES[verdict])
        for verdict in REPORTED_ORDER
        if counts[verdict]
    ]
    no_check = gettext("no check")
    shown.append(Text(f"{NO_CHECK} {no_check}"))
    legend = Text("  ").join(shown)
    legend.stylize("dim")
    return legend
