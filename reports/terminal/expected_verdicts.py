# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison of a run with the verdicts that were expected of its host, as text."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from contracts.language import gettext, word
from reports.claim_runs import runs_of
from reports.terminal.summary import print_section
from reports.verdict_comparison import (
    ForeseenException,
    VerdictComparison,
    VerdictDifference,
)
from reports.wording import SEPARATOR, STYLES, one_line

DIFFERS, AS_EXPECTED = "≠", "="


def print_comparison(found: VerdictComparison, console: Console, *, whole: bool = False) -> None:
    """Print the differences, what does not conform as expected, and the sum.

    Args:
        found: the comparison.
        console: where to.
        whole: leave lines whole on a terminal too.
    """
    heading = gettext("Beside the expected verdicts of {file}").format(file=found.file)
    print_section(heading, _lines(found), console, whole=whole)


def _lines(found: VerdictComparison) -> Iterator[Text]:
    for claims, each in _grouped(found.differences):
        yield from _of_difference(claims, each)
    for foreseen in found.foreseen:
        yield from _of_foreseen(foreseen)
    if found.without:
        said = gettext("no expectation, as no run on such a host has shown it yet:")
        yield Text(f"  {said} {_places(found.without)}", "dim")
    yield Text(f"  {found.summary}")


def _grouped(
    differences: Sequence[VerdictDifference],
) -> Iterator[tuple[list[str], VerdictDifference]]:
    """Yield the claims with one difference on one topology for one reason, and the first."""
    groups: dict[tuple[object, ...], list[VerdictDifference]] = {}
    for each in differences:
        cause = (each.topology, each.expected, each.seen, each.reason)
        groups.setdefault(cause, []).append(each)
    for group in groups.values():
        yield sorted({each.claim for each in group}), group[0]


def _of_difference(claims: Sequence[str], each: VerdictDifference) -> Iterator[Text]:
    first = Text(f"{DIFFERS} {' '.join(runs_of(claims))}", style=STYLES[each.seen])
    said = gettext("{topology}: expected {expected}, found {seen}").format(
        topology=each.topology, expected=word(each.expected), seen=word(each.seen)
    )
    yield first.append(f"  {said}", style="default not bold")
    yield Text(f"  {each.reason}")
    if each.why is not None:
        because = gettext("expected because:")
        yield Text(f"  {because} {one_line(each.why)}", style="dim")


def _of_foreseen(each: ForeseenException) -> Iterator[Text]:
    said = gettext("{verdict}, as expected").format(verdict=word(each.verdict))
    sign = Text(f"{AS_EXPECTED} {said}", style=STYLES[each.verdict])
    yield sign.append(f"  {_places(each.places)}", style="default not bold")
    yield Text(f"  {one_line(each.why)}", style="dim")


def _places(places: Mapping[str, Sequence[str]]) -> str:
    return SEPARATOR.join(
        f"{topology} {' '.join(runs_of(sorted(claims)))}" for topology, claims in places.items()
    )
