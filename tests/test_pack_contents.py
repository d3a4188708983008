# SPDX-License-Identifier: GPL-2.0-or-later
"""What is in a pack: harness, lock of the wheels, system packages; and what `pack` refuses."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.launcher_error import LauncherError
from launcher.packing import deb_folder, harness_files, pack_builder, wheels
from reports.recording.provenance import tool

ROOT = Path(__file__).resolve().parent.parent


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Op", "-c", "user.email=op@example.com"]
    argv = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_clone_of_another_user_has_a_commit(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    for place in (tmp_path, tmp_path / ".git"):
        os.chown(place, 65534, 65534)
    assert tool(["./plumbline", "run"], tmp_path).commit == commit
    assert harness_files.harness(tmp_path).commit == commit


def test_the_harness_is_what_git_tracks(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "tracked").write_text("before")
    (tmp_path / "name\twith a tab").write_text("x")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    found = harness_files.harness(tmp_path)
    assert found.paths == ["name\twith a tab", "tracked"]
    assert found.commit == git(tmp_path, "rev-parse", "HEAD").strip()
    assert (found.changed, found.modified) == ([], False)
    (tmp_path / "untracked").touch()
    # It is not in the pack.
    found = harness_files.harness(tmp_path)
    assert (found.changed, found.modified) == (["?? untracked"], False)
    (tmp_path / "tracked").write_text("after")
    found = harness_files.harness(tmp_path)
    assert found.modified
    assert found.paths == ["name\twith a tab", "tracked"]
    assert found.changed == [" M tracked", "?? untracked"]
    (tmp_path / "tracked").unlink()
    with pytest.raises(LauncherError, match="tracked is tracked by git, and not there"):
        harness_files.harness(tmp_path)


def test_without_git_the_harness_is_what_its_folders_have(tmp_path: Path) -> None:
    ours = ["ci/runs/example.yml", "launcher/cli.py", "plumbline"]
    caches = ["launcher/__pycache__/cli.pyc", "launcher/.mypy_cache/x"]
    others = [
        *("runs/1/run.json", "fleet/host/run.json", "plumbline-0.1.0-x86_64-py311.tar.gz"),
        *(".env", ".venv/bin/python", "node_modules/x.js", "id_ed25519"),
    ]
    for name in [*ours, *caches, *others]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = harness_files.harness(tmp_path)
    assert (found.paths, found.commit, found.modified) == (ours, None, None)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this tree is no clone")
def test_the_top_of_the_harness_is_that_of_the_clone() -> None:
    assert {path.split("/")[0] for path in harness_files.harness(ROOT).paths} == harness_files.TOP


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this tree is no clone")
@pytest.mark.parametrize("kind", ["tar.gz", "tar.gz.sha256", "tar.gz.sig"])
def test_a_pack_or_a_fleet_does_not_change_the_clone(kind: str) -> None:
    made = [f"{pack_builder.name('0.1.0')}.{kind}", "fleet/host/run.json"]
    assert git(ROOT, "check-ignore", *made).splitlines() == made


def test_the_lock_of_a_pack_has_the_hashes_of_its_wheels(tmp_path: Path) -> None:
    (tmp_path / "ruamel_yaml-0.19.1-py3-none-any.whl").write_bytes(b"one")
    (tmp_path / "pip-26.0-py3-none-any.whl").write_bytes(b"pip")
    (tmp_path / "Thing.Two-2.0-1-cp311-abi3-manylinux_2_34_x86_64.whl").write_bytes(b"two")
    harness_lock = "ruamel-yaml==0.19.1 \\\n    --hash=sha256:00\n    # via x\nthing-two==2.0 \\\n"
    assert sorted(wheels.lock_of(tmp_path, harness_lock).splitlines()) == [
        f"pip==26.0 --hash=sha256:{hashlib.sha256(b'pip').hexdigest()}",
        f"ruamel-yaml==0.19.1 --hash=sha256:{hashlib.sha256(b'one').hexdigest()}",
        f"thing-two==2.0 --hash=sha256:{hashlib.sha256(b'two').hexdigest()}",
    ]
    with pytest.raises(LauncherError, match=r"not those of requirements.lock: absent==1\.0"):
        wheels.lock_of(tmp_path, f"{harness_lock}absent==1.0 \\\n")
    (tmp_path / "thing-two-2.0.tar.gz").touch()
    with pytest.raises(LauncherError, match="which is no wheel"):
        wheels.lock_of(tmp_path, harness_lock)


def test_pip_is_the_one_of_this_python() -> None:
    argv = [sys.executable, "-m", "ensurepip", "--version"]
    # "pip 23.2.1"
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert wheels.own_pip().name == f"pip-{said[1]}-py3-none-any.whl"


def test_the_packages_of_a_pack_are_those_of_a_run_without_a_compiler() -> None:
    names = deb_folder.names()
    assert {"qemu-system-x86", "libvirt-daemon", "dnsmasq-base"} <= set(names)
    assert not {"gcc", "libvirt-dev", "python3-venv"} & set(names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "nowhere/x.tar.gz"], "there is no folder nowhere"),
        (["--output", "x.zip"], "nor a name ending in .tar.gz"),
        (["--output", "there.tar.gz"], "there.tar.gz: the file exists"),
        (["--sign", "no-key"], "--sign no-key: there is no such file"),
    ],
)
def test_usage_errors_come_before_any_work(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "there.tar.gz").touch()
    done = subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), "pack", *words],
        cwd=tmp_path,
        env=os.environ | {"PLUMBLINE_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert said in done.stderr
    assert not (tmp_path / "cache").exists()
