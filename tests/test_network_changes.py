# SPDX-License-Identifier: GPL-2.0-or-later
"""Each check that changes the network under test says so, and what: the marker and its list."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from topologies.origins import ORIGINS

ROOT = Path(__file__).resolve().parent.parent
SUITES = sorted((ROOT / "suites").glob("test_*.py"))
# What several of them use.
SHARED = sorted(set((ROOT / "suites").glob("*.py")) - set(SUITES))
MARKER = "changes_network"
# What changes a switch, the host's rules, its addresses, or a network's servers.
CHANGING = {
    *("set_stp", "set_ageing_s", "set_forward_delay_s", "set_priority", "set_mac"),
    *("forward_bypass", "arp_filter", "dropped", "called"),
    *("without_address", "leased", "dhcp_server", "default_network", "libvirtd_stopped"),
    *("flow", "metered", "vsctl"),
}
# Checks that use these, and change no network of the host's: of what, instead.
OF_THEIR_OWN = {
    "connectivity.no_reach": "nothing where the network is not the run's",
    "interfaces.listed_and_not_defined": "a bridge of its own",
    "ipv6_guests_alone.guests_have_ipv6_among_themselves": "a network of its own",
    "ipv6_rules.isolated_is_not_masqueraded": "nothing where the network is not the run's",
    "nat.isolated_is_not_masqueraded": "nothing where the network is not the run's",
    "openvswitch.deleted_bridge_is_gone": "a bridge of its own",
    "stp.bpdus_every_hello_time": "a bridge of its own",
    "stp.lone_bridge_is_its_own_root": "a bridge of its own",
    "stp.loop_is_broken": "bridges of its own",
    "stp.port_walks_to_forwarding": "a bridge of its own",
    "virt_install.guest_without_network_options": "libvirt's default network, where it is off",
    "vlan.access_ports": "the tags of its own ports",
    "vlan.guests_by_their_tags": "the tags of its guests' ports",
    "vlan.trunk_carries_tags": "the tags of its own ports",
    "virsh.interfaces_are_listed_and_mapped": "a bridge of its own",
}


def checks() -> Iterator[tuple[str, ast.FunctionDef, set[str]]]:
    """Give each check's `property.name`, its function, and the names that it reaches."""
    shared = {name: node for file in SHARED for name, node in functions_of(file).items()}
    for file in SUITES:
        functions = shared | functions_of(file)
        used = {name: names(node) for name, node in functions.items()}
        for name, node in functions.items():
            if name.startswith("test_"):
                reached, waiting = set[str](), [name]
                while waiting:
                    for each in used[waiting.pop()] - reached:
                        reached.add(each)
                        waiting += [each] if each in functions else []
                property_ = file.stem.removeprefix("test_")
                yield f"{property_}.{name.removeprefix('test_')}", node, reached


def functions_of(file: Path) -> dict[str, ast.FunctionDef]:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def names(function: ast.FunctionDef) -> set[str]:
    """The functions that one calls or passes on; not the variables of its own."""
    nodes = [each for statement in function.body for each in ast.walk(statement)]
    own = {each.id for each in nodes if isinstance(each, ast.Name) and is_stored(each)}
    own |= {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
    found = {each.id for each in nodes if isinstance(each, ast.Name)} - own
    return found | {each.attr for each in nodes if isinstance(each, ast.Attribute)}


def is_stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def marked() -> dict[str, tuple[str, str]]:
    """Return the marked checks, each with its claims and its change."""
    found = {}
    for name, node, _reached in checks():
        marks = {
            call.func.attr: call.args
            for call in node.decorator_list
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        }
        if MARKER in marks:
            [change] = marks[MARKER]
            claims = ", ".join(ast.literal_eval(each) for each in marks["claims"])
            found[name] = (claims, ast.literal_eval(change))
    return found


def test_what_changes_the_network_is_marked() -> None:
    known = marked()
    unmarked = [
        f"{name}: {', '.join(sorted(reached & CHANGING))}"
        for name, _node, reached in checks()
        if reached & CHANGING and name not in known and name not in OF_THEIR_OWN
    ]
    assert not unmarked, f"mark them with {MARKER}, or list them with what they change instead"


def test_the_exceptions_are_checks_without_the_marker() -> None:
    assert OF_THEIR_OWN.keys() <= {name for name, _node, reached in checks() if reached & CHANGING}
    assert not OF_THEIR_OWN.keys() & marked().keys()


def test_the_docs_list_them() -> None:
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    # | LB-06 | `stp_under_test.bridge_under_test_speaks_stp` | turns STP on |
    rows = re.findall(r"^\| ([^|]+) \| `(\w+\.\w+)` \| ([^|]+) \|$", text, re.MULTILINE)
    listed = {name: (claims, change) for claims, name, change in rows}
    assert {name: listed.get(name) for name in marked()} == marked()


@pytest.mark.parametrize("change", sorted({change for _claims, change in marked().values()}))
def test_the_words_complete_a_sentence(change: str) -> None:
    assert re.match(r"[a-z]+s[, ]", change), "it begins with a verb: turns STP on"
    assert ORIGINS["made"].change_refusal(change) is None
    assert f"the check {change}, " in str(ORIGINS["existing"].change_refusal(change))
