# SPDX-License-Identifier: GPL-2.0-or-later
"""Where code asks which kind a host, a network or a switch is, counted by syntax tree.

    python -m tests.kind_questions

A class per kind answers instead; each question outside of these classes is a place to look for when
a kind is added.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("contracts", "topologies", "faults", "fixtures", "suites", "reports", "launcher")
# The classes that own the answers.
OWNERS = (
    "topologies/network_types/",
    "topologies/origins.py",
    "topologies/switch_types.py",
    "fixtures/host/host.py",
    "fixtures/host/sandbox.py",
    "fixtures/host/local.py",
    "fixtures/host/lab.py",
    "fixtures/host/staged.py",
    "fixtures/host/ovs_datapath.py",
    "launcher/host_launch.py",
    "launcher/lab_detection.py",
)
# Attributes that hold the word of a kind, or are there for some kinds only.
WORDS = {"forward", "made_by", "switch", "uplink", "ovs_datapath", "datapath", "maker", "origin"}
# `kind` is a word of many things; of these it is that of a host, a topology or a network.
KIND_OF = {"host", "topology", "network", "draft", "options", "option", "settings"}
SWITCH_CLASSES = {"Switch", "LinuxBridge", "OvsBridge", "NicSwitch"}


class Question(NamedTuple):
    """One place that asks for a kind.

    Attributes:
        file: from the clone's root.
        line: counted from 1.
        code: the expression.
    """

    file: str
    line: int
    code: str


def questions() -> list[Question]:
    """Return every question outside the classes that own the answers."""
    found = []
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = str(file.relative_to(ROOT))
            if not name.startswith(OWNERS):
                tree = ast.parse(file.read_text(encoding="utf-8"))
                found += [Question(name, node.lineno, ast.unparse(node)) for node in _asking(tree)]
    return found


def _asking(tree: ast.AST) -> Iterator[ast.expr]:
    """Give the comparisons, truth tests and type tests that ask for a kind."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            if any(map(_is_kind, sides)) or (
                any(map(_is_optional, sides)) and any(isinstance(s, ast.Constant) for s in sides)
            ):
                yield node
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            if _is_kind(node.test) or _is_optional(node.test):
                yield node.test
        elif isinstance(node, ast.comprehension):
            yield from (test for test in node.ifs if _is_kind(test))
        elif isinstance(node, ast.Call) and _is_type_test(node):
            yield node


def _is_kind(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp | ast.Await):
        return _is_kind(node.operand if isinstance(node, ast.UnaryOp) else node.value)
    if isinstance(node, ast.BoolOp):
        return any(map(_is_kind, node.values))
    if not isinstance(node, ast.Attribute):
        return False
    if node.attr in WORDS:
        return True
    owner = node.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return node.attr == "kind" and name in KIND_OF


def _is_optional(node: ast.expr) -> bool:
    """Whether it is a word of a kind where it is compared with a literal, or tested for truth."""
    if not isinstance(node, ast.Attribute):
        return False
    name = getattr(node.value, "id", "")
    return node.attr == "tap" or (node.attr == "host" and name in {*KIND_OF, "asked", "self"})


def _is_type_test(node: ast.Call) -> bool:
    name = getattr(node.func, "id", "")
    if name == "is_lab":
        return True
    return name == "isinstance" and any(
        getattr(each, "id", "") in SWITCH_CLASSES for each in ast.walk(node.args[1])
    )


if __name__ == "__main__":
    for question in questions():
        print(f"{question.file}:{question.line}: {question.code}")
    print(len(questions()))
