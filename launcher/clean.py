# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline clean`: removes what an interrupted run or set-up left behind."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from contracts.run_files import LATEST_RUN
from fixtures.host.journal import PLACE, STATE, Journal, JournalBroken, is_left, load
from fixtures.host.local_cleanup import TakedownFailed, take_down
from launcher import holders, virtual_environment
from launcher.arguments import Parser
from launcher.cache import ENTRIES, MIB, cache_dir, cache_dir_of
from launcher.launcher_error import LauncherError, UsageError
from launcher.lock import is_held, remove_if_free
from launcher.staged_detection import is_staged

ROOT = Path(__file__).resolve().parent.parent

EXAMPLES = (
    ("sudo ./plumbline clean", "the leftovers of an interrupted run or set-up"),
    ("./plumbline clean --dry-run", "only list them"),
    (
        "./plumbline clean --cache",
        "also environments, images, releases, labs and probe results",
    ),
)


def parser() -> Parser:
    """Return the parser of `clean`."""
    own = Parser("clean", "Remove what an interrupted run or set-up left behind.", EXAMPLES)
    own.add_argument("--cache", action="store_true", help="also empty the cache")
    own.add_argument("--dry-run", action="store_true", help="only list what would be removed")
    return own


def main(argv: Sequence[str]) -> int:
    """Remove, and list what was removed."""
    options = parser().parse(argv)
    dry_run: bool = options.dry_run
    verb = "would remove" if dry_run else "removed"
    count = 0
    if options.cache:
        _refuse_while_used()
    for removed in _remove_all(cache=options.cache, dry_run=dry_run):
        print(f"{verb} {removed}", flush=True)
        count += 1
    if count == 0:
        print("nothing to clean")
    return 0


def _remove_all(*, cache: bool, dry_run: bool) -> Iterator[str]:
    """Remove one thing after another, each named when it is gone."""
    for holder in holders.orphans():
        if dry_run or holders.end(holder):
            yield f"process {holder.pid}, a sandbox whose harness {holder.harness} is gone"
    # First: nothing else that fails may keep the machine from being as it was.
    yield from _left_on_this_machine(dry_run=dry_run)
    yield from _left_of_staged_hosts(dry_run=dry_run)
    if not cache:
        yield from _half_built(dry_run=dry_run)
    for link in _dangling_links():
        if not dry_run:
            link.unlink()
        yield f"{link}, a link to a run that is gone"
    if cache:
        yield from _cached(dry_run=dry_run)


def _left_of_staged_hosts(*, dry_run: bool) -> Iterator[str]:
    """The empty control groups of staged hosts whose keeper was killed; only root sees them."""
    if os.geteuid() != 0 or is_staged():
        # A staged host makes none, and may not look.
        return
    argv = [sys.executable, "-P", "-S", "-m", "launcher.staged.cgroup"]
    argv += [] if dry_run else ["--remove"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LauncherError(
            "the control groups of staged hosts could not be looked at", done.stderr.strip()
        )
    for name in done.stdout.split():
        yield f"control group {name}, of a staged host whose keeper is gone"


def _left_on_this_machine(*, dry_run: bool) -> Iterator[str]:
    """The leftovers of a run on this machine itself that was killed together with its guardian."""
    journal = _journal()
    if journal is None:
        if is_left(STATE):
            if not dry_run:
                _remove(STATE)
            yield f"{STATE}, of a run on this machine that is gone"
        return
    if journal.run.is_at_work:
        return
    if dry_run:
        harness = journal.run.harness
        yield f"the objects of process {harness} on this machine ({PLACE}), which is gone"
        return
    try:
        yield from take_down(journal)
    except (TakedownFailed, PermissionError) as error:
        raise LauncherError(
            f"not everything of a run on this machine could be taken down:\n{error}",
            "as root: sudo ./plumbline clean",
        ) from error


def _journal() -> Journal | None:
    try:
        return load()
    except JournalBroken as error:
        raise LauncherError(str(error)) from error


def _half_built(*, dry_run: bool) -> Iterator[str]:
    """The leftovers of a killed set-up; a build in progress stays."""
    cache = cache_dir()
    locks = sorted(cache.glob("*.lock"))
    if _held_locks():
        print("a set-up is at work in the cache; what it builds is left alone", flush=True)
        return
    half = [*cache.glob("*/build-*")]
    half += [
        venv for venv in cache.glob("venv-*/") if not (venv / virtual_environment.STAMP).exists()
    ]
    for folder in sorted(half):
        size = _described(folder)
        if not dry_run:
            _remove(folder)
        yield f"{size}, half built"
    for lock in locks:
        if remove_if_free(lock, dry_run=dry_run):
            yield f"{lock}, a lock without a holder"


def _held_locks() -> list[Path]:
    """Return the locks of set-ups at work: of environments, and of the guest image's builder."""
    cache = cache_dir()
    return [lock for lock in (*cache.glob("*.lock"), *cache.glob("*/lock")) if is_held(lock)]


def _dangling_links() -> list[Path]:
    links = {(place / LATEST_RUN).absolute() for place in (Path.cwd(), ROOT)}
    return sorted(link for link in links if link.is_symlink() and not link.exists())


def _refuse_while_used() -> None:
    """Check that neither a run nor a set-up uses the cache.

    Raises:
        UsageError: one does; with its process.
    """
    harnesses = sorted({holder.harness for holder in holders.holders()})
    if at_work := [pid for pid in harnesses if _cache_of(pid) == cache_dir()]:
        raise UsageError(
            f"clean --cache: a run uses {cache_dir()} (process {at_work[0]})", "wait for its end"
        )
    journal = _journal()
    if journal is not None and journal.run.is_at_work:
        raise UsageError(
            f"clean --cache: a run on this machine uses it (process {journal.run.harness})",
            "wait for its end",
        )
    if held := _held_locks():
        raise UsageError(
            f"clean --cache: a set-up is at work ({held[0]} is held)", "wait for its end"
        )


def _cache_of(pid: int) -> Path | None:
    """Return which cache a process uses, or None if it ended or is another user's."""
    try:
        variables = Path("/proc", str(pid), "environ").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    pairs = (variable.partition("=") for variable in variables.split("\0"))
    return cache_dir_of({name: value for name, _, value in pairs})


def _cached(*, dry_run: bool) -> Iterator[str]:
    cache = cache_dir()
    ours = sorted({entry for pattern in ENTRIES for entry in cache.glob(pattern)})
    for entry in ours:
        size = _described(entry)
        if not dry_run:
            _remove(entry)
        yield size
    if dry_run or not cache.is_dir():
        return
    if left := sorted(entry.name for entry in cache.iterdir()):
        print(f"left in {cache}, as it is not Plumbline's: {', '.join(left)}", flush=True)
    elif ours:
        cache.rmdir()
        yield str(cache)


def _remove(entry: Path) -> None:
    try:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    except OSError as error:
        raise LauncherError(
            f"{error.filename or entry} cannot be removed: {error.strerror}",
            "if another user made it: sudo ./plumbline clean",
        ) from error


def _described(entry: Path) -> str:
    files = [entry, *entry.rglob("*")] if entry.is_dir() and not entry.is_symlink() else [entry]
    size = sum(file.lstat().st_size for file in files)
    return f"{entry} ({size / MIB:.1f} MiB)"
