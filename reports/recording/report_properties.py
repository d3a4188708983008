# SPDX-License-Identifier: GPL-2.0-or-later
"""The pieces of the record in a report of pytest's, which xdist carries over."""

from typing import Any, cast

import pytest

from contracts.verdicts import Verdict

# The begin of a property's name if it is a piece of the record.
OWN = "plumbline."


def properties(report: pytest.TestReport, name: str) -> list[dict[str, Any]]:
    """Return the pieces of one name, in the order in which they were reported."""
    return [cast("dict[str, Any]", each) for key, each in report.user_properties if key == name]


def for_other_readers(report: pytest.TestReport) -> list[tuple[str, object]]:
    """Return a report's properties as JUnit shall have them: words, no pieces of the record."""
    kept = [(key, each) for key, each in report.user_properties if not key.startswith(OWN)]
    checks = {each["id"]: each for each in properties(report, "plumbline.check") if "id" in each}
    for check in checks.values():
        kept += [("claim", claim) for claim in check.get("claims", [])]
        kept += [(name, check[name]) for name in ("topology", "verdict", "reason") if name in check]
    return kept


def names_a_broken_topology(report: pytest.TestReport) -> bool:
    """Whether the report has a broken topology, which then accounts for the failure."""
    return any(
        each.get("verdict") == Verdict.ERROR or (each.get("reason") and not each.get("verdict"))
        for each in properties(report, "plumbline.topology")
    )
