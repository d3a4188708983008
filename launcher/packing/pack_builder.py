# SPDX-License-Identifier: GPL-2.0-or-later
"""A pack from its parts: facts, manifest, archive, checksum and signature."""

import contextlib
import platform
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from contracts import pack_files, ssh_signature
from contracts.pack_files import PackFacts
from fixtures.guest import image
from launcher import unpacked, virtual_environment
from launcher.launcher_error import LauncherError
from launcher.packing import deb_folder, wheels
from launcher.packing.harness_files import Harness

ROOT = Path(__file__).resolve().parent.parent.parent
# Wheels, image and packages are compressed already.
COMPRESSION = 1


def name(version: str) -> str:
    """Return the name of a pack for this machine's Python: of its folder, and of its file."""
    tag = f"py{unpacked.python().replace('.', '')}"
    return f"plumbline-{version}-{platform.machine()}-{tag}"


def build(
    target: Path,
    version: str,
    harness: Harness,
    guest_image: image.Image,
    progress: Callable[[str], None],
    *,
    with_packages: bool,
) -> PackFacts:
    """Write a pack; the file is there when it is whole, or not at all.

    The virtual environment must be there.

    Args:
        target: the file; one that is there is replaced.
        version: of the harness.
        harness: its files.
        guest_image: the image of its recipe.
        progress: called with each step.
        with_packages: whether it carries the system packages too.

    Raises:
        LauncherError: a part could not be fetched, or the archive cannot be written.
    """
    facts = PackFacts(
        version=version,
        commit=harness.commit,
        modified=harness.modified,
        python=unpacked.python(),
        abi=unpacked.abi(),
        machine=platform.machine(),
        glibc=unpacked.glibc(),
        image=guest_image.key,
        system=unpacked.system() if with_packages else None,
    )
    with (
        _errors_of(target),
        tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as work,
    ):
        carried = Path(work) / pack_files.FOLDER
        _carry(carried.parent, facts, guest_image, progress, with_packages=with_packages)
        files = _copied(harness, Path(work) / "harness")
        files |= {
            file.relative_to(work).as_posix(): file for file in carried.rglob("*") if file.is_file()
        }
        progress(f"archive: {len(files)} files")
        hashes = {path: pack_files.sha256(file) for path, file in files.items()}
        manifest = Path(work) / pack_files.MANIFEST
        manifest.write_text(pack_files.manifest(hashes), encoding="utf-8")
        part = Path(work) / target.name
        top = name(version)
        with tarfile.open(part, "w:gz", compresslevel=COMPRESSION) as archive:
            for path, file in sorted((files | {pack_files.MANIFEST: manifest}).items()):
                archive.add(file, f"{top}/{path}", recursive=False, filter=_anonymous)
        # That of another file, which had this name.
        _beside(target, "sig").unlink(missing_ok=True)
        part.replace(target)
    return facts


def write_checksum(target: Path) -> Path:
    """Write the checksum of a pack beside it, as `sha256sum --check` reads it."""
    file = _beside(target, "sha256")
    with _errors_of(file):
        file.write_text(f"{pack_files.sha256(target)}  {target.name}\n")
    return file


def write_signature(target: Path, key: Path) -> Path:
    """Write the signature of a pack beside it, as `ssh-keygen -Y verify` reads it.

    Raises:
        LauncherError: ssh-keygen did not sign.
    """
    file = _beside(target, "sig")
    try:
        signature = ssh_signature.sign(target, key, ssh_signature.PACK)
    except ssh_signature.SigningError as error:
        raise LauncherError(
            f"{error.message}; {target} is there, not signed", error.hint
        ) from error
    with _errors_of(file):
        file.write_bytes(signature)
    return file


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(f"{target.name}.{ending}")


def _copied(harness: Harness, folder: Path) -> dict[str, Path]:
    """Copy the harness, so that an edit cannot come between its sums and the archive."""
    copies = {path: folder / path for path in harness.paths}
    for path, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy)
    return copies


def _carry(
    work: Path,
    facts: PackFacts,
    guest_image: image.Image,
    progress: Callable[[str], None],
    *,
    with_packages: bool,
) -> None:
    """Put what a clone would fetch or build into a folder."""
    folder = work / pack_files.WHEELS
    folder.mkdir(parents=True)
    progress("wheels: fetching those of the lock")
    wheels.fetch(folder)
    lock = wheels.lock_of(folder, virtual_environment.LOCK.read_text(encoding="utf-8"))
    (work / pack_files.LOCK).write_text(lock, encoding="utf-8")
    image.export(guest_image, work / pack_files.IMAGE)
    if with_packages:
        packages, scratch = work / pack_files.PACKAGES, work / "apt"
        packages.mkdir()
        scratch.mkdir()
        deb_folder.fetch(packages, scratch, progress)
    (work / pack_files.FACTS).write_text(facts.to_json(), encoding="utf-8")


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who packed a file; others may read it, whatever the umask here was."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


@contextlib.contextmanager
def _errors_of(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LauncherError(
            f"pack: {file} cannot be written: {error.strerror}", "name another place: --output"
        ) from error
    except image.ImageError as error:
        raise LauncherError(error.message, error.hint) from error
