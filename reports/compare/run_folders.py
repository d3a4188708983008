# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds and reads run records: of a folder or by the file's name."""

from pathlib import Path

from contracts.run_files import RECORD
from reports.record import RecordError, RunRecord, load


def read(place: Path) -> tuple[RunRecord, Path]:
    """Return a run's record and its folder.

    Args:
        place: the run's folder, or its run.json.

    Raises:
        RecordError: there is none, it cannot be read, or it is of another schema version.
    """
    file = place / RECORD if place.is_dir() else place
    if not file.exists():
        what = f"no {RECORD} in it" if place.is_dir() else "there is no such file or folder"
        raise RecordError(f"{place}: {what}", f"expected the folder of a run or its {RECORD}")
    return load(file), file.parent


def runs(folder: Path) -> tuple[list[tuple[RunRecord, Path]], dict[str, str]]:
    """Return the runs below a folder, the oldest first, and what was left out: why, by place.

    A run that is found twice, as by a link to the latest one, counts once.

    Raises:
        RecordError: there is no such folder.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder}: there is no such folder", "expected one with folders of runs")
    found: dict[str, tuple[RunRecord, Path]] = {}
    left_out: dict[str, str] = {}
    for file in sorted([*folder.glob(RECORD), *folder.glob(f"*/{RECORD}")]):
        try:
            record, place = read(file)
        except RecordError as error:
            left_out[str(file)] = error.message
            continue
        if record.faults:
            left_out[str(file)] = "a record of `prove`: topologies were broken on purpose"
        else:
            found.setdefault(str(record.id), (record, place))
    return sorted(found.values(), key=lambda run: run[0].started), left_out
