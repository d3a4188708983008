# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab's disk: a release with its kernel and a host's packages, and the harness's libraries.

Built from the machine's own package mirror and by its own pip, cached by its recipe
(`launcher.lab.disk_recipe`). Nothing is fetched by the lab itself.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher import libraries, subprocess_step
from launcher.cache import cache_dir, make_cache_dir, require_space
from launcher.lab.disk_recipe import COMPILED, FIRST, KEPT, ROOT, Recipe, recipe_of
from launcher.launcher_error import LauncherError, UsageError, near_miss
from launcher.lock import locked
from launcher.staged.profile import Profile

RELEASES = tuple(libraries.PYTHONS)
DEFAULT = "trixie"
DISK, KERNEL, INITRD = "disk.img", "kernel", "initrd"


@dataclass(frozen=True)
class Image:
    """A lab's disk and what boots it.

    Attributes:
        release: the release on it.
        disk: a raw file system, never written to.
        kernel: the release's own.
        initrd: likewise.
        kept: a folder that labs of it may write to: what the next one need not find out again.
        words: the kernel's words beside those of every lab.
    """

    release: str
    disk: Path
    kernel: Path
    initrd: Path
    kept: Path
    words: str = ""

    @property
    def compiled(self) -> Path:
        """The folder where interpreters keep what they have compiled."""
        return self.kept / COMPILED


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


def cached(release: str, profile: Profile | None = None) -> Image | None:
    """Return the image of a release, or None where it has to be built.

    Args:
        release: the release.
        profile: what is on it beside a host's packages; None: no profile, and no systemd.
    """
    return _cached(recipe_of(release, profile))


def _cached(recipe: Recipe) -> Image | None:
    folder = _place(recipe)
    return _image(recipe, folder) if folder.is_dir() else None


def ensure(release: str, progress: Callable[[str], None], profile: Profile | None = None) -> Image:
    """Return the image of a release, building it if it is not cached.

    The virtual environment must be there: its pip fetches the libraries.

    Args:
        release: the release.
        progress: is called with each step.
        profile: see `cached`.

    Raises:
        LauncherError: it could not be built; nothing of it is left.
    """
    recipe = recipe_of(release, profile)
    if (image := _cached(recipe)) is not None:
        return image
    labs = make_cache_dir() / "labs"
    labs.mkdir(exist_ok=True)
    with locked(labs / "lock", lambda: progress("waiting for somebody else's lab image")):
        if (image := _cached(recipe)) is not None:
            return image
        require_space(recipe.space_mib, f"the {recipe.shown}")
        place = _place(recipe)
        with _draft(place) as draft:
            (draft / KEPT).mkdir(parents=True)
            recipe.make_root(draft, progress)
            progress(f"{recipe.shown}: a file system of {recipe.disk_mib} MiB")
            _build(recipe, draft)
            draft.rename(place)
        progress(f"{recipe.shown}: built")
        return _image(recipe, place)


def _build(recipe: Recipe, folder: Path) -> None:
    """Make the disk and what boots it of the root, which is then gone."""
    root = folder / ROOT
    first = root / recipe.init
    first.unlink(missing_ok=True)
    first.write_bytes(FIRST.read_bytes())
    first.chmod(0o755)
    [kernel] = (root / "boot").glob("vmlinuz-*")
    [initrd] = (root / "boot").glob("initrd.img-*")
    shutil.copyfile(kernel, folder / KERNEL)
    initrd.rename(folder / INITRD)
    make = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(root)]
    _step([*make, str(folder / DISK), f"{recipe.disk_mib}M"], "mke2fs")
    shutil.rmtree(root)


def _step(argv: list[str], what: str) -> None:
    status, said = subprocess_step.run(argv)
    if status != 0:
        raise LauncherError(
            f"the lab image could not be built: {what} ended with status {status}", said
        )


def _place(recipe: Recipe) -> Path:
    return cache_dir() / "labs" / recipe.name


def _image(recipe: Recipe, folder: Path) -> Image:
    disk, kernel, initrd, kept = (folder / name for name in (DISK, KERNEL, INITRD, KEPT))
    return Image(recipe.release, disk, kernel, initrd, kept, recipe.words)


@contextlib.contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """Give a name that `clean` knows for half built, and remove what is left under it."""
    draft = place.with_name(f"build-{place.name}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
