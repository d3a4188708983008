# SPDX-License-Identifier: GPL-2.0-or-later
"""Trials of runs in sandboxes: what is left of them on this machine.

Others may be at work on it, so a run's own is told from theirs: by a variable in its environment,
by its namespaces, by its folder for temporary files.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from benchmarks.tidiness import phases
from benchmarks.tidiness.in_host import CLAIMS, POLL_S
from benchmarks.tidiness.trials import RESULTS, Order, Trial, append, append_trial, read, whole_s
from fixtures.host.journal import started
from launcher.cache import cache_dir
from launcher.lock import is_held

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "PLUMBLINE_TIDINESS"
HOLDER = b"fixtures/host/namespace_init.py"
GONE_DEADLINE_S = 20.0
LINKS = Path("/sys/class/net")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def sandbox_series(folder: Path, orders: Sequence[Order]) -> None:
    """Make the trials, one after the other."""
    done = {trial.order.trial for trial in read(folder / RESULTS)}
    for order in orders:
        if order.trial not in done:
            _trial(folder, order)


def _trial(folder: Path, order: Order) -> None:
    length = _whole(folder, order.topology)
    before = _machine()
    mark = uuid4().hex
    output, temporary = folder / f"run-{order.trial}", folder / f"temporary-{order.trial}"
    for each in (output, temporary):
        # Of a trial that was not finished.
        shutil.rmtree(each, ignore_errors=True)
    temporary.mkdir()
    begin = time.monotonic()
    with _run(folder, order.topology, output, temporary, mark) as run:
        while run.poll() is None and time.monotonic() < begin + order.fraction * length:
            time.sleep(POLL_S)
        moment = round(time.monotonic() - begin, 3)
        own = set(_of_run(mark, set()))
        spaces = _namespaces(own) - _namespaces({os.getpid()})
        own = set(_of_run(mark, spaces))
        has_begun = any(HOLDER in _words(pid) for pid in own)
        phase = phases.OVER
        if run.poll() is None:
            phase = phases.phase(output, has_begun=has_begun)
        if order.kill is not None and order.kill.takes_guardian:
            for pid in own:
                if HOLDER in _words(pid):
                    os.kill(pid, signal.SIGKILL)
        run.kill()
        run.wait()
    ended, since = time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME)
    trial = Trial(order, "sandbox", moment, length, phase)
    while True:
        trial.left = [
            *_processes(mark, spaces, since),
            *_left(before, _machine()),
            *_files(temporary),
        ]
        trial.taken_back_s = round(time.monotonic() - ended, 3)
        if not trial.left or trial.taken_back_s > GONE_DEADLINE_S:
            break
        time.sleep(POLL_S)
    trial.record = phases.wrong_with(output)
    append_trial(folder / RESULTS, trial)


def _whole(folder: Path, topology: str) -> float:
    """Return the length of a whole run, which is measured if it was not before."""
    known = whole_s(folder / RESULTS, topology)
    if known is not None:
        return known
    temporary = folder / "temporary-whole"
    temporary.mkdir(exist_ok=True)
    begin = time.monotonic()
    with _run(folder, topology, folder / f"whole-{topology}", temporary, uuid4().hex) as run:
        status = run.wait()
    if status != 0:
        raise SystemExit(f"a whole run of {topology} ended with {status}: see runs.txt")
    seconds = round(time.monotonic() - begin, 3)
    entry = {"whole": topology, "seconds": seconds, "differs": []}
    append(folder / RESULTS, entry | {"left": _files(temporary)})
    return seconds


def _run(
    folder: Path, topology: str, output: Path, temporary: Path, mark: str
) -> subprocess.Popen[bytes]:
    argv = [sys.executable, str(ROOT / "plumbline"), "run", "--workers", "1"]
    argv += ["--topology", topology, "--claim", CLAIMS[topology], "--output", str(output)]
    with (folder / "runs.txt").open("ab") as said:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=folder,
            env=os.environ | {MARK: mark, "TMPDIR": str(temporary)},
            start_new_session=True,
        )


def _of_run(mark: str, spaces: set[str]) -> Iterator[int]:
    """Give the processes of a run: with its mark, or in its namespaces."""
    variable = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            marked = variable in (entry / "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if marked or _namespaces({int(entry.name)}) & spaces:
            yield int(entry.name)


def _namespaces(pids: set[int]) -> set[str]:
    found = set()
    for pid in pids:
        for kind in ("net", "mnt", "pid"):
            try:
                found.add(str(Path(f"/proc/{pid}/ns/{kind}").readlink()))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
    return found


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _processes(mark: str, spaces: set[str], since: float) -> list[str]:
    """Return the processes of a run that are older than that moment.

    The kernel gives the number of a namespace that is gone to the next one, of another run.
    """
    return [
        f"process {pid} {_words(pid).decode(errors='replace').replace(chr(0), ' ')}"
        for pid in _of_run(mark, spaces)
        if (ticks := started(pid)) is not None and int(ticks) / TICKS_PER_S < since
    ]


def _machine() -> dict[str, set[str]]:
    """Return what is on this machine that a run in a sandbox has no business with."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    names = Path("/run/netns")
    return {
        "link": {each.name for each in LINKS.iterdir()},
        "mount": {line.split()[4] for line in mounts},
        "namespace": {each.name for each in names.iterdir()} if names.exists() else set(),
        "folder": {str(each) for each in Path("/run").glob("plumbline*")},
        "lock": {str(each) for each in cache_dir().glob("*.lock") if _is_free(each)},
        # Those of labs and staged hosts are of other runs.
        "half built": {str(each) for each in cache_dir().glob("guest-image/build-*")},
    }


def _is_free(lock: Path) -> bool:
    """Whether a lock has no holder: those of other runs, and of other kinds of hosts, aside."""
    return not lock.name.startswith("host-") and not is_held(lock)


def _left(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    return [f"{kind} {each}" for kind in before for each in sorted(after[kind] - before[kind])]


def _files(temporary: Path) -> list[str]:
    return [f"temporary file {each.relative_to(temporary)}" for each in temporary.rglob("*")]
