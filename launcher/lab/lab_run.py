# SPDX-License-Identifier: GPL-2.0-or-later
"""A run in a lab: the folders that it sees of this machine, its begin and its end."""

import argparse
import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from contracts.run_files import LAB_CONSOLE, LATEST, RECORD
from contracts.run_options import NIC_OPTIONS
from fixtures.guest import image as guest_images
from fixtures.guest import kvm_proof
from fixtures.plugin.run_folder import make
from launcher import packages, setup
from launcher.cache import cache_dir, make_cache_dir
from launcher.lab import disk_image, lab_machine, qemu
from launcher.lab.job import Share
from launcher.launcher_error import LauncherError, UsageError
from launcher.lock import locked
from launcher.progress import Progress
from launcher.pytest_command import ROOT, pytest_argv
from topologies import cli_names

# Their content belongs to the release on the disk; this machine's folders do not cover it.
OWN_FOLDERS = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr")
OWN_IN_VAR = ("cache", "lib", "log", "lib/libvirt", "lib/openvswitch")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(options: argparse.Namespace, words: Sequence[str], command: Sequence[str]) -> int:
    """Run pytest with these options and words in a lab, and return its exit status.

    Args:
        options: the options of a run, all of them.
        words: pytest's own words, passed on unchanged.
        command: the command as typed, for the record.

    Raises:
        LauncherError: the lab could not be built or booted, or it ended too early.
    """
    release = disk_image.require_known(options.release or disk_image.DEFAULT)
    _refuse_what_a_lab_has_itself(options)
    _require_backends(release, options.firewall_backend)
    seen = _seen_folders(options)
    setup.ensure(release, lab=True)
    progress = Progress()
    emulator = qemu.emulator(progress)
    disk = disk_image.ensure(release, progress)
    guest_image = setup.cached_image()
    if guest_image is None:
        raise LauncherError("the guest image is gone from the cache", "./plumbline image build")
    under = _accel(guest_image)
    options.workers, options.pf, options.peer_nic, options.spare_nic = (
        "1",
        qemu.PF,
        qemu.PEER_NIC,
        qemu.SPARE_NIC,
    )
    with _cache_in_use(), _record(options) as record:
        progress(f"lab: {release} boots, under {under}; its NICs lead nowhere but to one another")
        read = {ROOT, guest_image.kernel.parent.resolve(), *seen} - {record}
        plan = lab_machine.Plan(
            image=disk,
            accel=under,
            shares=[
                Share("record", record, writable=True),
                *(Share(f"folder{n}", folder) for n, folder in enumerate(sorted(read))),
            ],
            command=["python3", *pytest_argv(options, words, command)],
            environment={
                "PATH": PATH,
                "HOME": "/root",
                "LANG": "C.UTF-8",
                "COLUMNS": str(shutil.get_terminal_size((100, 24)).columns),
                "PLUMBLINE_CACHE": str(cache_dir().resolve()),
                "PYTHONPYCACHEPREFIX": str(disk.kept / disk_image.COMPILED),
            },
            folder=Path.cwd(),
            console=record / LAB_CONSOLE,
            firewall_backend=options.firewall_backend,
        )
        return lab_machine.run(plan, emulator, progress)


def _refuse_what_a_lab_has_itself(options: argparse.Namespace) -> None:
    if options.workers not in ("auto", "1"):
        raise UsageError(
            f"--workers {options.workers}: a lab is one host, for one topology at a time",
            "leave it out",
        )
    for option in NIC_OPTIONS:
        if (nic := getattr(options, option.name)) is not None:
            raise UsageError(f"{option.flag} {nic}: a lab brings its NICs along", "leave it out")


def _require_backends(release: str, backend: str | None) -> None:
    if backend is not None and release not in disk_image.WITH_BACKENDS:
        raise UsageError(
            f"--firewall-backend {backend}: the libvirt of {release} has only iptables; one takes "
            "the setting from 10.4 on",
            f"leave it out, or --release {' or '.join(disk_image.WITH_BACKENDS)}",
        )


def _seen_folders(options: argparse.Namespace) -> set[Path]:
    """Return the folders of this machine with files that the options name; the lab mounts them.

    The files' names become absolute.

    Raises:
        UsageError: the lab has its own folder of that name.
    """
    folders: set[Path] = set()
    for name in ("topology", "fault"):
        given = getattr(options, name, [])
        for number, word in enumerate(given):
            if Path(word).suffix in cli_names.SUFFIXES:
                file = Path(word).resolve()
                _require_not_own(file.parent, f"--{name} {word}")
                given[number] = str(file)
                folders.add(file.parent)
    if not _is_own(Path.cwd()):
        folders.add(Path.cwd())
    elif options.after_build:
        _require_not_own(Path.cwd(), "--after-build: the current folder")
    return folders


def _require_not_own(folder: Path, what: str) -> None:
    if _is_own(folder):
        raise UsageError(
            f"{what}: a lab has a {folder} of its own, which is not this machine's",
            "copy it to another folder, such as your home",
        )


def _is_own(folder: Path) -> bool:
    """Whether a folder belongs to a system, and the lab has its own."""
    top, *rest = folder.parts[1:] or ("bin",)
    return top in OWN_FOLDERS or (top == "var" and (not rest or "/".join(rest) in OWN_IN_VAR))


@contextlib.contextmanager
def _cache_in_use() -> Iterator[None]:
    """Keep `clean` from removing files that the lab uses."""
    lock = make_cache_dir() / f"lab-{os.getpid()}.lock"
    with locked(lock, lambda: None):
        yield


@contextlib.contextmanager
def _record(options: argparse.Namespace) -> Iterator[Path]:
    """Make the folder for the record; it is removed if the run was refused and wrote none.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        record = make(options.output).resolve()
    except OSError as error:
        raise UsageError(f"--output: {error}", "name another folder") from error
    options.output = record
    # Not after a failure of the lab: the reason is in its console.
    yield record
    _tame(record)
    if not (record / RECORD).exists():
        shutil.rmtree(record)
        latest = record.parent / LATEST
        if latest.is_symlink() and not latest.exists():
            latest.unlink()


def _tame(folder: Path) -> None:
    """Remove links, devices and set-uid bits, which root in a lab could have left for us."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                path.chmod(stat.S_IMODE(mode) & 0o777)
            else:
                path.unlink()


def _accel(guest_image: guest_images.Image) -> str:
    """Return the lab's own accelerator: KVM where a guest proves to boot under it."""
    own = packages.find(qemu.NAME)
    return "kvm" if own is not None and kvm_proof.kvm(guest_image, own).proven else "tcg"
