# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline report FOLDER --fleet`: what it writes, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.run_files import PAGE
from tests.fleets import C, V, host, with_every_state
from tests.launched import ROOT


def report(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(ROOT / "plumbline"), "report", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_the_command_writes_every_form_and_the_pages_of_hosts(tmp_path: Path) -> None:
    folder = with_every_state(tmp_path)
    done = report(str(folder), "--fleet")
    assert done.returncode == 0, done.stderr
    assert "1 of 13 hosts red, 7 without a finished run" in done.stderr
    assert {each.parent.name for each in folder.glob(f"*/{PAGE}")} == {
        *(f"good{number}" for number in range(5)),
        *("bad", "cut", "lost"),
    }
    assert 'id="check-nat.nt-01-nat"' in (folder / "bad" / PAGE).read_text()
    for form, name in (("md", "fleet.md"), ("json", "fleet.json"), ("openmetrics", "fleet.prom")):
        assert report(str(folder), "--fleet", "--format", form).returncode == 0
        assert (folder / name).stat().st_size > 500
    read = json.loads((folder / "fleet.json").read_text())
    assert read["schema"] == "plumbline/fleet/1"
    assert read["hosts"][0]["name"] == "bad"
    assert "8 host pages: " in report(str(folder), "--fleet").stderr


def test_a_page_that_was_made_by_hand_gives_way_to_that_of_the_fleet(tmp_path: Path) -> None:
    host(tmp_path, "one", {"NT-01": V})
    words = ["--waive", "NT-01", "--until", "2099-12-31", "--why", "x", "--lang", "zh"]
    assert report(str(tmp_path / "one"), *words).returncode == 0
    page = tmp_path / "one" / PAGE
    assert 'lang="zh-CN"' in page.read_text()
    assert report(str(tmp_path), "--fleet").returncode == 0
    assert 'lang="en"' in page.read_text()
    assert 'data-verdict="violates"' in page.read_text()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--fleet"], "report --fleet: expected a folder"),
        (["none", "--fleet"], "report --fleet none: there is no such folder"),
        ([".", "--fleet", "--format", "junit"], "--format junit is none with --fleet"),
        ([".", "--format", "openmetrics"], "--format openmetrics is none without --fleet"),
        ([".", "--fleet", "--redact"], "--redact is for one run, and --fleet for many"),
        ([".", "--fleet", "--until", "2099-12-31"], "--until is for one run, and --fleet for many"),
        ([".", "--fleet", "--why", "x"], "--why is for one run, and --fleet for many"),
        ([".", "--fleet", "--output", "one/run.json"], "this belongs to the run itself"),
    ],
)
def test_what_contradicts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], why: str
) -> None:
    host(tmp_path, "one", {"NT-01": C})
    monkeypatch.chdir(tmp_path)
    done = report(*words)
    assert done.returncode == 4
    assert why in done.stderr
