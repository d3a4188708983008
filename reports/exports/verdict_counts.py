# SPDX-License-Identifier: GPL-2.0-or-later
"""How many of each verdict there are, in a line that leaves none out."""

from contracts.language import word
from contracts.verdicts import reported
from reports.fault_outcomes import outcomes_of
from reports.record import RunRecord
from reports.wording import SEPARATOR


def counts_line(record: RunRecord) -> str:
    """Return `conforms 245 · violates 0 · …` of the checks, or the outcomes of the faults."""
    if record.faults:
        found = outcomes_of(record).items()
        return SEPARATOR.join(f"{word(outcome)} {number}" for outcome, number in found)
    counts = record.counts()
    return SEPARATOR.join(f"{word(verdict)} {counts[verdict]}" for verdict in reported(counts))
