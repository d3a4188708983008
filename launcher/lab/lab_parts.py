# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lab is booted of, on this machine: its disk, an emulator, the guest image, the clone."""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures.guest import image as guest_images
from fixtures.guest import kvm_proof
from launcher import packages, setup
from launcher.cache import cache_dir
from launcher.lab import disk_image, qemu
from launcher.lab.job import Share
from launcher.lab.lab_machine import Plan
from launcher.launcher_error import LauncherError
from launcher.progress import Progress
from launcher.pytest_command import ROOT
from launcher.staged.profile import Profile

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class LabParts:
    """The parts of a lab.

    Attributes:
        disk: its disk.
        emulator: the QEMU that has its NICs.
        guest_image: that of the guests in it.
        accel: the lab's own accelerator, `kvm` or `tcg`.
        profile: the profile of its host; None: it is an empty one.
    """

    disk: disk_image.Image
    emulator: qemu.Emulator
    guest_image: guest_images.Image
    accel: str
    profile: Profile | None

    @property
    def shown(self) -> str:
        """The words for a lab of them."""
        release = self.disk.release
        return release if self.profile is None else f"{release}, profile {self.profile.name},"

    def plan(
        self,
        command: Sequence[str],
        console: Path,
        seen: Collection[Path] = (),
        written: Sequence[Share] = (),
        firewall_backend: str | None = None,
    ) -> Plan:
        """Return the orders for a lab that runs a command with the clone and the guest image.

        Args:
            command: the command; it is run in the current folder, if the lab sees that.
            console: the file for the lab's serial console.
            seen: more folders of this machine that it sees.
            written: those that it may write to.
            firewall_backend: the backend of libvirt's rules; None: libvirt's choice.
        """
        read = {ROOT, self.guest_image.kernel.parent.resolve(), *seen}
        read -= {share.folder for share in written}
        return Plan(
            image=self.disk,
            accel=self.accel,
            shares=[
                *written,
                *(Share(f"folder{n}", folder) for n, folder in enumerate(sorted(read))),
            ],
            command=command,
            environment={
                "PATH": PATH,
                "HOME": "/root",
                "LANG": "C.UTF-8",
                "COLUMNS": str(shutil.get_terminal_size((100, 24)).columns),
                "PLUMBLINE_CACHE": str(cache_dir().resolve()),
                "PYTHONPYCACHEPREFIX": str(self.disk.compiled),
            },
            folder=Path.cwd(),
            console=console,
            firewall_backend=firewall_backend,
            profile=self.profile,
        )


def set_up(release: str, profile: Profile | None = None) -> None:
    """Set up what a lab needs of this machine, and what builds its disk if that is not cached.

    Raises:
        LauncherError: something could not be made.
    """
    setup.ensure(release, lab=True, staged=disk_image.cached(release, profile) is None)


def lab_parts(release: str, profile: Profile | None, progress: Progress) -> LabParts:
    """Set up what a lab needs, and return it.

    Raises:
        LauncherError: a part could not be built.
    """
    set_up(release, profile)
    emulator = qemu.emulator(progress)
    disk = disk_image.ensure(release, progress, profile)
    guest_image = setup.cached_image()
    if guest_image is None:
        raise LauncherError("the guest image is gone from the cache", "./plumbline image build")
    return LabParts(disk, emulator, guest_image, _accel(guest_image), profile)


def _accel(guest_image: guest_images.Image) -> str:
    """Return the lab's own accelerator: KVM where a guest proves to boot under it."""
    own = packages.find(qemu.NAME)
    return "kvm" if own is not None and kvm_proof.kvm(guest_image, own).proven else "tcg"
