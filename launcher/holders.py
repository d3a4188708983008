# SPDX-License-Identifier: GPL-2.0-or-later
"""The processes that hold sandboxes, found by their arguments, and ended when orphaned.

A sandbox ends when the pipe to its harness closes, so there is no orphan unless another process
inherited that pipe, or the holder hangs in the kernel.
"""

import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

from launcher.launcher_error import LauncherError

# The end of the path that a sandbox's first process, and the unshare that starts it, are run with.
MARK = "fixtures/host/namespace_init.py"
HARNESS = "--harness"
# The kernel takes a sandbox's daemons and guests down with it; that took 50 ms with two guests.
END_DEADLINE_S = 10.0
PROC = Path("/proc")
# Fields of /proc/PID/stat behind the name.
STATE, PARENT = 0, 1


@dataclass(frozen=True)
class Holder:
    """A process that holds a sandbox.

    Attributes:
        pid: its id.
        harness: the id of the harness that started it, from its arguments.
    """

    pid: int
    harness: int


def holders() -> list[Holder]:
    """Return every process that holds a sandbox of any harness on this machine."""
    pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
    return [holder for pid in sorted(pids) if (holder := _read(pid)) is not None]


def orphans() -> list[Holder]:
    """Return the holders whose harness is gone: of each sandbox the topmost process."""
    gone = [holder for holder in holders() if not _lives(holder.harness)]
    pids = {str(holder.pid) for holder in gone}
    # unshare kills its child when it ends (--kill-child).
    return [holder for holder in gone if _stat(holder.pid, PARENT) not in pids]


def end(holder: Holder) -> bool:
    """End an orphaned holder and wait for its end; return whether it was still there.

    Raises:
        LauncherError: it is another user's, or it outlives SIGKILL.
    """
    try:
        handle = os.pidfd_open(holder.pid)
    except ProcessLookupError:
        return False
    try:
        # The id may have gone to another process since it was read; the handle can't.
        if _read(holder.pid) != holder or _lives(holder.harness):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        if not select.select([handle], [], [], END_DEADLINE_S)[0]:
            raise LauncherError(
                f"process {holder.pid} ({MARK}) outlives SIGKILL by {END_DEADLINE_S:g} s",
                f"see what the kernel waits for: cat /proc/{holder.pid}/stack",
            )
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise LauncherError(
            f"process {holder.pid} ({MARK}) belongs to another user", "sudo ./plumbline clean"
        ) from error
    finally:
        os.close(handle)
    return True


def _read(pid: int) -> Holder | None:
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None  # it ended meanwhile, or is hidden from us (hidepid) and so not ours
    script = any(word.endswith(MARK) for word in words)
    after = words[words.index(HARNESS) + 1 :][:1] if HARNESS in words else []
    if not (script and after and after[0].isdecimal()):
        return None
    # In a container on this machine the harness's id is another one than here, and would seem to
    # be gone: unshare must live in our own PID namespace, and what it started just one below.
    deep = 1 if Path(words[0]).name == "unshare" else 2
    return Holder(pid, int(after[0])) if _depth(pid) == deep else None


def _depth(pid: int) -> int:
    """Return how many PID namespaces a process is in, counted from ours; 0 if it ended."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # "NSpid:\t4242\t1": its id here, and in each namespace below.
    ids = next((line for line in status.splitlines() if line.startswith("NSpid:")), "")
    return len(ids.split()) - 1


def _lives(pid: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    return _stat(pid, STATE) not in (None, "Z", "X")


def _stat(pid: int, field: int) -> str | None:
    """Return a field of a process's stat, or None if the process is gone."""
    try:
        # "4242 (python3) S 1 …": the name may hold blanks and brackets, so what follows is counted.
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[field]
    except (FileNotFoundError, ProcessLookupError):
        return None
