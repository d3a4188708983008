# SPDX-License-Identifier: GPL-2.0-or-later
"""A run beside the verdicts that were expected of its host: differences, words, exit code."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from contracts.exit_codes import (
    EXIT_CONFORMS,
    EXIT_MISSING_CAPABILITY,
    EXIT_UNDECIDED,
    EXIT_VIOLATES,
)
from contracts.plan import HOST
from contracts.verdicts import Verdict
from reports.record import Check, RunRecord
from reports.run_verdict import exit_meaning, run_verdict
from reports.terminal.expected_verdicts import print_comparison
from reports.terminal.summary import print_closing
from reports.verdict_comparison import VerdictComparison, comparison, exit_code
from tests import records

WHY = "Docker's policy drops them."
VIOLATED = {"claims": ["NT-10"], "topologies": ["nat"], "verdict": "violates", "why": WHY}


def check(
    name: str,
    verdict: Verdict = Verdict.CONFORMS,
    claims: Sequence[str] = ("NT-10",),
    topology: str = "nat",
) -> Check:
    more = {"claims": list(claims), "topology": topology, "reason": f"seen by {name}"}
    return records.check(f"{name}[{topology}]", verdict, **more)


def run(*checks: Check, exceptions: Sequence[dict[str, Any]] = (VIOLATED,)) -> RunRecord:
    seen = {"nat": ["NT-05", "NT-10", "connectivity.reach"], HOST: ["HR-01"]}
    expected = {"file": "docker.yaml", "seen": seen, "exceptions": list(exceptions)}
    return records.record(checks, expected=expected)


def compared(record: RunRecord) -> VerdictComparison:
    found = comparison(record)
    assert found is not None
    return found


def text(found: VerdictComparison) -> str:
    console = Console(file=StringIO(), width=200)
    print_comparison(found, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_an_expected_violation_is_no_failure_and_is_shown_with_its_reason() -> None:
    record = run(check("a.a", claims=["NT-05"]), check("b.b", Verdict.VIOLATES))
    found = compared(record)
    assert exit_code(record) == EXIT_CONFORMS
    assert record.exit_code() == EXIT_VIOLATES
    assert not found.differences
    said = text(found)
    assert "= violates, as expected  nat NT-10" in said
    assert WHY in said
    assert "2 of 2 verdicts as expected by docker.yaml, 1 of them other than conforms" in said


@pytest.mark.parametrize(
    ("made", "expected", "code"),
    [
        (check("b.b"), Verdict.VIOLATES, EXIT_VIOLATES),
        (check("b.b", Verdict.NOT_TESTABLE), Verdict.VIOLATES, EXIT_VIOLATES),
        (check("b.b", Verdict.INCONCLUSIVE), Verdict.VIOLATES, EXIT_UNDECIDED),
        (check("b.b", Verdict.ERROR), Verdict.VIOLATES, EXIT_UNDECIDED),
        (check("b.b", Verdict.VIOLATES, ["NT-05"]), Verdict.CONFORMS, EXIT_VIOLATES),
        (check("b.b", Verdict.NOT_TESTABLE, ["NT-05"]), Verdict.CONFORMS, EXIT_VIOLATES),
        (check("b.b", Verdict.VIOLATES, ["HR-01"], HOST), Verdict.CONFORMS, EXIT_VIOLATES),
        (check("connectivity.reach", Verdict.VIOLATES, []), Verdict.CONFORMS, EXIT_VIOLATES),
    ],
    ids=lambda each: (
        " ".join([*each.claims, each.id, each.verdict]) if isinstance(each, Check) else str(each)
    ),
)
def test_another_verdict_is_a_difference_in_either_direction(
    made: Check, expected: Verdict, code: int
) -> None:
    record = run(check("a.a", claims=["NT-05"], topology="nat"), made)
    [difference] = compared(record).differences
    assert (difference.expected, difference.seen) == (expected, made.verdict)
    assert exit_code(record) == code
    said = text(compared(record))
    assert f"expected {expected}, found {made.verdict}" in said
    assert made.reason is not None
    assert made.reason in said
    assert (WHY in said) == (expected is Verdict.VIOLATES)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.CONFORMS, EXIT_CONFORMS),
        (Verdict.NOT_TESTABLE, EXIT_CONFORMS),
        (Verdict.VIOLATES, EXIT_VIOLATES),
        (Verdict.INCONCLUSIVE, EXIT_UNDECIDED),
        (Verdict.ERROR, EXIT_UNDECIDED),
    ],
)
def test_what_was_never_seen_has_no_expectation_and_counts_as_in_any_run(
    verdict: Verdict, code: int
) -> None:
    record = run(check("a.a", claims=["NT-05"]), check("c.c", verdict, ["OV-01"], "ovs"))
    found = compared(record)
    assert (found.without, found.differences) == ({"ovs": ["OV-01"]}, [])
    assert exit_code(record) == code
    assert "no expectation, as no run on such a host has shown it yet: ovs OV-01" in text(found)


def test_a_check_that_was_seen_on_other_hosts_alone_has_no_expectation() -> None:
    narrow = "connectivity.reach_by_tcp"
    by_tcp = check(narrow, Verdict.VIOLATES, [])
    record = run(check("connectivity.reach", claims=[]), by_tcp)
    assert record.expected is not None
    assert [each.claim for each in compared(record).differences] == [narrow]
    other = record.expected.model_copy(update={"unseen": {"nat": [narrow]}})
    record = record.model_copy(update={"expected": other})
    found = compared(record)
    assert found.as_expected == [("nat", "connectivity.reach")]
    assert (found.without, found.differences) == ({"nat": [narrow]}, [])
    assert exit_code(record) == EXIT_VIOLATES


def test_a_run_in_which_nothing_was_compared_is_no_success() -> None:
    untestable = check("c.c", Verdict.NOT_TESTABLE, ["OV-01"], "ovs")
    assert exit_code(run(untestable)) == EXIT_UNDECIDED
    # That the host is as it was says nothing of a network.
    assert exit_code(run(untestable, check("h.h", claims=["HR-01"], topology=HOST))) == 10


def test_a_code_says_nothing_of_a_comparison_that_there_was_not() -> None:
    unknown = run(check("c.c", claims=["OV-01"], topology="ovs"))
    assert exit_code(unknown) == EXIT_CONFORMS
    assert exit_meaning(unknown, EXIT_CONFORMS) == "every decided claim conforms"
    known = run(check("a.a", claims=["NT-05"]))
    assert exit_meaning(known, EXIT_CONFORMS) == "every compared verdict is the expected one"


def test_a_missing_capability_is_one_beside_expected_verdicts_too() -> None:
    record = run(check("a.a", claims=["NT-05"]))
    assert exit_code(record, ["kvm"]) == EXIT_MISSING_CAPABILITY


def test_an_exception_of_single_checks_leaves_the_others_of_the_claim() -> None:
    only = VIOLATED | {"checks": ["b.b"]}
    as_it_is = [check("a.a"), check("b.b", Verdict.VIOLATES)]
    assert exit_code(run(*as_it_is, exceptions=[only])) == EXIT_CONFORMS
    both = [check("a.a", Verdict.VIOLATES), check("b.b", Verdict.VIOLATES)]
    found = compared(run(*both, exceptions=[only]))
    assert [(each.expected, each.reason) for each in found.differences] == [
        (Verdict.CONFORMS, "seen by a.a")
    ]
    assert not found.as_expected


def test_the_report_has_the_comparison_and_the_code_its_meaning() -> None:
    record = run(check("a.a", claims=["NT-05"]), check("b.b", Verdict.VIOLATES))
    record = record.model_copy(update={"ended_with": EXIT_CONFORMS})
    said = run_verdict(record)
    assert said.verdict is Verdict.VIOLATES
    assert said.warnings == [
        "2 of 2 verdicts as expected by docker.yaml, 1 of them other than conforms.",
        f"violates, as expected: NT-10 on nat. {WHY}",
    ]
    console = Console(file=StringIO(), width=200)
    print_closing(record, console, Path(), EXIT_CONFORMS)
    assert isinstance(console.file, StringIO)
    assert "exit 0: every compared verdict is the expected one" in console.file.getvalue()


def test_a_run_without_expectations_has_no_comparison() -> None:
    record = records.record([check("b.b", Verdict.VIOLATES)])
    assert comparison(record) is None
    assert exit_code(record) == EXIT_VIOLATES
