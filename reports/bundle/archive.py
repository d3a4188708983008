# SPDX-License-Identifier: GPL-2.0-or-later
"""A bundle's file format: a gzipped tar of plain files that can be written in one way only.

What is read is compared with what would be written: a header has one form, which follows from the
file's name and size, files are in one order, and nothing is before, between or behind them. So
there is no place for a link, a device, an owner, a path that leads out of the folder, or a second
file of the same name; and nothing is unpacked while it is read. `tarfile` reads much more than
that, so headers are read here.
"""

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from reports.report_error import ReportError

BLOCK = 512
# A run of this harness has some 60 MB in 7000 files; what is larger by far is no bundle of one.
SIZE_MAX = 4 << 30
FILES_MAX = 200_000
NAME_MAX = 1024
# The part of a file that is kept for its reader: the record of a prove has 4 MB.
KEPT_MAX = 256 << 20
_CHUNK = 1 << 16
# deflate, in gzip's clothes (zlib's manual, deflateInit2)
_GZIP = 16 + zlib.MAX_WBITS
_PAX = b"x"


@dataclass(frozen=True)
class Member:
    """A file of a bundle, as it was read.

    Attributes:
        path: its path in the archive.
        sha256: of its content.
        content: its content where that was asked for, else nothing.
    """

    path: str
    sha256: str
    content: bytes


def write(target: BinaryIO, files: dict[str, Path | bytes]) -> None:
    """Write an archive: the same files make the same octets at any time, for any user.

    Args:
        target: where to.
        files: path in the archive → where the content is, or the content; in this order.
    """
    gzipped = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    for path, source in files.items():
        with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as content:
            size = content.seek(0, io.SEEK_END)
            content.seek(0)
            target.write(gzipped.compress(header(path, size)))
            while chunk := content.read(_CHUNK):
                target.write(gzipped.compress(chunk))
        target.write(gzipped.compress(bytes(-size % BLOCK)))
    target.write(gzipped.compress(bytes(2 * BLOCK)))
    target.write(gzipped.flush())


def header(path: str, size: int) -> bytes:
    """Return the one header that a file has: its name and size, and nothing of who packed it.

    A path that is too long for a tar of 1988 has a pax header before it (POSIX.1-2001, pax).
    """
    member = tarfile.TarInfo(path)
    member.size = size
    member.mode = 0o644
    return member.tobuf(tarfile.PAX_FORMAT)


def members(archive: Path, keep: frozenset[str]) -> Iterator[Member]:
    """Read an archive, without unpacking it.

    Args:
        archive: the file.
        keep: the last part of paths whose content is wanted.

    Raises:
        ReportError: it is not exactly what `write` makes, or is larger than any run.
    """
    try:
        with archive.open("rb") as file:
            yield from _members(_Inflated(file, archive), archive, keep)
    except OSError as error:
        raise ReportError(
            f"{archive}: cannot be read: {error.strerror}", "name a bundle"
        ) from error


def _members(stream: "_Inflated", archive: Path, keep: frozenset[str]) -> Iterator[Member]:
    seen: set[str] = set()
    while (found := _next_header(stream, archive)) is not None:
        path, size = found
        if path in seen or len(seen) >= FILES_MAX:
            raise _unsafe(archive, f"{path!r} is in it twice, or it has too many files")
        seen.add(path)
        known = hashlib.sha256()
        kept: list[bytes] = []
        wanted = PurePosixPath(path).name in keep
        if wanted and size > KEPT_MAX:
            raise _unsafe(archive, f"{path!r} has {size} octets")
        left = size
        while left:
            chunk = stream.read(min(left, _CHUNK))
            left -= len(chunk)
            known.update(chunk)
            if wanted:
                kept.append(chunk)
        if any(stream.read(-size % BLOCK)):
            raise _unsafe(archive, f"there is something behind {path!r}")
        yield Member(path, known.hexdigest(), b"".join(kept))
    stream.require_end()


def _next_header(stream: "_Inflated", archive: Path) -> tuple[str, int] | None:
    """Return path and size of the next file, or None at the end."""
    blocks = stream.read(BLOCK)
    if not any(blocks):
        if any(stream.read(BLOCK)):
            raise _unsafe(archive, "there is something behind its end")
        return None
    first = _parsed(blocks, archive)
    path: str | None = None
    if first.type == _PAX:
        if not 0 < first.size <= 2 * NAME_MAX:
            raise _unsafe(archive, f"a header of {first.size} octets")
        record = stream.read(first.size + -first.size % BLOCK)
        blocks += record + stream.read(BLOCK)
        path = _pax_path(record[: first.size])
        first = _parsed(blocks[-BLOCK:], archive)
    path = first.name if path is None else path
    if not is_path(path):
        raise _unsafe(archive, f"{path!r} is not a path in the bundle's own folder")
    if first.type != tarfile.REGTYPE or blocks != header(path, first.size):
        raise _unsafe(archive, f"{path!r} is not a plain file as a bundle has them")
    return path, first.size


def _parsed(block: bytes, archive: Path) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise _unsafe(archive, f"a header cannot be read: {error}") from error


def _pax_path(record: bytes) -> str:
    """Return the path of a pax header, `117 path=plumbline-…/evidence/…`, or what is no path."""
    _, _, rest = record.partition(b" path=")
    return rest.removesuffix(b"\n").decode("utf-8", "replace")


def is_path(path: str) -> bool:
    """Whether a bundle can hold a file of this path."""
    parts = path.split("/")
    usual = path.isprintable() and len(path) <= NAME_MAX and "\\" not in path
    return usual and not any(part in ("", ".", "..") for part in parts)


def _unsafe(archive: Path, what: str) -> ReportError:
    return ReportError(
        f"{archive}: not a bundle, or one that was altered: {what}",
        "expected an archive as ./plumbline report --bundle writes it; nothing was unpacked",
    )


class _Inflated:
    """The content of a gzipped file, read once and never more than is asked for."""

    def __init__(self, file: BinaryIO, archive: Path) -> None:
        self._file = file
        self._archive = archive
        self._inflate = zlib.decompressobj(_GZIP)
        self._ready = b""
        self._total = 0

    def read(self, size: int) -> bytes:
        """Return exactly `size` octets."""
        parts: list[bytes] = []
        missing = size
        while missing:
            chunk = self._some(missing)
            if not chunk:
                raise _unsafe(self._archive, "it ends before its end")
            parts.append(chunk)
            missing -= len(chunk)
        return b"".join(parts)

    def require_end(self) -> None:
        """Check that nothing follows."""
        if self._some(1) or self._inflate.unused_data or self._ready or self._file.read(1):
            raise _unsafe(self._archive, "there is something behind its end")
        if not self._inflate.eof:
            raise _unsafe(self._archive, "it ends before its end")

    def _some(self, most: int) -> bytes:
        while not self._inflate.eof:
            given = self._ready or self._file.read(_CHUNK)
            try:
                chunk = self._inflate.decompress(given, most)
            except zlib.error as error:
                raise _unsafe(self._archive, f"not gzip: {error}") from error
            self._ready = self._inflate.unconsumed_tail
            self._total += len(chunk)
            if self._total > SIZE_MAX:
                raise _unsafe(self._archive, f"it has more than {SIZE_MAX >> 30} GiB in it")
            # Without more to read there may still be some that did not fit into what was asked for.
            if chunk or not given:
                return chunk
        return b""
