# SPDX-License-Identifier: GPL-2.0-or-later
"""File locks: one builder at a time for each entry of the cache."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `path` for the length of a `with` block.

    The kernel releases it when the process ends, however it ends. The file is removed at the end
    of the block; a process that waited for it notices, and makes it anew.

    Args:
        path: made when it is not there; its folder must be.
        waiting: called once when another process holds the lock.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not _try(handle):
                waiting()
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_still(handle, path):
                try:
                    yield
                finally:
                    # Still held: a process that opens the name from now on holds another file.
                    path.unlink(missing_ok=True)
                return
            # Removed by its last holder while we waited: our file is no longer the lock.
        finally:
            os.close(handle)


def remove_if_free(path: Path, *, dry_run: bool) -> bool:
    """Remove a lock file without a holder; return whether it was free."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if not _try(handle):
            return False
        if not dry_run:
            path.unlink()
        return True
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Return whether some process holds the lock file now."""
    return path.exists() and not remove_if_free(path, dry_run=True)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(handle: int, path: Path) -> bool:
    held = os.fstat(handle)
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)
