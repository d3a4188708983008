# SPDX-License-Identifier: GPL-2.0-or-later
"""A run in a lab: what it sees of this machine, and how it begins and ends."""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from fixtures.guest import accel
from fixtures.guest import image as guest_images
from fixtures.output import make
from launcher import packages, setup
from launcher.cache import cache_dir
from launcher.errors import LauncherError, UsageError
from launcher.lab import image, machine, qemu
from launcher.lab.qemu import Share
from launcher.progress import Progress
from launcher.run import ROOT, pytest_argv
from topologies import naming

CONSOLE = "lab-console.txt"
# Where interpreters keep what they have compiled, for the next lab.
COMPILED = "compiled"
OWN_FOLDERS = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(
    options: argparse.Namespace, words: Sequence[str], command: Sequence[str], files: Iterable[str]
) -> int:
    """Run pytest with these options and words in a lab, and return its exit status.

    Args:
        options: the options of a run, all of them.
        words: what goes to pytest as it is.
        command: what was typed, for the record.
        files: topologies and faults as they were named; those that are files are shared.

    Raises:
        LauncherError: the lab could not be built or booted, or it ended too early.
    """
    release = image.require_known(options.release or image.DEFAULT)
    _require_one_worker(options)
    setup.ensure(release, lab=True)
    progress = Progress()
    emulator = qemu.emulator(progress)
    disk = image.ensure(release, progress)
    guest_image = setup.cached_image()
    if guest_image is None:
        raise LauncherError("the guest image is gone from the cache", "./plumbline image build")
    options.release = None
    options.workers = "1"
    for name, nic in (("pf", qemu.PF), ("wire", qemu.WIRE), ("whole", qemu.WHOLE)):
        setattr(options, name, getattr(options, name) or nic)
    record = make(None if options.output is None else str(options.output))
    options.output = record
    shares = _shares(record, guest_image.kernel.parent, files)
    under = _accel(guest_image)
    progress(f"lab: {release} boots, under {under}; its NICs lead nowhere but to one another")
    plan = machine.Plan(
        image=disk,
        accel=under,
        shares=shares,
        command=["python3", *pytest_argv(options, words, command)],
        environment={
            "PATH": PATH,
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "COLUMNS": str(_columns()),
            "PLUMBLINE_CACHE": str(cache_dir()),
            "PYTHONPYCACHEPREFIX": str(disk.kept / COMPILED),
        },
        folder=Path.cwd(),
        console=record / CONSOLE,
        firewall_backend=options.firewall_backend,
    )
    return machine.run(plan, emulator, progress)


def _require_one_worker(options: argparse.Namespace) -> None:
    if options.workers not in ("auto", "1"):
        raise UsageError(
            f"--workers {options.workers}: a lab is one host, for one topology at a time",
            "leave it out",
        )


def _shares(record: Path, guest_image: Path, files: Iterable[str]) -> list[Share]:
    """Return what the lab sees of this machine, each folder once."""
    wanted = [Path.cwd()]
    wanted += [Path(f).resolve().parent for f in files if Path(f).suffix in naming.SUFFIXES]
    folders = {ROOT, guest_image, record, *(each for each in wanted if not _is_systems(each))}
    return [
        Share(f"folder{number}", folder, writable=folder == record)
        for number, folder in enumerate(sorted(folders))
    ]


def _is_systems(folder: Path) -> bool:
    """Whether a folder belongs to a system, and the lab has its own."""
    return folder in (Path("/"), Path("/var")) or folder.parts[1] in OWN_FOLDERS


def _accel(guest_image: guest_images.Image) -> str:
    """Return what the lab itself runs under: KVM where a guest proves to boot under it."""
    own = packages.find(qemu.NAME)
    return "kvm" if own is not None and accel.kvm(guest_image, own).proven else "tcg"


def _columns() -> int:
    try:
        return os.get_terminal_size().columns
    except OSError:
        return 100
