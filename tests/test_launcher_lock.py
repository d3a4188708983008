# SPDX-License-Identifier: GPL-2.0-or-later
"""The lock of the cache: one holder, freed by any end, and safe against being removed."""

import subprocess
import sys
import threading
from pathlib import Path

from launcher.lock import is_held, locked, remove_if_free

ROOT = Path(__file__).resolve().parent.parent
HOLD = """\
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from launcher.lock import locked
with locked(Path(sys.argv[2]), lambda: print("waiting", flush=True)):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(lock: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ROOT), str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_second_waits_until_the_first_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with holding(lock) as first, holding(lock) as second:
        # Whoever was first: one holds, the other says that it waits.
        words = {says(first), says(second)}
        assert words == {"held", "waiting"}
        assert is_held(lock)
        assert not remove_if_free(lock, dry_run=False)
        first.kill()
        second.kill()
    assert not is_held(lock)


def test_a_lock_removed_while_waited_for_is_made_again(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    waits = threading.Event()
    entered = threading.Event()

    def wait_and_enter() -> None:
        with locked(lock, waits.set):
            entered.set()
            assert lock.exists()
            assert is_held(lock)

    with locked(lock, lambda: None):
        other = threading.Thread(target=wait_and_enter)
        other.start()
        assert waits.wait(10)
        lock.unlink()
    other.join(10)
    assert entered.is_set()


def test_a_free_one_is_removed(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.touch()
    assert remove_if_free(lock, dry_run=True)
    assert lock.exists()
    assert remove_if_free(lock, dry_run=False)
    assert not lock.exists()
    assert not remove_if_free(lock, dry_run=False)
