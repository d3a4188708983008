# SPDX-License-Identifier: GPL-2.0-or-later
"""Polling returns what was seen last; only a check's own statement violates a claim."""

import ast
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from fixtures.errors import DeadlineExpired
from fixtures.waiting import poll, until

ROOT = Path(__file__).resolve().parent.parent


def test_a_poll_ends_with_the_first_observation_that_is_enough() -> None:
    numbers = count()
    assert poll(lambda: next(numbers), lambda seen: seen == 3, deadline_s=10, interval_s=0) == 3
    assert next(numbers) == 4


def test_a_poll_returns_what_it_saw_last_when_nothing_was_enough() -> None:
    numbers = count()
    last = poll(lambda: next(numbers), lambda _seen: False, deadline_s=0.05, interval_s=0.01)
    assert last == next(numbers) - 1


@pytest.mark.parametrize("nothing", [None, [], 0, False])
def test_a_poll_without_a_condition_waits_for_a_truthy_observation(nothing: object) -> None:
    seen = iter([nothing, "there"])
    assert poll(lambda: next(seen), deadline_s=10, interval_s=0) == "there"
    assert poll(lambda: nothing, deadline_s=0) == nothing


def test_what_the_harness_needs_expires_with_what_was_seen_last() -> None:
    with pytest.raises(DeadlineExpired) as caught:
        until(list, "a port", deadline_s=0)
    assert (caught.value.message, caught.value.hint) == ("not within 0 s: a port", "last seen: []")


def _modules(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text())


def _names(tree: ast.AST, name: str) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name:
            yield node.lineno


def _catches(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that catch or suppress an AssertionError, or everything."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught: list[ast.expr] = [] if node.type is None else [node.type]
            if node.type is None:
                yield node.lineno
        elif isinstance(node, ast.Call) and "suppress" in ast.unparse(node.func):
            caught = node.args
        else:
            continue
        for each in caught:
            for name in ("AssertionError", "Exception", "BaseException"):
                yield from _names(each, name)


def test_nothing_below_the_checks_states_a_claim() -> None:
    """A probe returns what it saw or raises a HarnessError; the verdict's module reads both."""
    found = []
    for path, tree in _modules("fixtures"):
        if path.parts[1] == "plugin":
            continue
        stated = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
        found += [f"{path}:{line}" for line in (*stated, *_names(tree, "AssertionError"))]
    assert not found


def test_no_check_catches_what_a_check_states() -> None:
    found = [f"{path}:{line}" for path, tree in _modules("suites") for line in _catches(tree)]
    assert not found
