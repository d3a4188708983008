# SPDX-License-Identifier: GPL-2.0-or-later
"""A check's procedure is read from its docstring, and every check of the tree has one."""

import ast
from pathlib import Path

import pytest

from fixtures.plugin.procedure import (
    Procedure,
    ProcedureError,
    parse_procedure,
    procedure_of,
)
from launcher.capabilities import CAPABILITIES
from reports.record import Procedure as Recorded

ROOT = Path(__file__).resolve().parent.parent
DOCSTRING = """Two guests reach each other.

    Guests without an address are left out.

    Preconditions:
        - two guests have their addresses
    Steps:
        1. Ping the second guest from the first, with a capture at the switch, and wait for the
           answers.
        2. Ping in the other direction.
    Verify:
        - every ping is answered
        - control: without the switch no ping is answered; else the check is
          inconclusive
    """


def checks() -> list[tuple[str, ast.FunctionDef]]:
    return [
        (f"{file.stem}.{node.name}", node)
        for file in sorted((ROOT / "suites").glob("test_*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


CHECKS = checks()


def markers(node: ast.FunctionDef, name: str) -> list[ast.Call]:
    calls = [each for each in node.decorator_list if isinstance(each, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) == f"pytest.mark.{name}"]


def words(node: ast.FunctionDef, name: str) -> list[str]:
    return [ast.literal_eval(word) for call in markers(node, name) for word in call.args]


def test_each_section_is_a_list() -> None:
    assert parse_procedure(DOCSTRING, "connectivity.two") == Procedure(
        preconditions=("two guests have their addresses",),
        steps=(
            "Ping the second guest from the first, with a capture at the switch, and wait for the "
            "answers.",
            "Ping in the other direction.",
        ),
        verify=(
            "every ping is answered",
            "control: without the switch no ping is answered; else the check is inconclusive",
        ),
    )


def test_rest_of_an_item_begins_under_its_text() -> None:
    steps = "".join(f"{' ' * 8}{number}. Step {number}.\n" for number in range(1, 11))
    text = (
        DOCSTRING[: DOCSTRING.index("        1. Ping")] + steps + "{rest}    Verify:\n        - v"
    )
    with pytest.raises(ProcedureError, match="section Steps of x has the line '       once"):
        parse_procedure(text.format(rest=f"{' ' * 11}once.\n"), "x")
    wide = parse_procedure(text.format(rest=f"{' ' * 12}once.\n"), "x")
    assert wide.steps[-1] == "Step 10. once."


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (
            DOCSTRING,
            "",
            r"of connectivity\.two has the sections none; expected Preconditions, Steps",
        ),
        ("    Verify:\n", "", "has the sections Preconditions, Steps; expected"),
        ("Preconditions:", "Precondition:", "has the sections Steps, Verify; expected"),
        ("    Steps:", "    Verify:", "has the sections Preconditions, Verify, Verify; expected"),
        (
            "        - two guests have their addresses\n",
            "",
            r"section Preconditions of connectivity\.two has no items",
        ),
        ("- every ping is answered", "- ", "section Verify of .* or an empty one"),
        (
            "- every ping",
            "* every ping",
            r"section Verify of .* line '    \* every ping is answered'",
        ),
        ("2. Ping", "3. Ping", r"line '    3\. Ping .*an item that begins with '    2\. '"),
        ("1. Ping the", "- Ping the", r"section Steps of .* begins with '    1\. '"),
        ("           answers.", "         answers.", "section Steps of .* line '     answers"),
        ("    Steps:", "\n    Steps:", "section Preconditions of .* line ''"),
        ("    Verify:\n", "    Verify:\n        all of this:\n", "line '    all of this:'"),
    ],
)
def test_another_form_is_an_error_that_names_check_and_place(
    old: str, new: str, wanted: str
) -> None:
    assert old in DOCSTRING
    with pytest.raises(ProcedureError, match=wanted):
        parse_procedure(DOCSTRING.replace(old, new, 1), "connectivity.two")


def test_function_without_docstring_is_named() -> None:
    with pytest.raises(ProcedureError, match=r"test_procedure\.checks has the sections none"):
        procedure_of(checks)


def test_record_takes_a_procedure_as_it_is_told() -> None:
    told = parse_procedure(DOCSTRING, "connectivity.two").as_record()
    recorded = Recorded.model_validate(told)
    assert recorded.model_dump() == told
    assert len(recorded.steps) == len(recorded.verify) == 2


def test_there_are_checks_to_be_held_to_it() -> None:
    assert len(CHECKS) > 80


@pytest.mark.parametrize(("name", "node"), CHECKS, ids=[name for name, _node in CHECKS])
def test_every_check_lists_its_procedure(name: str, node: ast.FunctionDef) -> None:
    procedure = parse_procedure(ast.get_docstring(node, clean=False) or "", name)
    assert procedure.preconditions
    assert procedure.steps
    assert procedure.verify


@pytest.mark.parametrize(("name", "node"), CHECKS, ids=[name for name, _node in CHECKS])
def test_every_check_names_its_claims_or_takes_them_from_its_cell(
    name: str, node: ast.FunctionDef
) -> None:
    arguments = [argument.arg for argument in node.args.args]
    assert words(node, "claims") or "cell" in arguments, f"{name} decides no claim"


@pytest.mark.parametrize(("name", "node"), CHECKS, ids=[name for name, _node in CHECKS])
def test_what_a_check_needs_is_a_capability(name: str, node: ast.FunctionDef) -> None:
    unknown = set(words(node, "needs")) - set(CAPABILITIES)
    assert not unknown, f"{name} needs {unknown}, which no probe decides"
