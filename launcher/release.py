# SPDX-License-Identifier: GPL-2.0-or-later
"""Other releases' userlands in root folders: daemons and tools for a sandbox's host.

A name is a suite of Debian's, and is built from the machine's own package mirror by mmdebstrap; a
folder is taken as it is.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from launcher import debootstrap, packages
from launcher.cache import cache_dir, make_cache_dir, require_space
from launcher.launcher_error import UsageError, near_miss
from launcher.lock import locked

SUITES = ("bullseye", "bookworm", "trixie")
# A host's packages that ci/packages does not name: it has libvirt's parts one by one, and each
# release splits them in another way.
BESIDES = ("libvirt-daemon-system",)
# A root folder is below 500 MiB; its packages lie in it while they are unpacked.
SPACE_MIB = 900
MUST_HAVE = ("usr/lib/os-release", "usr/sbin/libvirtd", "usr/sbin/ovs-vswitchd")


def require_known(word: str) -> str:
    """Check a value of --release, and return it with a folder's path made absolute.

    Raises:
        UsageError: it is neither a release that can be built nor a folder with a host's userland.
    """
    if word in SUITES:
        return word
    folder = Path(word)
    if not folder.is_dir():
        raise UsageError(
            f"--release {word}: neither a folder nor one of {', '.join(SUITES)}",
            near_miss(word, SUITES) or "a folder holds the root of a distribution's release",
        )
    lacks = [name for name in MUST_HAVE if not (folder / name).exists()]
    if lacks:
        raise UsageError(
            f"--release {word}: not the root folder of a host, it has no {lacks[0]}",
            "a host's root folder has libvirt and Open vSwitch installed",
        )
    return str(folder.resolve())


def root_of(word: str) -> Path | None:
    """Return the root folder of a release; None where it has not been built yet."""
    root = _place(word) if word in SUITES else Path(word).resolve()
    return root if root.is_dir() else None


def ensure(word: str, progress: Callable[[str], None]) -> Path:
    """Return the root folder of a release, building it if it is not cached.

    Raises:
        LauncherError: it could not be built; nothing of it is left.
    """
    if (root := root_of(word)) is not None:
        return root
    mirror = debootstrap.mirror()
    with _locked(progress):
        if (root := root_of(word)) is not None:
            return root
        require_space(SPACE_MIB, f"the root folder of {word}")
        progress(f"release {word}: a root folder from the machine's package mirror")
        place = _place(word)
        # A name that `clean` knows for half built.
        draft = place.with_name(f"build-{place.name}")
        debootstrap.remove(draft)
        try:
            debootstrap.debootstrap(word, draft, mirror, host_packages())
            draft.rename(place)
        finally:
            debootstrap.remove(draft)
        progress(f"release {word}: built")
        return place


def host_packages() -> tuple[str, ...]:
    """Return the packages of a host: those that a run needs of this machine, and `BESIDES`."""
    needed = (need.apt for need in packages.table() if "run" in need.stages and need.apt != "-")
    return tuple(dict.fromkeys((*needed, *BESIDES)))


def _place(suite: str) -> Path:
    recipe = "\n".join((suite, *host_packages()))
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    return cache_dir() / "releases" / f"{suite}-{key}"


@contextlib.contextmanager
def _locked(progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of the releases; waits for another process that builds one."""
    folder = make_cache_dir() / "releases"
    folder.mkdir(exist_ok=True)
    with locked(
        folder / "lock", lambda: progress("waiting for another set-up that builds a release")
    ):
        yield
