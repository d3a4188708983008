# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab's disk: a release with its kernel and a host's packages, and the harness's libraries.

Built from the machine's own package mirror and by its own pip, cached by its recipe. Nothing is
fetched by the lab itself.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher import debootstrap, libraries, subprocess_step
from launcher.cache import cache_dir, make_cache_dir, require_space
from launcher.launcher_error import LauncherError, UsageError, near_miss
from launcher.lock import locked
from launcher.release import host_packages

RELEASES = tuple(libraries.PYTHONS)
DEFAULT = "trixie"
# Beyond a host's packages: what a machine needs to boot by itself, and the harness's interpreter.
PACKAGES = ("linux-image-amd64", "initramfs-tools", "udev", "pciutils", *libraries.PACKAGES)
DISK, KERNEL, INITRD, KEPT = "disk.img", "kernel", "initrd", "kept"
# Below `KEPT`: where interpreters keep what they have compiled, for the next lab.
COMPILED = "compiled"
# The file system, of which what is used takes up room; and all that building it needs at once.
DISK_MIB = 1400
SPACE_MIB = 2600
FIRST = Path(__file__).with_name("guestside") / "init"


@dataclass(frozen=True)
class Image:
    """A lab's disk and what boots it.

    Attributes:
        release: the release on it.
        disk: a raw file system, never written to.
        kernel: the release's own.
        initrd: likewise.
        kept: a folder that labs of it may write to: what the next one need not find out again.
    """

    release: str
    disk: Path
    kernel: Path
    initrd: Path
    kept: Path


def require_known(word: str) -> str:
    """Check a value of --release for a lab, and return it.

    Raises:
        UsageError: no lab can be built of it.
    """
    if word in RELEASES:
        return word
    raise UsageError(
        f"--release {word}: no release that a lab can be; expected one of {', '.join(RELEASES)}",
        near_miss(word, RELEASES) or "a root folder or an older release is for --host sandbox",
    )


def cached(release: str) -> Image | None:
    """Return the image of a release, or None where it has to be built."""
    folder = _place(release)
    return _image(release, folder) if folder.is_dir() else None


def ensure(release: str, progress: Callable[[str], None]) -> Image:
    """Return the image of a release, building it if it is not cached.

    The virtual environment must be there: its pip fetches the libraries.

    Raises:
        LauncherError: it could not be built; nothing of it is left.
    """
    if (image := cached(release)) is not None:
        return image
    source = debootstrap.mirror()
    labs = make_cache_dir() / "labs"
    labs.mkdir(exist_ok=True)
    with locked(labs / "lock", lambda: progress("waiting for somebody else's lab image")):
        if (image := cached(release)) is not None:
            return image
        require_space(SPACE_MIB, f"the lab image of {release}")
        place = _place(release)
        with _draft(place) as draft:
            _build(release, source, draft, progress)
            draft.rename(place)
        progress(f"lab image {release}: built")
        return _image(release, place)


def _build(release: str, source: str, folder: Path, progress: Callable[[str], None]) -> None:
    (folder / KEPT).mkdir(parents=True)
    root = folder / "root"
    progress(f"lab image {release}: packages from the machine's mirror")
    names = tuple(dict.fromkeys((*host_packages(), *PACKAGES)))
    debootstrap.debootstrap(release, root, source, names, debootstrap.WITHOUT_MANUALS)
    progress(f"lab image {release}: the harness's libraries")
    libraries.install(release, root)
    libraries.compile_all(release, root, f"/{COMPILED}")
    (root / COMPILED).rename(folder / KEPT / COMPILED)
    first = root / "sbin" / FIRST.name
    first.unlink(missing_ok=True)
    first.write_bytes(FIRST.read_bytes())
    first.chmod(0o755)
    [kernel] = (root / "boot").glob("vmlinuz-*")
    [initrd] = (root / "boot").glob("initrd.img-*")
    shutil.copyfile(kernel, folder / KERNEL)
    initrd.rename(folder / INITRD)
    progress(f"lab image {release}: a file system of {DISK_MIB} MiB")
    make = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(root)]
    _step([*make, str(folder / DISK), f"{DISK_MIB}M"], "mke2fs")
    shutil.rmtree(root)


def _step(argv: list[str], what: str) -> None:
    status, said = subprocess_step.run(argv)
    if status != 0:
        raise LauncherError(
            f"the lab image could not be built: {what} ended with status {status}", said
        )


def _place(release: str) -> Path:
    known = hashlib.sha256("\n".join((release, *host_packages())).encode())
    known.update(b"\0" + libraries.lock().encode())
    for file in (FIRST, Path(__file__), Path(libraries.__file__)):
        known.update(b"\0" + file.read_bytes())
    return cache_dir() / "labs" / f"{release}-{known.hexdigest()[:12]}"


def _image(release: str, folder: Path) -> Image:
    return Image(release, folder / DISK, folder / KERNEL, folder / INITRD, folder / KEPT)


@contextlib.contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """Give a name that `clean` knows for half built, and remove what is left under it."""
    draft = place.with_name(f"build-{place.name}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
