# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reader sees in Chinese: pages, Markdown, terminal, explain; and what stays English."""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.cells import cell_len
from rich.console import Console

from contracts.language import CHINESE, ENGLISH, spoken
from contracts.run_settings import RunSettings
from contracts.verdicts import ONLY_WITH_DISRUPTIVE, Verdict
from fixtures.explanation.wrapped_text import wrapped
from reports.compare.compare_runs import compare
from reports.compare.comparison_pages import (
    comparison_html,
    comparison_markdown,
    trend_html,
    trend_markdown,
)
from reports.compare.comparison_terminal import show
from reports.compare.quantities import Criteria
from reports.compare.trend import trend_of
from reports.compare.trend_text import show as show_trend
from reports.exports import junit
from reports.exports.job_summary import render as job_summary
from reports.fleet.fleet import Fleet
from reports.fleet.fleet_of_folder import fleet_of
from reports.fleet.fleet_pages import fleet_html, fleet_markdown
from reports.fleet.fleet_wording import VERSION_TITLES
from reports.html.report_page import render
from reports.record import Check, RunRecord, save
from reports.standard import Standard
from reports.terminal.matrix_table import print_matrix
from reports.terminal.progress_lines import check_line, columns
from reports.terminal.prove_terminal import ProofTerminal
from reports.terminal.run_terminal import Terminal
from reports.terminal.summary import print_closing, print_findings
from reports.waiver import Waiver
from reports.waivers import judged
from reports.wording import one_line, padded
from tests import compared, fleets
from tests.html_run import check, fault, full, record
from tests.records import check as records_check
from tests.records import harmless
from tests.shown_words import english, of_markdown, of_page

ROOT = Path(__file__).resolve().parent.parent
C, V, U, N = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.INCONCLUSIVE, Verdict.NOT_TESTABLE


def proof(_: Path) -> RunRecord:
    """A proof with every outcome."""
    checks = [
        check("nat.rules", V, "NT-08", topology="nat+gone", reason="0 rules"),
        check("dhcp.lease", C, "NT-05", topology="nat+gone"),
    ]
    faults = (
        fault("gone", "nat+gone", "NT-08", outcome="caught"),
        fault("kept", "nat", "NT-08", outcome="got through", missed={"NT-08": "conforms"}),
        fault("odd", "nat", "NT-08", outcome="not decided", missed={"NT-08": "not run"}),
        fault("red", "nat", "NT-08", outcome="false alarm", unexplained={"dhcp.x": "0 of 1"}),
        fault("tag", "ovs", "OV-12", outcome="not testable", missed={"OV-12": "not-testable"}),
        harmless("docker", outcome="unnoticed"),
    )
    return record(checks, faults=faults)


def unfinished(_: Path) -> RunRecord:
    return record([check("dhcp.lease", U, "NT-05"), check("nat.rules", C, "NT-08")], finished=False)


def waived(_: Path) -> RunRecord:
    """A run with waivers that waive, have run out, and are of nothing; and with its standard."""
    known = {"why": "812", "source": "known.yaml:3"}
    waivers = [
        Waiver.model_validate({"id": id_, "until": until, **known})
        for id_, until in (
            ("NT-05", "2026-06-30"),
            ("NT-06", "2026-06-01"),
            ("NT-21", "2026-06-30"),
        )
    ]
    levels = {"NT-05": "required", "NT-06": "required", "NT-08": "named", "NT-24": "field"}
    levels |= {"NT-09": "required", "NT-10": "required"}
    standard = Standard(catalogue="plumbline/claims/1", version="1", sha256="0" * 64, levels=levels)
    checks = [
        check("dhcp.lease", V, "NT-05", reason="0 of 1"),
        check("dhcp.range", V, "NT-06", reason="0 of 2"),
        check("nat.rules", C, "NT-08"),
        check("nat.again", N, "NT-09", reason=f"it restarts libvirtd: {ONLY_WITH_DISRUPTIVE}"),
        check("nat.other", U, "NT-10", reason="the control failed"),
    ]
    more = {"waivers": waivers, "standard": standard}
    return judged(record(checks).model_copy(update=more), date(2026, 6, 15))


every_record = pytest.mark.parametrize("made", [full, proof, unfinished, waived])
every_page = pytest.mark.parametrize(
    ("page", "texts_of"),
    [
        (render, of_page),
        (lambda run, _: job_summary(run), of_markdown),
    ],
    ids=["html", "md"],
)


@every_record
@every_page
def test_a_report_in_chinese_has_no_english_beside_its_record(
    made: Callable[[Path], RunRecord],
    page: Callable[[RunRecord, Path], str],
    texts_of: Callable[[str], list[str]],
    tmp_path: Path,
) -> None:
    run = made(tmp_path)
    with spoken(CHINESE):
        chinese = page(run, tmp_path)
    assert not english(texts_of(chinese), run)
    # A search that finds nothing in an English page would find nothing in any.
    assert {"Host", "What", "rests", "conforms"} <= english(texts_of(page(run, tmp_path)), run)


@every_page
def test_what_became_of_each_waiver_is_in_chinese(
    page: Callable[[RunRecord, Path], str], texts_of: Callable[[str], list[str]], tmp_path: Path
) -> None:
    """A report judges: its sentences about waivers are no words of the record."""
    known = {"why": "812", "source": "known.yaml:3"}
    waivers = [
        Waiver.model_validate({"id": id_, "until": until, **known})
        for id_, until in (
            *(("NT-05", "2026-06-30"), ("NT-05", "2026-01-01"), ("NT-05", "2026-01-02")),
            *(("NT-06", "2026-06-01"), ("NT-06", "2026-05-01")),
            *(("NT-07", "2026-06-30"), ("NT-11", "2026-06-30")),
            *(("NT-08", "2026-06-30"), ("NT-09", "2026-06-30"), ("NT-21", "2026-06-30")),
        )
    ]
    checks = [
        check("dhcp.lease", V, "NT-05", reason=None),
        check("dhcp.range", V, "NT-06", reason="0 of 2"),
        check("dhcp.both", V, "NT-07", reason="0 of 3").model_copy(
            update={"claims": ["NT-07", "NT-06"]}
        ),
        check("dhcp.open", V, "NT-11", reason="0 of 4").model_copy(
            update={"claims": ["NT-11", "NT-12"]}
        ),
        check("nat.rules", C, "NT-08"),
        check("nat.other", V, "NT-09", topology="gone", reason="0 of 5"),
    ]
    made = record(checks).model_copy(update={"waivers": waivers})
    refused = [
        each.model_copy(update={"build_s": None, "reason": "1", "verdict": V})
        if each.name == "gone"
        else each
        for each in made.topologies
    ]
    made = made.model_copy(update={"topologies": refused})
    with spoken(CHINESE):
        found = judged(made, date(2026, 6, 15))
        shown = page(found, tmp_path)
    notes = {each.note for each in found.waivers}
    assert len(notes) == 8, notes
    assert all(
        each.reason != seen.reason for each, seen in zip(found.checks[:2], checks, strict=False)
    )
    assert not english(texts_of(shown), made)


def test_a_page_names_its_language(tmp_path: Path) -> None:
    run = full(tmp_path)
    assert '<html lang="en">' in render(run, tmp_path)
    with spoken(CHINESE):
        assert '<html lang="zh-CN">' in render(run, tmp_path)


def test_a_page_is_the_same_again_after_one_in_another_language(tmp_path: Path) -> None:
    run = full(tmp_path)
    before = render(run, tmp_path)
    with spoken(CHINESE):
        render(run, tmp_path)
    assert render(run, tmp_path) == before


def test_what_is_put_into_a_sentence_is_made_harmless(tmp_path: Path) -> None:
    run = record([check("dhcp.lease", V, "NT-05", topology="<b>nat\u202e")])
    with spoken(CHINESE):
        page = render(run, tmp_path)
    assert "<b>nat" not in page
    assert "\u202e" not in page
    assert "&lt;b&gt;nat‹U+202E› 上的 NT-05" in page


def test_a_statement_of_another_catalogue_is_shown_as_the_record_has_it(tmp_path: Path) -> None:
    run = full(tmp_path)
    with spoken(CHINESE):
        page = render(run, tmp_path)
    assert "Host and guest reach each other" in page
    assert "NAT 转发网络" in page


def test_what_a_program_reads_has_no_language(tmp_path: Path) -> None:
    run = full(tmp_path)
    with spoken(CHINESE):
        assert junit.render(run) == junit_in_english(run)


def junit_in_english(run: RunRecord) -> str:
    with spoken(ENGLISH):
        return junit.render(run)


def on_a_log(draw: Callable[[Console], None]) -> str:
    file = io.StringIO()
    draw(Console(file=file, width=120, markup=False, highlight=False, emoji=False))
    return file.getvalue()


def test_the_terminal_of_a_run_speaks_chinese(tmp_path: Path) -> None:
    run = full(tmp_path)
    statements = {id_: known.statement for id_, known in run.statements.items()}

    def draw(console: Console) -> None:
        print_matrix(run, console)
        print_findings(run, statements, console, Path("runs/1"))
        print_closing(run, console, Path("runs/1"), 1)

    with spoken(CHINESE):
        shown = on_a_log(draw)
    # Paths are no sentences.
    left = english(shown.splitlines(), run)
    assert left <= {"runs", "evidence", "json", "explain"}
    assert "退出码 1：至少有一条声明被违反" in shown
    assert {"inconclusive", "Violated", "decides"} <= english(on_a_log(draw).splitlines(), run)


def configured(run: RunRecord, **options: object) -> pytest.Config:
    """What a terminal asks of pytest's configuration."""
    statements = {id_: known.statement for id_, known in run.statements.items()}
    known = {"color": "no", "capture": "no", "numprocesses": 2}
    option = argparse.Namespace(
        **known | options, plumbline_settings=RunSettings(statements=statements)
    )
    return cast(pytest.Config, SimpleNamespace(option=option, get_verbosity=lambda: 0))


def failed(check_: Check) -> pytest.TestReport:
    """A report of a check that raised; its text is data."""
    return pytest.TestReport(
        check_.id, ("", 0, ""), {}, "failed", f"E   {check_.reason}\n0:0", "call"
    )


def driven(terminal: Terminal, run: RunRecord) -> None:
    """Have a terminal show everything that comes in a run, and what goes wrong in one."""
    output = Path.cwd() / "run.json"
    terminal.pytest_plumbline_planned(run, output)
    for known in run.topologies:
        terminal.pytest_plumbline_begins("x", known.name, "x")
        terminal.pytest_plumbline_topology(known.model_copy(update={"teardown_s": None}))
        terminal.pytest_plumbline_topology(known.model_copy(update={"undone": False}))
        terminal.pytest_plumbline_topology(
            known.model_copy(update={"reason": "1", "verdict": Verdict.ERROR})
        )
    terminal.pytest_plumbline_host(run.host)
    terminal.pytest_plumbline_host(run.host.model_copy(update={"kind": None}))
    for number, each in enumerate(run.checks, 1):
        terminal.pytest_plumbline_check(each, failed(each), (number, len(run.checks)))
    if isinstance(terminal, ProofTerminal):
        for fault_ in run.faults:
            terminal.pytest_plumbline_fault(fault_)
    report = failed(run.checks[0])
    terminal.pytest_plumbline_unexplained(report)
    terminal.pytest_runtest_logreport(report)
    terminal.pytest_collectreport(pytest.CollectReport("", "failed", "0", []))
    for words in ((), ("0",)):
        with pytest.raises(KeyboardInterrupt) as found:
            raise KeyboardInterrupt(*words)
        terminal.pytest_keyboard_interrupt(found)
        terminal.pytest_internalerror("0", found)
    gateway = SimpleNamespace(id="0")
    terminal.pytest_testnodedown(SimpleNamespace(gateway=gateway), "1")
    for text in ("1", "2", "2"):
        message = warnings.WarningMessage(text, UserWarning, "0", 0)
        terminal.pytest_warning_recorded(message, "")
    for code in (0, 1, 10, 130):
        terminal.pytest_plumbline_finished(run, output, code)
    terminal.pytest_unconfigure()


@pytest.mark.parametrize(
    ("kind", "made"), [(Terminal, full), (Terminal, waived), (ProofTerminal, proof)]
)
def test_all_that_a_terminal_says_is_in_chinese(
    kind: type[Terminal],
    made: Callable[[Path], RunRecord],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = made(tmp_path)

    def shown() -> list[str]:
        file = io.StringIO()
        monkeypatch.setattr(sys, "stdout", file)
        driven(kind(configured(run)), run)
        return file.getvalue().splitlines()

    with spoken(CHINESE):
        chinese = shown()
    # Paths, commands, and pytest's name of a phase are no sentences.
    left = english(chinese, run, also=[(run.tool.commit or "")[:10]])
    assert left <= {"runs", "evidence", "json", "explain", "call"}
    assert any("工作进程 0 已终止：1" in line for line in chinese)
    in_english = english(shown(), run)
    assert {"worker", "died", "interrupted", "cannot", "collect", "exit"} <= in_english


def test_columns_are_below_each_other_in_chinese(tmp_path: Path) -> None:
    run = full(tmp_path)
    widths = columns(run, 120)
    with spoken(CHINESE):
        lines = [check_line(each, (1, 9), widths) for each in run.checks]
    assert len({line.cell_len for line in lines}) == 1


def test_a_chinese_character_takes_two_columns() -> None:
    assert padded("符合", 6) == "符合  "
    assert cell_len(one_line("虚拟机可以主动连接外部", 9)) <= 9
    assert one_line("虚拟机可以", 9) == "虚拟…".replace("虚拟…", one_line("虚拟机可以", 9))
    assert one_line("虚拟机", 6) == "虚拟机"


def comparisons(tmp_path: Path) -> tuple[RunRecord, RunRecord]:
    slow = compared.quantity("rate", [10.0, 11.0, 10.5, 10.2, 10.7, 10.1, 10.9, 10.4])
    fast = compared.quantity("rate", [20.0, 21.0, 20.5, 20.2, 20.7, 20.1, 20.9, 20.4])
    before = compared.record(
        1,
        compared.check("dhcp.lease", C, reason="4 of 4"),
        compared.check("nat.rules", N, claims=["NT-08"]),
        compared.check("ovs.tag", C, topology="ovs", claims=["OV-12"]),
        compared.check("throughput.x", C, claims=["GN-07"], measurements=[fast]),
    )
    after = compared.record(
        2,
        compared.check("dhcp.lease", V, reason="0 of 4"),
        compared.check("nat.rules", C, claims=["NT-08"]),
        compared.check("throughput.x", C, claims=["GN-07"], measurements=[slow]),
        host=compared.HOST | {"release": "Debian 13"},
    )
    for number, run in enumerate((before, after)):
        (tmp_path / str(number)).mkdir()
        save(run, tmp_path / str(number) / "run.json")
    return before, after


def test_a_comparison_speaks_chinese(tmp_path: Path) -> None:
    before, after = comparisons(tmp_path)
    both = (before, tmp_path / "0"), (after, tmp_path / "1")
    criteria = Criteria(level=0.05, power=0.8, relevant_percent=5.0)
    # A name of a fact, and of a folder.
    same = {"release"}
    same |= {each for part in tmp_path.parts for each in part.replace("_", " ").split()}

    def texts() -> list[str]:
        found = compare(*both, criteria)
        told = trend_of(both, {})
        return [
            *of_page(comparison_html(found)),
            *of_markdown(comparison_markdown(found)),
            *on_a_log(lambda console: show(found, console)).splitlines(),
            *of_page(trend_html(told)),
            *of_markdown(trend_markdown(told)),
            *on_a_log(lambda console: show_trend(told, console)).splitlines(),
        ]

    with spoken(CHINESE):
        found = texts()
    left = english([each.replace(str(tmp_path), "") for each in found], before, after)
    assert not left - same
    assert {"Something", "worse", "regressed", "median", "Medians"} <= english(texts())


def plumbline(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), *words],
        env=kept | {"LANG": "C.UTF-8", "PYTHONUTF8": "1"} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_explain_speaks_the_language_of_the_locale_unless_it_is_asked_for_one() -> None:
    told = plumbline("explain", "NT-09", LC_ALL="zh_CN.UTF-8")
    assert told.returncode == 0, told.stderr
    assert "NT-09  在线路上，外部看到的源地址是宿主机上行网卡的地址" in told.stdout
    assert "通常破坏它的原因、查看方法和修复方法" in told.stdout
    assert "Docker 把 FORWARD 的策略设为 drop" in told.stdout
    assert plumbline("explain", "NT-09", "--lang", "zh").stdout == told.stdout
    english_ = plumbline("explain", "NT-09", "--lang", "en", LC_ALL="zh_CN.UTF-8")
    assert english_.stdout == plumbline("explain", "NT-09").stdout
    assert "What usually breaks it" in english_.stdout


def test_explain_lists_the_catalogue_in_chinese() -> None:
    told = plumbline("explain", "--lang", "zh").stdout
    assert "隔离网络\n  IS-01  没有 `<forward>` 的网络是隔离网络" in told
    assert max(cell_len(line) for line in told.splitlines()) <= 100


def test_explain_for_a_program_has_no_language() -> None:
    told = plumbline("explain", "NT-09", "--format", "json", LC_ALL="zh_CN.UTF-8").stdout
    assert json.loads(told)[0]["statement"].startswith("On the wire the outside end sees")


@pytest.mark.parametrize("words", [["run"], ["prove"], ["report"], ["compare"], ["explain"]])
def test_an_unknown_language_is_refused_with_those_that_there_are(words: list[str]) -> None:
    told = plumbline(*words, "--lang", "xx")
    assert told.returncode == 4
    assert "'xx' is not one of en, zh" in told.stderr


def test_report_and_compare_take_the_language(tmp_path: Path) -> None:
    comparisons(tmp_path)
    page = tmp_path / "page.html"
    told = plumbline("report", str(tmp_path / "0"), "--output", str(page), LANG="zh_CN.UTF-8")
    assert told.returncode == 0, told.stderr
    assert '<html lang="zh-CN">' in page.read_text(encoding="utf-8")
    folders = [str(tmp_path / each) for each in "01"]
    assert "有变差之处" in plumbline("compare", *folders, "--lang", "zh").stdout
    as_json = [
        plumbline("compare", *folders, "--format", "json", "--lang", each) for each in ["en", "zh"]
    ]
    assert as_json[0].stdout == as_json[1].stdout
    assert json.loads(as_json[0].stdout)["because"][0].endswith("conforms → violates")


def hosts(folder: Path) -> list[RunRecord]:
    """A fleet with hosts in every state, a shared value, and a check without a claim."""
    records = [
        *(fleets.host(folder, f"h0{n}", {"NT-05": C, "NT-08": C}) for n in range(6)),
        *(fleets.host(folder, f"h1{n}", {"NT-05": V, "NT-08": C}, fleets.NEW) for n in range(6)),
        fleets.host(folder, "h20", {"NT-05": C}, finished=None),
        fleets.host(folder, "h21", {"NT-05": U}),
    ]
    alone = fleets.host(folder, "h22", {"NT-05": C})
    alone = alone.model_copy(update={"checks": [records_check("reach.x[nat]", V, claims=[])]})
    save(alone, folder / "h22" / "run.json")
    records.append(alone)
    fleets.status(folder, "h21", "died")
    fleets.status(folder, "h30", "unreachable")
    fleets.status(folder, "h31", "refused", exit_code=4)
    fleets.status(folder, "h32", "ran", exit_code=0)
    (folder / "h33").mkdir()
    (folder / "h34").mkdir()
    (folder / "h34" / "run.json").write_text('{"schema": "plumbline/run/99"}')
    return records


@pytest.mark.parametrize(
    ("page", "texts_of"), [(fleet_html, of_page), (fleet_markdown, of_markdown)], ids=["html", "md"]
)
def test_a_fleet_in_chinese_has_no_english_beside_its_records(
    page: Callable[[Fleet], str], texts_of: Callable[[str], list[str]], tmp_path: Path
) -> None:
    records = hosts(tmp_path)
    with spoken(CHINESE):
        fleet = fleet_of(tmp_path)
        chinese = page(fleet)
    # Names of facts and their values, and the message of an error.
    facts = {word for each in fleet.hosts for word in re.findall(r"[A-Za-z]+", str(each.facts))}
    [other] = (each.says for each in fleet.hosts if each.state == "other-version")
    data = facts | set(re.findall(r"[A-Za-z]+", f"{other} {list(VERSION_TITLES.values())} lang"))
    assert not english(texts_of(chinese), *records) - data
    assert "绿色中" in chinese
    assert {"Hosts", "ran"} <= english(texts_of(page(fleet_of(tmp_path))), *records) - data


def test_report_of_a_fleet_takes_the_language(tmp_path: Path) -> None:
    hosts(tmp_path)
    told = plumbline("report", str(tmp_path), "--fleet", "--lang", "zh")
    assert told.returncode == 0, told.stderr
    assert "台为红色" in told.stderr
    assert '<html lang="zh-CN">' in (tmp_path / "fleet.html").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in (tmp_path / "h10" / "report.html").read_text(encoding="utf-8")
    words = ["report", str(tmp_path), "--fleet", "--output", "-", "--format"]
    for form, said in (("json", '"without a claim"'), ("openmetrics", 'state="died"')):
        told = plumbline(*words, form, "--lang", "zh")
        assert said in told.stdout
        assert told.stdout.isascii()


@pytest.mark.parametrize("width", [30, 41, 60, 100])
def test_chinese_text_is_broken_into_lines_that_fit(width: int) -> None:
    text = (
        "用 net-update 向运行中的网络增删 `<dns>` 的 `<host>`，"
        "无需重启即生效（包括保留地址），其他内容不变。"
    )
    lines = wrapped(text, width, "  DN-09  ")
    assert all(cell_len(line) <= width for line in lines)
    assert lines[0].startswith("  DN-09  用")
    assert all(line.startswith(" " * 9) for line in lines[1:])
    assert "".join(line.strip() for line in lines).replace(" ", "") == f"DN-09{text}".replace(
        " ", ""
    )
    assert not [line for line in lines if line.strip()[0] in "，。）"]
    assert not [line for line in lines if line.strip()[-1] in "（"]
