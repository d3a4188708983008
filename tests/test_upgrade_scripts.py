# SPDX-License-Identifier: GPL-2.0-or-later
"""The scripts that stand for an upgrade: none changes a machine that is not a staged host."""

import subprocess
from pathlib import Path

import pytest

from launcher.staged_detection import CONTAINER, MARK, is_staged

FOLDER = Path(__file__).resolve().parent.parent / "profiles" / "upgrades"
SCRIPTS = sorted(FOLDER.iterdir())


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_a_script_is_refused_on_any_other_machine(script: Path) -> None:
    head, _, _ = script.read_text().partition("\nfi\n")
    code = [line for line in head.splitlines() if not line.startswith("#")]
    guard = f"if ! grep -qsx {MARK} {CONTAINER}; then"
    assert (len(code), code[:2]) == (4, ["set -e", guard]), "it begins with another command"
    # The guard alone is run: were it wrong, the rest would change this machine.
    argv = ["sh", "-c", "\n".join([*code, "fi"])]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (0 if is_staged() else 1)
    assert is_staged() or done.stderr.startswith(f"profiles/upgrades/{script.name}: it changes ")
