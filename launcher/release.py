# SPDX-License-Identifier: GPL-2.0-or-later
"""Other releases' userlands in root folders: whose daemons a sandbox's host can run.

A name is a suite of Debian's, and is built from the machine's own package mirror by mmdebstrap; a
folder is taken as it is.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from launcher import packages
from launcher.cache import cache_dir, make_cache_dir, require_space
from launcher.errors import LauncherError, MissingError, UsageError, near_miss
from launcher.lock import locked

SUITES = ("bullseye", "bookworm", "trixie")
# What a host needs that ci/packages does not name: there, libvirt's parts are named one by one, and
# releases cut them differently.
BESIDES = ("libvirt-daemon-system",)
# A root folder is below 500 MiB; its packages lie in it while they are unpacked.
SPACE_MIB = 900
SHOWN_LINES = 15
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
            f"--release {word}: no userland of a host, it has no {lacks[0]}",
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
    mirror = _mirror()
    with _locked(progress):
        if (root := root_of(word)) is not None:
            return root
        require_space(SPACE_MIB, f"the root folder of {word}")
        progress(f"release {word}: a root folder from the machine's package mirror")
        place = _place(word)
        # A name that `clean` knows for half built.
        draft = place.with_name(f"build-{place.name}")
        _remove(draft)
        try:
            _debootstrap(word, draft, mirror)
            draft.rename(place)
        finally:
            _remove(draft)
        progress(f"release {word}: built")
        return place


def _debootstrap(suite: str, folder: Path, mirror: str) -> None:
    # In namespaces of its own: what it mounts and starts ends with it, and it with this process.
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]
    argv += ["--kill-child", "--mount-proc"]
    argv += ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory"]
    argv += ["--architectures=amd64", f"--include={','.join(_names())}"]
    argv += ["--aptopt=APT::Install-Recommends false", suite, str(folder), mirror]
    done = subprocess.run(
        argv,
        env=os.environ | {"PATH": packages.search_path()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise MissingError(
            f"the root folder of {suite} could not be built; mmdebstrap's last words:",
            "\n".join(done.stdout.splitlines()[-SHOWN_LINES:]),
        )


def _names() -> tuple[str, ...]:
    """Return the packages of a host: those that a run needs of this machine, and `BESIDES`."""
    needed = (need.apt for need in packages.table() if "run" in need.stages and need.apt != "-")
    return tuple(dict.fromkeys((*needed, *BESIDES)))


def _mirror() -> str:
    """Return where this machine's apt has its own release from.

    Raises:
        MissingError: it has no such source: no other release can be had.
    """
    if packages.manager() == "apt":
        for refresh in (False, True):
            if refresh:
                # Whose mirror it is stands in the lists, which an image of a machine may lack.
                subprocess.run(["apt-get", "--quiet", "update"], capture_output=True, check=False)
            if found := _sources():
                return found[0]
    raise MissingError(
        "this machine's apt has no mirror of Debian, which other releases are built from",
        "give --release the root folder of a release instead of its name",
    )


def _sources() -> list[str]:
    """Return where apt has Debian's main component from."""
    asked = "$(REPO_URI) $(COMPONENT)"
    argv = ["apt-get", "indextargets", "--format", asked, "Created-By: Packages", "Origin: Debian"]
    said = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False).stdout
    pairs = (line.partition(" ") for line in said.splitlines())
    return [uri for uri, _, part in pairs if part == "main" and "security" not in uri]


def _place(suite: str) -> Path:
    recipe = "\n".join((suite, *_names()))
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    return cache_dir() / "releases" / f"{suite}-{key}"


@contextlib.contextmanager
def _locked(progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the releases against everyone else who builds one; waits for them."""
    folder = make_cache_dir() / "releases"
    folder.mkdir(exist_ok=True)
    with locked(folder / "lock", lambda: progress("waiting for somebody else's release")):
        yield


def _remove(folder: Path) -> None:
    if folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise LauncherError(
                f"{folder} could not be removed: {error.strerror}", "remove it by hand"
            ) from error
