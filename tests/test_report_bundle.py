# SPDX-License-Identifier: GPL-2.0-or-later
"""Bundles: the same run makes the same file, and no other file is taken for it."""

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.bundle import archive, signature
from reports.bundle import bundle_writer as bundle
from reports.bundle.verification import verify
from reports.record import RunRecord
from reports.report_error import ReportError
from tests.reported import saved

EVIDENCE = {
    "evidence/nat.conforms_nat/commands.txt": b"[host]$ ip link\n",
    f"evidence/{'long' * 30}_nat/{'name' * 15}.txt": b"whose path is longer than a tar's of 1988\n",
}
Files = dict[str, bytes]


@pytest.fixture
def run(tmp_path: Path) -> tuple[RunRecord, Path]:
    folder = tmp_path / "run"
    return saved(folder, EVIDENCE), folder


@pytest.fixture
def made(run: tuple[RunRecord, Path], tmp_path: Path) -> Path:
    """A bundle without a signature."""
    file = tmp_path / "bundle.tar.gz"
    bundle.write(file, *run, None, None)
    return file


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return new_key(tmp_path / "key")


def new_key(file: Path) -> Path:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "op@example.com", "-f", str(file)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return file


def allowed(key: Path, name: str = "op@example.com") -> Path:
    file = key.with_name(f"allowed-{key.name}")
    file.write_text(f"{name} {key.with_name(f'{key.name}.pub').read_text()}")
    return file


def unpacked(file: Path) -> Files:
    with tarfile.open(file) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]  # all are files


def packed(file: Path, files: Files) -> Path:
    """Write an archive in the right form, whatever is in it."""
    with file.open("wb") as target:
        archive.write(target, dict(files))
    return file


def top(files: Files) -> str:
    return next(iter(files)).partition("/")[0]


def relisted(files: Files) -> Files:
    """The same files with a manifest that is right for them."""
    folder = top(files)
    seals = {f"{folder}/{name}" for name in (bundle.MANIFEST, bundle.SIGNATURE)}
    listed = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {path.partition('/')[2]}\n"
        for path, content in sorted(files.items())
        if path not in seals
    )
    return files | {f"{folder}/{bundle.MANIFEST}": listed.encode()}


def test_a_bundle_is_whole(made: Path) -> None:
    said = "\n".join(verify(made, None, None))
    assert "whole: report.html, run.json and 2 files of evidence" in said
    assert "not signed" in said
    assert "conforms 1 · violates 0" in said


def test_tar_and_sha256sum_can_verify_it_too(made: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "xzf", str(made)], cwd=tmp_path, check=True)
    [folder] = tmp_path.glob("plumbline-2026-03-01T12-00-00Z-11111111")
    argv = ["sha256sum", "--check", "--strict", "--quiet", bundle.MANIFEST]
    subprocess.run(argv, cwd=folder, check=True)
    assert {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()} == {
        *("MANIFEST.sha256", "report.html", "run.json"),
        *EVIDENCE,
    }


def test_the_same_run_makes_the_same_file(
    run: tuple[RunRecord, Path], made: Path, tmp_path: Path
) -> None:
    record, folder = run
    for file in folder.rglob("*"):
        os.utime(file, (0, 0))
    (folder / "run.json").chmod(0o600)
    again = tmp_path / "again.tar.gz"
    bundle.write(again, record, folder, None, None)
    assert again.read_bytes() == made.read_bytes()


def changed(files: Files) -> Files:
    path = f"{top(files)}/evidence/nat.conforms_nat/commands.txt"
    return files | {path: files[path].replace(b"link", b"lonk")}


def added(files: Files) -> Files:
    return files | {f"{top(files)}/evidence/more.txt": b""}


def removed(files: Files) -> Files:
    return {path: c for path, c in files.items() if not path.endswith("commands.txt")}


def swapped(files: Files) -> Files:
    one, other = (f"{top(files)}/{path}" for path in EVIDENCE)
    return files | {one: files[other], other: files[one]}


def renamed(files: Files) -> Files:
    return {path.replace("commands", "command"): content for path, content in files.items()}


def folder_renamed(files: Files) -> Files:
    return {path.replace("11111111", "22222222"): content for path, content in files.items()}


def page_changed(files: Files) -> Files:
    path = f"{top(files)}/report.html"
    return files | {path: files[path].replace(b"conforms", b"violates")}


def record_changed(files: Files) -> Files:
    path = f"{top(files)}/run.json"
    return files | {path: files[path].replace(b'"tcg"', b'"kvm"').replace(b"nat", b"NAT", 1)}


def manifest_changed(files: Files) -> Files:
    path = f"{top(files)}/{bundle.MANIFEST}"
    return files | {path: files[path].replace(b"0", b"1", 1)}


def manifest_removed(files: Files) -> Files:
    return {path: c for path, c in files.items() if not path.endswith(bundle.MANIFEST)}


def line_removed(files: Files) -> Files:
    path = f"{top(files)}/{bundle.MANIFEST}"
    return files | {path: b"".join(files[path].splitlines(keepends=True)[1:])}


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (changed, "commands.txt was altered"),
        (added, "evidence/more.txt was added"),
        (removed, "commands.txt was removed"),
        (swapped, "was altered"),
        (renamed, "commands.txt was removed; evidence/nat.conforms_nat/command.txt was added"),
        (folder_renamed, "was renamed"),
        (page_changed, "report.html was altered"),
        (record_changed, "run.json was altered"),
        (manifest_changed, "was altered"),
        (manifest_removed, "MANIFEST.sha256 was removed"),
        (line_removed, "was added"),
    ],
)
def test_tampering_is_detected(
    tamper: Callable[[Files], Files], said: str, made: Path, tmp_path: Path
) -> None:
    before = unpacked(made)
    assert tamper(before) != before
    other = packed(tmp_path / "other.tar.gz", tamper(before))
    with pytest.raises(ReportError, match=said):
        verify(other, None, None)


@pytest.mark.parametrize("tamper", [changed, added, removed, swapped, renamed])
def test_a_manifest_made_anew_does_not_hide_it(
    tamper: Callable[[Files], Files], made: Path, tmp_path: Path
) -> None:
    """The record has hashes of its own: no file of evidence can be exchanged without it."""
    other = packed(tmp_path / "other.tar.gz", relisted(tamper(unpacked(made))))
    with pytest.raises(ReportError, match=r"is no part of the run|is not as run\.json says"):
        verify(other, None, None)


def test_who_signed_is_told(run: tuple[RunRecord, Path], key: Path, tmp_path: Path) -> None:
    file = tmp_path / "signed.tar.gz"
    bundle.write(file, *run, None, key)
    print_of = ["ssh-keygen", "-l", "-f", str(key)]
    done = subprocess.run(print_of, capture_output=True, text=True, check=True)
    fingerprint = done.stdout.split()[1]
    unknown = "\n".join(verify(file, None, None))
    assert f"signed by ED25519 key {fingerprint}; it was not compared with known keys" in unknown
    known = "\n".join(verify(file, allowed(key), None))
    assert f"signed by op@example.com, with ED25519 key {fingerprint}" in known
    assert verify(file, allowed(key), "op@example.com")


def test_another_signer_is_not_taken(
    run: tuple[RunRecord, Path], key: Path, tmp_path: Path
) -> None:
    file = tmp_path / "signed.tar.gz"
    bundle.write(file, *run, None, key)
    other = new_key(tmp_path / "other")
    with pytest.raises(
        ReportError, match=r"but by no signer that .* allows: by ED25519 key SHA256:"
    ):
        verify(file, allowed(other), None)
    with pytest.raises(ReportError, match=r"but not by boss@example\.com"):
        verify(file, allowed(key), "boss@example.com")


def test_a_signature_of_another_manifest_is_not_taken(
    run: tuple[RunRecord, Path], key: Path, tmp_path: Path
) -> None:
    record, folder = run
    file, other_file = tmp_path / "signed.tar.gz", tmp_path / "other.tar.gz"
    bundle.write(file, record, folder, None, key)
    other = saved(tmp_path / "run2", {"evidence/other.txt": b"other\n"})
    bundle.write(other_file, other, tmp_path / "run2", None, key)
    mine, others = unpacked(file), unpacked(other_file)
    path = f"{top(mine)}/{bundle.SIGNATURE}"
    forged = packed(tmp_path / "forged.tar.gz", mine | {path: others[path]})
    with pytest.raises(ReportError, match="not one of this bundle's manifest"):
        verify(forged, None, None)


def test_a_signature_made_for_something_else_is_not_taken(
    made: Path, key: Path, tmp_path: Path
) -> None:
    files = unpacked(made)
    manifest = files[f"{top(files)}/{bundle.MANIFEST}"]
    argv = ["ssh-keygen", "-Y", "sign", "-q", "-f", str(key), "-n", "git"]
    signature = subprocess.run(argv, input=manifest, capture_output=True, check=True).stdout
    forged = files | {f"{top(files)}/{bundle.SIGNATURE}": signature}
    with pytest.raises(ReportError, match="not one of this bundle's manifest"):
        verify(packed(tmp_path / "forged.tar.gz", forged), None, None)


def test_whoever_asks_for_a_signature_takes_nothing_without(made: Path, key: Path) -> None:
    with pytest.raises(ReportError, match="not signed"):
        verify(made, allowed(key), None)


def member(name: str, kind: bytes = tarfile.REGTYPE, **more: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode = kind, 0o644
    for field, value in more.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.PAX_FORMAT)


END = bytes(1024)
FOLDER = "plumbline-2026-03-01T12-00-00Z-11111111"


@pytest.mark.parametrize(
    "octets",
    [
        member("/etc/passwd") + END,
        member(f"{FOLDER}/../../etc/passwd") + END,
        member(f"{FOLDER}/./run.json") + END,
        member(f"{FOLDER}//run.json") + END,
        member(f"{FOLDER}/a\\b") + END,
        member(f"{FOLDER}/a\nb") + END,
        member(f"{FOLDER}/run.json", tarfile.SYMTYPE, linkname="/etc/passwd") + END,
        member(f"{FOLDER}/run.json", tarfile.LNKTYPE, linkname="/etc/passwd") + END,
        member(f"{FOLDER}/null", tarfile.CHRTYPE) + END,
        member(f"{FOLDER}/sda", tarfile.BLKTYPE) + END,
        member(f"{FOLDER}/pipe", tarfile.FIFOTYPE) + END,
        member(f"{FOLDER}/evidence", tarfile.DIRTYPE) + END,
        member(f"{FOLDER}/run.json", uname="root") + END,
        2 * member(f"{FOLDER}/run.json") + END,
        member(f"{FOLDER}/run.json") + END + b"more".ljust(512, b"\0"),
        member(f"{FOLDER}/run.json"),
        member(f"{FOLDER}/run.json") + bytes(512),
        b"no tar at all".ljust(512, b"\0") + END,
        b"",
    ],
    ids=[
        *("absolute", "up", "dot", "empty part", "backslash", "newline", "symlink", "hard link"),
        *("character device", "block device", "fifo", "folder", "owner", "twice", "behind its end"),
        *("no end", "half an end", "no tar", "nothing"),
    ],
)
def test_unsafe_archives_are_refused(octets: bytes, tmp_path: Path) -> None:
    file = tmp_path / "unsafe.tar.gz"
    file.write_bytes(gzip.compress(octets))
    with pytest.raises(ReportError, match="not a bundle, or one that was altered"):
        verify(file, None, None)


def test_what_stands_outside_of_the_gzip_is_refused(made: Path) -> None:
    good = made.read_bytes()
    for octets in (good + b"more", good + gzip.compress(b""), good[:-9], b"plain"):
        made.write_bytes(octets)
        with pytest.raises(ReportError, match="not a bundle, or one that was altered"):
            verify(made, None, None)


def test_a_bomb_is_refused_before_it_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "SIZE_MAX", 1 << 20)
    file = packed(tmp_path / "bomb.tar.gz", {f"{FOLDER}/evidence/zeros": bytes(1 << 21)})
    assert file.stat().st_size < 1 << 13
    with pytest.raises(ReportError, match="GiB in it"):
        verify(file, None, None)
    monkeypatch.setattr(archive, "SIZE_MAX", 1 << 30)
    monkeypatch.setattr(archive, "KEPT_MAX", 1 << 20)
    file = packed(tmp_path / "bomb.tar.gz", {f"{FOLDER}/run.json": bytes(1 << 21)})
    with pytest.raises(ReportError, match="octets"):
        verify(file, None, None)


def test_nothing_half_written_is_left(run: tuple[RunRecord, Path], tmp_path: Path) -> None:
    record, folder = run
    (folder / "evidence/nat.conforms_nat/commands.txt").unlink()
    with pytest.raises(FileNotFoundError):
        bundle.write(tmp_path / "b.tar.gz", record, folder, None, None)
    assert not list(tmp_path.glob("*b.tar.gz*"))


@pytest.mark.parametrize(
    "name", ["report.html", "run.json", "MANIFEST.sha256", "MANIFEST.sha256.sig", "REDACTION.txt"]
)
def test_evidence_cannot_take_the_place_of_a_bundle_s_own_file(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = saved(folder, {name: b"foreign\n"})
    with pytest.raises(ReportError, match="the name of a file that a bundle has itself"):
        bundle.write(tmp_path / "b.tar.gz", run, folder, None, None)
    assert not list(tmp_path.glob("*b.tar.gz*"))


def test_a_keygen_that_does_not_end_is_one_message(
    run: tuple[RunRecord, Path], key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "signed.tar.gz"
    bundle.write(file, *run, None, key)
    stuck = tmp_path / "bin/ssh-keygen"
    stuck.parent.mkdir()
    stuck.write_text("#!/bin/sh\nexec sleep 60\n")
    stuck.chmod(0o755)
    monkeypatch.setenv("PATH", str(stuck.parent), prepend=os.pathsep)
    monkeypatch.setattr(signature, "VERIFY_DEADLINE_S", 0.2)
    with pytest.raises(ReportError, match=r"ssh-keygen -Y check-novalidate did not end within"):
        verify(file, None, None)


def test_any_content_comes_back(tmp_path: Path) -> None:
    """Sizes at the limits of a tar's blocks, and content that does not get smaller."""
    sizes = (0, 1, 511, 512, 513, (1 << 16) - 1, 1 << 16, 3 * (1 << 16) + 7)
    stream = hashlib.shake_256(b"plumbline").digest(sum(sizes))
    source = io.BytesIO(stream)
    files = {f"{FOLDER}/{size}": source.read(size) for size in sizes}
    file = packed(tmp_path / "any.tar.gz", files)
    keep = frozenset(str(size) for size in sizes)
    assert {m.path: m.content for m in archive.members(file, keep)} == files
