# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdicts of a check."""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Verdict(StrEnum):
    """What became of a claim; the design's words, spelt as in the run record."""

    CONFORMS = "conforms"
    VIOLATES = "violates"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTABLE = "not-testable"
    ERROR = "error"
    WAIVED = "waived"
    """A violation that is waived until a day: only reports have it, a record never does."""


# From the gravest to the lightest: a claim is as bad as the worst that was seen of it. An error
# weighs more than an inconclusive check, because an inconclusive one at least ran to its end.
BY_GRAVITY = (
    Verdict.VIOLATES,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.WAIVED,
    Verdict.NOT_TESTABLE,
    Verdict.CONFORMS,
)
# What held, then what did not, the gravest first: everything that counts checks keeps this order.
REPORTED_ORDER = (BY_GRAVITY[-1], *BY_GRAVITY[:-1])
SEEN = tuple(verdict for verdict in Verdict if verdict is not Verdict.WAIVED)
"""What a check comes to, and a record has."""


def reported(counts: Mapping[Verdict, int]) -> list[Verdict]:
    """Return the verdicts that a count has a place for: `waived` only where there is one."""
    return [each for each in REPORTED_ORDER if each is not Verdict.WAIVED or counts.get(each)]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the gravest: violates > error > inconclusive > waived > not-testable > conforms.

    Raises:
        ValueError: there is none; nothing decided is not a verdict.
    """
    return min(verdicts, key=BY_GRAVITY.index)


def over_topologies(verdicts: Iterable[Verdict]) -> Verdict:
    """Return a claim's verdict over several topologies.

    A topology on which this host could not test it does not count, unless all are like that.
    """
    seen = set(verdicts)
    return worst(seen - {Verdict.NOT_TESTABLE} or seen)


NOT_DECIDED = "not decided: the run ended before it"
"""The reason of a check that never came to its verdict."""
ONLY_WITH_DISRUPTIVE = "on a host with other users it is made only with --disruptive"
"""The end of the reason of a check that is left out for want of that option."""
