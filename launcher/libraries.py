# SPDX-License-Identifier: GPL-2.0-or-later
"""The harness's libraries for the Python of another release: wheels, by this machine's own pip."""

import subprocess
from pathlib import Path
from types import MappingProxyType
from typing import Final

from launcher import subprocess_step, virtual_environment
from launcher.launcher_error import LauncherError

# The interpreter of each release in which the harness can run.
PYTHONS: Final = MappingProxyType({"bookworm": "3.11", "trixie": "3.13"})
# Its packages; libvirt's binding is the release's own, so nothing is compiled for it.
PACKAGES = ("python3", "python3-libvirt")
# What the lock has that `PACKAGES` brings.
BROUGHT = ("libvirt-python",)
# What it has beyond that for reports and comparisons, which no run needs.
LEFT_OUT = (*BROUGHT, "jinja2", "markupsafe", "numpy", "scipy")
# The platforms whose wheels run on either release (PEP 600).
GLIBCS = ("2_17", "2_24", "2_26", "2_27", "2_28", "2_31", "2_34", "2_35", "2_36")


def folder_of(release: str) -> str:
    """Return the folder of these libraries in a root folder, relative to the root."""
    return f"usr/local/lib/python{PYTHONS[release]}/dist-packages"


def install(release: str, root: Path, left_out: tuple[str, ...] = LEFT_OUT) -> None:
    """Have the machine's pip fetch the lock's libraries for a release's interpreter.

    The virtual environment must be there.

    Args:
        release: the release.
        root: its root folder.
        left_out: the packages of the lock that are not fetched.

    Raises:
        LauncherError: pip failed; with its last lines.
    """
    python = PYTHONS[release]
    folder = root / folder_of(release)
    tag = python.replace(".", "")
    wheels = [word for glibc in GLIBCS for word in ("--platform", f"manylinux_{glibc}_x86_64")]
    wheels += ["--platform", "manylinux2014_x86_64", "--only-binary", ":all:"]
    wheels += ["--implementation", "cp", "--python-version", python]
    wheels += [word for abi in (f"cp{tag}", "abi3", "none") for word in ("--abi", abi)]
    cut = folder.parent / "requirements"
    folder.mkdir(parents=True, exist_ok=True)
    cut.write_text(lock(left_out))
    pip = [str(virtual_environment.python()), "-m", "pip", "install", "--quiet", "--no-input"]
    pip += ["--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"]
    argv = [*pip, *wheels, "--target", str(folder), "--requirement", str(cut)]
    status, said = subprocess_step.run(argv)
    cut.unlink()
    if status != 0:
        raise LauncherError(
            f"the harness's libraries for {release}: pip install ended with status {status}", said
        )


def compile_all(release: str, root: Path, prefix: str | None = None) -> None:
    """Compile what a release's Python imports, in its root folder.

    Args:
        release: the release.
        root: its root folder.
        prefix: the folder in it for compiled files; None: beside the sources.
    """
    words = [] if prefix is None else ["-X", f"pycache_prefix={prefix}"]
    folders = (
        f"/usr/lib/python{PYTHONS[release]}",
        "/usr/lib/python3/dist-packages",
        f"/{folder_of(release)}",
    )
    # A library may carry files for another Python, which this one refuses and no run asks for.
    subprocess.run(
        ["chroot", str(root), "python3", *words, "-m", "compileall", "-q", *folders],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def lock(left_out: tuple[str, ...] = LEFT_OUT) -> str:
    """Return the lock without some packages; an entry is a line `name==…` and what is indented."""
    kept: list[str] = []
    keep = True
    for line in virtual_environment.LOCK.read_text().splitlines(keepends=True):
        if line[:1].isalnum():
            keep = line.partition("==")[0] not in left_out
        if keep:
            kept.append(line)
    return "".join(kept)
