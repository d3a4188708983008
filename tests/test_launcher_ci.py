# SPDX-License-Identifier: GPL-2.0-or-later
"""What CI calls: tests first, then a run, and green only when both were and something was tested.

The two commands take minutes, so a stand-in for `./plumbline` plays how each can end.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PASSED = "=================== 412 passed in 93.10s (0:01:33) ==================="


def ci(folder: Path, tests: str, run: str = "exit 0") -> subprocess.CompletedProcess[str]:
    """Run a copy of .ci/run beside a `plumbline` whose `test` and `run` do this."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    stand_in = folder / "plumbline"
    stand_in.write_text(
        f'#!/bin/sh\necho "called: $*"\ncase $1 in\ntest) {tests} ;;\nrun) {run} ;;\nesac\n'
    )
    stand_in.chmod(0o755)
    (folder / "temporary").mkdir()
    done = subprocess.run(
        [folder / ".ci" / "run"],
        cwd="/",
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(folder / "temporary")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not list((folder / "temporary").iterdir())
    return done


def test_green_ends_with_pytests_closing_line(tmp_path: Path) -> None:
    done = ci(tmp_path, f"echo '{PASSED}'", run='mkdir -p "$3"; echo "matrix in $3"')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == PASSED
    tested = [n for n, line in enumerate(lines) if line.startswith("called: test -- --networks=")]
    assert len(tested) == 1
    assert tested[0] < next(
        number for number, line in enumerate(lines) if line.startswith("called: run --output ")
    )


@pytest.mark.parametrize(
    ("tests", "run"),
    [
        ("echo '1 failed, 411 passed in 93.10s'; exit 1", "exit 0"),
        ("echo 'no tests ran in 0.01s'; exit 0", "exit 0"),
        ("echo '5 skipped in 0.01s'; exit 0", "exit 0"),
        ("exit 0", "exit 0"),
        (f"echo '{PASSED}'", "exit 1"),
        (f"echo '{PASSED}'", "exit 10"),
    ],
)
def test_red(tmp_path: Path, tests: str, run: str) -> None:
    done = ci(tmp_path, tests, run)
    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] != PASSED
