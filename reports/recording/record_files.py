# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a run's record, on a disk that may be full."""

import sys
from pathlib import Path

import pytest

from contracts.exit_codes import EXIT_UNDECIDED
from contracts.language import ENGLISH, spoken
from contracts.run_files import JUNIT, PLAN, RECORD
from reports.exports import junit
from reports.record import RunRecord, save
from reports.recording.full_disk import unwritten
from reports.waivers import judged, today


class RecordFiles:
    """Writes the record and what goes with it.

    Args:
        output: the folder of the run.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._is_said = False

    def write(self, record: RunRecord) -> None:
        """Write what is known, or end the run; the record is then that of the last time."""
        try:
            save(record, self._output / RECORD)
        except OSError as error:
            self._is_said = True
            pytest.exit(unwritten(error, self._output), EXIT_UNDECIDED)

    def close(self, record: RunRecord) -> bool:
        """Write the finished record, with JUnit's; return whether they are written."""
        try:
            save(record, self._output / RECORD)
            with spoken(ENGLISH):
                shown = judged(record, today())
            (self._output / JUNIT).write_text(junit.render(shown), encoding="utf-8")
        except OSError as error:
            self.say_unwritten(error)
            return False
        (self._output / PLAN).unlink(missing_ok=True)
        return True

    def say_unwritten(self, error: OSError) -> None:
        """Say once that the record cannot be written."""
        if not self._is_said:
            self._is_said = True
            print(f"plumbline: {unwritten(error, self._output)}", file=sys.stderr)
