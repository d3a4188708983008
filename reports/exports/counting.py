# SPDX-License-Identifier: GPL-2.0-or-later
"""How many of each verdict there are, in a line that leaves none out."""

from reports.record import RunRecord
from reports.run_verdict import IN_ORDER, OUTCOMES, outcomes_of
from reports.wording import SEPARATOR


def counts_line(record: RunRecord) -> str:
    """Return `conforms 245 · violates 0 · …` of the checks, or the outcomes of the faults."""
    if record.faults:
        outcomes = outcomes_of(record)
        return SEPARATOR.join(f"{outcome} {outcomes[outcome]}" for outcome in OUTCOMES)
    counts = record.counts()
    return SEPARATOR.join(f"{verdict} {counts[verdict]}" for verdict in IN_ORDER)
