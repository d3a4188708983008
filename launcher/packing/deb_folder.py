# SPDX-License-Identifier: GPL-2.0-or-later
"""The system packages of a run in one folder, with all that they depend on, as apt installs them.

They are those of the machine's own apt sources, and so of its release. The folder has an index, so
that apt takes from it what a host lacks and leaves alone what it has.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from contracts.pack_files import sha256
from fixtures.guest.image import ImageError
from fixtures.guest.image.deb_packages import Apt
from launcher import packages
from launcher.launcher_error import LauncherError, MissingError

STAGE: Final = "run"
# Debian policy 5.6, deb822: the fields that apt resolves by.
INDEX = "Packages"


def names() -> tuple[str, ...]:
    """Return the packages that a run from a pack needs, by apt's names."""
    needs = (need.apt for need in packages.table() if STAGE in need.stages)
    return tuple(dict.fromkeys(name for name in needs if name != "-"))


def fetch(folder: Path, scratch: Path, progress: Callable[[str], None]) -> None:
    """Fetch the packages and their dependencies into a folder, and write its index.

    Args:
        folder: an existing, empty folder.
        scratch: another one, for apt's own files.
        progress: called with each step.

    Raises:
        MissingError: there is no apt here.
        LauncherError: a package is not offered, or cannot be fetched.
    """
    if packages.manager() != "apt":
        raise MissingError(
            "pack: --with-packages takes system packages by apt, which is not here",
            "leave it out: the hosts then need them from their own distribution",
        )
    try:
        progress("system packages: fetching package lists")
        apt = Apt(scratch)
        # Fresh ones: apt can bring a host up to what is in the pack, and not back to it.
        apt.use_own_lists()
        versions = apt.closure(names())
        progress(f"system packages: fetching {len(versions)}")
        apt.download(versions, folder)
    except ImageError as error:
        raise LauncherError(
            f"pack: the system packages could not be fetched: {error.message}",
            "see that the machine's package sources have " + ", ".join(names()),
        ) from error
    write_index(folder)


def write_index(folder: Path) -> None:
    """Write the index of the packages in a folder."""
    entries = (_entry(file) for file in sorted(folder.glob("*.deb")))
    (folder / INDEX).write_text("\n".join(entries))


def _entry(file: Path) -> str:
    """Return a package's entry of the index: its own fields, and where it is."""
    argv = ["dpkg-deb", "--field", str(file)]
    fields = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout
    digest = sha256(file)
    return (
        f"{fields.rstrip()}\nFilename: ./{file.name}\nSize: {file.stat().st_size}\n"
        f"SHA256: {digest}\n"
    )
