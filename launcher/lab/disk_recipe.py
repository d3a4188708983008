# SPDX-License-Identifier: GPL-2.0-or-later
"""The recipes of a lab's disk: a release alone, or the root of a staged host with a kernel."""

import hashlib
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from launcher import debootstrap, libraries
from launcher.release import host_packages
from launcher.staged import root_folder
from launcher.staged.profile import Profile

# What a machine needs to boot by itself, and to show its devices.
KERNEL_PACKAGES = ("linux-image-amd64", "initramfs-tools", "pciutils")
# Beyond a host's packages, with the harness's interpreter.
PACKAGES = (*KERNEL_PACKAGES, "udev", *libraries.PACKAGES)
# In the folder of an image: its root while it is built; and below what labs of it keep for the
# next, where interpreters keep what they have compiled.
ROOT, KEPT, COMPILED = "root", "kept", "compiled"
FIRST = Path(__file__).with_name("guestside") / "init"


@dataclass(frozen=True)
class Recipe(ABC):
    """What a disk is made of.

    Attributes:
        release: the release on it.
        init: the place of a lab's first process, in the root.
        words: the kernel's words beside those of every lab.
        disk_mib: the size of the file system, of which what is used takes up room.
        space_mib: all that building it needs at once.
    """

    release: str
    init: ClassVar[str]
    words: ClassVar[str]
    disk_mib: ClassVar[int]
    space_mib: ClassVar[int]

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return f"lab image {self.release}"

    @property
    def name(self) -> str:
        """The name of its image's folder, which is another one for each recipe."""
        known = hashlib.sha256("\n".join(self.parts).encode())
        own = Path(__file__)
        for file in (FIRST, own, own.with_name("disk_image.py"), Path(libraries.__file__)):
            known.update(b"\0" + file.read_bytes())
        return f"{self.release}-{known.hexdigest()[:12]}"

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]:
        """What it depends on, beside files of the harness."""

    @abstractmethod
    def make_root(self, folder: Path, progress: Callable[[str], None]) -> None:
        """Make the root, and what labs keep, in the folder of an image.

        Raises:
            LauncherError: it could not be built.
        """


@dataclass(frozen=True)
class PlainRecipe(Recipe):
    """A release with a host's packages, without systemd: it boots soonest."""

    init = "sbin/init"
    words = ""
    disk_mib, space_mib = 1400, 2600

    @property
    def parts(self) -> tuple[str, ...]:
        """See `Recipe.parts`."""
        return (self.release, *host_packages(), libraries.lock())

    def make_root(self, folder: Path, progress: Callable[[str], None]) -> None:
        """See `Recipe.make_root`."""
        root = folder / ROOT
        progress(f"{self.shown}: packages from the machine's mirror")
        names = tuple(dict.fromkeys((*host_packages(), *PACKAGES)))
        debootstrap.debootstrap(
            self.release, root, debootstrap.mirror(), names, debootstrap.WITHOUT_MANUALS
        )
        progress(f"{self.shown}: the harness's libraries")
        libraries.install(self.release, root)
        libraries.compile_all(self.release, root, f"/{COMPILED}")
        (root / COMPILED).rename(folder / KEPT / COMPILED)


@dataclass(frozen=True)
class ProfileRecipe(Recipe):
    """The root of a staged host with a kernel; a lab's first process becomes its systemd.

    Attributes:
        profile: its packages are on it; what else it has comes when a lab boots.
    """

    profile: Profile
    init = "sbin/plumbline-lab"
    # A line for each unit: the console shows how far a start came.
    words = f" init=/{init} fsck.mode=skip systemd.show_status=yes"
    disk_mib, space_mib = 3000, 4600

    @property
    def shown(self) -> str:
        """See `Recipe.shown`."""
        return f"lab image {self.release}, profile {self.profile.name}"

    @property
    def parts(self) -> tuple[str, ...]:
        """See `Recipe.parts`."""
        layers = root_folder.layers_of(self.release, self.profile)
        return (*(layer.name for layer in layers), root_folder.INSTALL, root_folder.COPY)

    def make_root(self, folder: Path, progress: Callable[[str], None]) -> None:
        """See `Recipe.make_root`."""
        layers = root_folder.ensure(self.release, self.profile, progress)
        progress(f"{self.shown}: a kernel over the root of a staged host")
        root = folder / ROOT
        root_folder.make_whole(layers, KERNEL_PACKAGES, root)
        for compiled in (root / "usr").rglob("__pycache__/*.pyc"):
            place = folder / KEPT / COMPILED / compiled.parent.parent.relative_to(root)
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy2(compiled, place)


def recipe_of(release: str, profile: Profile | None) -> Recipe:
    """Return the recipe of a disk; None: without a profile."""
    return PlainRecipe(release) if profile is None else ProfileRecipe(release, profile)
