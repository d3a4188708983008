# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of libvirt's elements as `docs/topologies.md` shows it.

`python -m topologies.network_import.element_page` writes it there.
"""

from topologies.made_table import MadeTable
from topologies.network_import.element_table import RULES, Rule
from topologies.network_import.ipv6_elements import ipv6_by


def page() -> str:
    """Return the table in Markdown."""
    rows = [
        f"| `{place}` | {_treatment(rule)} | {_by(place, rule)} |" for place, rule in RULES.items()
    ]
    head = "| element, `@attribute` | treatment | by what, or what stays undecided |"
    return "\n".join([head, "|---|---|---|", *rows])


def _treatment(rule: Rule) -> str:
    treatment: str = rule.treatment
    if rule.built is not None:
        treatment = f"{rule.built} where a run builds it, else {treatment}"
    if rule.unread:
        treatment = f"{treatment}; not looked at where the model cannot have it"
    others = [f"`{value}`: {each}" for value, each in rule.values.items() if each != treatment]
    return "; ".join([treatment, *others])


def _by(place: str, rule: Rule) -> str:
    undecided = f"undecided: {', '.join(rule.undecides)}" if rule.undecides else ""
    unread = f"undecided then: {', '.join(rule.unread)}" if rule.unread else ""
    return "; ".join(filter(None, (rule.by, undecided, unread, ipv6_by(place))))


def made() -> MadeTable:
    """Return what the documentation shows."""
    return MadeTable(
        "<!-- Made by python -m topologies.network_import.element_page. -->",
        "<!-- The end of that. -->",
        page(),
    )


if __name__ == "__main__":
    made().write()
