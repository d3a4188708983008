# SPDX-License-Identifier: GPL-2.0-or-later
"""The record of a run that goes on in a host with a root of its own: a folder of this machine."""

import argparse
import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from contracts.run_files import LATEST, RECORD
from fixtures.plugin.run_folder import make
from launcher.cache import make_cache_dir
from launcher.launcher_error import UsageError
from launcher.lock import locked, remove_if_free


@contextlib.contextmanager
def cache_in_use() -> Iterator[None]:
    """Keep `clean` from removing files that the host uses."""
    cache = make_cache_dir()
    for left in cache.glob("host-*.lock"):
        # Of a process that was killed.
        remove_if_free(left, dry_run=False)
    # A process may have several hosts at once: each holds a lock of its own.
    lock = cache / f"host-{os.getpid()}-{uuid4().hex[:8]}.lock"
    with locked(lock, lambda: None):
        yield


@contextlib.contextmanager
def made(options: argparse.Namespace) -> Iterator[Path]:
    """Make the folder for the record; it is removed if the run was refused and wrote none.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        record = make(options.output).resolve()
    except OSError as error:
        raise UsageError(f"--output: {error}", "name another folder") from error
    options.output = record
    # Not after a failure of the host: a lab's console has the reason.
    yield record
    _tame(record)
    if not (record / RECORD).exists():
        shutil.rmtree(record)
        latest = record.parent / LATEST
        if latest.is_symlink() and not latest.exists():
            latest.unlink()


def _tame(folder: Path) -> None:
    """Remove links, devices and set-uid bits, which root in the host could have left for us."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                path.chmod(stat.S_IMODE(mode) & 0o777)
            else:
                path.unlink()
