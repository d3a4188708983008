# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run may leave on a host beside its configuration, which the snapshot has.

Links, rules, networks, guests and bridges are in the snapshot; here are mounts, processes, network
namespaces, control groups and files.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from launcher.cache import cache_dir

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("/run", "/var", "/etc", "/tmp", "/dev/shm", "/root")  # noqa: S108 - looked at only
# What systemd, its journal and the packages' daemons write at any time, and the folders that a
# staged host sees of the machine.
MOVING_FOLDERS = (
    *("/run/systemd", "/run/log", "/run/user", "/run/udev", "/run/plumbline-seen"),
    *("/run/plumbline-written", "/run/staged", "/var/log/journal", "/var/lib/systemd"),
    *("/var/cache/plumbline", "/var/cache/libvirt/qemu/capabilities", "/run/credentials"),
)
# Paths with the reason why each is not a run's leftover.
STAYS: Mapping[str, str] = {
    r"/var/lib/plumbline": "the folder of the journal",
    r"/var/lib/plumbline/(run|lock)": "the lock of runs, and that of taking down; both are free",
    r"/var/lib/plumbline/taken-down\.log": "the guardian's account, docs/bare-metal.md",
    r"/run/(libvirtd|virtlogd|virtlockd)\.pid": "a daemon of a socket, which starts when asked",
    r"/run/libvirt/.*": "libvirtd's own folders; networks and guests are in the snapshot",
    r"/var/log/libvirt/qemu(/plumb\d+-.*\.log(\.\d+)?)?": "libvirt's log of a guest, as of any",
    r"/var/lib/libvirt/qemu/channel/target": "a folder that libvirt makes for the first guest",
    r"/var/lib/libvirt/qemu/qmp-\w{6}(/.*)?": "libvirt's probe of a QEMU, which a power cut ended",
    r"/var/lib/libvirt/dnsmasq|/run/netns": "a folder for the first network, or namespace, of any",
    r"/var/log/openvswitch/.*": "its log",
    r"/var/lib/libvirt/dnsmasq/virbr\d+\.(macs|status)": "of a host's own network",
    r"/var/lib/sudo(/.*)?|/var/lib/dbus/.*|/var/lib/private(/.*)?": "of the host's services",
    r"(/\w+)+/systemd-private-.*|/run/openvswitch/.*\.ctl": "of a service, by its start",
    r"/etc/\.pwd\.lock|/run/utmp|/run/motd.*": "of the host's services",
}
_stays = re.compile("|".join(f"(?:{each})" for each in STAYS))
# A socket's daemon, and a helper of systemd's.
PASSING = re.compile(r"--timeout[ =]\d+|^/(usr/)?(lib/systemd|sbin/virtlog|sbin/virtlock)|^\(")


def listed(own: Path) -> dict[str, set[str]]:
    """Return what is on the host now, by kind.

    Args:
        own: the folder of this benchmark's own files, which is left out.
    """
    return {
        "mount": _mounts(own),
        "process": set(_processes()),
        "network namespace": set(_namespaces()),
        "control group": _control_groups(),
        "file": set(_files(own)),
    }


def left(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> list[str]:
    """Return what is there that was not before, one line for each thing."""
    return [f"{kind} {each}" for kind in before for each in sorted(after[kind] - before[kind])]


def _mounts(own: Path) -> set[str]:
    # "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = {(line.split()[4], line.partition(" - ")[2].split()[0]) for line in lines}
    # The first namespace of any makes a file system for their names.
    places.discard(("/run/netns", "tmpfs"))
    moving = ("/run/user/", "/run/credentials/", str(own))
    return {f"{place} ({kind})" for place, kind in places if not place.startswith(moving)}


def _ids() -> Iterator[Path]:
    return (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _processes() -> Iterator[str]:
    """Give each process but this one's ancestors, as its arguments."""
    mine, pid = set(), os.getpid()
    while pid > 0:
        mine.add(str(pid))
        stat = Path(f"/proc/{pid}/stat").read_text()
        pid = int(stat.rpartition(")")[2].split()[1])
    for entry in _ids():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        said = " ".join(words).strip()
        if entry.name not in mine and said and not PASSING.search(said):
            yield said


def _namespaces() -> Iterator[str]:
    """Give each network namespace by its number, of a process or with a name."""
    for entry in _ids():
        try:
            yield str((entry / "ns/net").readlink())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    for name in Path("/run/netns").glob("*"):
        yield f"net:[{name.stat().st_ino}]"
        yield str(name)


def _control_groups() -> set[str]:
    groups = Path("/sys/fs/cgroup/machine.slice")
    return {str(each) for each in groups.rglob("*") if each.is_dir()}


def _files(own: Path) -> Iterator[str]:
    hidden = {*MOVING_FOLDERS, str(own), str(ROOT), str(cache_dir())}
    for top in FOLDERS:
        for place, folders, names in os.walk(top):
            folders[:] = [name for name in folders if f"{place}/{name}" not in hidden]
            for name in (*folders, *names):
                path = f"{place}/{name}"
                if not _stays.fullmatch(path) and "/__pycache__" not in path:
                    yield path
