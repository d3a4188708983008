# SPDX-License-Identifier: GPL-2.0-or-later
"""A trend on the terminal, and the words for it that its pages share."""

from rich.console import Console
from rich.text import Text

from contracts.language import gettext, word
from reports.compare.comparison_terminal import say
from reports.compare.comparison_wording import NOTHING, figure
from reports.compare.trend import ClaimHistory, QuantityHistory, Trend, TrendRun
from reports.wording import SIGNS, STYLES, counted

NOT_LOOKED_AT = "·"


def legend() -> str:
    """Return the signs and their meanings."""
    signs = [f"{sign} {word(verdict)}" for verdict, sign in SIGNS.items()]
    not_looked_at = gettext("not looked at")
    return "  ".join([*signs, f"{NOT_LOOKED_AT} {not_looked_at}"])


def numbered(run: TrendRun, number: int) -> str:
    """Return a run in a line behind its number."""
    counts = ", ".join(f"{count} {word(verdict)}" for verdict, count in run.counts.items())
    shown = counts or gettext("no check")
    said = f"{number}  {run.started:%Y-%m-%d %H:%M} UTC  {run.host}: {shown}"
    return said if run.finished else said + gettext("; it did not finish")


def changed(found: Trend) -> list[ClaimHistory]:
    """Return the claims whose verdict was not always the same."""
    return [claim for claim in found.claims if claim.changed]


def steady(found: Trend) -> str:
    """Return how many claims always had one verdict."""
    number = len(found.claims) - len(changed(found))
    said = gettext("{claims} on a topology always had the same verdict")
    return said.format(claims=counted(number, "claim"))


def strip(claim: ClaimHistory) -> str:
    """Return a claim's verdicts, a sign for each run."""
    return "".join(SIGNS[v] if v is not None else NOT_LOOKED_AT for v in claim.verdicts)


def medians(quantity: QuantityHistory) -> list[str]:
    """Return the medians, one for each run."""
    return [figure(each.median) if each else NOTHING for each in quantity.samples]


def repeated(found: Trend) -> list[QuantityHistory]:
    """Return the quantities that more than one run measured."""
    return [quantity for quantity in found.quantities if quantity.repeated]


def once(found: Trend) -> str:
    """Return how many quantities only one run measured; nothing if there is none."""
    number = len(found.quantities) - len(repeated(found))
    if not number:
        return ""
    return gettext("measured by only one run: {others}").format(others=counted(number, "other"))


def show(found: Trend, console: Console) -> None:
    """Print a trend."""
    for number, run in enumerate(found.runs, 1):
        say(console, Text(numbered(run, number)))
    console.print()
    say(console, Text(gettext("Verdicts that changed"), style="bold underline"))
    for claim in changed(found):
        line = Text(f"  {claim.topology}  {claim.id}  ")
        for verdict, sign in zip(claim.verdicts, strip(claim), strict=True):
            line.append(sign, STYLES[verdict] if verdict is not None else "dim")
        say(console, line)
    say(console, Text(f"  {steady(found)}"))
    say(console, Text(f"  {legend()}", style="dim"))
    if repeated(found):
        console.print()
        say(console, Text(gettext("Medians, run by run"), style="bold underline"))
    for quantity in repeated(found):
        say(console, Text(f"  {quantity.topology}: {quantity.title}, {quantity.unit}"))
        say(console, Text(f"    {'  '.join(medians(quantity))}"))
    if once(found):
        say(console, Text(f"  {once(found)}", style="dim"))
    for file, reason in found.left_out.items():
        said = gettext("left out:")
        say(console, Text(f"{said} {file}: {reason}", style="yellow"))
