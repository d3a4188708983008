# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder that keeps a staged host's changes: the next one with it goes on as after a restart."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.launcher_error import LauncherError, UsageError
from launcher.lock import is_held, locked
from launcher.staged.profile import Profile

# What is above the layers of the root, and the overlay's own folder.
UPPER, WORK = "upper", "work"
KNOWN, LOCK = "staged.json", "lock"


@dataclass(frozen=True)
class HostState:
    """The folder, held by this process.

    Attributes:
        folder: the folder, absolute.
        layers: the root folders below it, the upper ones first.
        is_new: no host was ready with it yet.
    """

    folder: Path
    layers: Sequence[Path]
    is_new: bool

    def keep(self) -> None:
        """Note that its host is ready, so that the next one is a restart of it."""
        names = [layer.name for layer in self.layers]
        (self.folder / KNOWN).write_text(json.dumps({"layers": names}))


@contextlib.contextmanager
def held(folder: Path, layers: Sequence[Path], profile: Profile) -> Iterator[HostState]:
    """Hold such a folder, made if it is not there, for one host at a time.

    Args:
        folder: the folder.
        layers: the root folders of the host.
        profile: its profile.

    Raises:
        UsageError: it is another host's, a running one's, or something else.
        LauncherError: its host was never ready, or it cannot be made.
    """
    folder = folder.resolve()
    known = folder / KNOWN
    if folder.exists() and not known.exists():
        if (folder / UPPER).is_dir():
            raise LauncherError(
                f"--state {folder}: its host was never ready, so what is in it is not known",
                "remove the folder",
            )
        if not folder.is_dir() or any(folder.iterdir()):
            raise UsageError(f"--state {folder}: not a staged host's folder", "name a new one")
    if is_held(folder / LOCK):
        raise UsageError(f"--state {folder}: a host is up with it", "wait for its end")
    is_new = not known.exists()
    if not is_new:
        names = json.loads(known.read_text())["layers"]
        if names != [layer.name for layer in layers]:
            raise UsageError(
                f"--state {folder}: of a host with another root than that of {profile.name}: "
                f"{', '.join(names)}",
                "name its --release and --profile, or a new folder",
            )
    try:
        for name in (UPPER, WORK):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LauncherError(f"--state {folder}: {error.strerror}", "name another folder") from error
    with locked(folder / LOCK, lambda: None):
        yield HostState(folder, layers, is_new)
