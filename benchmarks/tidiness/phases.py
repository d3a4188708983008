# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run is doing at a moment, by its record, and by its journal where there is one."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.tidiness.strikes import Strike
from contracts.exit_codes import EXIT_CONFORMS
from contracts.plan import HOST
from contracts.run_files import RECORD
from reports.record import RecordError, RunRecord, TopologyRecord, load

# What pytest prints where it, or a plugin, breaks.
BROKEN = "INTERNALERROR"
PROBING, BUILDING, CHECKS, TAKING_DOWN, ENDING, OVER = PHASES = (
    "probing",
    "building",
    "checks",
    "taking down",
    "ending",
    "over",
)


def phase(output: Path, *, has_begun: bool) -> str:
    """Return what the run whose record is in a folder is doing.

    Args:
        output: the folder.
        has_begun: whether there is anything of its host or its topology.
    """
    try:
        record = load(output / RECORD)
    except RecordError:
        # It is not written yet.
        return PROBING
    made = [each for each in record.topologies if each.name != HOST]
    if record.finished is not None:
        return OVER
    if made and all(_is_over(each) for each in made):
        return ENDING
    if not has_begun:
        return PROBING
    return _phase_of(record, made)


def _phase_of(record: RunRecord, made: Sequence[TopologyRecord]) -> str:
    if any(each.build_s is None and not _is_over(each) for each in made):
        return BUILDING
    if any(check.duration_s is None for check in record.checks if check.topology != HOST):
        return CHECKS
    return TAKING_DOWN


def _is_over(topology: TopologyRecord) -> bool:
    return topology.teardown_s is not None or topology.reason is not None


def wrong_with(output: Path) -> str:
    """Return what is wrong with a run's record; empty: it is valid, or there is none."""
    if not (output / RECORD).exists():
        return ""
    try:
        load(output / RECORD)
    except RecordError as error:
        return str(error)
    return ""


def wrong_end(
    output: Path, status: int | None, strike: Strike, phase_: str, said: Sequence[str]
) -> list[str]:
    """Return what is wrong with the end of a run that something happened to.

    Args:
        output: the folder of its record.
        status: its exit code; None: it did not end.
        strike: what happened.
        phase_: what it was doing then.
        said: the last lines that it printed.
    """
    if status is None:
        return ["it did not end"]
    wrong = []
    # It was over before.
    expected = strike.statuses if phase_ != OVER else frozenset({EXIT_CONFORMS})
    if status not in expected:
        wrong.append(f"exit code {status}, expected one of {sorted(expected)}")
    if any(BROKEN in line for line in said):
        wrong.append("it broke: see its last lines")
    try:
        record = load(output / RECORD)
    except RecordError:
        # Killed before it had one.
        return wrong if phase_ == PROBING else [*wrong, "no record that can be read"]
    if strike.closes_record and record.ended_with != status:
        wrong.append(f"its record says that it ended with {record.ended_with}, not {status}")
    if record.finished is not None and record.finished < record.started:
        wrong.append("its record says that it ended before it began")
    return wrong
