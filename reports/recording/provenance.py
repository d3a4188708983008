# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Plumbline it is that runs: its version, and its commit in a git checkout or a pack."""

import os
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

from contracts.pack_files import facts
from reports.record import Tool

ROOT = Path(__file__).resolve().parent.parent.parent

# A status of this tree takes some 10 ms; a cold disk may need a second or two.
GIT_DEADLINE_S = 10.0


def tool(command: Sequence[str], root: Path = ROOT) -> Tool:
    """Describe the Plumbline in `root`, called as `command`."""
    described = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    # A clone without its .git inside another repository must not take that one's commit.
    top = _git(root, "rev-parse", "--show-toplevel")
    own = top is not None and Path(top).resolve() == root.resolve()
    commit = _git(root, "rev-parse", "--verify", "HEAD") if own else None
    changes = _git(root, "status", "--porcelain") if own else None
    dirty = None if changes is None else bool(changes)
    if not own:
        # The harness of a pack has no .git; the pack knows what it was made of.
        packed = facts(root)
        if packed is not None:
            commit, dirty = packed.commit, packed.modified
    return Tool(
        version=described["project"]["version"],
        commit=commit,
        dirty=dirty,
        command=list(command),
    )


def _git(root: Path, *arguments: str) -> str | None:
    """Return git's output, or None if it fails in this folder."""
    # A git hook that calls Plumbline sets GIT_DIR, to a repository that isn't ours.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=GIT_DEADLINE_S,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
