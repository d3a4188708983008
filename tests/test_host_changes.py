# SPDX-License-Identifier: GPL-2.0-or-later
"""Which checks change something of the host's: each says so, and is made there on demand alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.run_settings import RunSettings
from fixtures.errors import ChangesHost, NotTestable
from fixtures.host.host import Host
from fixtures.host.lab import LabHost
from fixtures.host.local import LocalHost
from fixtures.host.sandbox import Sandbox
from fixtures.plugin.host_changes import host_changes, refused_change

ROOT = Path(__file__).resolve().parent.parent
SUITES = sorted((ROOT / "suites").glob("test_*.py"))
# What a check changes the host by: functions and words of commands.
CHANGING = {
    "set_sysctl": "a setting of the kernel",
    "called": "a setting of the kernel (bridge-nf-call-*)",
    "libvirtd_stopped": "libvirtd",
    "default_network": "libvirt's default network",
    "SHIPPED": "libvirt's default network",
    "interfaceDefineXML": "the host's network configuration",
    "iface-define": "the host's network configuration",
    "brought_up": "the host's ifup",
    "power_on": "the host's ifup",
    "-P": "the policy of a base chain",
    "Open_vSwitch": "the database's own row",
}
# They use one of these, and change nothing of the host's by it.
EXEMPT = {
    "accept_ra.host_takes_what_it_is_set_to": "the settings are those of the run's own bridge",
    "interfaces.listed_and_not_defined": "it asks a libvirt that has proved to define nothing",
    "open.own_rules_decide": "it leaves the policy of a host that may not be changed",
    "openvswitch.daemons_are_healthy": "it reads the row, and writes into that of its own bridge",
    "virsh.interfaces_are_listed_and_mapped": "it asks a libvirt that has proved to define nothing",
    "openvswitch.database_serves_its_tables": "it reads the database by its name",
}


def words(node: ast.AST) -> set[str]:
    """The names, attributes and strings in a piece of code, without its docstrings."""
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    found |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return found | {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def changing(tree: ast.Module) -> set[str]:
    """The checks of a module that use one of `CHANGING`, also by others of the module."""
    parts = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    constants: dict[str, ast.AST] = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    bodies = {name: set().union(*map(words, node.body)) for name, node in parts.items()}
    bodies |= {name: words(node) for name, node in constants.items()}
    reaching = set(CHANGING)
    while more := {name for name, body in bodies.items() if body & reaching} - reaching:
        reaching |= more
    return {name for name in parts if name.startswith("test_") and name in reaching}


def marked(tree: ast.Module) -> set[str]:
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("mark.changes_host(" in ast.unparse(each) for each in node.decorator_list)
    }


def check_names(file: Path, functions: set[str]) -> set[str]:
    module = file.stem.removeprefix("test_")
    return {f"{module}.{name.removeprefix('test_')}" for name in functions}


@pytest.mark.parametrize("file", SUITES, ids=[file.stem for file in SUITES])
def test_each_check_that_changes_the_host_says_so(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = check_names(file, changing(tree)) - EXEMPT.keys()
    assert check_names(file, marked(tree)) == found


def test_what_is_exempt_is_there() -> None:
    found: set[str] = set()
    for file in SUITES:
        found |= check_names(file, changing(ast.parse(file.read_text(encoding="utf-8"))))
    assert EXEMPT.keys() <= found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def test_a(host): host.set_sysctl('x', '1')", {"test_a"}),
        ("def helper(host): default_network(host)\ndef test_a(host): helper(host)", {"test_a"}),
        ("ARGV = ['iptables', '-P']\ndef test_a(host): host.run(ARGV)", {"test_a"}),
        ("def test_a(host): host.sysctl('x')", set()),
    ],
)
def test_a_change_is_found(text: str, found: set[str]) -> None:
    assert changing(ast.parse(text)) == found


def test_the_docs_list_them_all() -> None:
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    # Behind it are those that change the network under test.
    section = page.partition("## What a check may change")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `(\w+\.\w+)` \|", section, re.MULTILINE))
    there: set[str] = set()
    for file in SUITES:
        there |= check_names(file, marked(ast.parse(file.read_text(encoding="utf-8"))))
    assert listed == there


def item(host: str, *markers: pytest.Mark, disruptive: bool = False) -> pytest.Item:
    settings = RunSettings(host=host, disruptive=disruptive)
    config = SimpleNamespace(option=SimpleNamespace(plumbline_settings=settings))

    def iter_markers(name: str) -> Iterator[pytest.Mark]:
        return (marker for marker in markers if marker.name == name)

    return cast(pytest.Item, SimpleNamespace(config=config, iter_markers=iter_markers))


def mark(what: str, **more: Any) -> pytest.Mark:
    return pytest.mark.changes_host(what, **more).mark


@pytest.mark.parametrize(
    ("host", "disruptive", "refused"),
    [
        ("sandbox", False, None),
        ("lab", False, None),
        ("local", False, "restarts libvirtd"),
        ("local", True, None),
    ],
)
def test_only_a_host_that_outlives_the_run_refuses(
    host: str, disruptive: bool, refused: str | None
) -> None:
    check = item(host, mark("restarts libvirtd"), disruptive=disruptive)
    assert refused_change(check) == refused


def test_a_check_without_the_marker_is_made() -> None:
    assert refused_change(item("local")) is None


def test_a_state_of_the_host_decides() -> None:
    changes = item("local", mark("starts it", only_if=lambda host: host.kind == "local"))
    assert list(host_changes(changes)) == ["starts it"]
    assert refused_change(item("local", mark("starts it", only_if=lambda _: False))) is None


def test_a_change_that_is_refused_is_not_testable() -> None:
    refused = ChangesHost("restarts libvirtd")
    assert isinstance(refused, NotTestable)
    assert str(refused) == (
        "it restarts libvirtd: on a host with other users it is made only with --disruptive"
    )


@pytest.mark.parametrize(
    ("kind", "may"), [(Sandbox, True), (LabHost, True), (LocalHost, False)], ids=str
)
def test_a_host_with_other_users_is_not_changed(kind: type[Host], may: bool) -> None:
    assert kind.disposable is may
    assert kind.takes_default_route is may
