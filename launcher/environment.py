# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual environment: built from the hash-pinned lock, one per lock and interpreter."""

import contextlib
import hashlib
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from launcher import step
from launcher.cache import cache_dir, make_cache_dir, require_space
from launcher.errors import LauncherError
from launcher.lock import locked
from launcher.progress import Progress

LOCK = Path(__file__).resolve().parent.parent / "ci" / "requirements.lock"
STAMP = ".complete"
# 210 MiB when it is done; pip's downloads and the build of libvirt-python come on top.
SPACE_MIB = 400


def path() -> Path:
    """Return where the environment for this lock and this interpreter is or will be."""
    known = hashlib.sha256(LOCK.read_bytes())
    # Compiled packages fit one Python on one platform, and a venv points at its interpreter.
    for part in (sys.version, sysconfig.get_platform(), sys.base_prefix):
        known.update(b"\0" + part.encode())
    return cache_dir() / f"venv-{known.hexdigest()[:12]}"


def python() -> Path:
    """Return the environment's interpreter; it is there when `is_complete`."""
    return path() / "bin" / "python"


def is_complete(venv: Path) -> bool:
    """Whether an environment was built to its end and its interpreter still exists."""
    return (venv / STAMP).exists() and (venv / "bin" / "python").exists()


def ensure(progress: Progress) -> Path:
    """Return the environment's interpreter, building the environment if it is not there.

    Raises:
        LauncherError: no room, or pip failed (with its last lines); nothing is left then.
    """
    if is_complete(path()):
        return python()
    lock = make_cache_dir() / f"{path().name}.lock"
    with locked(lock, lambda: progress("virtual environment: another process builds it; waiting")):
        if not is_complete(path()):
            _build(path(), progress)
    return python()


def _build(venv: Path, progress: Progress) -> None:
    require_space(SPACE_MIB, "the virtual environment")
    # A venv knows its own path, so it is built in place; only the stamp makes it count.
    shutil.rmtree(venv, ignore_errors=True)
    with _removed_on_failure(venv):
        progress("virtual environment: creating it")
        _step([sys.executable, "-m", "venv", str(venv)], "python -m venv")
        count = sum(1 for line in LOCK.read_text().splitlines() if "==" in line)
        progress(f"virtual environment: installing {count} pinned packages, one compiled here")
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
        pip += ["--disable-pip-version-check", "--no-user", "--require-hashes"]
        _step([*pip, "--requirement", str(LOCK)], "pip install")
        (venv / STAMP).touch()


def _step(argv: list[str], what: str) -> None:
    """Run a step of the build; its output is shown only if it fails."""
    status, said = step.run(argv)
    if status != 0:
        raise LauncherError(
            f"the virtual environment could not be built: {what} ended with status {status}",
            f"{said}\nnothing was left; with a network (or an index that pip is configured for), "
            "the same command tries again",
        )


@contextlib.contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
