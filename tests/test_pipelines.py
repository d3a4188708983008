# SPDX-License-Identifier: GPL-2.0-or-later
"""`ci/qualify`, the job of a pipeline, with real runs; tests/test_pipeline_job.py has none."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.npm_programs import installed, with_node

ROOT = Path(__file__).resolve().parent.parent
CI = ROOT / "ci"
QUALIFY = CI / "qualify"
ISOLATED = ("--topology", "isolated", "--claim", "IS-04", "--workers", "1")
MASQUERADED = "iptables -t nat -A POSTROUTING -s $PLUMBLINE_SUBNET -j MASQUERADE"


def qualify(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(QUALIFY), *words],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=os.environ | variables,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--output DIR: expected a folder"),
        (("--history",), "--history: expected a file"),
        (("--histories",), "--histories: expected a folder"),
        (("--options",), "--options: expected a text"),
        (("--path",), "--path: expected a list of folders"),
        (("--output",), "--output: expected a folder"),
        (("--baselines",), "--baselines: expected a folder"),
        (("--outptu", "x"), "unknown option '--outptu'"),
    ],
)
def test_usage_errors(words: tuple[str, ...], said: str) -> None:
    done = qualify(*words)
    assert (done.returncode, done.stdout) == (4, "")
    assert said in done.stderr


def test_a_history_without_allure_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "allure").write_text("#!/bin/sh\necho 2.32.0\n")
    wanted = json.loads((CI / "allure" / "package.json").read_text())["dependencies"]["allure"]
    for mode, found in ((0o644, "none"), (0o755, "2.32.0")):
        (tmp_path / "allure").chmod(mode)
        places = ("--output", str(tmp_path / "run"), "--history", str(tmp_path / "history"))
        done = qualify(*places, PATH=f"{tmp_path}:/usr/bin:/bin")
        assert done.returncode == 4
        assert f"expected Allure 3 in the PATH, found {found}; npm install" in done.stderr
        assert f"allure@{wanted}\n" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_baseline_never_takes_the_place_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear reader")
    for folder in (tmp_path / "mine", tmp_path / "mine" / "letter"):
        done = qualify("--output", str(tmp_path / "run"), "--baseline", f"{folder}/")
        assert done.returncode == 4
        assert "no run.json" in done.stderr
    assert (tmp_path / "mine" / "letter").read_text() == "dear reader"
    assert not (tmp_path / "run").exists()


@pytest.mark.host
def test_a_job_is_red_by_a_regression_only(tmp_path: Path) -> None:
    baseline, page = tmp_path / "baseline", tmp_path / "job.md"

    def job(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        places = ("--output", str(tmp_path / name), "--baseline", str(baseline))
        return qualify(*places, "--", *ISOLATED, *words, GITHUB_STEP_SUMMARY=str(page))

    first = job("first")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "this run is the baseline now" in first.stdout
    assert (baseline / "run.json").exists()
    for name in ("report.html", "summary.md", "run.tar.gz", "run/junit.xml", "run/allure-results"):
        assert (tmp_path / "first" / name).exists()

    worse = job("worse", "--after-build", MASQUERADED)
    assert worse.returncode == 1, worse.stdout + worse.stderr
    assert worse.stdout.endswith("ci/qualify: red, compared with the baseline\n")
    assert "IS-04" in (tmp_path / "worse" / "changes.html").read_text()
    assert "regressed" in page.read_text()


@pytest.mark.host
def test_what_was_violated_before_is_no_regression(tmp_path: Path) -> None:
    for name in ("before", "after"):
        places = ("--output", str(tmp_path / name), "--baseline", str(tmp_path / "baseline"))
        done = qualify(*places, "--", *ISOLATED, "--after-build", MASQUERADED)
        assert done.returncode == (1 if name == "before" else 0), done.stdout + done.stderr


@pytest.mark.host
def test_a_waived_violation_is_not_red_and_not_green(tmp_path: Path) -> None:
    waiver = ("--waive", "IS-04", "--until", "2999-12-31", "--why", "a ticket")
    places = ("--output", str(tmp_path / "run"))
    done = qualify(*places, "--", *ISOLATED, "--after-build", MASQUERADED, *waiver)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("ci/qualify: not red: 1 violated claim waived\n")


@pytest.mark.host
def test_a_baseline_with_a_network_that_broke_gives_way_to_one_without(tmp_path: Path) -> None:
    """The isolated network is masqueraded each night; the other one breaks twice."""
    networks = ("--topology", "isolated", "--topology", "linux-bridge")
    chosen = (*networks, "--claim", "IS-04", "--claim", "LB-01")
    known = f'[ "$PLUMBLINE_TOPOLOGY" != isolated ] || {MASQUERADED}'
    breaks = f'[ "$PLUMBLINE_TOPOLOGY" = isolated ] && {MASQUERADED}'
    ended = []
    for name, command in (("first", breaks), ("same", breaks), ("more", known), ("last", known)):
        places = ("--output", str(tmp_path / name), "--baseline", str(tmp_path / "baseline"))
        done = qualify(*places, "--", *chosen, "--after-build", command)
        kept = json.loads((tmp_path / "baseline" / "run.json").read_text())["id"]
        is_kept = kept == json.loads((tmp_path / name / "run" / "run.json").read_text())["id"]
        ended.append((done.returncode, is_kept, done.stdout.splitlines()[-1]))
    compared = "ci/qualify: not red, compared with the baseline: 1 violated claim known"
    assert ended[0] == (1, True, "ci/qualify: red")
    assert ended[1][:2] == (0, False)
    assert re.fullmatch(rf"{compared}, \d+ checks? undecided", ended[1][2])
    assert ended[2:] == [(0, True, compared), (0, False, compared)]


@pytest.mark.host
@pytest.mark.browser
def test_a_job_adds_its_run_to_allures_history(tmp_path: Path) -> None:
    history = tmp_path / "kept" / "history.jsonl"
    # As behind sudo: Allure is not in the job's own PATH.
    path = f"{installed(CI / 'allure', 'allure')}:{with_node()['PATH']}"
    for name, words in (("good", ()), ("worse", ("--after-build", MASQUERADED))):
        places = ("--output", str(tmp_path / name), "--history", str(history), "--path", path)
        done = qualify(*places, "--", *ISOLATED, *words)
        assert done.returncode == (1 if words else 0), done.stdout + done.stderr
    points = [json.loads(line) for line in history.read_text().splitlines()]
    [known] = points[0]["testResults"]
    assert [point["testResults"][known]["status"] for point in points] == ["passed", "failed"]
    # The results that allure-pytest wrote meanwhile can have a history too.
    own = [
        json.loads(file.read_text())["historyId"]
        for file in tmp_path.glob("*/run/allure-results/*-result.json")
    ]
    assert len(own) == 2
    assert len(set(own)) == 1
    page = (tmp_path / "worse" / "allure.html").read_text()
    assert all(point["uuid"] in page for point in points)
