# SPDX-License-Identifier: GPL-2.0-or-later
"""`run` up to the hand-over: the folder for the record, and what pytest is started with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.run_options import RUN_OPTIONS
from launcher import virtual_environment
from launcher.cache import cache_dir
from launcher.host_launch import LAUNCHES
from launcher.pytest_command import cores, pytest_argv, with_paths
from launcher.run import parser
from topologies.cli_names import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
SUITES = ROOT / "suites"
A_SUITE = next(iter(sorted(SUITES.glob("test_*.py"))), SUITES / "__init__.py")

# Stands where the environment's interpreter would: shows what it was started with.
RECORDER = """\
#!/usr/bin/env python3
import json, os, sys
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "path": os.environ["PATH"],
                  "bytecode": os.environ.get("PYTHONDONTWRITEBYTECODE")}))
"""


@pytest.fixture
def recording_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with the real guest image and an interpreter that records its arguments."""
    real = cache_dir()
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "guest-image").symlink_to(real / "guest-image")
    monkeypatch.setenv("PLUMBLINE_CACHE", str(cache))
    venv = virtual_environment.path()
    (venv / "bin").mkdir(parents=True)
    (venv / virtual_environment.STAMP).touch()
    (venv / "bin" / "python").write_text(RECORDER)
    (venv / "bin" / "python").chmod(0o755)
    return cache


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), "run", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def argv_for(*words: str, after: tuple[str, ...] = ()) -> list[str]:
    return pytest_argv(parser().parse(words), after, ["./plumbline", "run"])


def test_every_option_reaches_pytest(tmp_path: Path) -> None:
    argv = argv_for(
        *("--output", str(tmp_path / "out")),
        *("--topology", "nat", "--topology", "my.yaml", "--claim", "NT-09", "--accel", "tcg"),
        *("--host", "local", "--interleave", "--samples", "8"),
        *("--after-build", "-n; true", "--expect", "ovs, kvm", "--expect", "vlan"),
        after=("-x", "-k", "suites"),
    )
    for word in (
        *("--topology=nat", "--topology=my.yaml", "--claim=NT-09", "--accel=tcg"),
        *("--host=local", "--after-build=-n; true", "--expect=ovs", "--expect=kvm"),
        *("--expect=vlan", "--samples=8", "--interleave"),
        *("--plumbline-terminal", f"--output={tmp_path / 'out'}"),
        '--plumbline-command=["./plumbline", "run"]',
    ):
        assert word in argv
    assert argv[-3:] == ["-x", "-k", "suites"]
    assert str(SUITES) in argv


def test_without_options_pytest_gets_no_empty_ones() -> None:
    given = tuple(option.flag for option in RUN_OPTIONS)
    assert not any(word.startswith(given) for word in argv_for())


@pytest.mark.parametrize(
    ("workers", "topologies", "expected"),
    [
        ("1", 3, 1),
        ("3", 1, 3),
        ("auto", 1, 1),
        ("auto", 2, 2),
        ("auto", 0, min(3 * cores(), 8)),
    ],
)
def test_workers(workers: str, topologies: int, expected: int) -> None:
    builds = topologies or len(SHIPPED)
    options = parser().parse(["--workers", workers])
    assert LAUNCHES["sandbox"].workers(options, builds) == expected
    argv = pytest_argv(options, [], [], expected)
    if expected == 1:
        assert "-n" not in argv
    else:
        at = argv.index("-n")
        assert argv[at : at + 4] == ["-n", str(expected), "--dist", "loadgroup"]


@pytest.mark.parametrize("host", ["lab", "local"])
def test_one_host_has_one_worker(host: str) -> None:
    assert LAUNCHES[host].workers(parser().parse([]), 5) == 1


def test_node_ids_replace_the_suites_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = os.path.relpath(A_SUITE, tmp_path)
    for named in (f"suites/{A_SUITE.name}::test_x[nat]", f"{relative}::test_x[nat]"):
        assert with_paths([named, "-v"], SUITES) == (["-v"], [f"{A_SUITE}::test_x[nat]"])


def test_a_word_that_is_an_options_value_is_no_path() -> None:
    assert with_paths(["-k", "suites", "tests"], SUITES) == (
        ["-k", "suites", "tests"],
        [str(SUITES)],
    )


@pytest.mark.host
def test_hand_over_from_another_folder(recording_cache: Path, tmp_path: Path) -> None:
    assert recording_cache.is_dir()
    here = tmp_path / "somewhere"
    here.mkdir()
    (here / "my.yaml").write_text((ROOT / "topologies" / "nat.yaml").read_text())
    done = run("--topology", "my.yaml", "--workers", "1", cwd=here)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    seen = json.loads(done.stdout)
    assert seen["cwd"] == str(here)
    assert seen["argv"][:3] == ["-P", "-m", "pytest"]
    assert seen["bytecode"] == os.environ.get("PYTHONDONTWRITEBYTECODE")
    assert "/usr/sbin" in seen["path"].split(":")
    command = json.dumps(["./plumbline", "run", "--topology", "my.yaml", "--workers", "1"])
    assert f"--plumbline-command={command}" in seen["argv"]


@pytest.mark.host
def test_the_launcher_makes_no_folder_before_the_run_is_accepted(
    recording_cache: Path, tmp_path: Path
) -> None:
    assert recording_cache.is_dir()
    here = tmp_path / "here"
    (here / "empty").mkdir(parents=True)
    for words in ([], ["--output", "deep/below"], ["--output", "empty"]):
        done = run(*words, cwd=here)
        assert done.returncode == 0, done.stderr
        output = [w for w in json.loads(done.stdout)["argv"] if w.startswith("--output=")]
        assert output == [f"--output={here / word}" for word in words[1:]]
    assert [entry.name for entry in here.iterdir()] == ["empty"]


@pytest.mark.host
def test_an_output_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "run.json").touch()
    done = run("--output", "old", cwd=tmp_path)
    assert done.returncode == 4
    assert "--output old: this folder is not empty" in done.stderr


@pytest.mark.host
def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "file/below"):
        done = run("--output", name, cwd=tmp_path)
        assert done.returncode == 4
        assert f"--output {name}: " in done.stderr


@pytest.mark.host
def test_an_output_where_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    # A read-only file system, in a mount namespace that ends with the command.
    read_only = 'mount -t tmpfs -o ro tmpfs "$1" && shift && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", read_only, "sh", str(tmp_path), sys.executable]
    argv += [str(ROOT / "plumbline"), "run", "--output", str(tmp_path / "new")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert f"--output {tmp_path / 'new'}: no folder can be made in {tmp_path}" in done.stderr


@pytest.mark.host
@pytest.mark.parametrize("command", ["run", "test"])
def test_without_root_it_says_why_and_what_to_type(command: str) -> None:
    # A user namespace without a mapping: the same files, and nobody's user id.
    done = subprocess.run(
        ["unshare", "--user", sys.executable, str(ROOT / "plumbline"), command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert f"{command} needs root" in done.stderr
    assert "namespaces and TAP devices" in done.stderr
    assert f"sudo ./plumbline {command}" in done.stderr
