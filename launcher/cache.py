# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache: environments, guest images and probe results, all of which can be made again."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from launcher.launcher_error import LauncherError

MIB = 1024 * 1024
# Plumbline's entries by name. `clean --cache` removes these and nothing else: a
# PLUMBLINE_CACHE that points at a home folder by mistake must not cost the home folder.
ENTRIES = (
    "venv-*",
    "guest-image",
    "releases",
    "labs",
    "staged",
    "accel-*.json*",
    "libvirt-capabilities*",
    "lint",
    "scapy",
    "allure",
    "networks",
    "*.lock",
)


def cache_dir() -> Path:
    """Return the cache directory; it may not exist yet.

    `PLUMBLINE_CACHE` wins, then `XDG_CACHE_HOME/plumbline`, then `~/.cache/plumbline`
    (XDG Base Directory Specification).
    """
    return cache_dir_of(os.environ)


def cache_dir_of(environment: Mapping[str, str]) -> Path:
    """Return the cache directory of a process with these environment variables."""
    if own := environment.get("PLUMBLINE_CACHE"):
        return Path(own).absolute()
    home = environment.get("HOME") or Path.home()
    base = environment.get("XDG_CACHE_HOME") or Path(home, ".cache")
    return Path(base).absolute() / "plumbline"


def guest_images_dir() -> Path:
    """Return the folder that holds a folder per recipe of the guest image; it may not exist yet."""
    return cache_dir() / "guest-image"


def make_cache_dir() -> Path:
    """Return the cache directory, made if it was not there.

    Raises:
        LauncherError: it cannot be made or written to.
    """
    cache = cache_dir()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LauncherError(
            f"the cache {cache} cannot be made: {error.strerror}",
            "name a folder that can be written to with PLUMBLINE_CACHE",
        ) from error
    if not os.access(cache, os.W_OK):
        raise LauncherError(
            f"the cache {cache} cannot be written to",
            "name a folder that can be written to with PLUMBLINE_CACHE",
        )
    return cache


def free_mib(folder: Path) -> int:
    """Return the free space, in MiB, where `folder` is or would be made."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(existing).free // MIB


def require_space(need_mib: int, what: str) -> None:
    """Check the cache's file system before something is built there.

    Raises:
        LauncherError: less than `need_mib` MiB are free.
    """
    cache = cache_dir()
    free = free_mib(cache)
    if free < need_mib:
        raise LauncherError(
            f"{what} needs {need_mib} MiB in {cache}, and {free} MiB are free there",
            "make room, or name a folder on a larger file system with PLUMBLINE_CACHE",
        )
