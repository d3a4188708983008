# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Plumbline this is: its version, and its commit in a git checkout or a pack."""

import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from contracts.git_command import git
from contracts.pack_files import facts

ROOT = Path(__file__).resolve().parent.parent
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Checkout:
    """A tree of Plumbline's files.

    Attributes:
        version: that of pyproject.toml, its only place.
        commit: git's; None where the tree is neither a checkout of its own nor a pack of one.
        changed: whether files differ from the commit; None as above.
        date: the day of the commit, as in 2026-03-01; None as above.
    """

    version: str
    commit: str | None
    changed: bool | None
    date: str | None

    def __str__(self) -> str:
        if self.commit is None:
            return self.version
        changed = ", changed" if self.changed else ""
        return f"{self.version} (commit {self.commit[:_SHOWN]}{changed})"


def checkout(root: Path = ROOT) -> Checkout:
    """Return what the files in `root` are."""
    described = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    # A clone without its .git inside another repository must not take that one's commit.
    top = _git(root, "rev-parse", "--show-toplevel")
    own = top is not None and Path(top).resolve() == root.resolve()
    commit = _git(root, "rev-parse", "--verify", "HEAD") if own else None
    changes = _git(root, "status", "--porcelain") if own else None
    changed = None if changes is None else bool(changes)
    # The harness of a pack has no .git; the pack knows what it was made of.
    if not own and (packed := facts(root)) is not None:
        commit, changed = packed.commit, packed.modified
    return Checkout(
        version=described["project"]["version"],
        commit=commit,
        changed=changed,
        date=_git(root, "log", "-1", "--format=%cs") if own else None,
    )


def _git(root: Path, *words: str) -> str | None:
    """Return git's output, or None if it fails in this folder."""
    try:
        done = git(root, *words)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
