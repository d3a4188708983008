# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline compare` as its user has it: formats, exit codes, one message for what is wrong."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from reports.compare.compare_command import main
from reports.record import Check, FaultResult, RunRecord, Verdict, save
from tests.compared import check, quantity, record
from tests.launched import ROOT

IN_VENV = ("-m", "launcher.venv_main")
STEADY = [1000.0, 1012, 990, 1005, 998, 1020, 985, 1008, 995, 1003]


def run(folder: Path, found: RunRecord) -> Path:
    folder.mkdir(parents=True)
    save(found, folder / "run.json")
    return folder


def throughput(samples: Sequence[float]) -> Check:
    return check("throughput.guest_host[nat]", measurements=[quantity("tcp up", samples)])


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return run(tmp_path / "before", record(0, check("dhcp.lease[nat]"), throughput(STEADY)))


@pytest.fixture
def after(tmp_path: Path) -> Path:
    slow = throughput([value / 2 for value in STEADY])
    lease = check("dhcp.lease[nat]", Verdict.VIOLATES, reason="no lease")
    return run(tmp_path / "after", record(1, lease, slow))


def order(**given: object) -> list[str]:
    usual = {"before": None, "after": None, "trend": None, "format": "terminal", "output": None}
    usual |= {"topology": [], "level": 5.0, "power": 80.0, "relevant": 5.0}
    known = {name: str(v) if isinstance(v, Path) else v for name, v in given.items()}
    return [json.dumps({**usual, **known})]


def plumbline(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), "compare", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_terminal_says_what_regressed_and_why(
    before: Path, after: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(order(before=before, after=after / "run.json")) == 1
    said = capsys.readouterr().out
    assert "dhcp.lease[nat]  conforms → violates" in said
    assert "after:  no lease" in said
    assert "−50.0 %" in said
    assert said.rstrip().splitlines()[-3:] == [
        "Something is worse (exit 1)",
        "  dhcp.lease[nat]: conforms → violates",
        "  nat: tcp up regressed",
    ]


def test_json_is_the_whole_comparison(
    before: Path, after: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(order(before=before, after=after, format="json")) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "plumbline/compare/1"
    assert found["flips"][0]["effect"] == "regressed"
    assert found["quantities"][0]["outcome"] == "regressed"
    assert found["exit_code"] == 1


@pytest.mark.parametrize("form", ["terminal", "md", "html", "json"])
def test_a_file_gets_what_would_be_printed(
    form: str, before: Path, after: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out"
    assert main(order(before=before, after=after, format=form, output=file)) == 1
    assert capsys.readouterr().out == ""
    main(order(before=before, after=after, format=form))
    assert file.read_text() == capsys.readouterr().out


def test_the_same_records_give_the_same_page(
    before: Path, after: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = []
    for _ in range(2):
        main(order(before=before, after=after, format="html"))
        pages.append(capsys.readouterr().out)
    assert pages[0] == pages[1]


def test_two_runs_of_the_same_thing_exit_with_0(
    before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = record(1, check("dhcp.lease[nat]"), throughput(STEADY[::-1]))
    assert main(order(before=before, after=run(tmp_path / "same", same))) == 0
    assert "no difference shown" in capsys.readouterr().out


def test_the_users_level_and_what_is_relevant_to_them_count(before: Path, tmp_path: Path) -> None:
    slower = record(1, check("dhcp.lease[nat]"), throughput([v * 0.9 for v in STEADY]))
    after = run(tmp_path / "slower", slower)
    assert main(order(before=before, after=after)) == 1
    assert main(order(before=before, after=after, relevant=20.0)) == 0
    assert main(order(before=before, after=after, level=0.001)) == 10


@pytest.mark.parametrize(
    ("samples", "option", "why"),
    [
        (STEADY[:3], "--accept-few-samples", "too few samples"),
        (sorted(STEADY), "--accept-dependent-samples", "samples depend on one another"),
    ],
)
def test_what_could_not_be_judged_is_accepted_by_its_own_option(
    samples: Sequence[float], option: str, why: str, tmp_path: Path
) -> None:
    runs = [
        run(tmp_path / str(number), record(number, check("dhcp.lease[nat]"), throughput(samples)))
        for number in range(2)
    ]
    refused = plumbline(*runs)
    assert refused.returncode == 10, refused.stderr
    assert f"no quantity could be judged: {why}" in refused.stdout
    accepted = plumbline(*runs, option)
    assert accepted.returncode == 0, accepted.stderr
    assert f"no quantity could be judged: {why}" in accepted.stdout


def wrong(tmp_path: Path, content: str) -> Path:
    folder = tmp_path / "wrong"
    folder.mkdir()
    (folder / "run.json").write_text(content)
    return folder


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "not a run record: it has no field `schema`"),
        ("not JSON", "run.json: not JSON"),
        (
            '{"schema": "plumbline/run/7"}',
            "a record of schema 'plumbline/run/7'\n  this version of",
        ),
        ('{"schema": "plumbline/doctor/1"}', "a record of schema 'plumbline/doctor/1'"),
    ],
)
def test_what_is_no_record_of_a_run_is_one_message(
    content: str, said: str, before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(order(before=before, after=wrong(tmp_path, content))) == 4
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("plumbline: ")
    assert said in told.err
    assert "wrong/run.json" in told.err


def test_a_folder_without_a_run_and_a_record_of_prove_are_refused(
    before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(order(before=before, after=empty)) == 4
    assert "no run.json in it" in capsys.readouterr().err
    fault = FaultResult(
        id="x", title="x", topology="nat", on="host", apply="true", caught_by=["NT-05"], also={}
    )
    proof = run(tmp_path / "proof", record(1, check("dhcp.lease[nat]"), faults=[fault]))
    assert main(order(before=before, after=proof)) == 4
    assert "its topologies were broken on purpose" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_one_message(
    before: Path, after: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(order(before=before, after=after, format="md", output=tmp_path)) == 4
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected two runs"),
        (["."], "expected two runs"),
        ([".", "nowhere"], "compare nowhere: there is no such file or folder"),
        (["--trend", ".", "."], "--trend takes no run beside it"),
        (["--trend", "nowhere"], "compare nowhere: there is no such file or folder"),
        ([".", ".", "."], "unexpected argument '.'"),
        ([".", ".", "--format", "htm"], "did you mean 'html'?"),
        ([".", ".", "--level", "0"], "'0' is no number of percent from 0.001 to 50"),
        ([".", ".", "--power", "100"], "no number of percent from 1 to 99.9"),
        ([".", ".", "--relevant", "nan"], "'nan' is no number of percent"),
        ([".", ".", "--output", "nowhere/x.html"], "there is no folder"),
        ([".", ".", "--ouput", "x"], "did you mean '--output'?"),
    ],
)
def test_the_launcher_refuses_before_any_set_up(words: list[str], said: str) -> None:
    done = plumbline(*words)
    assert done.returncode == 4
    assert done.stderr.startswith("plumbline: ")
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_the_launcher_hands_over_and_the_name_of_the_file_says_the_format(
    before: Path, after: Path, tmp_path: Path
) -> None:
    page = tmp_path / "changes.html"
    done = plumbline(before, after, "--output", page)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert page.read_text().startswith("<!doctype html>")
    done = plumbline(before, after, "--topology", "nat", "--format", "md")
    assert done.stdout.startswith("# Something is worse"), done.stderr
    done = plumbline(before, before)
    assert done.returncode == 4
    assert "BEFORE and AFTER are one run" in done.stderr


def test_a_run_is_not_written_over(before: Path, after: Path) -> None:
    kept = (before / "run.json").read_bytes()
    for place in (before / "run.json", before / "evidence" / "changes.json"):
        words = order(before=before, after=after, format="json", output=place)
        assert main(words) == 4
    assert (before / "run.json").read_bytes() == kept


def test_what_a_record_says_reaches_no_terminal_as_an_escape(before: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    told = json.loads((before / "run.json").read_text()) | {"\x1b]0;taken\x07\u202e": 1}
    (hostile / "run.json").write_text(json.dumps(told))
    argv = [
        sys.executable,
        *IN_VENV,
        "reports.compare.compare_command",
        *order(before=before, after=hostile),
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert "]0;taken" in done.stderr
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stderr)


@pytest.mark.parametrize(
    # The launcher hands over no such order; what cannot be imported has no exit code of its own.
    "words",
    [["reports.compare.compare_command", "{}"], ["reports.compare.no_such_command", "{}"]],
)
def test_a_defect_of_our_own_does_not_say_that_something_is_worse(words: list[str]) -> None:
    argv = [sys.executable, *IN_VENV, *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 10
    assert "Traceback" in done.stderr
