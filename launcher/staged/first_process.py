# SPDX-License-Identifier: GPL-2.0-or-later
"""The first process of a staged host: it lays the file systems, and becomes systemd.

Run by `launcher.staged.keeper` in new namespaces. It reports its process id, as the machine counts,
on standard output. The machine's own settings are out of reach for what runs here: /proc/sys and
/sys are read-only but for those of the namespaces, and the bounding set lacks
`launcher.staged.privileges.WITHHELD`.

Source: systemd, "The Container Interface".
"""

import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures.host.namespace_init import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    become_root,
    mount,
)
from launcher.staged import privileges
from launcher.staged.host_state import UPPER, WORK
from launcher.staged.own_files import identify, masks, put
from launcher.staged_detection import MARK

HARDENED = MS_NOSUID | MS_NODEV | MS_NOEXEC
# Device nodes of the machine that every process may use. The second line is for guests.
DEVICES = (
    *("null", "zero", "full", "random", "urandom", "tty"),
    *("net/tun", "kvm", "vhost-net", "vhost-vsock"),
)
# Files of /proc by which root reaches the machine's kernel and devices.
READ_ONLY_PROC = ("sysrq-trigger", "acpi", "bus", "fs", "irq", "mtrr", "scsi", "asound")
# Those of the host's own network namespace.
WRITABLE_PROC, WRITABLE_SYS = "sys/net", "devices/virtual/net"
# No variable of this process's reaches it.
ENVIRONMENT = {"container": MARK, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
INIT = "/sbin/init"
# The connections that the machine's FUSE file systems have, with a file that cuts each.
MASKED = ("sys-fs-fuse-connections.mount",)


def lay(layers: Sequence[str], state: str | None) -> None:
    """Make an overlay the root file system.

    Args:
        layers: its read-only folders, the upper ones first.
        state: the folder for what is written to it; None: it stays in memory.
    """
    # Opened before /run is covered, where they may lie; and a path may hold what separates options.
    opened = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in layers]
    kept = None if state is None else os.open(state, os.O_PATH | os.O_DIRECTORY)
    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    lower = ":".join(f"/proc/self/fd/{handle}" for handle in opened)
    written = "/run/staged"
    if kept is not None:
        opened.append(kept)
        written = f"/proc/self/fd/{kept}"
    root, upper, work = Path("/run/staged/root"), Path(written, UPPER), Path(written, WORK)
    for each in (root, upper, work):
        each.mkdir(parents=True, exist_ok=True)
        each.chmod(0o755)
    mount("overlay", str(root), "overlay", 0, f"lowerdir={lower},upperdir={upper},workdir={work}")
    for name in ("proc", "sys", "dev", "run", "tmp"):
        (root / name).mkdir(exist_ok=True)
    _lay_proc(root / "proc")
    _lay_sys(root / "sys")
    _lay_dev(root / "dev")
    mount("tmpfs", f"{root}/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    for handle in opened:
        os.close(handle)
    become_root(root)


def _lay_proc(proc: Path) -> None:
    mount("proc", str(proc), "proc", HARDENED)
    _read_only(proc / "sys")
    _writable(proc / WRITABLE_PROC)
    for name in READ_ONLY_PROC:
        if (proc / name).exists():
            _read_only(proc / name)


def _lay_sys(sys_: Path) -> None:
    # Without a fresh sysfs /sys/class/net shows the links of the machine.
    mount("sysfs", str(sys_), "sysfs", HARDENED)
    mount("none", str(sys_), "none", MS_BIND | MS_REMOUNT | MS_RDONLY | HARDENED)
    _writable(sys_ / WRITABLE_SYS)
    # The namespace's root is the cgroup that the keeper made; nothing above is seen.
    mount("cgroup2", str(sys_ / "fs/cgroup"), "cgroup2", HARDENED)


def _read_only(place: Path) -> None:
    mount(str(place), str(place), "none", MS_BIND | MS_REC)
    mount("none", str(place), "none", MS_BIND | MS_REMOUNT | MS_RDONLY | HARDENED)


def _writable(place: Path) -> None:
    mount(str(place), str(place), "none", MS_BIND)
    mount("none", str(place), "none", MS_BIND | MS_REMOUNT | HARDENED)


def _lay_dev(dev: Path) -> None:
    mount("tmpfs", str(dev), "tmpfs", MS_NOSUID, "mode=0755")
    for name in DEVICES:
        node = Path("/dev", name)
        if node.exists():
            _bind(str(node), dev / name)
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    options = "newinstance,ptmxmode=0666,mode=0620,gid=5"
    mount("devpts", str(dev / "pts"), "devpts", MS_NOSUID | MS_NOEXEC, options)
    mount("tmpfs", str(dev / "shm"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    (dev / "ptmx").symlink_to("pts/ptmx")
    (dev / "fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (dev / name).symlink_to(f"/proc/self/fd/{number}")


def _bind(source: str, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    place.touch()
    mount(source, str(place), "none", MS_BIND)


def main() -> None:
    """Lay the host as ordered by the argument, report it, and become its systemd."""
    # The machine's /proc is still mounted here, so this is the process id as seen from there.
    outer_pid = Path("/proc/self").readlink()
    orders = json.loads(sys.argv[1])
    try:
        lay(orders["layers"], orders["state"])
        socket.sethostname(orders["hostname"])
        if orders["is_new"]:
            identify(orders["hostname"])
            masked = masks(MASKED, orders["masked"], orders["enabled"], orders["files"])
            put(orders["files"], masked, orders["enabled"])
        privileges.drop()
    except (OSError, LookupError) as error:
        print(f"failed {error!r}", flush=True)
        sys.exit(1)
    print(f"ready {outer_pid}", flush=True)
    nothing = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.execve(INIT, [INIT], ENVIRONMENT)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
