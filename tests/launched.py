# SPDX-License-Identifier: GPL-2.0-or-later
"""Calling the launcher for real, as a user does, and reading the record that it leaves."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contracts.run_files import RECORD

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "reports" / "run.schema.json"
# On a machine with other work to do; on an idle one the longest takes a quarter of it.
DEADLINE_S = 600


def launched(
    subcommand: str, output: Path, *words: str, deadline_s: float = DEADLINE_S
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run `./plumbline SUBCOMMAND` with one worker; returns what it said and its run.json."""
    argv = [str(ROOT / "plumbline"), subcommand, "--workers", "1", "--output", str(output), *words]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=deadline_s, check=False, cwd=output.parent
    )
    record = output / RECORD
    return done, json.loads(record.read_text()) if record.exists() else {}


def require_conforming(folder: Path, topology: Path, claims: Sequence[str]) -> None:
    """Run the checks of some claims on a topology, and require that each claim conforms."""
    words = [word for claim in claims for word in ("--claim", claim)]
    done, record = launched("run", folder / "run", "--topology", str(topology), *words)
    assert record, done.stdout + done.stderr
    assert {check["verdict"] for check in record["checks"]} == {"conforms"}, done.stdout
    assert {each for check in record["checks"] for each in check["claims"]} >= set(claims)
