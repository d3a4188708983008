# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of a bridge's keywords and keys as `docs/topologies.md` shows them.

`python -m topologies.bridge_files.keyword_page` writes them there.
"""

from collections.abc import Mapping
from typing import Final

from topologies.bridge_files import netplan_keys
from topologies.bridge_files.keywords import BRIDGE, Keyword
from topologies.made_table import MadeTable

# A value by which a keyword shows the claims that it takes the ground from.
SAMPLES: Final = ("0", "100", "off")


def page() -> str:
    """Return the tables in Markdown."""
    stanzas = _table("keyword of a bridge's stanza", BRIDGE)
    netplan = _table("key below a bridge of netplan's", netplan_keys.BRIDGE)
    return f"{stanzas}\n\n{netplan}"


def _table(title: str, rules: Mapping[str, Keyword]) -> str:
    rows = [f"| {title} | treatment | by what, or what stays undecided |", "|---|---|---|"]
    plain = [f"`{key}`" for key, rule in rules.items() if _is_plain(rule)]
    for key, rule in rules.items():
        if not _is_plain(rule):
            rows.append(f"| `{key}` | {rule.treatment} | {_by(rule)} |")
    return "\n".join([*rows, f"| {', '.join(plain)} | not looked at | |"])


def _is_plain(rule: Keyword) -> bool:
    return rule.treatment == "not looked at" and not _by(rule)


def _by(rule: Keyword) -> str:
    claims = dict.fromkeys(claim for value in SAMPLES for claim in rule.undecides(value))
    undecided = f"undecided: {', '.join(sorted(claims))}" if claims else ""
    return "; ".join(filter(None, (rule.by, undecided)))


def made() -> MadeTable:
    """Return what the documentation shows."""
    return MadeTable(
        "<!-- Made by python -m topologies.bridge_files.keyword_page. -->",
        "<!-- The end of the keywords. -->",
        page(),
    )


if __name__ == "__main__":
    made().write()
