# SPDX-License-Identifier: GPL-2.0-or-later
"""The page for a job summary: what it says, what it leaves out, and what it never lets through."""

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from contracts.verdicts import SEEN, Verdict
from reports.exports.job_summary import render
from reports.markdown.sized_page import SIZE_MAX
from reports.record import RunRecord, TopologyRecord
from tests import records
from tests.reported import REASONS, check, fault, record

MARKDOWN = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> [click](http://evil.example) "
    "![x](http://evil.example/x.png) `code` | cell | **bold** @everyone http://evil.example "
    "\n\n# heading\n\n- list\x1b[31m &lt; $x$ ~~gone~~ </details>"
)


def tokens(text: str) -> list[Token]:
    """All tokens of a page, those within paragraphs too."""
    found: list[Token] = []
    for token in MARKDOWN.parse(text):
        found += [token, *(token.children or [])]
    return found


def shown(text: str) -> str:
    return "".join(t.content for t in tokens(text) if t.type in ("text", "code_inline"))


def test_each_verdict_stands_beside_the_passes() -> None:
    text = render(record([check(verdict) for verdict in SEEN]))
    assert "conforms 1 · violates 1 · error 1 · inconclusive 1 · not-testable 1" in text
    assert "%" not in text
    for reason in REASONS.values():
        assert (reason in shown(text)) is (reason != REASONS[Verdict.CONFORMS])
    assert shown(text).count("./plumbline run --topology nat") == 3
    assert "NT-01: Guests reach the outside" in shown(text)


@pytest.mark.parametrize(
    ("run", "mark"),
    [
        (record([check(Verdict.CONFORMS)]), "✅"),
        (record([check(Verdict.CONFORMS), check(Verdict.VIOLATES)]), "❌"),
        (record([check(Verdict.CONFORMS), check(Verdict.INCONCLUSIVE)]), "⚠️"),
        (record([check(Verdict.CONFORMS)], finished=None), "⚠️"),
        (record([check(Verdict.CONFORMS)], ended_with=11, lacking=["kvm"]), "⚠️"),
        (record([check(Verdict.CONFORMS)], ended_with=0), "✅"),
        (record([check(Verdict.NOT_TESTABLE)]), "⚠️"),
        (record([]), "⚠️"),
        (record([], finished=None), "⚠️"),
    ],
)
def test_only_a_run_that_shows_something_is_green(run: RunRecord, mark: str) -> None:
    assert render(run).startswith(f"## {mark} Plumbline: ")


def test_hostile_words_are_words() -> None:
    run = record(
        [check(Verdict.VIOLATES, reason=HOSTILE, rerun=f"x {HOSTILE}")],
        topologies=[
            TopologyRecord(name="nat", verdict=Verdict.ERROR, title=HOSTILE, reason=HOSTILE),
            TopologyRecord(name=HOSTILE, verdict=Verdict.ERROR),
        ],
    )
    text = render(run)
    found = tokens(text)
    html = {t.content.strip() for t in found if t.type.startswith("html")}
    assert html == {"<details><summary>What this rests on</summary>", "</details>"}
    kinds = {t.type for t in found}
    assert not kinds & {"link_open", "image", "bullet_list_open", "em_open", "s_open"}
    headings = [t for t in found if t.type == "heading_open"]
    assert len(headings) == sum(line.startswith("#") for line in text.splitlines())
    columns = [t for t in found if t.type == "th_open"]
    assert len(columns) == 2 + 3
    assert "<script>alert(1)</script>" in shown(text)
    assert "\x1b" not in text
    # Nobody is notified by what a guest said; in code nobody would be.
    assert "@everyone" not in "".join(t.content for t in found if t.type == "text")


def test_what_does_not_fit_is_left_out_whole_and_counted() -> None:
    run = record([check(Verdict.VIOLATES, f"check{n}", reason="ä" * 3000) for n in range(900)])
    text = render(run)
    assert SIZE_MAX - 8192 < len(text.encode()) <= SIZE_MAX
    shown_findings = text.count("**nat\\.check")
    assert f"{900 - shown_findings} of 900 findings" in text.splitlines()[-1]


def test_small_pages_say_everything() -> None:
    assert "Left out" not in render(record([check(verdict) for verdict in SEEN]))


def test_harmless_changes_are_counted_apart() -> None:
    run = record(
        [check(Verdict.CONFORMS, topology="nat+calm")],
        faults=[
            fault("caught"),
            records.harmless("calm", outcome="unnoticed"),
            records.harmless("loud", outcome="false alarm", unexplained={"a.b": "error: broke"}),
        ],
    )
    text = render(run)
    assert text.startswith("## ❌ Plumbline: Of 1 fault, 2 harmless changes: 1 false alarm")
    assert "nothing, and nothing had to" in text
    assert "also a.b: error: broke" in shown(text)


def test_faults_are_told_by_outcome_and_not_as_violations() -> None:
    run = record(
        [check(Verdict.VIOLATES, topology="nat+nat-caught")],
        faults=[fault("caught"), fault("got through", missed={"NT-01": "conforms"})],
    )
    text = render(run)
    assert text.startswith("## ❌")
    assert "caught 1 · unnoticed 0 · got through 1 · false alarm 0" in text
    assert "### Violated" not in text
    rows = [line for line in text.splitlines() if "nat\\-" in line]
    assert "got through" in rows[0]
    assert "caught" in rows[1]
    assert "not NT-01 (conforms)" in shown(rows[0])
