# SPDX-License-Identifier: GPL-2.0-or-later
"""The wheels of the lock for this Python, and the lock of exactly these wheels.

Where a package has no wheel, one is built. Its hash is in no index, so the pack has a lock of its
own: the versions of the harness's lock, with the hashes of the files in the pack.
"""

import importlib
import re
import shutil
import sys
from pathlib import Path

from contracts.pack_files import sha256
from launcher import subprocess_step, virtual_environment
from launcher.launcher_error import LauncherError

# "libvirt_python-12.8.0-cp311-cp311-linux_x86_64.whl" (PyPA, binary distribution format)
_WHEEL = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-[^-]+){3,4}\.whl")
# "libvirt-python==12.8.0 \"
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)", re.MULTILINE)


def fetch(folder: Path) -> None:
    """Have pip, as the machine configures it, put the wheels of the lock into a folder.

    The virtual environment must be there: its pip and its Python decide which wheels fit.

    Raises:
        LauncherError: pip failed, with its last lines, or this Python has no pip of its own.
    """
    shutil.copy(own_pip(), folder)
    pip = [str(virtual_environment.python()), "-m", "pip", "wheel", "--quiet", "--no-input"]
    pip += ["--disable-pip-version-check", "--no-deps", "--require-hashes"]
    argv = [*pip, "--requirement", str(virtual_environment.LOCK), "--wheel-dir", str(folder)]
    status, said = subprocess_step.run(argv)
    if status != 0:
        raise LauncherError(
            f"pack: the wheels could not be fetched: pip wheel ended with status {status}",
            f"{said}\na wheel is built where there is none, which needs: sudo ci/setup --for venv",
        )


def own_pip() -> Path:
    """Return the wheel of pip that environments of this Python get: an older one may not run in it.

    Raises:
        LauncherError: it is not there.
    """
    try:
        ensurepip = importlib.import_module("ensurepip")
    except ImportError as error:
        raise LauncherError(
            f"pack: {sys.executable} has no pip for environments", "Debian: install python3-venv"
        ) from error
    # Beside ensurepip; Debian has it in a folder of its own (python3-pip-whl).
    places = (Path(str(ensurepip.__file__)).parent / "_bundled", Path("/usr/share/python-wheels"))
    name = f"pip-{ensurepip.version()}-py3-none-any.whl"
    for place in places:
        if (place / name).is_file():
            return place / name
    raise LauncherError(
        f"pack: there is no {name} in {' or '.join(map(str, places))}",
        f"{sys.executable} -m ensurepip --version names it: install what this Python lacks",
    )


def lock_of(folder: Path, harness_lock: str) -> str:
    """Return the lock of the wheels in a folder.

    Args:
        folder: it has nothing else.
        harness_lock: the text of the harness's lock; each of its packages must have a wheel. Only
            pip is beside them.

    Raises:
        LauncherError: the wheels are not those of the harness's lock.
    """
    lines = {}
    for file in sorted(folder.iterdir()):
        found = _WHEEL.fullmatch(file.name)
        if found is None:
            raise LauncherError(f"pack: pip made {file.name}, which is no wheel")
        digest = sha256(file)
        pin = f"{_normalized(found['name'])}=={found['version']}"
        lines[pin] = f"{pin} --hash=sha256:{digest}\n"
    wanted = {f"{_normalized(n)}=={v}" for n, v in _PINNED.findall(harness_lock)}
    others = {pin for pin in lines if not pin.startswith("pip==")}
    if wrong := sorted(wanted ^ others):
        raise LauncherError(
            f"pack: the wheels are not those of {virtual_environment.LOCK.name}: "
            f"{', '.join(wrong)}",
            "expected one wheel for each package of the lock",
        )
    return "".join(lines.values())


def _normalized(name: str) -> str:
    """Return a package's name in the one form that indexes know (PyPA, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()
