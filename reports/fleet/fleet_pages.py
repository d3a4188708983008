# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet as one file: HTML in the look of the report, or Markdown."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from contracts.run_files import PAGE
from contracts.verdicts import REPORTED_ORDER, Verdict
from reports.fleet import fleet_wording as wording
from reports.fleet.fleet import ClaimOnHost, Fleet, FleetClaim, FleetHost
from reports.fleet.host_facts import shown_version
from reports.html.template_environment import environment
from reports.markdown.sized_page import SIZE_MAX, page
from reports.wording import harmless

# From so many claims on, those on which all hosts agree are folded away at first.
FOLDED_FROM = 40


@dataclass(frozen=True)
class Cell:
    """A cell of a host's row: a claim, or several beside each other that conform.

    Most cells of most fleets conform; a browser lays out one in their place in no time.

    Attributes:
        claim: the claim; of several the first.
        on_host: it on the host; None: it was not looked at.
        span: how many claims.
        differs: whether hosts differ in them.
    """

    claim: FleetClaim
    on_host: ClaimOnHost | None
    span: int
    differs: bool


def cells(host: FleetHost, claims: Iterable[FleetClaim]) -> Iterator[Cell]:
    """Yield the cells of a host's row."""

    def kind(claim: FleetClaim) -> tuple[str, bool]:
        it = host.claims.get(claim.id)
        conforms = it is not None and it.verdict is Verdict.CONFORMS
        return "" if conforms else claim.id, claim.differs

    for (_, differs), beside in itertools.groupby(claims, kind):
        group = list(beside)
        yield Cell(group[0], host.claims.get(group[0].id), len(group), differs)


def fleet_html(fleet: Fleet) -> str:
    """Return the page; it is meant to lie in the fleet's folder, as its links are relative."""
    template = environment().get_template("fleet.html.j2")
    made = template.render(
        fleet=fleet,
        wording=wording,
        verdicts=REPORTED_ORDER,
        page_of=page_of,
        cells_of=cells,
        shown=shown_version,
        folded=len(fleet.claims) >= FOLDED_FROM,
    )
    return harmless(made)


def fleet_markdown(fleet: Fleet, size_max: int = SIZE_MAX) -> str:
    """Return the fleet as Markdown; hosts that do not fit are left out, and counted."""
    return page("fleet.md.j2", size_max, fleet=fleet, wording=wording, shown=shown_version)


def page_of(host: FleetHost) -> str:
    """Return the address of a host's own page, relative to the fleet's folder."""
    return f"{quote(host.folder)}/{PAGE}"
