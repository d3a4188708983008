# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: what it refuses, in which words and with which exit code; how light it is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.exit_codes import EXIT_MEANINGS

ROOT = Path(__file__).resolve().parent.parent
SUBCOMMANDS = (
    *("run", "prove", "report", "compare", "gate", "explain", "doctor", "stage", "clean", "test"),
    *("topology", "completion", "man", "image", "pack"),
)


def plumbline(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], "did you mean 'run'?"),
        (["reprot"], "did you mean 'report'?"),
        (
            ["qualify"],
            "subcommands: run, prove, report, compare, gate, explain, doctor, stage, clean, "
            "test, topology, completion, man, image, pack",
        ),
        (["--hlep"], "did you mean '--help'?"),
        (["run", "--topolgy", "nat"], "did you mean '--topology'?"),
        (["run", "--topolgy=nat"], "unknown option '--topolgy'"),
        (["run", "--topo", "nat"], "unknown option '--topo'"),
        (["run", "nat"], "unexpected argument 'nat'"),
        (["run", "--topology"], "--topology: expected one argument"),
        (["run", "--accel", "kvn"], "did you mean 'kvm'?"),
        (["run", "--workers", "0"], "'0' is neither a number from 1 on nor auto"),
        (["run", "--workers", "two"], "'two' is neither"),
        (["run", "--host", "cloud"], "not one of sandbox, lab, staged, local"),
        pytest.param(
            ["run", "--host", "lab", "--release", "bullseye"],
            "no release that a lab can be",
            marks=pytest.mark.host,
        ),
        pytest.param(
            ["run", "--host", "lab", "--workers", "2"],
            "--workers 2: a lab is one host",
            marks=pytest.mark.host,
        ),
        pytest.param(
            ["run", "--host", "local", "--topology", "passthrough"],
            "--host local: name the NICs that passthrough may use",
            marks=pytest.mark.host,
        ),
        pytest.param(
            ["run", "--host", "lab", "--plan"],
            "--plan: a lab is made for the run",
            marks=pytest.mark.host,
        ),
        (["prove", "--plan"], "unknown option '--plan'"),
        pytest.param(
            ["prove", "--host", "local"],
            "a fault would leave state behind on this machine",
            marks=pytest.mark.host,
        ),
        pytest.param(
            ["run", "--release", "bokworm"], "did you mean 'bookworm'?", marks=pytest.mark.host
        ),
        (["report", "--formt", "md"], "did you mean '--format'?"),
        (["doctor", "--jsn"], "did you mean '--json'?"),
        (["clean", "--cahce"], "did you mean '--cache'?"),
        (["test", "tests/test_tree.py"], "unexpected argument 'tests/test_tree.py'"),
        (["image"], "build|info|export|import"),
        (["image", "biuld"], "did you mean 'build'?"),
        (["image", "export"], "image export needs a FILE"),
        (["image", "info", "x"], "image info takes no FILE"),
        (["image", "import", "x", "--force"], "image import takes no --force"),
    ],
)
def test_usage_error_is_one_message_and_exit_code_4(words: list[str], said: str) -> None:
    done = plumbline(*words)
    assert done.returncode == 4
    assert said in done.stderr
    assert done.stderr.startswith("plumbline: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_without_a_subcommand_the_usage_is_shown_and_it_is_an_error() -> None:
    done = plumbline()
    assert done.returncode == 4
    assert "subcommands:" in done.stderr


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_each_subcommand_has_help_with_examples(command: str) -> None:
    done = plumbline(command, "--help")
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert f"./plumbline {command}" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100


def test_help_and_readme_give_each_exit_code_its_meaning() -> None:
    shown = plumbline("--help").stdout.partition("exit codes:\n")[2].splitlines()
    assert dict(line.split(maxsplit=1) for line in shown) == {
        str(code): meaning for code, meaning in EXIT_MEANINGS.items()
    }
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [(int(code), meaning) for code, meaning in rows] == list(EXIT_MEANINGS.items())


def test_help_names_every_subcommand() -> None:
    text = plumbline("--help").stdout
    assert all(f"\n  {command} " in text for command in SUBCOMMANDS)


@pytest.mark.host
def test_words_after_dashes_are_not_the_launchers() -> None:
    # `--topolgy` would be refused; behind -- it is pytest's, so the next thing is refused.
    done = plumbline("run", "--host", "local", "--topology", "passthrough", "--", "--topolgy")
    assert "--host local: name the NICs that passthrough may use" in done.stderr


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "plumbline"), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # "import time:       113 |        113 |   posixpath"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "launcher.cli" in imported
    heavy = {"subprocess", "fixtures", "pytest", "rich", "pydantic", "scapy", "libvirt", "hashlib"}
    assert not imported & heavy


def test_the_design_names_each_subcommand_and_numbers_each_decision_once() -> None:
    text = (ROOT / "docs" / "design.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("plumbline  "))
    named = set(line.rpartition("then ")[2].split(" | "))
    assert named == set(SUBCOMMANDS)
    numbers = [int(number) for number in re.findall(r"^(\d+)\. \*\*", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_version_is_that_of_the_project() -> None:
    done = plumbline("--version")
    assert done.stdout.startswith("plumbline 0.")
    assert done.returncode == 0
