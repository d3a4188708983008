# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab's disk: a release with its kernel and a host's packages, and the harness's libraries.

Built from the machine's own package mirror and by its own pip, cached by its recipe. Nothing is
fetched by the lab itself.
"""

import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher import debootstrap, subprocess_step, virtual_environment
from launcher.cache import cache_dir, make_cache_dir, require_space
from launcher.launcher_error import LauncherError, UsageError, near_miss
from launcher.lock import locked
from launcher.release import host_packages

# The interpreter of each release that a lab can be.
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
DEFAULT = "trixie"
# Those whose libvirt takes a `firewall_backend`: from 10.4 on.
WITH_BACKENDS = ("trixie",)
# Beyond a host's packages: what a machine needs to boot by itself, and the harness's interpreter.
# libvirt's binding is the release's own, so nothing is compiled for it.
PACKAGES = (
    "linux-image-amd64",
    "initramfs-tools",
    "udev",
    "pciutils",
    "python3",
    "python3-libvirt",
)
# What the lock has that no run needs, or that `PACKAGES` brings.
LEFT_OUT = ("libvirt-python", "jinja2", "markupsafe", "numpy", "scipy")
# Nobody reads a manual in a lab.
WORDS = (
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
)
DISK, KERNEL, INITRD, KEPT = "disk.img", "kernel", "initrd", "kept"
# Below `KEPT`: where interpreters keep what they have compiled, for the next lab.
COMPILED = "compiled"
# The file system, of which what is used takes up room; and all that building it needs at once.
DISK_MIB = 1400
SPACE_MIB = 2600
FIRST = Path(__file__).with_name("guestside") / "init"
# The platforms whose wheels run on either release (PEP 600).
GLIBCS = ("2_17", "2_24", "2_26", "2_27", "2_28", "2_31", "2_34", "2_35", "2_36")


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
    if word in PYTHONS:
        return word
    raise UsageError(
        f"--release {word}: no release that a lab can be; expected one of {', '.join(PYTHONS)}",
        near_miss(word, PYTHONS) or "a root folder or an older release is for --host sandbox",
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
    debootstrap.debootstrap(release, root, source, names, WORDS)
    progress(f"lab image {release}: the harness's libraries")
    libraries = f"usr/local/lib/python{PYTHONS[release]}/dist-packages"
    _install_libraries(PYTHONS[release], root / libraries)
    _compile(root, PYTHONS[release], f"/{libraries}", folder / KEPT / COMPILED)
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


def _compile(root: Path, python: str, libraries: str, target: Path) -> None:
    """Compile what the lab's Python imports, for the place where it looks first."""
    there = root / "compiled"
    run = ["chroot", str(root), "python3", "-X", f"pycache_prefix=/{there.name}"]
    folders = (f"/usr/lib/python{python}", "/usr/lib/python3/dist-packages", libraries)
    # A library may carry files for another Python, which this one refuses and no run asks for.
    subprocess.run(
        [*run, "-m", "compileall", "-q", *folders],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    there.rename(target)


def _install_libraries(python: str, folder: Path) -> None:
    """Have the machine's pip fetch the lock's libraries for another interpreter."""
    tag = python.replace(".", "")
    wheels = [word for glibc in GLIBCS for word in ("--platform", f"manylinux_{glibc}_x86_64")]
    wheels += ["--platform", "manylinux2014_x86_64", "--only-binary", ":all:"]
    wheels += ["--implementation", "cp", "--python-version", python]
    wheels += [word for abi in (f"cp{tag}", "abi3", "none") for word in ("--abi", abi)]
    cut = folder.parent / "requirements"
    folder.mkdir(parents=True, exist_ok=True)
    cut.write_text(_lock_without(LEFT_OUT))
    pip = [str(virtual_environment.python()), "-m", "pip", "install", "--quiet", "--no-input"]
    pip += ["--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"]
    _step([*pip, *wheels, "--target", str(folder), "--requirement", str(cut)], "pip install")
    cut.unlink()


def _lock_without(names: tuple[str, ...]) -> str:
    """Return the lock without some packages; an entry is a line `name==…` and what is indented."""
    kept: list[str] = []
    keep = True
    for line in virtual_environment.LOCK.read_text().splitlines(keepends=True):
        if line[:1].isalnum():
            keep = line.partition("==")[0] not in names
        if keep:
            kept.append(line)
    return "".join(kept)


def _step(argv: list[str], what: str) -> None:
    status, said = subprocess_step.run(argv)
    if status != 0:
        raise LauncherError(
            f"the lab image could not be built: {what} ended with status {status}", said
        )


def _place(release: str) -> Path:
    known = hashlib.sha256("\n".join((release, *host_packages())).encode())
    known.update(b"\0" + _lock_without(LEFT_OUT).encode())
    for file in (FIRST, Path(__file__)):
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
