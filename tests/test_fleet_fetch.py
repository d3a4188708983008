# SPDX-License-Identifier: GPL-2.0-or-later
"""Records of ci/fleet that are fetched later: of runs that went on without the playbook."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contracts.verdicts import Verdict
from fixtures.waiting import until
from tests.fleet_playbooks import environment, pack, playbook, report
from tests.fleets import host

# Its run goes on until it is told to end.
LINGERS = """\
#!/bin/sh
cp -r {folder}/made/one "$3"
touch "$3/../begun"
while [ ! -e {folder}/go ]; do sleep 0.1; done
exit 1
"""


def lose_the_playbook(archive: Path, folder: Path) -> Path:
    """End the playbook in the middle of a run, as a power cut of its machine; return the run."""
    runs = folder / "on-host" / "runs"
    # Its workers end with it.
    argv = playbook("qualify.yml", archive, folder)
    with subprocess.Popen(
        argv, env=environment(folder), stdout=subprocess.DEVNULL, start_new_session=True
    ) as qualify:
        try:
            until(lambda: any(runs.glob("*/begun")), "the begin of the run", deadline_s=120)
        finally:
            os.killpg(qualify.pid, signal.SIGKILL)
    [run] = runs.iterdir()
    return run


def fetch_later(archive: Path, folder: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Run the second playbook; return its output, the host's status and its row."""
    argv = playbook("fetch.yml", archive, folder, plumbline_formats=["json"])
    done = subprocess.run(
        argv, env=environment(folder), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    status = json.loads((folder / "records" / "one" / "status.json").read_text())
    return done.stdout, status, report(folder / "records")["one"]


@pytest.mark.slow
def test_a_record_is_fetched_later_where_the_run_went_on_without_the_playbook(
    tmp_path: Path,
) -> None:
    host(tmp_path / "made", "one", {"NT-01": Verdict.VIOLATES})
    archive = pack(tmp_path, packed=LINGERS.format(folder=tmp_path))
    run = lose_the_playbook(archive, tmp_path)
    try:
        before = json.loads((tmp_path / "records" / "one" / "status.json").read_text())
        said, status, row = fetch_later(archive, tmp_path)
    finally:
        (tmp_path / "go").touch()
    assert "its run goes on" in said
    assert status == before
    assert (status["state"], row["state"]) == ("died", "died")
    until((run / "exit").exists, "the end of the run", deadline_s=60)
    for _ in ("fetched", "nothing is left to fetch"):
        _, status, row = fetch_later(archive, tmp_path)
        assert (status["state"], status["exit_code"], status["reason"]) == ("ran", 1, None)
        assert (row["state"], row["claims"]["NT-01"]["verdict"]) == ("ran", "violates")
        assert not run.exists()


@pytest.mark.slow
def test_what_was_decided_before_a_restart_of_the_host_is_fetched_later(tmp_path: Path) -> None:
    host(tmp_path / "made", "one", {"NT-01": Verdict.CONFORMS}, finished=None)
    archive = pack(tmp_path, packed=LINGERS.format(folder=tmp_path))
    run = lose_the_playbook(archive, tmp_path)
    os.killpg(int((run / "pid").read_text()), signal.SIGKILL)
    # The run is in a group of its own; the shell that writes down its end is gone.
    (tmp_path / "go").touch()
    for _ in ("fetched", "nothing is left to fetch"):
        _, status, row = fetch_later(archive, tmp_path)
        assert (status["state"], status["exit_code"]) == ("died", None)
        assert (row["state"], row["claims"]["NT-01"]["verdict"]) == ("died", "conforms")
        assert not run.exists()


@pytest.mark.slow
def test_a_folder_that_no_playbook_began_has_nothing_to_fetch(tmp_path: Path) -> None:
    argv = playbook("fetch.yml", pack(tmp_path), tmp_path)
    done = subprocess.run(
        argv, env=environment(tmp_path), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode != 0
    assert "not a folder of records that qualify.yml has begun" in " ".join(done.stdout.split())
    assert not (tmp_path / "records").exists()
