# SPDX-License-Identifier: GPL-2.0-or-later
"""What a whole run says, for reports that must say it in a line or a colour."""

from reports.record import Outcome, RunRecord
from reports.verdict import (
    BY_GRAVITY,
    EXIT_CONFORMS,
    EXIT_MEANINGS,
    EXIT_UNDECIDED,
    EXIT_VIOLATES,
    Verdict,
)
from reports.wording import SEPARATOR

# What a fault's outcome is as a verdict on the checks: that they can fail was the claim.
OUTCOMES: dict[Outcome, Verdict] = {
    "caught": Verdict.CONFORMS,
    "got through": Verdict.VIOLATES,
    "false alarm": Verdict.VIOLATES,
    "not testable": Verdict.NOT_TESTABLE,
    "not decided": Verdict.INCONCLUSIVE,
}
_PROOF = {
    EXIT_CONFORMS: "every fault that could be tested was caught",
    EXIT_VIOLATES: "a fault got through, or something else turned red",
    EXIT_UNDECIDED: "not every fault was decided",
}


def code(record: RunRecord) -> int:
    """Return 0, 1 or 10 as the exit code of the run was; an unfinished one is never 0."""
    told = record.exit_code()
    return EXIT_UNDECIDED if told == EXIT_CONFORMS and record.finished is None else told


def sentence(record: RunRecord) -> str:
    """Return what the run says, in one sentence without a stop."""
    said = (_PROOF if record.faults else EXIT_MEANINGS)[code(record)]
    if record.finished is None:
        return f"the run was not finished; {said}"
    return said if record.checks else "the run is empty: nothing was decided"


def counts(record: RunRecord) -> str:
    """Return how many of each verdict there are, none left out."""
    if record.faults:
        outcomes = [fault.outcome for fault in record.faults]
        return SEPARATOR.join(f"{outcome} {outcomes.count(outcome)}" for outcome in OUTCOMES)
    number = record.counts()
    return SEPARATOR.join(f"{verdict} {number[verdict]}" for verdict in reversed(BY_GRAVITY))
