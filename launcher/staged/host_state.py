# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder that keeps a staged host's changes: the next one with it goes on as after a restart."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.cache import cache_dir
from launcher.launcher_error import LauncherError, UsageError
from launcher.lock import is_held, locked
from launcher.staged.profile import Profile

# What is above the layers of the root, and the overlay's own folder.
UPPER, WORK = "upper", "work"
KNOWN, LOCK = "staged.json", "lock"
# The folder of root folders in the cache (`launcher.staged.root_folder`).
ROOTS = "staged"


@dataclass(frozen=True)
class HostState:
    """The folder, held by this process.

    Attributes:
        folder: the folder, absolute.
        release: the release of the host.
        profile: its profile.
        layers: the root folders below what it writes, the upper ones first.
        is_new: no host was ready with it yet.
    """

    folder: Path
    release: str
    profile: Profile
    layers: Sequence[Path]
    is_new: bool

    def keep(self) -> None:
        """Note that its host is ready, so that the next one is a restart of it."""
        known = {
            "release": self.release,
            "profile": self.profile.name,
            "layers": [layer.name for layer in self.layers],
        }
        (self.folder / KNOWN).write_text(json.dumps(known))


def recorded(folder: Path, release: str, profile: Profile) -> list[Path] | None:
    """Return the root folders of the host that was up with a folder; None: none was.

    They may be older than those that would be built now.

    Raises:
        UsageError: it is a host of another release or profile.
        LauncherError: one of them is gone from the cache.
    """
    try:
        known = json.loads((folder / KNOWN).read_text())
    except FileNotFoundError:
        return None
    if (was := (known["release"], known["profile"])) != (release, profile.name):
        raise UsageError(
            f"--state {folder}: of a host of the release {was[0]} and the profile {was[1]}",
            "name these, or a new folder",
        )
    layers = [cache_dir() / ROOTS / Path(name).name for name in known["layers"]]
    for layer in layers:
        if not layer.is_dir():
            raise LauncherError(
                f"--state {folder}: the root that its host was made of is gone ({layer})",
                "name a new folder",
            )
    return layers


@contextlib.contextmanager
def held(
    folder: Path, release: str, profile: Profile, layers: Sequence[Path]
) -> Iterator[HostState]:
    """Hold such a folder, made if it is not there, for one host at a time.

    Args:
        folder: the folder.
        release: the release of the host.
        profile: its profile.
        layers: its root folders.

    Raises:
        UsageError: a host is up with it, or it is something else.
        LauncherError: its host was never ready, or it cannot be made.
    """
    folder = folder.resolve()
    is_new = not (folder / KNOWN).exists()
    if is_new and folder.exists():
        upper = folder / UPPER
        if upper.is_dir() and any(upper.iterdir()) and not is_held(folder / LOCK):
            raise LauncherError(
                f"--state {folder}: its host was never ready, so what is in it is not known",
                "remove the folder",
            )
        ours = {UPPER, WORK, LOCK}
        if not folder.is_dir() or {each.name for each in folder.iterdir()} - ours:
            raise UsageError(f"--state {folder}: not a staged host's folder", "name a new one")
    if is_held(folder / LOCK):
        raise UsageError(f"--state {folder}: a host is up with it", "wait for its end")
    try:
        for name in (UPPER, WORK):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LauncherError(f"--state {folder}: {error.strerror}", "name another folder") from error
    with locked(folder / LOCK, lambda: None):
        yield HostState(folder, release, profile, layers, is_new)
