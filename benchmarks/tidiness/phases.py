# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run is doing at a moment, by its record, and by its journal where there is one."""

from collections.abc import Sequence
from pathlib import Path

from contracts.plan import HOST
from contracts.run_files import RECORD
from reports.record import RecordError, RunRecord, TopologyRecord, load

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
