# SPDX-License-Identifier: GPL-2.0-or-later
"""A comparison on the terminal: the answer first, then what it rests on."""

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.exit_codes import EXIT_CONFORMS, EXIT_VIOLATES
from contracts.language import gettext, word
from reports.compare import comparison_wording as wording
from reports.compare.comparison import (
    Comparison,
    Effect,
    EvidenceDifference,
    Flip,
    Quantity,
    QuantityOutcome,
)
from reports.wording import STYLES, padded

EFFECT_STYLES = {
    Effect.REGRESSED: "bold red",
    Effect.LOST: "yellow",
    Effect.FOUND: "red",
    Effect.MENDED: "green",
    Effect.WAIVED: "blue",
    Effect.GAINED: "green",
    Effect.UNDECIDED: "cyan",
}
OUTCOME_STYLES = {
    QuantityOutcome.REGRESSED: "bold red",
    QuantityOutcome.IMPROVED: "green",
    QuantityOutcome.SMALL: "cyan",
    QuantityOutcome.CHANGED: "cyan",
    QuantityOutcome.NO_DIFFERENCE: "",
    QuantityOutcome.TOO_FEW: "yellow",
    QuantityOutcome.DEPENDENT: "yellow",
    QuantityOutcome.NOT_COMPARABLE: "yellow",
}
DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan", "[": "bold"}
# The rest is in the other outputs.
DIFF_LINES = 40
# A table of so many columns needs so many; narrower, each quantity is a block of lines.
TABLE_WIDTH = 100


def show(comparison: Comparison, console: Console) -> None:
    """Print a comparison."""
    _heading(comparison, console)
    _flips(comparison, console)
    _one_sided(comparison, console)
    _quantities(comparison, console)
    _facts(comparison, console)
    _differences(comparison.differences, console)
    _lines(console, gettext("Evidence that was not compared"), comparison.notes, "yellow")
    _closing(comparison, console)


def _heading(comparison: Comparison, console: Console) -> None:
    for label, run in (
        (gettext("before"), comparison.before),
        (gettext("after"), comparison.after),
    ):
        say(console, Text(padded(label, 8), style="dim").append(wording.run_line(run), "not dim"))
        say(console, Text(f"{'':<8}{wording.command(run)}", style="dim"))
    for warning in comparison.warnings:
        label = gettext("warning:")
        say(console, Text(f"{label} {warning}", style="yellow"))


def _flips(comparison: Comparison, console: Console) -> None:
    _title(console, gettext("Verdicts"))
    for effect in Effect:
        there = [flip for flip in comparison.flips if flip.effect is effect]
        if there:
            style = EFFECT_STYLES[effect]
            say(
                console,
                Text(word(effect), style=style).append(
                    f": {gettext(wording.EFFECT_MEANINGS[effect])}", "default not bold"
                ),
            )
        for flip in there:
            _flip(flip, console)
    say(console, Text(wording.kept(comparison)))


def _flip(flip: Flip, console: Console) -> None:
    what = gettext("the topology itself") if flip.of == "topology" else flip.id
    line = Text(f"  {flip.topology}  {what}  ")
    line.append(word(flip.before), STYLES[flip.before]).append(" → ")
    line.append(word(flip.after), STYLES[flip.after])
    if flip.of == "check" and flip.claims:
        line.append(f"  {' '.join(flip.claims)}", "dim")
    say(console, line)
    for when, reason in (
        (gettext("before:"), flip.reason_before),
        (gettext("after:"), flip.reason_after),
    ):
        if reason:
            say(console, Text(f"    {padded(when, 8)}{reason}", style="dim"))
    if flip.rerun:
        label = padded(gettext("again:"), 8)
        say(console, Text(f"    {label}{flip.rerun}", style="dim"))


def _one_sided(comparison: Comparison, console: Console) -> None:
    _lines(console, gettext("Only before"), wording.listed(comparison.vanished), "yellow")
    _lines(console, gettext("Only after"), wording.listed(comparison.appeared), "")


def _quantities(comparison: Comparison, console: Console) -> None:
    if not comparison.quantities:
        return
    _title(console, gettext("Quantities"))
    for topology in dict.fromkeys(each.topology for each in comparison.quantities):
        there = [each for each in comparison.quantities if each.topology == topology]
        if console.width >= TABLE_WIDTH:
            console.print(_table(topology, there))
        else:
            _blocks(topology, there, console)
    _legend(comparison, console)
    for note, names in _noted(comparison.quantities):
        say(console, Text(f"{names}: {note}", style="dim"))


def _table(topology: str, quantities: Iterable[Quantity]) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(Text(wording.harmless(topology), style="bold"))
    for head in (gettext("before"), gettext("after"), gettext("change")):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for head in (gettext("visible"), gettext("samples")):
        table.add_column(head, justify="right", no_wrap=True)
    for each in quantities:
        cold = each.before.cold or each.after.cold
        table.add_row(
            Text(wording.harmless(f"{each.title}, {each.unit}")),
            wording.figure(each.before.median),
            wording.figure(each.after.median),
            wording.moved(each.change),
            Text(word(each.outcome), style=OUTCOME_STYLES[each.outcome]),
            wording.visible(each),
            f"{len(each.before.values)}, {len(each.after.values)}{'*' if cold else ''}",
        )
    return table


def _legend(comparison: Comparison, console: Console) -> None:
    used = comparison.method
    said = [
        gettext("medians; behind a change, what encloses it with 95 %"),
        gettext(
            "visible: the smallest change for the worse that {power} % of comparisons would show"
        ).format(power=f"{100 * used.power:g}"),
    ]
    if any(each.before.cold or each.after.cold for each in comparison.quantities):
        said.append(gettext("*: the first sample was cold, and is left out"))
    for line in said:
        say(console, Text(line, style="dim"))


def _blocks(topology: str, quantities: Iterable[Quantity], console: Console) -> None:
    samples, visible = gettext("samples:"), gettext("visible:")
    say(console, Text(topology, style="bold"))
    for each in quantities:
        say(
            console,
            Text(f"  {each.title}: ").append(word(each.outcome), OUTCOME_STYLES[each.outcome]),
        )
        medians = " → ".join(wording.median(each, after=after) for after in (False, True))
        say(console, Text(f"    {medians} {each.unit}"))
        say(
            console,
            Text(f"    {wording.moved(each.change)}, {samples} {wording.sizes(each)}"),
        )
        if each.visible is not None:
            say(console, Text(f"    {visible} {wording.visible(each)}"))


def _noted(quantities: Iterable[Quantity]) -> Iterable[tuple[str, str]]:
    """Return each note with the quantities that it is about."""
    about: dict[str, list[str]] = {}
    for each in quantities:
        if each.note:
            about.setdefault(each.note, []).append(f"{each.topology} {each.title}")
    whole = len(list(quantities))
    for note, names in about.items():
        yield note, gettext("all") if len(names) == whole > 1 else "; ".join(names)


def _facts(comparison: Comparison, console: Console) -> None:
    if not comparison.facts:
        return
    _title(console, gettext("The host"))
    for each in comparison.facts:
        say(console, Text(each.name, style="bold"))
        say(console, Text(f"  - {wording.fact(each.before)}", style="red"))
        say(console, Text(f"  + {wording.fact(each.after)}", style="green"))


def _differences(differences: Iterable[EvidenceDifference], console: Console) -> None:
    found = list(differences)
    if not found:
        return
    _title(console, gettext("Evidence that differs, beside the verdicts that do"))
    for each in found:
        say(console, Text(f"{each.check or each.topology}: {each.name}", style="bold"))
        for line in each.lines[:DIFF_LINES]:
            say(console, Text(f"  {line}", style=DIFF_STYLES.get(line[:1], "")))
        left = len(each.lines) - DIFF_LINES + each.left_out
        if left > 0:
            said = gettext("{number} lines more: --format html has them").format(number=left)
            say(console, Text(f"  … {said}", style="dim"))


def _closing(comparison: Comparison, console: Console) -> None:
    style = {EXIT_CONFORMS: "bold green", EXIT_VIOLATES: "bold red"}.get(
        comparison.exit_code, "bold yellow"
    )
    _title(console, "")
    line = Text(wording.headline(comparison), style=style)
    code = gettext("exit {code}").format(code=comparison.exit_code)
    say(console, line.append(f" ({code})", "default not bold"))
    for reason in comparison.because:
        say(console, Text(f"  {reason}"))


def _lines(console: Console, title: str, lines: Iterable[str], style: str) -> None:
    shown = list(lines)
    if shown:
        _title(console, title)
    for line in shown:
        say(console, Text(f"  {line}", style=style))


def _title(console: Console, title: str) -> None:
    console.print()
    if title:
        say(console, Text(title, style="bold underline"))


def say(console: Console, text: Text) -> None:
    """Print a line; a pipe and a file take one of any length."""
    text.plain = wording.harmless(text.plain)
    console.print(text, soft_wrap=not console.is_terminal)
