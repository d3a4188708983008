# SPDX-License-Identifier: GPL-2.0-or-later
"""An interrupt ends a session, also where pluggy turns it into a warning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The wrapper of a plugin of others, such as allure's.
WRAPPER = """\
import os, signal
import pytest

@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_post_finalizer():
    yield
    os.kill(os.getpid(), signal.SIGINT)
    "a line for the signal to arrive at"
"""
CHECKS = """\
import pytest

@pytest.fixture
def part():
    return 1

def test_first(part):
    pass

def test_second():
    pass

def test_third():
    pass
"""


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "by a worker"])
def test_an_interrupt_is_never_lost(tmp_path: Path, workers: list[str]) -> None:
    (tmp_path / "wrapper.py").write_text(WRAPPER)
    (tmp_path / "test_checks.py").write_text(CHECKS)
    # As in this repository: there the warning takes the place of the interrupt.
    plugins = ["-W", "error", "-p", "fixtures.plugin.one_interrupt", "-p", "wrapper"]
    if not workers:
        plugins += ["-p", "no:xdist"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugins, *workers, "-v"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "KeyboardInterrupt" in said
    assert "test_third PASSED" not in said, said
