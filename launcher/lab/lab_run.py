# SPDX-License-Identifier: GPL-2.0-or-later
"""A run in a lab: the folders that it sees of this machine, its begin and its end."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from contracts.run_files import LAB_CONSOLE
from contracts.run_options import NIC_OPTIONS
from fixtures.guest import image as guest_images
from fixtures.guest import kvm_proof
from launcher import firewall_backend, inner_record, packages, seen_folders, setup
from launcher.cache import cache_dir
from launcher.lab import disk_image, lab_machine, qemu
from launcher.lab.job import Share
from launcher.launcher_error import LauncherError, UsageError
from launcher.progress import Progress
from launcher.pytest_command import ROOT, pytest_argv

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
    firewall_backend.require(release, options.firewall_backend)
    seen = seen_folders.named(options)
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
    with inner_record.cache_in_use(), inner_record.made(options) as record:
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


def _accel(guest_image: guest_images.Image) -> str:
    """Return the lab's own accelerator: KVM where a guest proves to boot under it."""
    own = packages.find(qemu.NAME)
    return "kvm" if own is not None and kvm_proof.kvm(guest_image, own).proven else "tcg"
