# SPDX-License-Identifier: GPL-2.0-or-later
"""From nothing to a nightly run with a baseline: the ten commands of the README, run.

Then the nights that follow: the same host is no regression, and a broken one is.
"""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.staged import profile, root_folder
from launcher.staged.staged_host import Share, StagedHost
from launcher.staged.staging import staged
from tests.launched import ROOT

DOCUMENT = ROOT / "README.md"
COMMANDS_MAX = 10
# The networks of a host, in four minutes on two idle cores.
DEADLINE_S = 1800.0
# The word of the document for the address of a clone.
REPOSITORY = "REPOSITORY"
NIGHTLY = "/var/lib/plumbline/nightly"
BASELINE = f"{NIGHTLY}/baseline"
UNIT = "plumbline-nightly.service"
OPTIONS = "/etc/plumbline/nightly.conf"
# What a script of a firewall does that sets up its own rules: libvirt's are gone.
BROKEN, NAMED = "iptables -t nat -F", "NT-08"


def commands() -> list[str]:
    """The commands of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.search(r"^## Each night, .*?^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def test_they_are_ten_at_most_and_their_page_leads_to_them() -> None:
    assert 0 < len(commands()) <= COMMANDS_MAX
    assert sum(REPOSITORY in command for command in commands()) == 1
    page = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    assert "(../README.md#each-night-with-a-baseline)" in page


def said(host: StagedHost, *words: str) -> str:
    done = host.capture(words)
    assert done.returncode == 0, done.stdout
    return done.stdout


def nights(host: StagedHost) -> set[str]:
    return {f"{NIGHTLY}/{name}" for name in said(host, "ls", NIGHTLY).split()} - {BASELINE}


def another_night(host: StagedHost) -> tuple[str, int]:
    """Start the unit as its timer does, and return the night's folder and the job's exit code."""
    before = nights(host)
    host.capture(["systemctl", "start", UNIT], deadline_s=DEADLINE_S)
    [folder] = nights(host) - before
    return folder, int(said(host, "systemctl", "show", "--value", "-p", "ExecMainStatus", UNIT))


def verdicts(record: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["verdict"] for check in record["checks"]}


@pytest.mark.staged
def test_they_lead_to_a_nightly_run_with_a_baseline(tmp_path: Path) -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("these files are no clone of git's: there is nothing to clone on the host")
    repository = tmp_path / "plumbline.git"
    argv = ["git", "-c", f"safe.directory={ROOT}", "clone", "--quiet", "--bare"]
    subprocess.run([*argv, str(ROOT), str(repository)], check=True, timeout=120)
    plain = profile.load("plain")
    wanted = replace(plain, name="nothing", packages=(*plain.packages, "git"))
    script = "\n".join(commands()).replace(REPOSITORY, str(repository))
    with staged(root_folder.DEFAULT, wanted, [Share(tmp_path)]) as host:
        done = host.capture(["bash", "-euc", script], deadline_s=DEADLINE_S)
        unit = said(host, "journalctl", "--no-pager", "--unit", UNIT)
        assert done.returncode == 0, done.stdout + unit
        assert "ci/qualify: green" in unit
        baseline = said(host, "cat", f"{BASELINE}/run.json")
        record = json.loads(baseline)
        assert record["finished"] is not None
        assert "conforms" in {check["verdict"] for check in record["checks"]}
        [night] = nights(host)
        made = said(host, "ls", night).split()
        assert {"report.html", "summary.md", "run.tar.gz", "run"} <= set(made)
        assert said(host, "systemctl", "is-active", "plumbline-nightly.timer") == "active\n"
        timers = said(host, "systemctl", "list-timers", "--no-pager", "plumbline-nightly.timer")
        assert UNIT in timers

        night, code = another_night(host)
        now = verdicts(json.loads(said(host, "cat", f"{night}/run/run.json")))
        others = dict(now.items() ^ verdicts(record).items()).keys()
        # Load of the machine may leave open what is measured, and nothing else.
        assert others <= {check["id"] for check in record["checks"] if check["measurements"]}
        assert {now[name] for name in others} <= {"inconclusive"}
        assert code == (10 if others else 0), said(host, "cat", f"{night}/changes.md")
        assert said(host, "cat", f"{night}/changes.html").startswith("<!doctype html>")

        said(host, "sh", "-c", BROKEN)
        # Of the claims only this one, for the sake of time.
        said(host, "sed", "-i", f"s/$/ --claim {NAMED}/", OPTIONS)
        night, code = another_night(host)
        assert code == 1, said(host, "cat", f"{night}/summary.md")
        # Without the signs that keep its dashes from Markdown; the command names the claim as well.
        page = said(host, "cat", f"{night}/changes.md").replace("\\", "").splitlines()
        [row] = [line for line in page if line.startswith("| **regressed** |")]
        assert NAMED in row
        assert said(host, "systemctl", "is-failed", UNIT) == "failed\n"
        assert "ci/qualify: red" in said(host, "journalctl", "--no-pager", "--unit", UNIT)
        assert said(host, "cat", f"{BASELINE}/run.json") == baseline
