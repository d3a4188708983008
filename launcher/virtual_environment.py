# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual environment: built from the hash-pinned lock, one per lock and interpreter.

What only the harness's own tests need has a lock of its own, and comes into the same environment
when they are run for the first time.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from launcher import subprocess_step, unpacked
from launcher.cache import cache_dir, make_cache_dir, require_space
from launcher.lab_detection import has_libraries
from launcher.launcher_error import LauncherError
from launcher.lock import locked
from launcher.progress import Progress

LOCK = Path(__file__).resolve().parent.parent / "ci" / "requirements.lock"
TESTS_LOCK = LOCK.with_name("requirements-test.lock")
STAMP = ".complete"
# When it is done; pip's downloads and the build of libvirt-python need as much on top.
SIZE_MIB = 400
# A browser's driver and node are most of it.
TESTS_SIZE_MIB = 500


def path() -> Path:
    """Return where the environment for this lock and this interpreter is or will be."""
    known = hashlib.sha256(LOCK.read_bytes())
    # Compiled packages fit one Python on one platform, and a venv points at its interpreter.
    for part in (sys.version, sysconfig.get_platform(), sys.base_prefix):
        known.update(b"\0" + part.encode())
    return cache_dir() / f"venv-{known.hexdigest()[:12]}"


def python() -> Path:
    """Return the environment's interpreter; it is there when `is_complete`.

    A staged host and a lab have no network to build one by, and the libraries in their own Python.
    """
    return Path(sys.executable) if has_libraries() else path() / "bin" / "python"


def is_complete(venv: Path) -> bool:
    """Whether an environment was built to its end and its interpreter still exists."""
    if has_libraries():
        return True
    # By os.access: a folder that this user may not enter has no environment for them.
    return os.access(venv / STAMP, os.F_OK) and os.access(venv / "bin" / "python", os.X_OK)


def has_tests(venv: Path) -> bool:
    """Whether what the tests need, as their lock has it now, is in an environment too."""
    return is_complete(venv) and _tests_stamp(venv).exists()


def ensure(progress: Progress, *, tests: bool = False) -> Path:
    """Return the environment's interpreter, building the environment if it is not there.

    Args:
        progress: called with each step.
        tests: whether the harness's own tests are to run in it.

    Raises:
        LauncherError: no room, or pip failed (with its last lines); nothing is left then that
            would be taken for whole.
    """
    if has_tests(path()) if tests else is_complete(path()):
        return python()
    lock = make_cache_dir() / f"{path().name}.lock"
    with locked(lock, lambda: progress("virtual environment: another process builds it; waiting")):
        if not is_complete(path()):
            _build(path(), progress)
        if tests and not has_tests(path()):
            _add_tests(path(), progress)
    return python()


def _build(venv: Path, progress: Progress) -> None:
    require_space(2 * SIZE_MIB, "the virtual environment")
    # A venv knows its own path, so it is built in place; only the stamp makes it count.
    shutil.rmtree(venv, ignore_errors=True)
    with _removed_on_failure(venv):
        progress("virtual environment: creating it")
        in_pack = unpacked.pack() is not None
        without_pip = ["--without-pip"] if in_pack else []
        _step([sys.executable, "-m", "venv", *without_pip, str(venv)], "python -m venv")
        if not in_pack:
            progress(f"virtual environment: installing {_count(LOCK)} packages, one compiled here")
            _install(venv, LOCK)
        else:
            progress(f"virtual environment: installing {_count(LOCK)} wheels of the pack")
            _install_wheels(venv)
        (venv / STAMP).touch()


def _add_tests(venv: Path, progress: Progress) -> None:
    require_space(TESTS_SIZE_MIB, "what the tests need")
    progress(f"virtual environment: installing {_count(TESTS_LOCK)} packages for the tests")
    _install(venv, TESTS_LOCK)
    _tests_stamp(venv).touch()


def _tests_stamp(venv: Path) -> Path:
    return venv / f".tests-{hashlib.sha256(TESTS_LOCK.read_bytes()).hexdigest()[:12]}"


def _count(lock: Path) -> int:
    return sum(1 for line in lock.read_text().splitlines() if "==" in line)


def _install(venv: Path, lock: Path) -> None:
    _step([*_pip_install(venv, ["-m", "pip"]), "--requirement", str(lock)], "pip install")


def _install_wheels(venv: Path) -> None:
    """Install the wheels of the pack; no index, no setting of the machine's pip has a say."""
    argv = [
        *_pip_install(venv, [str(unpacked.pip())]),
        "--no-index",
        "--find-links",
        str(unpacked.wheels()),
    ]
    environment = {name: word for name, word in os.environ.items() if not name.startswith("PIP_")}
    # Source: pip's user guide, "Configuration": with this no file of settings is read.
    environment["PIP_CONFIG_FILE"] = os.devnull
    _step(
        [*argv, "--only-binary", ":all:", "--requirement", str(unpacked.lock())],
        "pip install of the pack's wheels",
        environment,
        "they were compared with the pack's sums; is the disk full?",
    )


def _pip_install(venv: Path, pip: Sequence[str]) -> list[str]:
    argv = [str(venv / "bin" / "python"), *pip, "install", "--quiet", "--no-input"]
    return [*argv, "--disable-pip-version-check", "--no-user", "--require-hashes"]


def _step(
    argv: list[str],
    what: str,
    environment: Mapping[str, str] | None = None,
    next_step: str = "with a network (or an index that pip is configured for), the same command "
    "tries again",
) -> None:
    """Run a step of the build; its output is shown only if it fails."""
    status, said = subprocess_step.run(argv, environment)
    if status != 0:
        raise LauncherError(
            f"the virtual environment could not be built: {what} ended with status {status}",
            f"{said}\nnothing half made will be used; {next_step}",
        )


@contextlib.contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
