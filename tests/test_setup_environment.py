# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual environment: built once, alone, to the end or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import virtual_environment
from launcher.cache import cache_dir
from launcher.launcher_error import LauncherError
from launcher.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
# Asked before a test puts another in its place.
REAL_CACHE = cache_dir()

# A build in a process of its own, from a lock file that is given.
BUILD = """\
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from launcher import virtual_environment
from launcher.cache import cache_dir
from launcher.launcher_error import LauncherError
from launcher.progress import Progress
virtual_environment.LOCK = Path(sys.argv[2])
try:
    print(virtual_environment.ensure(Progress()))
except LauncherError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PLUMBLINE_CACHE", str(folder))
    return folder


@pytest.fixture
def empty_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock that pins nothing: a real environment is built in seconds."""
    lock = tmp_path / "requirements.lock"
    lock.write_text("# nothing\n")
    monkeypatch.setattr(virtual_environment, "LOCK", lock)
    return lock


def build_argv(lock: Path) -> list[str]:
    return [sys.executable, "-c", BUILD, str(ROOT), str(lock)]


@pytest.mark.slow
def test_two_at_once_build_one_which_serves_both(cache: Path, empty_lock: Path) -> None:
    both = [
        subprocess.Popen(
            build_argv(empty_lock), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][0] == said[1][0]
    interpreter = Path(said[0][0].strip())
    assert interpreter.parent.parent.parent == cache
    shown = subprocess.run(
        [interpreter, "-c", "import sys; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(shown.stdout.strip()) == interpreter.parent.parent
    # One built it, so the other waited, or came when it was done.
    assert sum("creating it" in errors for _, errors in said) == 1
    # And now nothing is left to do.
    before = virtual_environment.path().stat().st_mtime_ns
    assert virtual_environment.ensure(Progress()) == interpreter
    assert virtual_environment.path().stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_half_built_one_is_built_again(cache: Path, empty_lock: Path) -> None:
    assert not cache.exists()
    assert empty_lock.exists()
    half = virtual_environment.path()
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").touch()
    (half / "rubbish").touch()
    assert not virtual_environment.is_complete(half)
    virtual_environment.ensure(Progress())
    assert virtual_environment.is_complete(half)
    assert not (half / "rubbish").exists()


def test_another_lock_is_another_environment(empty_lock: Path) -> None:
    before = virtual_environment.path()
    empty_lock.write_text("# something else\n")
    assert virtual_environment.path() != before


def test_one_whose_interpreter_was_removed_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / virtual_environment.STAMP).touch()
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "gone")
    assert not virtual_environment.is_complete(tmp_path)


@pytest.mark.slow
def test_when_pip_finds_nothing_its_words_are_shown_and_nothing_is_left(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"plumbline-nowhere==1.0 --hash=sha256:{'0' * 64}\n")
    # No index and no other place to look: what a machine without a network comes to.
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    done = subprocess.run(
        build_argv(lock), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 10
    assert "pip install ended with status 1" in done.stderr
    assert "plumbline-nowhere==1.0" in done.stderr
    assert "nothing half made will be used" in done.stderr
    assert not list(cache.glob("venv-*/"))


@pytest.mark.slow
def test_what_the_tests_need_comes_into_the_same_environment(
    cache: Path, empty_lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for_tests = empty_lock.with_name("requirements-test.lock")
    for_tests.write_text(f"plumbline-nowhere==1.0 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(virtual_environment, "TESTS_LOCK", for_tests)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    interpreter = virtual_environment.ensure(Progress())
    assert interpreter.is_relative_to(cache)
    with pytest.raises(LauncherError, match="pip install ended with status 1"):
        virtual_environment.ensure(Progress(), tests=True)
    # What a run needs is whole, all the same.
    assert virtual_environment.is_complete(virtual_environment.path())
    assert not virtual_environment.has_tests(virtual_environment.path())
    for_tests.write_text("# nothing\n")
    assert virtual_environment.ensure(Progress(), tests=True) == interpreter
    assert virtual_environment.has_tests(virtual_environment.path())
    # Another lock is another need.
    for_tests.write_text("# nothing else\n")
    assert not virtual_environment.has_tests(virtual_environment.path())
    assert virtual_environment.is_complete(virtual_environment.path())


@pytest.mark.slow
def test_a_wrong_hash_is_refused(cache: Path, tmp_path: Path) -> None:
    package = tmp_path / "thing-1.0.tar.gz"
    package.write_bytes(b"not what was pinned")
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"thing @ file://{package} --hash=sha256:{'0' * 64}\n")
    done = subprocess.run(
        build_argv(lock), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 10
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not list(cache.glob("venv-*/"))


@pytest.mark.host
def test_an_interrupted_set_up_leaves_nothing_and_says_130(cache: Path, tmp_path: Path) -> None:
    cache.mkdir()
    (cache / "guest-image").symlink_to(REAL_CACHE / "guest-image")
    # Whoever runs the tests in the background may have it ignored.
    argv = ["env", "--default-signal=INT"]
    argv += [sys.executable, str(ROOT / "plumbline"), "run", "--output", str(tmp_path / "run")]
    # A process group of its own, which gets what a terminal's Ctrl-C sends.
    with subprocess.Popen(
        argv, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as launcher:
        assert launcher.stderr is not None
        said = ""
        while "creating it" not in said:
            line = launcher.stderr.readline()
            assert line, said
            said += line
        os.killpg(launcher.pid, signal.SIGINT)
        said += launcher.stderr.read()
        assert launcher.wait(timeout=60) == 130
    assert f"virtual environment, below {virtual_environment.SIZE_MIB} MiB: {cache}" in said
    assert "plumbline: interrupted" in said
    assert "Traceback" not in said
    assert not list(cache.glob("venv-*"))
    assert not (tmp_path / "run").exists()


@pytest.mark.host
def test_too_little_room_is_said_before_anything_is_built(cache: Path, empty_lock: Path) -> None:
    # A file system of 16 MiB, in a mount namespace that ends with the test's command.
    cache.mkdir()
    inside = 'mount -t tmpfs -o size=16m tmpfs "$1" && shift && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", inside, "sh", str(cache), *build_argv(empty_lock)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 10
    assert f"needs {2 * virtual_environment.SIZE_MIB} MiB in {cache}" in done.stderr
    assert "PLUMBLINE_CACHE" in done.stderr
    assert "creating it" not in done.stderr


def test_a_cache_that_cannot_be_made_is_named(
    tmp_path: Path, empty_lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert empty_lock.exists()
    (tmp_path / "file").touch()
    monkeypatch.setenv("PLUMBLINE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(LauncherError, match="cannot be made: Not a directory") as caught:
        virtual_environment.ensure(Progress())
    assert "PLUMBLINE_CACHE" in caught.value.hint
