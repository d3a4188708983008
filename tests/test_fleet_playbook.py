# SPDX-License-Identifier: GPL-2.0-or-later
"""The playbook of ci/fleet: linted, and run over SSH on staged hosts of which some fail."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.waiting import until
from launcher.cache import cache_dir
from tests.launched import ROOT
from tests.staged_fleet import StagedFleet, staged_fleet

FLEET = ROOT / "ci" / "fleet"
BIN = Path(sys.executable).parent
# On a machine with other work; on an idle one the six hosts take five minutes.
DEADLINE_S = 1800.0
OPTIONS = ["--host", "local", "--topology", "isolated", "--claim", "IS-04", "--workers", "1"]
# What a host's owner may add for its other guests, and what no isolated network may have.
MASQUERADE_ALL = "iptables -t nat -A POSTROUTING -j MASQUERADE"


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of an Ansible whose own files are in a folder of the test."""
    own = {
        "ANSIBLE_CONFIG": str(FLEET / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "LC_ALL": "C.UTF-8",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PLUMBLINE_CACHE": str(cache_dir()),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    return {**os.environ, **own}


@pytest.mark.slow
def test_ansible_lint(tmp_path: Path) -> None:
    argv = [str(BIN / "ansible-lint"), "--offline", "--strict", "--profile", "production"]
    done = subprocess.run(
        argv, cwd=FLEET, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in 0 files processed" not in done.stdout + done.stderr


def start(
    fleet: StagedFleet, records: Path, variables: dict[str, dict[str, object]], **more: object
) -> subprocess.Popen[str]:
    """Start the playbook on the machine of the network."""
    given = {"plumbline_records": str(records), **more}
    inventory = fleet.inventory({"plumbline_options": OPTIONS}, variables)
    argv = [str(BIN / "ansible-playbook"), "-i", str(inventory), str(FLEET / "qualify.yml")]
    return subprocess.Popen(
        [*fleet.enter, *argv, "-e", json.dumps(given)],
        env=environment(fleet.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def report(records: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((records / "fleet.json").read_text())
    return {host["name"]: host for host in read["hosts"]}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StagedFleet]:
    """Six hosts: two as they are, a broken one, one of another release, one that dies, none."""
    names = [
        ("good", "bookworm"),
        ("broken", "bookworm"),
        ("newer", "trixie"),
        ("dies", "bookworm"),
    ]
    with staged_fleet(tmp_path_factory.mktemp("fleet"), names) as made:
        made.add_address("silent")
        # A host without the libraries of a run, and no network to fetch them by.
        made.addresses["small"] = made.addresses["good"]
        yield made


@pytest.mark.staged
def test_every_host_is_a_row(fleet: StagedFleet) -> None:
    done = fleet.hosts["broken"].capture(["sh", "-ec", MASQUERADE_ALL])
    assert done.returncode == 0, done.stdout
    records = fleet.folder / "records"
    playbook = start(
        fleet,
        records,
        {"small": {"plumbline_options": ["--host", "nowhere"]}},
        plumbline_at_once=2,
        plumbline_look_s=3,
    )
    wait_for_a_run(fleet, "dies")
    fleet.kill("dies")
    said, _ = playbook.communicate(timeout=DEADLINE_S)
    assert playbook.returncode == 0, said
    hosts = report(records)
    states = {name: host["state"] for name, host in hosts.items()}
    assert states == {
        "good": "ran",
        "broken": "ran",
        "newer": "ran",
        "dies": "died",
        "silent": "unreachable",
        "small": "refused",
    }, said
    verdicts = {name: hosts[name]["claims"]["IS-04"]["verdict"] for name in ("good", "newer")}
    assert set(verdicts.values()) == {"conforms"}
    assert hosts["broken"]["claims"]["IS-04"]["verdict"] == "violates"
    assert next(iter(hosts)) == "broken"
    assert "release" in hosts["newer"]["unusual"]
    assert "No route to host" in hosts["silent"]["says"]
    assert "nowhere" in hosts["small"]["says"]
    assert hosts["good"]["groups"] == ["rack1"]
    page = (records / "fleet.html").read_text()
    assert 'href="broken/report.html#' in page
    assert (records / "broken" / "report.html").exists()
    assert (records / "fleet.prom").read_text().endswith("# EOF\n")
    # What was fetched is gone there, and the harness stays for the next time.
    look = "cd /var/lib/plumbline; ls -d harness-*; ls runs"
    left = fleet.hosts["good"].capture(["sh", "-c", look])
    assert left.stdout.count("harness-") == 1
    assert "-good" not in left.stdout


def wait_for_a_run(fleet: StagedFleet, name: str) -> None:
    """Wait until the record of a run is begun on a host."""
    argv = ["sh", "-c", "ls /var/lib/plumbline/runs/*/record/run.json"]
    until(
        lambda: fleet.hosts[name].capture(argv).returncode == 0,
        f"the begin of a run on {name}",
        deadline_s=DEADLINE_S,
        interval_s=0.5,
    )
