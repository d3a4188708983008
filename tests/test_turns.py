# SPDX-License-Identifier: GPL-2.0-or-later
"""What measures has the machine to itself, among the workers of a run."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from contracts.run_files import TURNS
from fixtures.plugin.turns import Turns
from fixtures.waiting import poll

ROOT = Path(__file__).resolve().parent.parent
DEADLINE_S = 20.0
# Waits to be alone, and prints how that ended.
WAITER = """
import signal, sys
from pathlib import Path
from fixtures.plugin.turns import Turns
# A process in the background of a shell ignores interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
turns = Turns(Path(sys.argv[1]))
print("waiting", flush=True)
try:
    turns.alone()
except KeyboardInterrupt:
    sys.exit("interrupted")
print("alone", flush=True)
"""


def is_shut(folder: Path, name: str) -> bool:
    """Whether a lock is held by somebody."""
    file = os.open(folder / name, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def test_several_go_on_beside_each_other(tmp_path: Path) -> None:
    for turns in (Turns(tmp_path), Turns(tmp_path)):
        turns.beside()
    assert is_shut(tmp_path, TURNS[1])
    assert not is_shut(tmp_path, TURNS[0])


def test_alone_waits_for_those_who_were_there_and_goes_before_those_who_come(
    tmp_path: Path,
) -> None:
    there, measuring, coming = (Turns(tmp_path) for _ in range(3))
    seen: list[str] = []
    there.beside()

    def measure() -> None:
        measuring.alone()
        seen.append("alone")
        measuring.leave()

    def come() -> None:
        coming.beside()
        seen.append("beside")

    first = threading.Thread(target=measure)
    first.start()
    assert poll(lambda: is_shut(tmp_path, TURNS[0]), deadline_s=DEADLINE_S)
    second = threading.Thread(target=come)
    second.start()
    assert seen == []
    there.leave()
    for thread in (first, second):
        thread.join(DEADLINE_S)
    assert seen == ["alone", "beside"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_wait_ends_by_an_interrupt_and_leaves_no_lock(tmp_path: Path, end: int) -> None:
    there = Turns(tmp_path)
    there.beside()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", WAITER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiter:
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == "waiting\n"
        assert poll(lambda: is_shut(tmp_path, TURNS[0]), deadline_s=DEADLINE_S)
        waiter.send_signal(end)
        _, said = waiter.communicate(timeout=DEADLINE_S)
    assert waiter.returncode == (1 if end == signal.SIGINT else -end), said
    assert not is_shut(tmp_path, TURNS[0])
