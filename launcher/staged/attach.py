# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder of this machine, mounted in the mount namespace of another process.

A mount is cloned here and moved there; so it is seen neither before the host has started, when its
systemd empties /tmp, nor anywhere else. Unless it is writable an overlay covers it: what is written
to it stays in the host's memory.

Source: open_tree(2), move_mount(2), mount_setattr(2).
"""

import ctypes
import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

from fixtures.host.namespace_init import mount

# The numbers of these calls are those of every architecture.
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 4
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
CLONE_NEWNS = 0x20000
# Folders of the host, below which each such folder has one for the mount and for what is written.
SEEN, WRITTEN = Path("/run/plumbline-seen"), Path("/run/plumbline-written")
_libc = ctypes.CDLL(None, use_errno=True)


def attach(folder: Path, place: Path, pid: int, *, writable: bool) -> None:
    """Mount a folder of this machine in a process's mount namespace.

    Args:
        folder: the folder, absolute.
        place: its path there, absolute.
        pid: a process in the mount namespace.
        writable: whether what is written there is written to this machine's folder.

    Raises:
        OSError: the kernel refuses.
    """
    tree = _call(OPEN_TREE, AT_FDCWD, str(folder).encode(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
    try:
        attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
        attributes |= 0 if writable else MOUNT_ATTR_RDONLY
        # struct mount_attr: attr_set, attr_clr, propagation, userns_fd
        wanted = struct.pack("QQQQ", attributes, 0, 0, 0)
        _call(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, wanted, len(wanted))
        _in_namespace(pid, lambda: _place(tree, place, writable=writable))
    finally:
        os.close(tree)


def _place(tree: int, folder: Path, *, writable: bool) -> None:
    """Put a cloned mount in its place, in the namespace of this process."""
    folder.mkdir(parents=True, exist_ok=True)
    if writable:
        _move(tree, folder)
        return
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    upper, work = WRITTEN / name / "upper", WRITTEN / name / "work"
    for each in (SEEN / name, upper, work):
        each.mkdir(parents=True)
    _move(tree, SEEN / name)
    options = f"lowerdir={SEEN / name},upperdir={upper},workdir={work}"
    mount("overlay", str(folder), "overlay", 0, options)


def _move(tree: int, place: Path) -> None:
    _call(MOVE_MOUNT, tree, b"", AT_FDCWD, str(place).encode(), MOVE_MOUNT_F_EMPTY_PATH)


def _in_namespace(pid: int, act: Callable[[], None]) -> None:
    """Have a child enter a process's mount namespace, act there, and end."""
    namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if _libc.setns(namespace, CLONE_NEWNS) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            act()
            status = 0
        except OSError as error:
            status = error.errno or 1
        finally:
            os._exit(status)
    os.close(namespace)
    _, status = os.waitpid(child, 0)
    if (code := os.waitstatus_to_exitcode(status)) != 0:
        raise OSError(code, os.strerror(code))


def _call(number: int, *arguments: int | bytes) -> int:
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    returned = _libc.syscall(ctypes.c_long(number), *words)
    if returned < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(returned)
