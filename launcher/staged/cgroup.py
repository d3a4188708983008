# SPDX-License-Identifier: GPL-2.0-or-later
"""The control group of a staged host: one for each, below the root of the machine's cgroup2.

Run as a module it lists those of hosts whose keeper was killed, or removes them, for `clean`. The
hierarchy is mounted in this process's own mount namespace: the machine need not have it mounted.

Source: the kernel's "Control Group v2".
"""

import contextlib
import ctypes
import os
import select
import sys
import time
from pathlib import Path

from fixtures.host.namespace_init import (
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    mount,
)

CLONE_NEWNS = 0x20000
MOUNT = Path("/sys/fs/cgroup")
PREFIX = "plumbline-staged-"
# The kernel has killed its processes by then; what takes time is a QEMU's memory.
EMPTY_DEADLINE_S = 30.0
POLL_MS = 200


def enter_own_mounts() -> None:
    """Give this process mounts of its own, with the hierarchy in them; it may be there already.

    Raises:
        OSError: the kernel refuses; no root, or no cgroup2.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"unshare: {os.strerror(code)}")
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    # A second mount of it on one place is EBUSY.
    if not (MOUNT / "cgroup.controllers").exists():
        mount("cgroup2", str(MOUNT), "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def make() -> Path:
    """Make the group of the host that this process keeps."""
    group = MOUNT / f"{PREFIX}{os.getpid()}"
    group.mkdir()
    return group


def remove(group: Path) -> None:
    """Kill what is left in a group, and remove it with those below it.

    Raises:
        OSError: it is still populated after `EMPTY_DEADLINE_S`.
    """
    (group / "cgroup.kill").write_text("1")
    end = time.monotonic() + EMPTY_DEADLINE_S
    with (group / "cgroup.events").open() as events:
        changed = select.poll()
        changed.register(events, select.POLLPRI)
        # The kernel marks the file as changed; reading it takes the mark away.
        while _populated(group) and time.monotonic() < end:
            events.seek(0)
            events.read()
            changed.poll(POLL_MS)
    for place, _, _ in os.walk(group, topdown=False):
        Path(place).rmdir()


def left_behind() -> list[Path]:
    """Return the groups of hosts whose keeper was killed."""
    groups = sorted(MOUNT.glob(f"{PREFIX}*"))
    return [
        group
        for group in groups
        if not Path("/proc", group.name.removeprefix(PREFIX)).exists() and not _populated(group)
    ]


def main() -> None:
    """Print the groups that were left behind, and with `--remove` remove them."""
    enter_own_mounts()
    for group in left_behind():
        if sys.argv[1:] == ["--remove"]:
            remove(group)
        print(group.name)


def _populated(group: Path) -> bool:
    # "populated 0\nfrozen 0\n"
    with contextlib.suppress(FileNotFoundError):
        return "populated 1" in (group / "cgroup.events").read_text()
    return False


if __name__ == "__main__":
    main()
