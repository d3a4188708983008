# SPDX-License-Identifier: GPL-2.0-or-later
"""`clean`: removes what an interrupted run or set-up left, says so, and nothing else."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.holders import Holder, end, holders, orphans
from launcher.lock import locked

ROOT = Path(__file__).resolve().parent.parent
HOLDER = ROOT / "fixtures" / "host" / "namespace_init.py"

# `clean` ends orphans wherever they come from, so the only test that makes one does so in a PID
# namespace of its own, where no other test's `clean` looks.
ORPHAN = """\
import os, subprocess, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from test_clean import clean, ended_process, sandbox_of
from launcher.holders import holders
gone = ended_process()
with sandbox_of(gone) as process:
    print([holder.harness for holder in holders()] == [gone, gone], gone, process.pid, flush=True)
    sys.stdin.readline()
    print(clean("--dry-run", cwd=sys.argv[3]).stdout.strip(), process.poll(), flush=True)
    print(clean(cwd=sys.argv[3]).stdout.strip(), process.wait(), holders(), flush=True)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("PLUMBLINE_CACHE", str(folder))
    return folder


def clean(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), "clean", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ended_process() -> int:
    """Return the id of a process that is gone."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


@contextlib.contextmanager
def sandbox_of(harness: int) -> Iterator[subprocess.Popen[bytes]]:
    """A real holder with its namespaces, whose arguments name `harness`."""
    argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"]
    argv += [sys.executable, "-I", "-S", str(HOLDER), "--harness", str(harness)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"ready")
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.host
def test_an_orphaned_sandbox_is_ended_where_it_belongs(cache: Path, tmp_path: Path) -> None:
    assert cache.is_dir()
    argv = ["unshare", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", sys.executable]
    argv += ["-c", ORPHAN, str(ROOT), str(ROOT / "tests"), str(tmp_path)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as container:
        assert container.stdout is not None
        # unshare, and the holder that it started, both with the harness that is gone.
        found, gone, pid = container.stdout.readline().split()
        assert found == "True"
        # From out here it is a container's, whose process ids mean nothing to us.
        assert not [holder for holder in holders() if _inside(holder.pid, container.pid)]
        said, _ = container.communicate("go on\n", timeout=60)
    what = f"process {pid}, a sandbox whose harness {gone} is gone"
    assert said.splitlines() == [f"would remove {what} None", f"removed {what} -9 []"]


def _inside(pid: int, ancestor: int) -> bool:
    """Whether a process descends from another."""
    while pid > 1 and pid != ancestor:
        # "4242 (python3) S 1 …": the parent follows the state.
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid == ancestor


@pytest.mark.host
def test_a_sandbox_whose_harness_lives_is_left_alone(cache: Path, tmp_path: Path) -> None:
    assert cache.is_dir()
    with sandbox_of(os.getpid()) as process:
        assert Holder(process.pid, os.getpid()) in holders()
        assert not [holder for holder in orphans() if holder.harness == os.getpid()]
        assert not end(Holder(process.pid, os.getpid()))
        assert f"process {process.pid}," not in clean(cwd=tmp_path).stdout
        assert process.poll() is None


@pytest.mark.host
def test_the_cache_stays_while_a_run_uses_it(cache: Path, tmp_path: Path) -> None:
    (cache / "accel-x-y.json").touch()
    # It inherits PLUMBLINE_CACHE, as a harness does.
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as harness, sandbox_of(harness.pid):
        refused = clean("--cache", cwd=tmp_path)
        assert refused.returncode == 4
        assert f"a run uses {cache} (process {harness.pid})" in refused.stderr
        assert (cache / "accel-x-y.json").exists()
        assert harness.stdin is not None
        harness.stdin.close()


def test_a_process_that_only_looks_alike_is_no_holder() -> None:
    gone = ended_process()
    # The words are there, the namespaces are not: an editor, say.
    argv = [sys.executable, "-c", "input()", str(HOLDER), "--harness", str(gone)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        assert not [holder for holder in holders() if holder.harness == gone]
        process.communicate(b"\n")


def test_what_was_half_built_goes_and_what_is_whole_stays(cache: Path, tmp_path: Path) -> None:
    (cache / "venv-half" / "bin").mkdir(parents=True)
    (cache / "venv-whole").mkdir()
    (cache / "venv-whole" / ".complete").touch()
    (cache / "guest-image" / "build-x1").mkdir(parents=True)
    (cache / "guest-image" / "0123456789abcdef").mkdir()
    (cache / "venv-half.lock").touch()
    done = clean(cwd=tmp_path)
    assert done.returncode == 0
    assert sorted(entry.name for entry in cache.iterdir()) == ["guest-image", "venv-whole"]
    assert [entry.name for entry in (cache / "guest-image").iterdir()] == ["0123456789abcdef"]
    for name in ("venv-half", "build-x1", "venv-half.lock"):
        assert name in done.stdout


def test_nothing_to_clean(cache: Path, tmp_path: Path) -> None:
    assert clean(cwd=tmp_path).stdout.splitlines()[-1] in ("nothing to clean",)
    cache.rmdir()
    assert "nothing to clean" in clean(cwd=tmp_path).stdout


def test_a_set_up_at_work_keeps_what_it_builds(cache: Path, tmp_path: Path) -> None:
    (cache / "venv-new" / "bin").mkdir(parents=True)
    with locked(cache / "venv-new.lock", lambda: None):
        done = clean(cwd=tmp_path)
        assert "a set-up is at work" in done.stdout
        assert (cache / "venv-new").is_dir()
        assert (cache / "venv-new.lock").exists()
        refused = clean("--cache", cwd=tmp_path)
        assert refused.returncode == 4
        assert "venv-new.lock is held" in refused.stderr
    assert (cache / "venv-new").is_dir()


def test_a_dangling_latest_goes_and_a_good_one_stays(cache: Path, tmp_path: Path) -> None:
    assert cache.is_dir()
    runs = tmp_path / "runs"
    (runs / "one").mkdir(parents=True)
    (runs / "latest").symlink_to("one")
    assert clean(cwd=tmp_path).stdout.count("latest") == 0
    (runs / "one").rmdir()
    assert f"removed {runs / 'latest'}" in clean(cwd=tmp_path).stdout
    assert not (runs / "latest").is_symlink()


def test_the_cache_goes_with_its_sizes_told(cache: Path, tmp_path: Path) -> None:
    (cache / "venv-whole").mkdir()
    (cache / "venv-whole" / ".complete").write_bytes(bytes(3 * 1024 * 1024))
    (cache / "accel-x-y.json").touch()
    dry = clean("--cache", "--dry-run", cwd=tmp_path)
    assert f"would remove {cache / 'venv-whole'} (3.0 MiB)" in dry.stdout
    assert (cache / "venv-whole").is_dir()
    done = clean("--cache", cwd=tmp_path)
    assert f"removed {cache / 'venv-whole'} (3.0 MiB)" in done.stdout
    assert not cache.exists()


def test_what_is_not_plumblines_survives_in_the_cache(cache: Path, tmp_path: Path) -> None:
    (cache / "thesis.odt").touch()
    (cache / "guest-image").mkdir()
    done = clean("--cache", cwd=tmp_path)
    assert "left in" in done.stdout
    assert "thesis.odt" in done.stdout
    assert [entry.name for entry in cache.iterdir()] == ["thesis.odt"]
