# SPDX-License-Identifier: GPL-2.0-or-later
"""An unpacked pack: is it as it was packed, and does it fit this machine?"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from contracts import pack_files
from contracts.pack_files import PackFacts
from launcher import unpacked
from launcher.launcher_error import MissingError, UsageError
from launcher.packing import deb_folder
from reports.recording.provenance import tool

ROOT = Path(__file__).resolve().parent.parent
FACTS = PackFacts(
    version="0.1.0",
    commit="a" * 40,
    modified=False,
    python=unpacked.python(),
    abi=unpacked.abi(),
    machine=os.uname().machine,
    glibc=unpacked.glibc(),
    image="0" * 16,
    system=unpacked.system(),
)
WHEEL = f"{pack_files.WHEELS}/thing-1.0-py3-none-any.whl"
FILES = {
    "plumbline": "#!/bin/sh\n",
    "docs/name with a blank.md": "# Plumb\n",
    WHEEL: "a wheel",
    pack_files.FACTS: FACTS.to_json(),
}


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small pack, unpacked, which this process takes for the one that it is in."""
    root = tmp_path / "pack"
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    hashes = {path: hashlib.sha256(content.encode()).hexdigest() for path, content in FILES.items()}
    (root / pack_files.MANIFEST).write_text(pack_files.manifest(hashes))
    monkeypatch.setattr(unpacked, "ROOT", root)
    for cached in (unpacked.pack, unpacked.require_intact):
        cached.cache_clear()
    yield root
    for cached in (unpacked.pack, unpacked.require_intact):
        cached.cache_clear()


def test_a_pack_as_it_was_packed_is_taken(pack: Path) -> None:
    unpacked.require_usable(whole=True)
    # What runs leave in the tree is no file of the pack.
    (pack / "runs").mkdir()
    (pack / "runs" / "notes").write_text("mine")
    unpacked.require_intact.cache_clear()
    unpacked.require_usable(whole=True)
    assert unpacked.packages() == pack / pack_files.PACKAGES
    assert unpacked.install_command() == "sudo ci/setup --for run --from pack/packages"


def test_every_system_can_compare_the_sums(pack: Path) -> None:
    argv = ["sha256sum", "--check", "--strict", "--quiet", pack_files.MANIFEST]
    assert subprocess.run(argv, cwd=pack, check=False).returncode == 0
    (pack / WHEEL).write_text("another wheel")
    done = subprocess.run(argv, cwd=pack, check=False, capture_output=True, text=True)
    assert (done.returncode, f"{WHEEL}: FAILED" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        (WHEEL, "a wheeL", f"{WHEEL} was altered"),
        (WHEEL, None, f"{WHEEL} was removed"),
        ("plumbline", "#!/bin/sh\nrm", "plumbline was altered"),
        (
            pack_files.FACTS,
            FACTS.to_json().replace("cpython-", "cpython-9"),
            "pack.json was altered",
        ),
        ("docs/name with a blank.md", None, "docs/name with a blank.md was removed"),
        (f"{pack_files.WHEELS}/other.whl", "x", f"{pack_files.WHEELS}/other.whl was added"),
    ],
)
def test_a_changed_file_is_named(pack: Path, path: str, content: str | None, said: str) -> None:
    if content is None:
        (pack / path).unlink()
    else:
        (pack / path).write_text(content)
    with pytest.raises(UsageError) as caught:
        unpacked.require_usable(whole=True)
    assert caught.value.message.startswith(f"the pack in {pack} is not as it was packed: ")
    assert caught.value.message.endswith(said)
    assert "unpack the archive again" in caught.value.hint


@pytest.mark.parametrize(
    "path",
    [
        # In the place of a module of Python's own, or one that Python imports as it starts.
        "argparse.py",
        "sitecustomize.py",
        "json/__init__.py",
        f"argparse{EXTENSION_SUFFIXES[0]}",
        # Among the pack's own: collected, or imported.
        "docs/test_x.py",
        "docs/below/conftest.py",
    ],
)
def test_an_added_file_that_could_be_executed_is_named(pack: Path, path: str) -> None:
    (pack / path).parent.mkdir(exist_ok=True)
    (pack / path).touch()
    with pytest.raises(UsageError) as caught:
        unpacked.require_usable(whole=False)
    assert caught.value.message.endswith(f": {path} was added")


def test_an_added_link_to_a_folder_is_named(pack: Path, tmp_path: Path) -> None:
    (pack / "docs" / "more").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="docs/more was added"):
        unpacked.require_usable(whole=False)


def test_what_runs_and_python_leave_is_not_an_added_file(pack: Path) -> None:
    for path in ("out/run.json", "out/checks/x.py", "docs/__pycache__/x.pyc", ".unpacked", "x.md"):
        (pack / path).parent.mkdir(parents=True, exist_ok=True)
        (pack / path).touch()
    unpacked.require_usable(whole=True)


def test_a_link_in_the_place_of_a_file_is_a_change(pack: Path, tmp_path: Path) -> None:
    (pack / "plumbline").rename(tmp_path / "elsewhere")
    (pack / "plumbline").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="plumbline was altered"):
        unpacked.require_usable(whole=False)


def test_what_is_installed_already_is_not_compared_again(pack: Path) -> None:
    (pack / WHEEL).write_text("a wheeL")
    unpacked.require_usable(whole=False)
    (pack / "plumbline").write_text("altered")
    unpacked.require_intact.cache_clear()
    with pytest.raises(UsageError, match="plumbline was altered"):
        unpacked.require_usable(whole=False)


@pytest.mark.parametrize("line", ["../x", "/etc/passwd", "a/../../x", ""])
def test_a_manifest_names_files_of_the_pack_alone(line: str) -> None:
    with pytest.raises(ValueError, match=r"MANIFEST\.sha256:1: not a hash and a path"):
        pack_files.read_manifest(f"{'0' * 64}  {line}\n")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "plumbline/pack/2"}'])
def test_facts_that_are_none_are_refused(pack: Path, content: str) -> None:
    (pack / pack_files.FACTS).write_text(content)
    with pytest.raises(UsageError, match="not the facts of a pack"):
        unpacked.require_usable(whole=False)


@pytest.mark.parametrize("word", ["--version", "man"])
def test_a_pack_with_damaged_facts_is_one_message(word: str, tmp_path: Path) -> None:
    unpack = shutil.ignore_patterns(".git", "__pycache__", "runs", "tests", "docs", "suites")
    root = shutil.copytree(ROOT, tmp_path / "unpacked", ignore=unpack)
    (root / pack_files.FACTS).parent.mkdir()
    (root / pack_files.FACTS).write_text("{")
    argv = [sys.executable, "-B", str(root / "plumbline"), word]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(
        f"plumbline: {root / pack_files.FACTS}: not the facts of a pack: "
    )
    assert "unpack the archive again" in done.stderr


@pytest.mark.usefixtures("pack")
def test_another_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "abi", lambda: "cpython-399-x86_64-linux-gnu")
    monkeypatch.setattr(unpacked, "python", lambda: "3.99")
    with pytest.raises(MissingError) as caught:
        unpacked.require_usable(whole=True)
    assert f"this pack is for Python {FACTS.python} on" in caught.value.message
    assert f"{sys.executable} is Python 3.99" in caught.value.message
    assert f"python{FACTS.python} plumbline" in caught.value.hint


@pytest.mark.usefixtures("pack")
@pytest.mark.parametrize(("here", "taken"), [("2.9", False), ("", False), ("2.100", True)])
def test_an_older_c_library_is_refused(
    here: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "glibc", lambda: here)
    if taken:
        unpacked.require_usable(whole=True)
        return
    with pytest.raises(MissingError, match=f"made with glibc {FACTS.glibc}"):
        unpacked.require_usable(whole=True)


@pytest.mark.usefixtures("pack")
def test_packages_of_another_release_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "system", lambda: "debian 99")
    assert unpacked.packages() is None
    assert unpacked.install_command() == "sudo ci/setup --for run"
    error = unpacked.lacking(["dnsmasq-base", "iperf3"])
    assert error.exit_code == 11
    assert f"its own are for {FACTS.system}, and this is debian 99" in error.message
    assert error.message.endswith("dnsmasq-base iperf3")


def test_a_record_has_the_commit_of_the_pack(pack: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", pack)
    described = tool(["./plumbline", "run"], pack)
    assert (described.commit, described.dirty) == ("a" * 40, False)


def test_set_up_takes_packages_from_a_folder_with_an_index_alone(tmp_path: Path) -> None:
    argv = [str(ROOT / "ci" / "setup"), "--from", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "expected a folder with .deb files and their index" in done.stderr


@pytest.mark.parametrize("change", ["none", "altered", "removed", "unlisted"])
def test_set_up_takes_the_packages_of_a_pack_as_they_were_packed(
    pack: Path, tmp_path: Path, change: str
) -> None:
    names = [f"{pack_files.PACKAGES}/{name}" for name in (deb_folder.INDEX, "iperf3_99_all.deb")]
    (pack / pack_files.PACKAGES).mkdir()
    for name in names:
        (pack / name).write_text(name)
    if change != "unlisted":
        hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
        with (pack / pack_files.MANIFEST).open("a") as manifest:
            manifest.write(pack_files.manifest(hashes))
    if change == "altered":
        (pack / names[1]).write_text("another package")
    elif change == "removed":
        (pack / names[1]).unlink()
    # Whatever the machine lacks: it is compared first. Wherever set-up itself is, by any path.
    (tmp_path / "link").symlink_to(pack / pack_files.PACKAGES)
    for folder in (pack / pack_files.PACKAGES, tmp_path / "link"):
        argv = [str(ROOT / "ci" / "setup"), "--list", "--from", str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == (0 if change == "none" else 4), done.stderr
        assert (f"--from {folder}: it is not as it was packed" in done.stderr) == (change != "none")
        assert (f"{names[1]}: FAILED" in done.stderr) == (change in ("altered", "removed"))
