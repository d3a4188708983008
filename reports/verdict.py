# SPDX-License-Identifier: GPL-2.0-or-later
"""What a check can say about a claim, and what a whole run says to the shell."""

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What became of a claim; the design's words, spelt as in the run record."""

    CONFORMS = "conforms"
    VIOLATES = "violates"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTABLE = "not-testable"
    ERROR = "error"


# From the gravest to the lightest: a claim is as bad as the worst that was seen of it. An error
# weighs more than an inconclusive check, because an inconclusive one at least ran to its end.
BY_GRAVITY = (
    Verdict.VIOLATES,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_TESTABLE,
    Verdict.CONFORMS,
)

EXIT_CONFORMS = 0
EXIT_VIOLATES = 1
EXIT_USAGE = 4
EXIT_UNDECIDED = 10
EXIT_MISSING_CAPABILITY = 11
EXIT_INTERRUPTED = 130

EXIT_MEANINGS = {
    EXIT_CONFORMS: "every decided claim conforms",
    EXIT_VIOLATES: "at least one claim is violated",
    EXIT_USAGE: "usage or data error",
    EXIT_UNDECIDED: "nothing is violated, but not everything was decided",
    EXIT_MISSING_CAPABILITY: "an expected capability is missing",
    EXIT_INTERRUPTED: "interrupted",
}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the gravest: violates > error > inconclusive > not-testable > conforms.

    Raises:
        ValueError: there is none; nothing decided is not a verdict.
    """
    return min(verdicts, key=BY_GRAVITY.index)


NOT_DECIDED = "not decided: the run ended before it"
"""The reason of a check that never came to its verdict."""
