# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet as one file: HTML in the look of the report, or Markdown."""

from urllib.parse import quote

from contracts.run_files import PAGE
from contracts.verdicts import REPORTED_ORDER
from reports.fleet import fleet_wording as wording
from reports.fleet.fleet import Fleet, FleetHost
from reports.fleet.host_facts import short_version
from reports.html.template_environment import environment
from reports.markdown.sized_page import SIZE_MAX, page
from reports.wording import harmless

# From so many claims on, those on which all hosts agree are folded away at first.
FOLDED_FROM = 40


def fleet_html(fleet: Fleet) -> str:
    """Return the page; it is meant to lie in the fleet's folder, as its links are relative."""
    template = environment().get_template("fleet.html.j2")
    made = template.render(
        fleet=fleet,
        wording=wording,
        verdicts=REPORTED_ORDER,
        page_of=page_of,
        short=short_version,
        folded=len(fleet.claims) >= FOLDED_FROM,
    )
    return harmless(made)


def fleet_markdown(fleet: Fleet, size_max: int = SIZE_MAX) -> str:
    """Return the fleet as Markdown; hosts that do not fit are left out, and counted."""
    return page("fleet.md.j2", size_max, fleet=fleet, wording=wording, short=short_version)


def page_of(host: FleetHost) -> str:
    """Return the address of a host's own page, relative to the fleet's folder."""
    return f"{quote(host.folder)}/{PAGE}"
