# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of npm that tests use, installed from a lock in ci/ into the cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from launcher.cache import make_cache_dir
from launcher.lock import locked

BIN = Path(sys.executable).parent
# A cold npm fetches some 50 MB.
INSTALL_DEADLINE_S = 300


def installed(source: Path, name: str) -> Path:
    """Install the packages of a lock once, and return the folder of their programs.

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
            argv = [str(BIN / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                [*argv, "--cache", str(folder / "npm")],
                cwd=folder,
                env=with_node(),
                capture_output=True,
                text=True,
                timeout=INSTALL_DEADLINE_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            shutil.rmtree(folder / "npm")
            stamp.write_bytes(wanted)
    return folder / "node_modules" / ".bin"


def with_node() -> dict[str, str]:
    """The environment with the node of the virtual environment first in its PATH."""
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
