# SPDX-License-Identifier: GPL-2.0-or-later
"""When a record is written while the run goes on."""

import pytest

from reports.recording import paced_save
from reports.recording.paced_save import PacedSave


def test_a_quick_one_is_written_each_time() -> None:
    written: list[int] = []
    save = PacedSave(lambda: written.append(1))
    for _ in range(5):
        save()
    assert len(written) == 5


def test_after_a_long_one_calls_write_nothing_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, written = [100.0], list[float]()
    monkeypatch.setattr(paced_save.time, "monotonic", lambda: clock[0])

    def write() -> None:
        written.append(clock[0])
        clock[0] += 1.0

    save = PacedSave(write)
    save()
    for _ in range(3):
        clock[0] += 5.0
        save()
    assert written == [100.0]
    # A second is a twentieth of twenty.
    clock[0] += 5.0
    save()
    assert written == [100.0, 121.0]
