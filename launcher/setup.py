# SPDX-License-Identifier: GPL-2.0-or-later
"""Set-up: announces missing parts, then makes them; with none missing it takes milliseconds."""

import os
import sys
from pathlib import Path

from fixtures.guest import image
from launcher import packages, unpacked, virtual_environment
from launcher import release as releases
from launcher.cache import cache_dir, make_cache_dir, require_space
from launcher.launcher_error import LauncherError, MissingError, UsageError
from launcher.packages import Stage
from launcher.progress import Progress

# The image itself is below 40 MiB; its packages, packed and unpacked, need the rest. So do pip's
# downloads, and the build of libvirt-python, beside the environment.
IMAGE_SPACE_MIB = 650
DOING = "setting up"


def require_root(command: str) -> None:
    """Check that we are root.

    Raises:
        UsageError: we are not; with the right command.
    """
    if os.geteuid() != 0:
        raise UsageError(
            f"{command} needs root: it makes network namespaces and TAP devices",
            f"sudo ./plumbline {command} ...",
        )


def ensure(
    release: str | None = None,
    *,
    lab: bool = False,
    staged: bool = False,
    tests: bool = False,
    only_look: bool = False,
) -> Path:
    """Set up what a run needs and return the virtual environment's interpreter.

    Args:
        release: the release whose userland the host runs; None: the machine's own.
        lab: whether that is a lab's, which has an emulator of its own.
        staged: whether the root of a staged host, or the disk of a lab, has to be built: by
            `launcher.staged`, or `launcher.lab`.
        tests: whether the harness's own tests are to run.
        only_look: whether nothing may be made.

    Raises:
        LauncherError: something could not be made; half-made parts are removed.
        MissingError: something is missing, and nothing may be made.
    """
    venv = not virtual_environment.is_complete(virtual_environment.path())
    for_tests = tests and not virtual_environment.has_tests(virtual_environment.path())
    guest_image = cached_image() is None
    root_folder = None if lab or release is None or releases.root_of(release) else release
    stages: list[Stage] = ["run"]
    stages += ["test"] if tests else []
    if unpacked.pack() is None:
        # A pack has wheels and an image: nothing is compiled.
        stages += ["venv"] if venv else []
        stages += ["image"] if guest_image else []
    stages += ["release"] if root_folder or staged or (lab and _lacks_labs_emulator()) else []
    lacking = packages.missing(stages)
    makes = bool(lacking or venv or for_tests or guest_image or root_folder)
    unpacked.require_usable(whole=makes)
    if not makes:
        return virtual_environment.python()
    _refuse_lacking(lacking)
    venv_mib = virtual_environment.SIZE_MIB * venv + virtual_environment.TESTS_SIZE_MIB * for_tests
    doing = "a run first sets up" if only_look else DOING
    _announce(lacking, venv_mib=venv_mib, guest_image=guest_image, release=root_folder, doing=doing)
    if only_look:
        raise MissingError(
            "--plan installs nothing, and needs that to list the checks",
            "./plumbline image build makes the environment and the guest image; system packages "
            "are installed by ci/setup, or by a run",
        )
    _check_space(2 * venv_mib + IMAGE_SPACE_MIB * guest_image)
    progress = Progress()
    if lacking:
        packages.install(stages, progress, unpacked.packages())
    interpreter = virtual_environment.ensure(progress, tests=tests)
    if guest_image:
        ensure_image(progress)
    if root_folder:
        releases.ensure(root_folder, progress)
    progress("set-up is complete")
    return interpreter


def ensure_environment(*, tests: bool = False, install_packages: bool = True) -> Path:
    """Set up the virtual environment alone, and return its interpreter.

    Args:
        tests: whether the harness's own tests are to run in it.
        install_packages: whether system packages that its build lacks are installed, by sudo if
            need be; otherwise they are named.

    Raises:
        LauncherError: it could not be built; half-made parts are removed.
    """
    venv = not virtual_environment.is_complete(virtual_environment.path())
    for_tests = tests and not virtual_environment.has_tests(virtual_environment.path())
    unpacked.require_usable(whole=venv or for_tests)
    if not (venv or for_tests):
        return virtual_environment.python()
    make_cache_dir()
    lacking = packages.missing(["venv"]) if venv and unpacked.pack() is None else []
    if lacking and not install_packages:
        raise MissingError(
            f"the virtual environment is not built yet; its build needs: {' '.join(lacking)}",
            "sudo ci/setup --for venv",
        )
    mib = virtual_environment.SIZE_MIB * venv + virtual_environment.TESTS_SIZE_MIB * for_tests
    _announce(lacking, venv_mib=mib, guest_image=False)
    _check_space(2 * mib)
    progress = Progress()
    if lacking:
        packages.install(["venv"], progress)
    interpreter = virtual_environment.ensure(progress, tests=tests)
    progress("set-up is complete")
    return interpreter


def _lacks_labs_emulator() -> bool:
    """Whether the root folder with the newer QEMU that runs a lab has to be built."""
    from launcher.lab import qemu

    return qemu.is_needed() and releases.root_of(qemu.RELEASE) is None


def ensure_image(progress: Progress) -> image.Image:
    """Return the guest image; if it is not cached, take the pack's, or build it.

    Raises:
        LauncherError: it could not be built, or the pack's is another recipe's.
    """
    try:
        cached = image.cached()
        if cached is None and unpacked.pack() is not None:
            unpacked.require_usable(whole=True)
            progress("guest image: importing the pack's")
            image.import_(unpacked.image())
            cached = image.cached()
            if cached is None:
                raise LauncherError(
                    f"the guest image of the pack, {unpacked.image()}, is not of this harness's "
                    f"recipe {image.recipe_key()}",
                    unpacked.UNPACK_AGAIN,
                )
        return cached or image.ensure(progress)
    except image.ImageError as error:
        raise LauncherError(error.message, error.hint) from error


def cached_image() -> image.Image | None:
    """Return the guest image if it is cached.

    Raises:
        LauncherError: the cached one is damaged.
    """
    try:
        return image.cached()
    except image.ImageError as error:
        raise LauncherError(error.message, error.hint) from error


def ensure_image_packages() -> None:
    """Install the missing packages for building the guest image; a pack has an image."""
    if unpacked.pack() is not None:
        return
    if lacking := packages.missing(["image"]):
        _announce(lacking, venv_mib=0, guest_image=True)
        packages.install(["image"], Progress())


def _refuse_lacking(names: list[str]) -> None:
    """Raise, in a pack, for system packages that the pack has not got; a clone gets them by apt.

    Raises:
        MissingError: there are some, with their names.
    """
    if names and unpacked.pack() is not None and unpacked.packages() is None:
        raise unpacked.lacking(names)


def _announce(
    lacking: list[str],
    *,
    venv_mib: int,
    guest_image: bool,
    release: str | None = None,
    doing: str = DOING,
) -> None:
    """Print what is about to be installed, and where."""
    say = [f"plumbline: {doing} what is missing"]
    if lacking:
        tool: str = packages.manager() or "no known package manager"
        if unpacked.packages():
            tool = f"{tool}, from the pack"
        who = "as root" if os.geteuid() == 0 else "by sudo"
        say.append(f"  system packages ({tool}, {who}; no service is started): {' '.join(lacking)}")
    if venv_mib:
        say.append(f"  virtual environment, below {venv_mib} MiB: {virtual_environment.path()}")
    if guest_image:
        origin = "from distribution packages" if unpacked.pack() is None else "from the pack"
        say.append(f"  guest image, below 40 MiB, {origin}: {cache_dir()}")
    if release:
        say.append(f"  root folder of {release}, below 500 MiB, from packages: {cache_dir()}")
    print("\n".join(say), file=sys.stderr, flush=True)


def _check_space(need_mib: int) -> None:
    if need_mib:
        require_space(need_mib, "set-up")
