# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of an unpacked pack, beside the harness, and what it says of itself."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

# What `sha256sum --check` reads; every other file of the pack is in it.
MANIFEST = "MANIFEST.sha256"
# The folder of what a clone would fetch or build.
FOLDER = "pack"
FACTS = f"{FOLDER}/pack.json"
LOCK = f"{FOLDER}/requirements.lock"
WHEELS = f"{FOLDER}/wheels"
IMAGE = f"{FOLDER}/guest-image.tar.gz"
PACKAGES = f"{FOLDER}/packages"
SCHEMA = "plumbline/pack/1"
SHA256_DIGITS = 64


@dataclass(frozen=True)
class PackFacts:
    """What a pack was made of, and what it can be installed on.

    Attributes:
        version: of the harness.
        commit: of the harness; None where it was packed without git.
        modified: whether files differed from that commit; None without git.
        python: the Python of the wheels, as in `3.11`.
        abi: that Python's tag of compiled modules, as in `cpython-311-x86_64-linux-gnu`.
        machine: the processor's architecture, as in `x86_64`.
        glibc: the C library that the wheels were built with, as in `2.36`.
        image: the recipe of the guest image.
        system: the distribution release of the system packages, as in `debian 12`; None: it has
            none.
    """

    version: str
    commit: str | None
    modified: bool | None
    python: str
    abi: str
    machine: str
    glibc: str
    image: str
    system: str | None

    def to_json(self) -> str:
        """Return the content of `FACTS`."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2) + "\n"


def facts(root: Path) -> PackFacts | None:
    """Return the facts of the pack that was unpacked in `root`; None where it is no pack.

    Raises:
        ValueError: the file is there, and is not one that a pack has.
    """
    try:
        text = (root / FACTS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        read = json.loads(text)
        if read.pop("schema") != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        return PackFacts(**read)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{root / FACTS}: not the facts of a pack: {error}") from error


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def manifest(hashes: dict[str, str]) -> str:
    """Return the content of `MANIFEST`: SHA-256 by path, as `sha256sum` writes them."""
    return "".join(f"{known}  {path}\n" for path, known in sorted(hashes.items()))


def read_manifest(text: str) -> dict[str, str]:
    """Return SHA-256 by path, of the text of `MANIFEST`.

    Raises:
        ValueError: a line is not a hash and a path below the pack's folder.
    """
    hashes: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        known, _, path = line.partition("  ")
        parts = PurePosixPath(path).parts
        if len(known) != SHA256_DIGITS or not parts or parts[0] == "/" or ".." in parts:
            raise ValueError(f"{MANIFEST}:{number}: not a hash and a path")
        hashes[path] = known
    return hashes
