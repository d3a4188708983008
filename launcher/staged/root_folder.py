# SPDX-License-Identifier: GPL-2.0-or-later
"""The root of a staged host: a release's folder, and a layer with the packages of a profile.

Both are built from the machine's own package mirror and cached; a layer is what apt changed of the
release's folder, seen through an overlay, so that profiles share what they have in common. Nothing
is written to either by a host.
"""

import contextlib
import hashlib
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from launcher import debootstrap, libraries, packages, subprocess_step
from launcher.cache import cache_dir, make_cache_dir, require_space
from launcher.launcher_error import LauncherError, MissingError, UsageError, near_miss
from launcher.lock import locked
from launcher.release import host_packages
from launcher.staged.host_state import ROOTS
from launcher.staged.profile import Profile

RELEASES = tuple(libraries.PYTHONS)
DEFAULT = "bookworm"
# Beyond a host's packages: what boots, and the harness's interpreter.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "apt", *libraries.PACKAGES)
SPACE_MIB, LAYER_SPACE_MIB = 1400, 600
SHOWN = "the root folder of a staged host"
# Run in mount and process namespaces of its own, with the draft's folder as its argument. A service
# must not start in it: policy-rc.d says so to invoke-rc.d.
INSTALL = """
set -e
cd "$1"
mkdir upper work root
mount -t overlay -o "lowerdir=$2,upperdir=upper,workdir=work" overlay root
mount -t proc proc root/proc
mount --bind /dev root/dev
cp -L /etc/resolv.conf root/etc/resolv.conf
printf '#!/bin/sh\\nexit 101\\n' >root/usr/sbin/policy-rc.d
chmod 755 root/usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
chroot root apt-get -q update
chroot root apt-get -q -y --no-install-recommends install %s
chroot root apt-get clean
rm -rf root/var/lib/apt/lists/* root/usr/sbin/policy-rc.d root/etc/resolv.conf
rm -rf root/usr/share/man/* root/usr/share/doc/* root/usr/share/locale/*
umount root/dev root/proc root
rmdir root
rm -rf work
"""
# Likewise; the other arguments are the layers and the new folder.
COPY = """
set -e
cd "$1"
mkdir root
mount -t overlay -o "lowerdir=$2" overlay root
cp -a root "$3"
umount root
"""


def require_known(word: str) -> str:
    """Check a value of --release for a staged host, and return it.

    Raises:
        UsageError: no staged host can be made of it.
    """
    if word in RELEASES:
        return word
    raise UsageError(
        f"--release {word}: no release that can be staged; expected one of {', '.join(RELEASES)}",
        near_miss(word, RELEASES) or "a root folder or an older release is for --host sandbox",
    )


def cached(release: str, profile: Profile) -> list[Path] | None:
    """Return the layers of a root, the upper one first; None where one has to be built."""
    layers = layers_of(release, profile)
    return layers if all(layer.is_dir() for layer in layers) else None


def ensure(release: str, profile: Profile, progress: Callable[[str], None]) -> list[Path]:
    """Return the layers of a root, the upper one first, building what is not cached.

    The virtual environment must be there: its pip fetches the libraries.

    Raises:
        LauncherError: one could not be built; nothing of it is left.
    """
    if (layers := cached(release, profile)) is not None:
        return layers
    folder = make_cache_dir() / ROOTS
    folder.mkdir(exist_ok=True)
    with locked(folder / "lock", lambda: progress("waiting for another set-up of a staged host")):
        base = _base(release)
        if not base.is_dir():
            require_space(SPACE_MIB, SHOWN)
            progress(f"staged host {release}: a root folder from the machine's package mirror")
            with _draft(base) as draft:
                _build_base(release, draft)
                draft.rename(base)
        layer, *_ = layers = layers_of(release, profile)
        if not layer.is_dir():
            require_space(LAYER_SPACE_MIB, SHOWN)
            progress(f"staged host {release}: the packages of the profile {profile.name}")
            with _draft(layer) as draft:
                _build_layer([base], profile.packages_on(release), draft)
                (draft / "upper").rename(layer)
    progress(f"staged host {release}, profile {profile.name}: its root is there")
    return layers


def _build_base(release: str, draft: Path) -> None:
    names = tuple(dict.fromkeys((*host_packages(), *PACKAGES)))
    debootstrap.debootstrap(
        release, draft, debootstrap.mirror(), names, debootstrap.WITHOUT_MANUALS
    )
    libraries.install(release, draft, libraries.BROUGHT)
    libraries.compile_all(release, draft)


def make_whole(layers: Sequence[Path], names: Sequence[str], folder: Path) -> None:
    """Make one root folder of layers and more packages.

    Args:
        layers: the layers, the upper one first.
        names: the packages to install over them.
        folder: the folder; it is not there yet.

    Raises:
        MissingError: a package could not be installed.
        LauncherError: the layers could not be copied.
    """
    with _draft(folder.with_name(f"{folder.name}-layer")) as draft:
        _build_layer(layers, names, draft)
        lower = _lowerdir([draft / "upper", *layers])
        status, said = subprocess_step.run(_apart(COPY, str(draft), lower, str(folder)))
    if status != 0:
        raise LauncherError(f"{folder} could not be made of {len(layers) + 1} layers:", said)


def _build_layer(layers: Sequence[Path], names: Sequence[str], draft: Path) -> None:
    draft.mkdir()
    argv = _apart(INSTALL % shlex.join(names), str(draft), _lowerdir(layers))
    status, said = subprocess_step.run(argv, os.environ | {"PATH": packages.search_path()})
    if status != 0:
        raise MissingError(
            f"the packages of a profile ({' '.join(names)}) could not be installed; last lines:",
            said,
        )


def _lowerdir(layers: Sequence[Path]) -> str:
    return ":".join(str(layer) for layer in layers)


def _apart(script: str, *words: str) -> list[str]:
    """Return the command for a script in namespaces of its own, which end with this process."""
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]
    return [*argv, "--kill-child", "--mount-proc", "sh", "-c", script, "sh", *words]


def layers_of(release: str, profile: Profile) -> list[Path]:
    """Return the places of the layers of a root, the upper one first, built or not."""
    base = _base(release)
    names = profile.packages_on(release)
    if not names:
        return [base]
    recipe = "\n".join((base.name, INSTALL, *sorted(names)))
    return [base.with_name(f"{base.name}-{_key(recipe)}"), base]


def _base(release: str) -> Path:
    recipe = "\n".join((release, *host_packages(), *PACKAGES, libraries.lock(libraries.BROUGHT)))
    return cache_dir() / ROOTS / f"{release}-{_key(recipe)}"


def _key(recipe: str) -> str:
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


@contextlib.contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """Give a name that `clean` knows for half built, and remove what is left under it."""
    draft = place.with_name(f"build-{place.name}")
    debootstrap.remove(draft)
    try:
        yield draft
    finally:
        debootstrap.remove(draft)
