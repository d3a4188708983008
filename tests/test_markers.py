# SPDX-License-Identifier: GPL-2.0-or-later
"""The markers of the tests: what needs more than the virtual environment has one."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from launcher.selftest import QUICK

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(Path(__file__).parent.glob("test_*.py"))
# Functions and programs that need more than the virtual environment.
FUNCTIONS = {"sandbox", "staged", "launched", "chromium"}
PROGRAMS = {"unshare"}


def registered() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    # "host: a sandbox, and so root and network namespaces"
    return {line.partition(":")[0] for line in project["tool"]["pytest"]["ini_options"]["markers"]}


def words(function: ast.FunctionDef) -> set[str]:
    """The names, parameters, programs and asked-for fixtures of a function."""
    found = {each.arg for each in ast.walk(function) if isinstance(each, ast.arg)}
    found |= {each.id for each in ast.walk(function) if isinstance(each, ast.Name)}
    fixtures = [each for each in function.decorator_list if "usefixtures" in ast.unparse(each)]
    found |= {text for each in fixtures for text in strings(each)}
    return found | strings(function) & PROGRAMS


def strings(node: ast.AST) -> set[str]:
    constants = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def marks(nodes: list[ast.expr]) -> set[str]:
    """The markers in decorators, or in what `pytestmark` is set to."""
    return set(re.findall(r"pytest\.mark\.(\w+)", "\n".join(map(ast.unparse, nodes))))


def unmarked(module: ast.Module) -> set[str]:
    """Tests without a marker that use FUNCTIONS or PROGRAMS, also by others of the module."""
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    reaching = FUNCTIONS | PROGRAMS
    while more := {n for n, node in functions.items() if words(node) & reaching} - reaching:
        reaching = reaching | more
    whole = [
        node.value
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    ]
    return {
        name
        for name, node in functions.items()
        if name.startswith("test_")
        and name in reaching
        and not marks([*whole, *node.decorator_list]) & registered()
    }


def test_quick_leaves_out_every_marker() -> None:
    # "not host and not lab"
    assert set(QUICK.split(" and ")) == {f"not {marker}" for marker in registered()}


@pytest.mark.parametrize("file", MODULES, ids=[file.stem for file in MODULES])
def test_what_needs_more_than_the_environment_is_marked(file: Path) -> None:
    assert not unmarked(ast.parse(file.read_text()))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def test_a():\n    with sandbox(): pass", {"test_a"}),
        ("def host():\n    yield sandbox()\ndef test_a(host): pass", {"test_a"}),
        ("def far(host): pass\ndef host(): sandbox()\ndef test_a(far): pass", {"test_a"}),
        ("@pytest.mark.host\ndef test_a(): sandbox()", set()),
        ("pytestmark = pytest.mark.host\ndef test_a(): sandbox()", set()),
        (
            "@pytest.mark.usefixtures('page')\ndef test_a(): pass\ndef page(): chromium()",
            {"test_a"},
        ),
        ("def test_a(): run(['unshare', '--net'])\ndef test_b(): pass", {"test_a"}),
    ],
)
def test_a_marker_that_is_missing_is_found(text: str, found: set[str]) -> None:
    assert unmarked(ast.parse(text)) == found


def test_a_check_that_holds_the_machine_is_left_out_beside_most_faults() -> None:
    # Else each fault would stop all workers for it.
    for file in sorted((ROOT / "suites").glob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and "alone" in marks(node.decorator_list):
                assert "lengthy" in marks(node.decorator_list), f"{file.name}: {node.name}"
