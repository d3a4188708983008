# SPDX-License-Identifier: GPL-2.0-or-later
"""How a check decides: it comes into the record, and stands in every report."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.plan import PlannedCheck
from contracts.verdicts import Verdict
from reports.exports import allure, job_summary, junit
from reports.html.report_page import render
from reports.markdown.sized_page import SIZE_MAX
from reports.record import Check, Procedure, RunRecord, parse
from reports.recording.ledger import entry_for, parse_check
from tests.html_run import Parsed
from tests.reported import check, record

PROCEDURE = Procedure(
    preconditions=["a guest with a lease"],
    steps=["ping the outside", "ask <b>whether</b> it answered"],
    verify=["all of 4 echoes are answered"],
)


def decided(verdict: Verdict = Verdict.VIOLATES) -> Check:
    return check(verdict, procedure=PROCEDURE)


def html(run: RunRecord, folder: Path) -> str:
    return Parsed(render(run, folder)).text


def description(run: RunRecord, folder: Path) -> str:
    allure.write(run, folder, folder)
    results = [json.loads(file.read_text()) for file in folder.glob("*-result.json")]
    return next(str(each["description"]) for each in results if "nat" in each["fullName"])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (html, ["Procedure", "Preconditions", "Steps", "ask <b>whether</b> it answered", "Verify"]),
        (description, ["**Steps**", "1. ping the outside", r"ask &lt;b\>whether&lt;/b\>"]),
        (
            lambda run, _: junit.render(run),
            ["precondition: a guest", "step 2: ask &lt;b&gt;", "verify: all of 4"],
        ),
        (
            lambda run, _: job_summary.render(run),
            [
                "verifies: all of 4 echoes are answered",
                "<summary>nat.violates: NT-01</summary>\n\n**Preconditions**\n\n- a guest with",
                r"1. ping the outside" "\n" r"2. ask &lt;b\>whether&lt;/b\> it answered",
                "**Verify**\n\n- all of 4 echoes",
            ],
        ),
    ],
    ids=["html", "allure", "junit", "markdown"],
)
def test_a_report_shows_how_a_check_decides(
    made: Callable[[RunRecord, Path], str], said: list[str], tmp_path: Path
) -> None:
    text = made(record([decided()]), tmp_path)
    assert [each for each in said if each not in text] == []


def test_a_job_summary_has_each_procedure_once_and_none_of_what_it_does_not_list() -> None:
    elsewhere = decided().model_copy(update={"topology": "ovs", "claims": ["NT-02"]})
    good = decided(Verdict.CONFORMS)
    text = job_summary.render(record([decided(), elsewhere, good]))
    assert text.count("**Steps**") == 1
    assert "### Procedures: 1\n" in text
    assert "<summary>nat.violates: NT-01 NT-02</summary>" in text
    assert "Procedures" not in job_summary.render(record([good]))
    assert "Procedures" not in job_summary.render(record([check(Verdict.VIOLATES)]))


def test_procedures_are_left_out_before_any_finding() -> None:
    long = Procedure(preconditions=[], steps=["ask " * 300] * 20, verify=["it answered"])
    many = [check(Verdict.VIOLATES, f"check{n}", procedure=long) for n in range(60)]
    text = job_summary.render(record(many))
    assert len(text.encode()) <= SIZE_MAX
    assert text.count("**nat\\.check") == 60
    left = 60 - text.count("**Steps**")
    assert left > 0
    assert text.splitlines()[-1].startswith(f"**Left out for its size:** {left} of 60 procedures.")
    assert text.count("<details>") == text.count("</details>")


def test_a_check_that_conforms_has_its_procedure_too(tmp_path: Path) -> None:
    page = html(record([decided(Verdict.CONFORMS)]), tmp_path)
    assert "ping the outside" in page
    assert "Procedure" not in html(record([check(Verdict.CONFORMS)]), tmp_path)


def test_what_a_check_reports_and_what_was_planned_carry_it() -> None:
    reported = decided().model_dump(mode="json", by_alias=True)
    assert parse_check(reported).procedure == PROCEDURE
    before = entry_for(PlannedCheck("a", "n", (), "nat", "r"), Verdict.INCONCLUSIVE, "why")
    assert before.procedure is None
    known = PlannedCheck("a", "n", (), "nat", "r", procedure=PROCEDURE.model_dump())
    assert entry_for(known, Verdict.INCONCLUSIVE, "why").procedure == PROCEDURE


def test_a_record_from_before_procedures_is_read() -> None:
    known = json.loads(record([decided()]).model_dump_json(by_alias=True))
    del known["checks"][0]["procedure"]
    assert parse(json.dumps(known).encode(), "run.json").checks[0].procedure is None
