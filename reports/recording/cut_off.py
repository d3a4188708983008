# SPDX-License-Identifier: GPL-2.0-or-later
"""The record of a run that was ended from outside, completed with the reason.

`python -m reports.recording.cut_off FOLDER REASON`: the watchdog of a host's management path calls
it, once the run's process is gone.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from contracts.exit_codes import EXIT_UNDECIDED
from contracts.run_files import RECORD
from contracts.verdicts import NOT_DECIDED, Verdict, worst
from reports.record import Check, RunRecord, TopologyRecord, claim_verdicts, load
from reports.recording.record_files import RecordFiles


def cut_off(record: RunRecord, reason: str) -> RunRecord:
    """Return a record whose undecided checks have an error, with the reason of the run's end."""
    checks = [_ended(check, reason) for check in record.checks]
    topologies = [_topology(each, checks, reason) for each in record.topologies]
    update = {
        "checks": checks,
        "topologies": topologies,
        "claims": claim_verdicts(checks),
        "finished": datetime.now(UTC),
        "ended_with": EXIT_UNDECIDED,
    }
    return record.model_copy(update=update)


def _ended(check: Check, reason: str) -> Check:
    if check.reason != NOT_DECIDED:
        return check
    return check.model_copy(update={"verdict": Verdict.ERROR, "reason": reason})


def _topology(topology: TopologyRecord, checks: list[Check], reason: str) -> TopologyRecord:
    verdicts = [check.verdict for check in checks if check.topology == topology.name]
    cut = any(c.topology == topology.name and c.reason == reason for c in checks)
    if not cut:
        return topology
    # The reason of a topology is why it could not be built; one that was up has none.
    update = {"verdict": worst([*verdicts, topology.verdict])}
    return topology.model_copy(update=update)


def main(folder: str, reason: str) -> int:
    """Complete the record in a folder."""
    record = cut_off(load(Path(folder, RECORD)), reason)
    return 0 if RecordFiles(Path(folder)).close(record) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
