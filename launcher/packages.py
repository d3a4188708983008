# SPDX-License-Identifier: GPL-2.0-or-later
"""The system packages of a run: finds the missing ones, which `ci/setup` installs."""

import functools
import glob
import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from launcher import subprocess_step
from launcher.launcher_error import LauncherError, MissingError
from launcher.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "ci" / "packages"
SETUP = ROOT / "ci" / "setup"
# Folders of daemons, which a user's PATH (or root's after a plain `su`) may lack.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")

Stage = Literal["run", "venv", "image", "release", "test"]


@dataclass(frozen=True)
class Need:
    """One row of `ci/packages`.

    Attributes:
        stages: the stages that need it.
        shown_by: proofs that it is there; one is enough.
        apt: Debian's package.
        dnf: Fedora's.
    """

    stages: tuple[str, ...]
    shown_by: tuple[str, ...]
    apt: str
    dnf: str


@functools.cache
def table() -> tuple[Need, ...]:
    """Read `ci/packages`."""
    rows = (line.split() for line in TABLE.read_text().splitlines())
    return tuple(
        Need(tuple(row[0].split(",")), tuple(row[1].split("|")), row[2], row[3])
        for row in rows
        if row and not row[0].startswith("#")
    )


def search_path() -> str:
    """Return PATH with the folders of daemons added where it lacks them."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*folders, *(f for f in SYSTEM_FOLDERS if f not in folders)])


def find(command: str) -> str | None:
    """Return where a command is, daemons included, or None."""
    return shutil.which(command, path=search_path())


def manager() -> Literal["apt", "dnf"] | None:
    """Return the machine's package manager, if it is one that `ci/setup` knows."""
    if find("apt-get"):
        return "apt"
    return "dnf" if find("dnf") else None


def missing(stages: Iterable[Stage]) -> list[str]:
    """Return the packages that these stages need and the machine lacks, by its manager's names."""
    wanted = set(stages)
    names = [
        need.dnf if manager() == "dnf" else need.apt
        for need in table()
        if wanted & set(need.stages) and not any(_shown(proof) for proof in need.shown_by)
    ]
    return [name for name in dict.fromkeys(names) if name != "-"]


def install(stages: Iterable[Stage], progress: Progress, source: Path | None = None) -> None:
    """Have `ci/setup` install the missing packages, by sudo where it needs root.

    Args:
        stages: those that need them.
        progress: called with each step.
        source: the folder with the packages of a pack; None: from where the machine has its own.

    Raises:
        MissingError: a package could not be installed; with the manager's last lines.
    """
    progress("system packages: installing")
    argv = [str(SETUP), "--for", ",".join(stages), "--python", sys.executable]
    argv += [] if source is None else ["--from", str(source)]
    status, said = subprocess_step.run(argv)
    if status != 0:
        raise MissingError(
            f"the system packages could not be installed (exit {status}); last lines:", said
        )


def _shown(proof: str) -> bool:
    kind, _, what = proof.partition(":")
    if kind == "command":
        return find(what) is not None
    if kind == "file":
        return bool(glob.glob(what))  # noqa: PTH207 - an absolute pattern, which Path.glob refuses
    if kind == "python":
        return _python_has(what)
    raise LauncherError(f"{TABLE}: unknown kind of proof {proof!r}", "known: command, file, python")


def _python_has(what: str) -> bool:
    # The distribution's own interpreter leaves parts of itself to packages; any other has them or
    # not, and no package would change that.
    if sys.base_prefix != "/usr":
        return True
    if what == "ensurepip":
        return importlib.util.find_spec("ensurepip") is not None
    return Path(sysconfig.get_path("include"), what).exists()
