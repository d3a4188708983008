# SPDX-License-Identifier: GPL-2.0-or-later
"""Imports have no cycle, function-local ones included, and point one way between folders."""

import ast
from collections import defaultdict
from collections.abc import Mapping

from tests.kind_questions import FOLDERS, ROOT, questions

# Where the set-up builds the guest image, proves KVM and cleans up after a run on the machine, and
# where a run and doctor probe the machine (tests/test_tree.py lists the modules).
MEET = {
    *("launcher", "fixtures/guest", "fixtures/guest/image", "fixtures/host", "fixtures/plugin"),
    "fixtures/host/obstacles",
}
QUESTIONS_MAX = 15


def modules() -> dict[str, str]:
    """Return every module's folder by its full name."""
    found = {}
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = str(file.parent.relative_to(ROOT))
    return found


def imports(known: Mapping[str, str]) -> dict[str, set[str]]:
    """Return which modules each module imports, anywhere in it."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found[name] |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    base = node.module or ""
                    full = [f"{base}.{alias.name}" for alias in node.names]
                    found[name] |= {each if each in known else base for each in full}
    return {name: {t for t in to if t in known and t != name} for name, to in found.items()}


def reachable(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            waiting += edges.get(name, ())
    return seen


def test_no_module_imports_itself_by_way_of_another() -> None:
    edges = imports(modules())
    assert not [name for name in edges if name in reachable(name, edges)]


def test_folders_side_by_side_import_one_way() -> None:
    """A folder and those in it are one subject: only folders beside each other are compared."""
    known = modules()
    between: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for name, targets in imports(known).items():
        for target in targets:
            between[known[name], known[target]].add((name, target))
    both = [
        (one, other, between[one, other])
        for one, other in between
        if one < other
        and (other, one) in between
        and not other.startswith(f"{one}/")
        and not ("launcher" in (one, other) and {one, other} <= MEET)
    ]
    assert not both


def test_kinds_are_asked_in_few_places() -> None:
    """`python -m tests.kind_questions` lists them."""
    found = questions()
    assert len(found) <= QUESTIONS_MAX, "\n".join(map(str, found))
