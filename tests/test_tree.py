# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of the tree: who imports whom, licence lines, no foreign addresses, and the linters."""

import ast
import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.cache import cache_dir

ROOT = Path(__file__).resolve().parent.parent
# Folders of Python, and which of the others each may import. `launcher` and `fixtures` meet where
# the set-up builds the guest image and a run probes the machine; each such module is listed below.
MAY_IMPORT = {
    "contracts": {"contracts"},
    "topologies": {"topologies", "contracts"},
    "faults": {"faults", "topologies", "contracts"},
    "fixtures": {"fixtures", "faults", "topologies", "reports", "launcher", "contracts"},
    "suites": {"suites", "fixtures", "topologies", "contracts"},
    "reports": {"reports", "contracts"},
    "launcher": {"launcher", "fixtures", "topologies", "contracts"},
}
# Run before the virtual environment exists.
STANDARD_LIBRARY_ONLY = (
    *("contracts", "launcher", "fixtures/guest/image", "fixtures/guest/kvm_proof.py"),
    *("fixtures/host/journal.py", "fixtures/host/local_cleanup.py"),
    *("fixtures/host/watchdog.py", "fixtures/host/path_probe.py"),
    *("fixtures/host/undo", "fixtures/host/snapshot", "fixtures/host/namespace_init.py"),
    *("fixtures/host/obstacles", "fixtures/host/known_networks.py"),
    *("fixtures/packet_filter/refusals.py", "topologies/subnet_pool.py"),
    *("topologies/__init__.py", "topologies/cli_names.py", "topologies/data_error.py"),
    "topologies/host_files.py",
    "topologies/typed_waivers.py",
    *("topologies/network_import/__init__.py", "topologies/network_import/xml_reader.py"),
)
SOURCES = {".py", ".sh", ".c", ".h", ".yaml", ".yml", ".toml"}
NO_LICENCE_LINE = {"pyproject.toml"}
TEXTS = SOURCES | {".md", ".in", ".json", ""}
# Machine-made: pip's resolver names no address in it, and its hashes are not prose.
NOT_READ = {"requirements.lock", "requirements-test.lock", "LICENSE"}
# Written in parts, so that this file does not break its own rule.
REGISTRIES = (
    "py" + "pi.org",
    "python" + "hosted",
    "npm" + "js.org",
    "crates" + ".io",
    "deb.deb" + "ian",
)
MACHINE_PATHS = (
    "/wo" + "rk/",
    "/tm" + "p/",
    "../sha" + "red",
    ".lib" + "rary/",
    "/root/." + "cache",
)
# What git would leave out, for a machine or a copy without git.
NOT_OURS = {".git", "__pycache__", "runs", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
MODULE_LINES_MAX = 330
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def files() -> list[Path]:
    """Every file of the tree, as git would list it: neither ignored nor git's own."""
    # Listing runs nothing of the tree, so it may be another user's.
    argv = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    argv += ["--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [file for file in ROOT.rglob("*") if not NOT_OURS & set(named(file).split("/"))]
    return sorted(file for file in found if file.is_file() and not file.is_symlink())


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def python_files(*places: str) -> list[Path]:
    return [
        file
        for file in files()
        if file.suffix == ".py"
        and any(named(file) == place or named(file).startswith(f"{place}/") for place in places)
    ]


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, by its full name."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(file)}:{node.lineno}: a relative import"
            yield node.module or ""


def broken(places: dict[str, list[str]]) -> str:
    return "\n".join(f"{place}: {', '.join(what)}" for place, what in places.items() if what)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_one_way(folder: str) -> None:
    forbidden = (set(MAY_IMPORT) | {"conftest", "tests", "benchmarks"}) - MAY_IMPORT[folder]
    wrong = {
        named(file): sorted({name for name in imports(file) if name.split(".")[0] in forbidden})
        for file in python_files(folder)
    }
    assert python_files(folder)
    assert not broken(wrong), broken(wrong)


def test_launcher_and_fixtures_meet_in_few_places() -> None:
    """`launcher` uses image, proof of KVM, folder and journal, mounts, load, and obstacles."""
    from_launcher = {name for file in python_files("launcher") for name in imports(file)}
    from_fixtures = {name for file in python_files("fixtures") for name in imports(file)}
    assert {name for name in from_launcher if name.startswith("fixtures")} <= {
        "fixtures.guest",
        "fixtures.guest.image",
        "fixtures.guest.image.deb_packages",
        "fixtures.host.foreign_load",
        "fixtures.host.journal",
        "fixtures.host.local_cleanup",
        "fixtures.host.namespace_init",
        "fixtures.host.obstacles.host_obstacles",
        "fixtures.host.obstacles.obstacle",
        "fixtures.host.watchdog",
        "fixtures.plugin.run_folder",
    }
    named_before_set_up = {
        *("topologies", "topologies.cli_names", "topologies.data_error", "topologies.host_files"),
        "topologies.typed_waivers",
        *("topologies.network_import", "topologies.network_import.xml_reader"),
    }
    assert {n for n in from_launcher if n.startswith("topologies")} <= named_before_set_up
    parts = (
        "cache",
        "lab_detection",
        "staged_detection",
        "launcher_error",
        "packages",
        "capabilities",
        "release",
    )
    allowed = {"launcher", *(f"launcher.{part}" for part in parts)}
    assert {name for name in from_fixtures if name.startswith("launcher")} <= allowed


def test_what_runs_before_the_environment_needs_the_standard_library_only() -> None:
    known = sys.stdlib_module_names | {"contracts", "launcher", "fixtures", "topologies"}
    wrong = {
        named(file): sorted({name for name in imports(file) if name.split(".")[0] not in known})
        for file in [*python_files(*STANDARD_LIBRARY_ONLY), ROOT / "plumbline"]
    }
    assert not broken(wrong), broken(wrong)


def test_scapy_is_never_imported_whole() -> None:
    wrong = [named(file) for file in python_files(*MAY_IMPORT) if "scapy.all" in imports(file)]
    assert not wrong


def test_every_source_file_has_its_licence_line() -> None:
    without = []
    for file in files():
        scripted = file.suffix == "" and file.read_bytes().startswith(b"#!")
        if (file.suffix not in SOURCES and not scripted) or file.name in NO_LICENCE_LINE:
            continue
        lines = file.read_text().splitlines()
        first = lines[1] if lines and lines[0].startswith("#!") else "".join(lines[:1])
        if "SPDX-License-Identifier: GPL-2.0-or-later" not in first:
            without.append(named(file))
    assert not without


@pytest.mark.parametrize("words", [REGISTRIES, MACHINE_PATHS], ids=["registries", "machine paths"])
def test_no_file_names(words: tuple[str, ...]) -> None:
    wrong = {}
    for file in files():
        if file.suffix in TEXTS and file.name not in NOT_READ:
            text = file.read_text(errors="replace")
            wrong[named(file)] = [word for word in words if word in text]
    assert not broken(wrong), broken(wrong)


def test_modules_have_a_subject_and_fit_in_one_sitting() -> None:
    python = python_files(*MAY_IMPORT)
    assert not [named(file) for file in python if file.stem in VAGUE]
    long = {named(file): len(file.read_text().splitlines()) for file in python}
    assert not {name: lines for name, lines in long.items() if lines > MODULE_LINES_MAX}


def test_nothing_sleeps() -> None:
    """Waiting is for a condition with a deadline (fixtures.waiting), never for a time."""
    sleeping = re.compile(r"\btime\.sleep\(|from time import .*\bsleep\b")
    python = python_files(*MAY_IMPORT)
    assert not [named(file) for file in python if sleeping.search(file.read_text())]


def test_every_exemption_from_a_linter_gives_its_reason() -> None:
    # behind the word: ": S606 - no shell is the point", "[misc]  # xdist ships no types"
    exempt = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b(?P<rest>.*)$")
    codes_and_reason = re.compile(r"(?:: [A-Z0-9, ]+|\[[a-z, -]+\])\s*[-#]\s*\w.{8,}")
    wrong = []
    for file in python_files(*MAY_IMPORT, "tests", "benchmarks", "conftest.py"):
        if file == Path(__file__):
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            found = exempt.search(line)
            if found and not codes_and_reason.match(found["rest"]):
                wrong.append(f"{named(file)}:{number}")
    assert not wrong


@pytest.fixture
def lint_cache(tmp_path: Path) -> Path:
    """A folder for what linters remember: the cache's own, unless it is another user's."""
    folder = cache_dir() / "lint"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if os.access(folder, os.W_OK) else tmp_path


def lint(*argv: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *argv], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_check(lint_cache: Path) -> None:
    lint("ruff", "check", "--cache-dir", str(lint_cache / "ruff"))


def test_ruff_format(lint_cache: Path) -> None:
    lint("ruff", "format", "--check", "--cache-dir", str(lint_cache / "ruff"))


def test_mypy(lint_cache: Path) -> None:
    lint("mypy", "--cache-dir", str(lint_cache / "mypy"))
