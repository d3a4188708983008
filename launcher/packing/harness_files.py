# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of the harness: those that git tracks, or without git those in its folders."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.git_command import git
from launcher.launcher_error import LauncherError

# The top of the tree, for one without git to say so: all else there was made or put by its user.
TOP = {
    *(".ci", ".gitignore", "LICENSE", "README.md", "benchmarks", "ci", "conftest.py", "contracts"),
    *("docs", "faults", "fixtures", "launcher", "plumbline", "profiles", "pyproject.toml"),
    *("reports", "suites", "tests", "topologies"),
}
# What a linter or Python leaves below it.
CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
UNTRACKED = "??"


@dataclass(frozen=True)
class Harness:
    """The harness in a folder.

    Attributes:
        paths: its files, relative to the folder, sorted.
        commit: git's name of the commit; None without git.
        changed: tracked files that differ from the commit, and untracked ones, as git lists them.
    """

    paths: list[str]
    commit: str | None
    changed: list[str]

    @property
    def modified(self) -> bool | None:
        """Whether a file of it differs from the commit; None without git."""
        if self.commit is None:
            return None
        return any(not line.startswith(UNTRACKED) for line in self.changed)


def harness(root: Path) -> Harness:
    """Return the files of the harness in `root`.

    Tracked files are taken as they are here and not as they were committed: the wheels and the
    guest image follow from their content here, and this is what was tried.

    Raises:
        LauncherError: git failed, or a tracked file was removed.
    """
    if not ((root / ".git").exists() and shutil.which("git")):
        return Harness(sorted(_walked(root)), None, [])
    listed = _git(root, "ls-files", "-z").split("\0")
    paths = sorted(path for path in listed if path)
    if gone := [path for path in paths if not (root / path).is_file()]:
        raise LauncherError(
            f"pack: {gone[0]} is tracked by git, and not there", "git status; then commit, or undo"
        )
    return Harness(
        paths,
        _git(root, "rev-parse", "--verify", "HEAD").strip(),
        _git(root, "status", "--porcelain").splitlines(),
    )


def _walked(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        if Path(folder) == root:
            folders[:], names[:] = (TOP.intersection(each) for each in (folders, names))
        folders[:] = [name for name in folders if name not in CACHES]
        files = (Path(folder, name) for name in names)
        yield from (str(file.relative_to(root)) for file in files if not file.is_symlink())


def _git(root: Path, *words: str) -> str:
    try:
        done = git(root, *words)
    except subprocess.TimeoutExpired as error:
        raise LauncherError(
            f"pack: git {words[0]} in {root} took over {error.timeout:.0f} s"
        ) from error
    if done.returncode != 0:
        raise LauncherError(
            f"pack: git {words[0]} in {root} ended with status {done.returncode}",
            done.stderr.strip(),
        )
    return done.stdout
