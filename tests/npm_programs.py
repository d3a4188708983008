# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of npm that tests use, installed from a lock in ci/ into the cache."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.cache import make_cache_dir
from launcher.lock import locked

BIN = Path(sys.executable).parent
# A cold npm fetches some 50 MB.
INSTALL_DEADLINE_S = 300
# Of node's dns and net, of npm's own fetch, and of a proxy between.
UNREACHABLE = re.compile(
    r"^npm (?:error|ERR!) code (?:ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|"
    r"EAI_AGAIN|ETIMEDOUT|ERR_SOCKET_TIMEOUT|E407|E502|E503|E504)$",
    re.MULTILINE,
)


def installed(source: Path, name: str) -> Path:
    """Install the packages of a lock once, and return the folder of their programs.

    A test that needs them is skipped where npm is not there, or cannot reach its registry.

    Args:
        source: a folder with package.json and package-lock.json.
        name: of the folder in the cache.
    """
    folder = make_cache_dir() / name
    with locked(folder.with_name(f"{name}.lock"), lambda: None):
        wanted = (source / "package-lock.json").read_bytes()
        stamp = folder / "installed-lock.json"
        if not stamp.exists() or stamp.read_bytes() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for file in ("package.json", "package-lock.json"):
                shutil.copy(source / file, folder)
            _install(folder)
            shutil.rmtree(folder / "npm")
            stamp.write_bytes(wanted)
    return folder / "node_modules" / ".bin"


def _install(folder: Path) -> None:
    npm = BIN / "npm"
    if not npm.exists():
        pytest.skip(f"there is no {npm}; ./plumbline test installs it")
    argv = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            [*argv, "--cache", str(folder / "npm")],
            cwd=folder,
            env=with_node(),
            capture_output=True,
            text=True,
            timeout=INSTALL_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm got no packages from its registry in {INSTALL_DEADLINE_S} s")
    if found := UNREACHABLE.search(done.stderr):
        pytest.skip(f"npm does not reach its registry: {found[0]}")
    assert done.returncode == 0, done.stderr


def with_node() -> dict[str, str]:
    """The environment with the node of the virtual environment first in its PATH."""
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
