# SPDX-License-Identifier: GPL-2.0-or-later
"""The answer of a gate: one sentence about a comparison."""

from collections.abc import Sequence
from typing import Any

from contracts.exit_codes import EXIT_CONFORMS, EXIT_UNDECIDED, EXIT_VIOLATES

WORDS = {EXIT_CONFORMS: "open", EXIT_VIOLATES: "closed"}
REASONS_SHOWN = 3
UNSEEN = "the end of the command was not seen, and what it left unfinished is not looked at"


def answer_of(comparison: dict[str, Any], *, is_unseen: bool = False) -> tuple[int, str]:
    """Return the exit code, and in a sentence whether the gate is open, and what that rests on.

    Args:
        comparison: as `./plumbline compare --format json` writes it.
        is_unseen: whether the end of the command between the runs was not seen.
    """
    code: int = comparison["exit_code"]
    because: list[str] = comparison["because"]
    if is_unseen and code == EXIT_CONFORMS:
        code, because = EXIT_UNDECIDED, [UNSEEN, *because]
    slower = [each for each in because if each.endswith(" regressed")]
    reasons = [*_worse(comparison["flips"]), *slower] or because
    more = len(reasons) - REASONS_SHOWN
    rests = "; ".join(reasons[:REASONS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    same = comparison["same"]
    steady = f"checks that conform as before: {same.get('conforms', 0)}"
    if broken := same.get("violates", 0):
        steady += f"; that are violated as before: {broken}"
    return code, f"gate {WORDS.get(code, 'undecided')}: {rests} ({steady})"


def _worse(flips: Sequence[dict[str, Any]]) -> list[str]:
    """Return, by topology, the claims that conformed and are violated."""
    claims: dict[str, list[str]] = {}
    for flip in flips:
        if flip["effect"] == "regressed":
            claims.setdefault(flip["topology"] or flip["id"], []).extend(flip["claims"])
    return [
        f"{place}: {' '.join(dict.fromkeys(ids))} regressed" for place, ids in claims.items() if ids
    ]
