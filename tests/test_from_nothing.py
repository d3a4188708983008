# SPDX-License-Identifier: GPL-2.0-or-later
"""From nothing to a nightly run with a baseline: the ten commands of docs/pipelines.md, run."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.staged import profile, root_folder
from launcher.staged.staged_host import Share
from launcher.staged.staging import staged
from tests.launched import ROOT

DOCUMENT = ROOT / "docs" / "pipelines.md"
COMMANDS_MAX = 10
# The networks of a host, in four minutes on two idle cores.
DEADLINE_S = 1800.0
# The word of the document for the address of a clone.
REPOSITORY = "REPOSITORY"
NIGHTLY = "/var/lib/plumbline/nightly"


def commands() -> list[str]:
    """The commands of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.search(r"^## From nothing to .*?^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def test_they_are_ten_at_most_and_the_readme_leads_to_them() -> None:
    assert 0 < len(commands()) <= COMMANDS_MAX
    assert sum(REPOSITORY in command for command in commands()) == 1
    assert "(docs/pipelines.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


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
        unit = host.capture(["journalctl", "--no-pager", "--unit", "plumbline-nightly"]).stdout
        assert done.returncode == 0, done.stdout + unit
        assert "ci/qualify: green" in unit

        def said(*words: str) -> str:
            return host.capture(words).stdout

        record = json.loads(said("cat", f"{NIGHTLY}/baseline/run.json"))
        assert record["finished"] is not None
        assert "conforms" in {check["verdict"] for check in record["checks"]}
        [night] = set(said("ls", NIGHTLY).split()) - {"baseline"}
        made = said("ls", f"{NIGHTLY}/{night}").split()
        assert {"report.html", "summary.md", "run.tar.gz", "run"} <= set(made)
        assert said("systemctl", "is-active", "plumbline-nightly.timer") == "active\n"
        timers = said("systemctl", "list-timers", "--no-pager", "plumbline-nightly.timer")
        assert "plumbline-nightly.service" in timers
