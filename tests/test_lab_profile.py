# SPDX-License-Identifier: GPL-2.0-or-later
"""Labs with a profile: a release's systemd with real modules and NICs, and others' guests on it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts.exit_codes import EXIT_CONFORMS, EXIT_UNDECIDED
from tests.launched import SCHEMA, launched

pytestmark = pytest.mark.lab

# With systemd a lab boots in one minute to four, by the load of the machine; the run follows, and a
# disk may have to be built.
DEADLINE_S = 1500.0


def verdicts(record: dict[str, Any]) -> dict[str, str]:
    return {check["id"].partition("[")[0]: check["verdict"] for check in record["checks"]}


def test_passthrough_beside_a_guest_of_others(tmp_path: Path) -> None:
    words = ["--host", "lab", "--profile", "plain", "--topology", "passthrough"]
    words += ["--claim=PT-03", "--claim=PT-10"]
    done, record = launched("run", tmp_path / "run", *words, deadline_s=DEADLINE_S)
    assert done.returncode == EXIT_CONFORMS, done.stdout + done.stderr
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    assert {each["id"] for each in record["claims"]} >= {"PT-03", "PT-10", "HR-01"}
    seen = verdicts(record)
    # The guest of others would feel a restart of libvirtd: it is made with --disruptive alone.
    assert seen.pop("libvirtd_restart.networks_after_a_restart") == "not-testable"
    assert set(seen.values()) == {"conforms"}
    host = record["host"]
    assert (host["kind"], host["facts"]["profile"]) == ("lab", "plain")
    assert host["accel"]["name"] == "kvm", host["accel"]["reason"]
    assert all("--profile plain" in check["rerun"] for check in record["checks"])


def test_the_policy_of_a_dockerd_with_its_modules_is_as_expected(tmp_path: Path) -> None:
    done, record = launched(
        "run",
        tmp_path / "run",
        *("--host", "lab", "--profile", "docker", "--topology", "linux-bridge"),
        # The daemon has loaded br_netfilter: bridged packets meet its policy.
        *("--expect", "bridge-nf", "--expect-verdicts", "profile"),
        *("--", "-k", "new_bridge_is_empty or guest-to-guest-tcp or host_is_as_it_was"),
        deadline_s=DEADLINE_S,
    )
    assert done.returncode == EXIT_CONFORMS, done.stdout + done.stderr
    assert verdicts(record)["connectivity.reach"] == "violates"
    assert "every compared verdict is the expected one" in done.stdout


def test_a_profile_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('text = "plain, with a unit of nothing"\nenabled = ["nothing.service"]\n')
    words = ["--host", "lab", "--profile", str(mine), "--topology", "nat"]
    done, record = launched("run", tmp_path / "run", *words, deadline_s=DEADLINE_S)
    assert done.returncode == EXIT_UNDECIDED, done.stdout + done.stderr
    assert "the lab could not be made a host" in done.stderr
    assert "no unit nothing.service to enable" in done.stderr
    assert not record
    # Off, and no panic of a first process that ended.
    assert "panic" not in (tmp_path / "run" / "lab-console.txt").read_text()
