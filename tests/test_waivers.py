# SPDX-License-Identifier: GPL-2.0-or-later
"""Waived violations: shown as such in each report, no failure until their day, red after it."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from contracts.run_files import PAGE, RECORD
from contracts.verdicts import BY_GRAVITY, Verdict, worst
from reports.compare import compare_command
from reports.compare.comparison import Effect
from reports.compare.verdict_changes import effect
from reports.exports import job_summary, junit
from reports.fleet.host_pages import write_host_page
from reports.fleet.host_rows import host_row
from reports.html import report_page
from reports.record import RunRecord, TopologyRecord, load, parse, save
from reports.run_verdict import run_verdict
from reports.waiver import Waiver
from reports.waivers import judged, run_out, waiver_line
from tests.records import STARTED
from tests.reported import check, record

ROOT = Path(__file__).resolve().parent.parent
DAY = date(2026, 6, 30)
BAD = check(Verdict.VIOLATES)
GOOD = check(Verdict.CONFORMS, claims=["NT-05"])


def waiver(id_: str = "NT-01", **more: object) -> Waiver:
    known = {"id": id_, "until": DAY, "why": "ticket 812", "source": "waivers.yaml:3"}
    return Waiver.model_validate(known | more)


def waived(*waivers: Waiver, day: date = DAY, **more: object) -> RunRecord:
    return judged(record([BAD, GOOD], waivers=list(waivers), **more), day)


def plumbline(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_waived_violation_is_neither_violated_nor_conforming() -> None:
    found = waived(waiver())
    assert [each.verdict for each in found.checks] == [Verdict.WAIVED, Verdict.CONFORMS]
    assert found.checks[0].reason == (
        "waived until 2026-06-30: ticket 812; seen: kvm1 does not reach the outside"
    )
    assert [each.verdict for each in found.claims] == [Verdict.WAIVED, Verdict.CONFORMS]
    assert found.topologies[0].verdict is Verdict.WAIVED
    assert (found.exit_code(), run_verdict(found).verdict) == (0, Verdict.WAIVED)
    assert waiver_line(found.waivers[0]).endswith("(waivers.yaml:3): waives 1 violated check")


def test_after_its_last_day_it_counts_again_and_every_report_says_why() -> None:
    found = waived(waiver(), day=DAY + timedelta(days=1))
    assert (found.checks[0].verdict, found.exit_code()) == (Verdict.VIOLATES, 1)
    assert (found.waivers[0].outcome, len(found.waivers[0].violations)) == ("run out", 1)
    said = "its waiver ran out on 2026-06-30: ticket 812"
    assert any("ran out on 2026-06-30" in warning for warning in run_verdict(found).warnings)
    for text in (job_summary.render(found), junit.render(found), html(found)):
        assert said in text.replace("\\", "")
        assert "run out; 1 violated check counted again" in text


def html(found: RunRecord) -> str:
    return report_page.render(found, ROOT)


def test_each_report_shows_it_as_waived() -> None:
    found = waived(waiver())
    case = ElementTree.fromstring(junit.render(found)).find(".//skipped")
    assert case is not None
    assert case.get("message", "").startswith("waived: waived until 2026-06-30: ticket 812")
    assert ".//failure" not in junit.render(found)
    text = job_summary.render(found)
    assert "### Waived: 1" in text
    assert "### Violated" not in text
    page = html(found)
    assert 'data-verdict="waived"' in page
    assert "Nothing else is violated: 1 violated claim waived" in page
    assert 'data-verdict="violates"' not in page


@pytest.mark.parametrize("verdict", [Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.NOT_TESTABLE])
def test_nothing_but_a_violation_is_waived(verdict: Verdict) -> None:
    found = judged(record([check(verdict), GOOD], waivers=[waiver()]), DAY)
    assert found.checks[0] == check(verdict)
    assert found.waivers[0].outcome == "unused"
    assert waiver_line(found.waivers[0]).endswith(
        f"waives nothing: nothing of it is violated, its checks are {verdict}"
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (waiver("IS-01"), "no check of this run decides it there"),
        (waiver(topology="ovs"), "no check of this run decides it there"),
        (waiver("NT-05"), "nothing of it is violated, its checks are conforms"),
    ],
)
def test_a_waiver_that_waives_nothing_is_listed_with_the_reason(given: Waiver, why: str) -> None:
    found = waived(given)
    assert (found.exit_code(), found.waivers[0].note) == (1, why)
    for text in (job_summary.render(found), junit.render(found), html(found)):
        assert why in text


def test_a_check_of_two_claims_needs_both_waived() -> None:
    both = record([check(Verdict.VIOLATES, claims=["NT-01", "NT-02"]), GOOD])
    one = judged(both.model_copy(update={"waivers": [waiver()]}), DAY)
    assert one.exit_code() == 1
    assert one.waivers[0].note == "its check decides NT-02 too, and a check is waived as a whole"
    two = judged(both.model_copy(update={"waivers": [waiver(), waiver("NT-02")]}), DAY)
    assert two.exit_code() == 0


def test_a_renewed_waiver_leaves_nothing_to_the_one_that_ran_out() -> None:
    old, new = waiver(until="2026-01-01"), waiver(until="2026-12-31")
    found = waived(old, new)
    assert found.checks[0].verdict is Verdict.WAIVED
    first, second = found.waivers
    assert (first.outcome, first.violations) == ("run out", [])
    assert first.note == "another waiver of NT-01 is in force until 2026-12-31"
    assert waiver_line(first).endswith(f"run out; {first.note}")
    assert (second.outcome, second.violations) == ("waived", ["nat: nat.violates[nat]"])
    assert not list(run_out(found))


def test_of_two_waivers_that_ran_out_the_later_one_counts_its_violation_again() -> None:
    first, second = waived(waiver(until="2026-01-01"), waiver(until="2026-02-01")).waivers
    assert (first.violations, second.violations) == ([], ["nat: nat.violates[nat]"])
    assert first.note == "another waiver of NT-01 was in force until 2026-02-01"


def test_a_waiver_does_not_waive_what_the_one_of_another_claim_no_longer_does() -> None:
    both = check(Verdict.VIOLATES, claims=["NT-01", "NT-02"])
    lasting, gone = waiver(), waiver("NT-02", until="2026-01-01")
    found = judged(record([both, GOOD], waivers=[lasting, gone]), DAY)
    assert found.exit_code() == 1
    first, second = found.waivers
    assert (first.outcome, first.violations) == ("unused", [])
    assert first.note == "its check decides NT-02 too, whose waiver ran out on 2026-01-01"
    assert (second.outcome, len(second.violations)) == ("run out", 1)


def test_a_topology_that_the_host_refused_is_not_waived() -> None:
    refused = TopologyRecord(name="nat", verdict=Verdict.VIOLATES, reason="refused by libvirt")
    found = waived(waiver(), topologies=[refused])
    assert found.exit_code() == 1
    assert "refused to build" in (found.waivers[0].note or "")


def test_a_topology_that_was_not_taken_down_stays_an_error() -> None:
    broken = TopologyRecord(name="nat", verdict=Verdict.VIOLATES, reason="stuck", build_s=1.0)
    assert waived(waiver(), topologies=[broken]).exit_code() == 10


def test_a_report_of_another_day_does_not_call_the_run_ill_ended() -> None:
    for ended_with, day in ((0, DAY + timedelta(days=1)), (1, DAY), (0, DAY)):
        warnings = run_verdict(waived(waiver(), day=day, ended_with=ended_with)).warnings
        assert not any("The run ended with" in each for each in warnings)
    assert any(
        "ended with 10" in each for each in run_verdict(waived(waiver(), ended_with=10)).warnings
    )


def test_the_order_of_gravity_has_it_wherever_it_is_written() -> None:
    assert " > ".join(BY_GRAVITY) in str(worst.__doc__)
    assert f"{', '.join(BY_GRAVITY)}. Over all topologies" in html(waived(waiver()))


def test_a_record_never_has_the_verdict_waived() -> None:
    text = record([BAD]).model_dump_json().replace('"violates"', '"waived"')
    with pytest.raises(Exception, match="waived is no verdict of a check"):
        parse(text.encode(), RECORD)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Verdict.CONFORMS, Verdict.WAIVED, Effect.WAIVED),
        (Verdict.INCONCLUSIVE, Verdict.WAIVED, Effect.WAIVED),
        (Verdict.WAIVED, Verdict.CONFORMS, Effect.MENDED),
        (Verdict.WAIVED, Verdict.ERROR, Effect.LOST),
    ],
)
def test_a_comparison_takes_a_waived_violation_for_no_regression(
    before: Verdict, after: Verdict, expected: Effect
) -> None:
    assert effect(before, after) is expected


TYPED = ["--waive", "NT-01", "--until", "2099-12-31", "--why", "ticket 812"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    save(record([BAD, GOOD], ended_with=1), tmp_path / "run.json")
    return tmp_path


def test_report_waives_on_its_command_line_and_leaves_the_record_alone(run: Path) -> None:
    before = (run / "run.json").read_bytes()
    done = plumbline("report", str(run), *TYPED, "--format", "md", "--output", "-")
    assert done.returncode == 0, done.stderr
    assert "### Waived: 1" in done.stdout
    assert "conforms 1 · violates 0 · error 0 · inconclusive 0 · waived 1 · not-testable 0" in (
        done.stderr
    )
    assert (run / "run.json").read_bytes() == before


def test_a_redacted_bundle_has_the_record_with_its_own_waivers_alone(run: Path) -> None:
    own = waiver("NT-05", until="2099-12-31", why="agreed with ACME")
    save(record([BAD, GOOD], waivers=[own]), run / "run.json")
    words = ["--waive", "NT-01", "--until", "2099-12-31", "--why", "ticket of ACME"]
    words += ["--redact", "--redact-also", "ACME", "--bundle", "b.tar.gz"]
    done = plumbline("report", "run.json", *words, cwd=run)
    assert done.returncode == 0, done.stderr
    subprocess.run(["tar", "-xzf", "b.tar.gz", "--strip-components=1"], cwd=run, check=True)
    kept = load(run / "run.json")
    assert [(each.id, each.why) for each in kept.waivers] == [("NT-05", "agreed with site-1")]
    page = (run / PAGE).read_text()
    assert "ticket of site-1" in page
    assert "ACME" not in page


@pytest.mark.parametrize("form", ["junit", "allure"])
def test_what_a_program_reads_calls_it_waived_in_english(form: str, run: Path) -> None:
    words = [*TYPED, "--lang", "zh", "--format", form, "--output", "out"]
    done = plumbline("report", "run.json", *words, cwd=run)
    assert done.returncode == 0, done.stderr
    files = [run / "out"] if form == "junit" else list((run / "out").glob("*-result.json"))
    text = "".join(file.read_text() for file in files)
    assert "waived until 2099-12-31: ticket 812; seen: kvm1" in text
    assert "豁免" not in text
    assert "已豁免" in done.stderr


def test_report_reads_a_file_and_names_its_line(run: Path) -> None:
    file = run / "known.yaml"
    file.write_text(
        "schema: plumbline/waivers/1\nwaivers:\n"
        "  - {id: NT-01, topology: nat, until: 2099-12-31, why: ticket 812}\n"
    )
    words = ("report", str(run), "--waivers", "known.yaml", "--format", "junit", "--output", "-")
    done = plumbline(*words, cwd=run)
    assert done.returncode == 0, done.stderr
    assert "NT-01 on nat, until 2099-12-31: ticket 812 (known.yaml:3): waives 1" in done.stdout


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("id: NT-99, until: 2099-12-31, why: x", "waivers[0].id: unknown claim"),
        ("id: NT-01, until: 2099-02-30, why: x", 'waivers[0].until: "2099-02-30" is not a date'),
        ("id: NT-01, until: 20991231, why: x", "waivers[0].until: "),
        ("id: NT-01, until: 2099-12-31, why: ' '", "waivers[0].why: the reason is empty"),
        ("id: NT-01, until: 2099-12-31", "waivers[0].why: the key is missing"),
        ("id: NT-01, util: 2099-12-31, why: x", 'did you mean "until"?'),
    ],
)
def test_an_error_in_a_file_has_file_and_line(entry: str, said: str, run: Path) -> None:
    file = run / "known.yaml"
    file.write_text(f"schema: plumbline/waivers/1\nwaivers:\n  - {{{entry}}}\n")
    done = plumbline("report", str(run), "--waivers", "known.yaml", cwd=run)
    assert done.returncode == 4
    assert f"{file}:3: " in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--waive", "NT-99", "--until", "2099-12-31", "--why", "x"], 'no claim "NT-99"'),
        (["--waive", "NT-01", "--until", "soon", "--why", "x"], '--until: "soon" is not a date'),
        (["--waive", "NT-01", "--until", "2099-12-31", "--why", ""], "NT-01 is empty"),
        (["--waive", "NT-01", "--until", "2099-12-31"], "got 1 and 0 for 1"),
        (["--waivers", "none.yaml"], "none.yaml: no such file"),
    ],
)
@pytest.mark.parametrize("subcommand", ["run", "report", "compare"])
def test_a_wrong_waiver_is_refused_before_anything_is_set_up(
    subcommand: str, words: list[str], said: str, run: Path
) -> None:
    subject = {"run": [], "report": [str(run)], "compare": [str(run), str(run)]}[subcommand]
    done = plumbline(subcommand, *subject, *words)
    assert (done.returncode, said in done.stderr) == (4, True), done.stderr


def compared(run: Path, *words: str) -> tuple[int, dict[str, object]]:
    before = run / "before"
    before.mkdir()
    good = check(Verdict.CONFORMS, "violates")
    made = record([good, GOOD], id="22222222-2222-4333-8444-555555555555")
    save(made, before / "run.json")
    done = plumbline("compare", str(before), str(run), "--format", "json", *words)
    return done.returncode, json.loads(done.stdout)


def test_compare_calls_a_new_violation_that_is_waived_no_regression(run: Path) -> None:
    code, found = compared(run, *TYPED)
    flips = found["flips"]
    assert isinstance(flips, list)
    assert (code, [flip["effect"] for flip in flips]) == (0, ["waived"])


def test_compare_takes_the_waivers_of_the_run_after_and_not_those_that_ran_out(run: Path) -> None:
    save(
        load(run / "run.json").model_copy(update={"waivers": [waiver(until="2001-01-01")]}),
        run / "run.json",
    )
    code, found = compared(run)
    assert code == 1
    assert any("ran out on 2001-01-01" in str(each) for each in [found["warnings"]])


@pytest.mark.parametrize(
    ("days", "code", "effects"), [(0, 0, []), (1, 1, ["regressed"]), (400, 1, ["regressed"])]
)
def test_a_waived_violation_of_a_baseline_is_a_regression_after_the_last_day(
    days: int,
    code: int,
    effects: list[str],
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = run / "before"
    before.mkdir()
    made = {"id": "22222222-2222-4333-8444-555555555555", "started": STARTED, "finished": STARTED}
    save(record([BAD, GOOD], waivers=[waiver()], **made), before / RECORD)
    save(record([BAD, GOOD], waivers=[waiver()]), run / RECORD)
    monkeypatch.setattr(compare_command, "today", lambda: DAY + timedelta(days=days))
    order: dict[str, object] = {"before": str(before), "after": str(run), "trend": None}
    order |= {"format": "json", "output": None, "topology": []}
    order |= {"level": 5, "power": 80, "relevant": 5}
    assert compare_command.main([json.dumps(order)]) == code
    flips = json.loads(capsys.readouterr().out)["flips"]
    assert [flip["effect"] for flip in flips] == effects
    assert all("its waiver ran out on 2026-06-30" in flip["reason_after"] for flip in flips)


@pytest.mark.parametrize(
    "words", [TYPED, ["--waivers", "known.yaml"], ["--until", "2099-12-31"], ["--why", "x"]]
)
def test_a_trend_refuses_waivers_as_it_shows_what_was_seen(words: list[str], run: Path) -> None:
    done = plumbline("compare", "--trend", ".", *words, cwd=run)
    assert done.returncode == 4
    assert f"compare: --trend shows verdicts as seen and takes no {words[0]}" in done.stderr


def test_a_fleet_judges_each_host_by_the_waivers_of_its_own_record(tmp_path: Path) -> None:
    for name, until in (("lasting", "2099-12-31"), ("gone", "2001-01-01")):
        (tmp_path / name).mkdir()
        save(record([BAD, GOOD], waivers=[waiver(until=until)]), tmp_path / name / RECORD)
    lasting, gone = host_row(tmp_path / "lasting")[0], host_row(tmp_path / "gone")[0]
    assert (lasting.verdict, lasting.is_red) == (Verdict.WAIVED, False)
    assert (gone.verdict, gone.is_red) == (Verdict.VIOLATES, True)
    write_host_page(tmp_path / "lasting")
    page = (tmp_path / "lasting" / PAGE).read_text()
    assert 'data-verdict="waived"' in page
