# SPDX-License-Identifier: GPL-2.0-or-later
"""The pack that this harness was unpacked from, if it was: set-up then needs no network."""

import functools
import importlib.machinery
import os
import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from contracts import pack_files
from contracts.checkout import Checkout, checkout
from contracts.pack_files import PackFacts
from launcher.lab_detection import has_libraries
from launcher.launcher_error import MissingError, UsageError

ROOT = Path(__file__).resolve().parent.parent
NAMED_MAX = 5
PIP_WHEEL = "pip-[0-9]*.whl"
# What Python writes as it reads the harness.
COMPILED = "__pycache__"
MODULE_ENDINGS = tuple(importlib.machinery.all_suffixes())
UNPACK_AGAIN = (
    "unpack the archive again, into an empty folder; before that compare it with its .sha256 and "
    "its signature (docs/offline.md)"
)


@functools.cache
def pack() -> PackFacts | None:
    """Return the facts of the pack that this harness is in; None in a clone.

    A staged host and a lab have all that a run needs, wherever the harness in them came from.

    Raises:
        UsageError: there is a pack, and its facts cannot be read.
    """
    try:
        facts = pack_files.facts(ROOT)
    except ValueError as error:
        raise UsageError(str(error), UNPACK_AGAIN) from error
    return None if facts is None or has_libraries() else facts


def identity() -> Checkout:
    """Return which Plumbline this is.

    Raises:
        UsageError: it is in a pack, whose facts cannot be read.
    """
    pack()
    return checkout()


def lock() -> Path:
    """Return the lock of the pack's wheels."""
    return ROOT / pack_files.LOCK


def wheels() -> Path:
    """Return the folder of the pack's wheels."""
    return ROOT / pack_files.WHEELS


def pip() -> Path:
    """Return the pack's pip, as Python runs it out of its wheel.

    The distribution's own is in a package that fits one build of Python alone.
    """
    return next(wheels().glob(PIP_WHEEL)) / "pip"


def image() -> Path:
    """Return the exported guest image."""
    return ROOT / pack_files.IMAGE


def packages() -> Path | None:
    """Return the folder of the pack's system packages; None: it has none for this machine."""
    facts = pack()
    fits = facts is not None and facts.system is not None and facts.system == system()
    return ROOT / pack_files.PACKAGES if fits else None


def require_usable(*, whole: bool) -> None:
    """Check, in a pack, that it fits this machine and is as it was packed; in a clone, nothing.

    Args:
        whole: whether something will be installed from it; otherwise the harness alone is read.

    Raises:
        MissingError: the pack is for another Python, architecture or older C library.
        UsageError: a file was altered, removed or added; with its name.
    """
    facts = pack()
    if facts is None:
        return
    # In this order: what the pack is for is read from a file of it.
    require_intact(whole=whole)
    require_fit(facts)


def require_fit(facts: PackFacts) -> None:
    """Check that the wheels of a pack can be installed here.

    Raises:
        MissingError: they cannot; with what the pack is for.
    """
    here = python()
    if (facts.abi, facts.machine) != (abi(), platform.machine()):
        raise MissingError(
            f"this pack is for Python {facts.python} on {facts.machine} ({facts.abi}), and "
            f"{sys.executable} is Python {here} on {platform.machine()} ({abi()})",
            f"start it with that Python where the machine has one: python{facts.python} plumbline "
            f"...\nor make a pack with Python {here}: ./plumbline pack, on such a machine",
        )
    if _numbers(glibc()) < _numbers(facts.glibc):
        raise MissingError(
            f"this pack was made with glibc {facts.glibc}, and this machine has "
            f"{glibc() or 'none'}, which is older",
            "make the pack on a machine with this distribution release: ./plumbline pack",
        )


@functools.cache
def require_intact(*, whole: bool) -> None:
    """Compare the pack's files with the sums in its manifest, and look for others.

    Others are looked for in the folders that the pack has, and among what Python could import
    beside them; of what Python compiled (`__pycache__`) nothing is looked at. This notices an
    accident. It is part of the pack itself: who may write there can alter it too.

    Args:
        whole: whether wheels, guest image and packages are compared too, and not the harness and
            the facts alone.

    Raises:
        UsageError: a file was altered, removed or added; with its name.
    """
    try:
        known = pack_files.read_manifest((ROOT / pack_files.MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"the pack's {pack_files.MANIFEST}: {error}", UNPACK_AGAIN) from error
    carried = f"{pack_files.FOLDER}/"
    wrong = []
    for path, expected in known.items():
        if not (whole or path == pack_files.FACTS or not path.startswith(carried)):
            continue
        if (found := _sum(ROOT / path)) != expected:
            wrong.append(f"{path} was {'removed' if found is None else 'altered'}")
    wrong += [f"{name} was added" for name in sorted(_there(known, whole=whole) - set(known))]
    if wrong:
        more = len(wrong) - NAMED_MAX
        tail = f"; and {more} more" if more > 0 else ""
        raise UsageError(
            f"the pack in {ROOT} is not as it was packed: {'; '.join(wrong[:NAMED_MAX])}{tail}",
            UNPACK_AGAIN,
        )


def _there(known: Iterable[str], *, whole: bool) -> set[str]:
    """Return the files below the pack's folders, and the modules beside them.

    A run's own files are neither: `runs/`, or the folder that `--output` names.
    """
    folders = {parts[0] for parts in (PurePosixPath(path).parts for path in known) if parts[1:]}
    folders -= set() if whole else {pack_files.FOLDER}
    found = [file for folder in folders for file in _below(ROOT / folder)]
    for entry in ROOT.iterdir():
        modules = entry.glob("__init__.*") if entry.is_dir() else [entry]
        if entry.name not in folders and entry.name != pack_files.FOLDER:
            found += [file for file in modules if file.name.endswith(MODULE_ENDINGS)]
    return {file.relative_to(ROOT).as_posix() for file in found}


def _below(folder: Path) -> Iterator[Path]:
    for place, names, files in os.walk(folder):
        # A link to a folder could have modules in it, and is not walked.
        links = [name for name in names if Path(place, name).is_symlink()]
        names[:] = [name for name in names if name != COMPILED]
        yield from (Path(place, name) for name in [*files, *links])


def lacking(names: list[str]) -> MissingError:
    """Return the error for system packages that the machine and the pack lack."""
    facts = pack()
    carried = "it carries no system packages"
    if facts is not None and facts.system is not None:
        carried = f"its own are for {facts.system}, and this is {system()}"
    return MissingError(
        f"this machine lacks system packages, and the pack cannot add them ({carried}): "
        f"{' '.join(names)}",
        "install them from the distribution (where its package manager has a source: sudo ci/setup "
        "--for run),\nor make the pack with --with-packages on a machine with this release",
    )


def install_command() -> str:
    """Return the command that adds missing system packages: in a pack nothing that compiles."""
    if pack() is None:
        return "sudo ci/setup"
    return "sudo ci/setup --for run" + (f" --from {pack_files.PACKAGES}" if packages() else "")


def python() -> str:
    """Return this Python's version, as in `3.11`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def abi() -> str:
    """Return the tag of compiled modules of this Python: version, build and platform."""
    return str(sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag)


def glibc() -> str:
    """Return the version of the C library, as in `2.36`; empty where it is another one."""
    # "glibc 2.36"
    name, _, number = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    return number if name == "glibc" else ""


def system() -> str:
    """Return the distribution release, as in `debian 12`."""
    try:
        known = platform.freedesktop_os_release()
    except OSError:
        return "an unknown system"
    return f"{known['ID']} {known.get('VERSION_ID', '')}".strip()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _sum(file: Path) -> str | None:
    """Return the SHA-256 of a plain file; None where there is none."""
    try:
        # A link would be followed out of the pack.
        return "" if file.is_symlink() else pack_files.sha256(file)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{file}, of the pack: {error.strerror}", UNPACK_AGAIN) from error
