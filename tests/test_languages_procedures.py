# SPDX-License-Identifier: GPL-2.0-or-later
"""Procedures, faults and `explain` in Chinese: no text of a suite or of a fault stays English."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from contracts.language import CHINESE, ENGLISH, spoken
from contracts.verdicts import Verdict
from faults.change import Change
from faults.library import load_all
from fixtures.explanation import explain_command
from fixtures.explanation.check_source import check_sources
from fixtures.explanation.explanation import explanation
from reports.exports.job_summary import render as job_summary
from reports.html.report_page import render
from reports.record import Procedure, RunRecord
from tests.html_run import check, fault, record
from tests.records import harmless
from tests.shown_words import english, of_markdown, of_page
from topologies.catalogue import claims

ROOT = Path(__file__).resolve().parent.parent
PAGES: list[Any] = [
    pytest.param(render, of_page, id="html"),
    pytest.param(lambda run, _: job_summary(run), of_markdown, id="md"),
]
every_page = pytest.mark.parametrize(("page", "texts_of"), PAGES)
Page = Callable[[RunRecord, Path], str]


def every_check() -> RunRecord:
    """A run in which each check of the suites saw a violation, with its procedure as it is."""
    checks = [
        check(each.name, Verdict.VIOLATES, "NT-05").model_copy(
            update={"procedure": Procedure.model_validate(each.procedure.as_record())}
        )
        for each in check_sources()
    ]
    return record(checks)


def as_result(change: Change, number: int) -> Any:
    """What came of a shipped change."""
    place = f"nat+{number}"
    if change.is_harmless:
        why = getattr(change, "why", "")
        return harmless(change.id, place, title=change.title, why=why, outcome="false alarm")
    made = fault(change.id, place, "NT-05", outcome="got through", missed={"NT-05": "conforms"})
    return made.model_copy(update={"title": change.title})


def every_fault() -> RunRecord:
    """A proof in which each shipped fault got through, and each harmless change gave an alarm."""
    results = [as_result(each, number) for number, each in enumerate(load_all())]
    return record([check("dhcp.lease", Verdict.CONFORMS, "NT-05")], faults=tuple(results))


@every_page
def test_each_procedure_is_chinese_on_a_page(
    page: Page, texts_of: Callable[[str], list[str]], tmp_path: Path
) -> None:
    run = every_check()
    with spoken(CHINESE):
        chinese = page(run, tmp_path)
    assert not english(texts_of(chinese), run)
    assert {"Ping", "every", "answered"} & english(texts_of(page(run, tmp_path)), run)


@every_page
def test_the_title_of_each_fault_is_chinese_on_a_page(
    page: Page, texts_of: Callable[[str], list[str]], tmp_path: Path
) -> None:
    run = every_fault()
    with spoken(CHINESE):
        chinese = page(run, tmp_path)
    assert not english(texts_of(chinese), run)
    assert {"bridge", "drops"} <= english(texts_of(page(run, tmp_path)), run)


def as_it_is(known: Mapping[str, Any]) -> Iterator[str]:
    """Give what of an explanation is to be typed or searched for: names, ids, commands."""
    yield from (*known["types"], *known["keys"], *known["topologies"], *known["sources"])
    yield from (*known["files"], "--topology=FILE", "docs/topologies.md")
    yield from (each["name"] for each in known["checks"])
    for each in known["faults"]:
        yield from (f"./plumbline prove --fault {each['id']}", each["id"])
    for each in known["remedies"]:
        yield from each["look"].split("; ")
    single = ("id", "switch", "rerun", "shown_by")
    yield from (known[name] for name in single if known[name])


def left_over(*ids: str) -> set[str]:
    """Return the English words of explanations that are neither data nor of a translation."""
    known = [explanation(id_) for id_ in ids]
    lines = [line for each in known for line in explain_command._explained(each)]
    return english(lines, also={text for each in known for text in as_it_is(each)})


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on which no text is taken apart."""
    monkeypatch.setenv("COLUMNS", "9999")
    monkeypatch.setattr(explain_command, "WIDTH_MAX", 9999)


@pytest.mark.usefixtures("wide")
def test_no_claim_is_explained_with_english_words_left() -> None:
    with spoken(CHINESE):
        assert not left_over(*claims())


@pytest.mark.usefixtures("wide")
def test_an_english_explanation_would_be_noticed() -> None:
    with spoken(ENGLISH):
        assert {"section", "The", "rules", "Read", "breaks"} <= left_over("NT-08")
