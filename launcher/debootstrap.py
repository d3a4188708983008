# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's releases in folders, by mmdebstrap from the machine's own package mirror."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from launcher import packages, subprocess_step
from launcher.launcher_error import LauncherError, MissingError

# Nobody reads a manual in a host for one run.
WITHOUT_MANUALS = (
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
)


def debootstrap(
    suite: str, folder: Path, source: str, names: Sequence[str], words: Sequence[str] = ()
) -> None:
    """Install a release into a folder that does not exist yet.

    Args:
        suite: the release.
        folder: the caller removes its leftovers after a failure.
        source: the URI of its packages.
        names: the packages beside those of every system.
        words: more options of mmdebstrap's.

    Raises:
        MissingError: it failed; with mmdebstrap's last lines.
    """
    # In its own namespaces: its mounts and processes end with it, and it ends with this process.
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]
    argv += ["--kill-child", "--mount-proc"]
    argv += ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory"]
    argv += ["--architectures=amd64", *([f"--include={','.join(names)}"] if names else [])]
    argv += ["--aptopt=APT::Install-Recommends false", *words, suite, str(folder), source]
    status, said = subprocess_step.run(argv, os.environ | {"PATH": packages.search_path()})
    if status != 0:
        raise MissingError(
            f"the root folder of {suite} could not be built; mmdebstrap's last lines:", said
        )


def remove(folder: Path) -> None:
    """Remove a root folder, if it is there.

    Raises:
        LauncherError: it cannot be removed.
    """
    if folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise LauncherError(
                f"{folder} could not be removed: {error.strerror}", "remove it by hand"
            ) from error


def mirror() -> str:
    """Return the URI from which this machine's apt has its release.

    Raises:
        MissingError: it has no such source.
    """
    if packages.manager() == "apt":
        for refresh in (False, True):
            if refresh:
                # The origin is in apt's lists, which the image of a machine may lack.
                subprocess.run(["apt-get", "--quiet", "update"], capture_output=True, check=False)
            if found := _sources():
                return found[0]
    raise MissingError(
        "this machine's apt has no mirror of Debian to build other releases from",
        "name one in its sources; a sandbox also takes the root folder of a release: --release DIR",
    )


def _sources() -> list[str]:
    """Return the URIs of Debian's main component in apt's sources."""
    asked = "$(REPO_URI) $(COMPONENT)"
    argv = ["apt-get", "indextargets", "--format", asked, "Created-By: Packages", "Origin: Debian"]
    said = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False).stdout
    pairs = (line.partition(" ") for line in said.splitlines())
    return [uri for uri, _, part in pairs if part == "main" and "security" not in uri]
