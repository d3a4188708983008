# SPDX-License-Identifier: GPL-2.0-or-later
"""The playbook of ci/fleet: linted, and run over SSH on staged hosts of which some fail."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.waiting import until
from tests.fleet_playbooks import (
    BIN,
    FLEET,
    environment,
    on_this_machine,
    pack,
    report,
)
from tests.staged_fleet import StagedFleet, staged_fleet

# On a machine with other work; on an idle one the six hosts take five minutes.
DEADLINE_S = 1800.0
OPTIONS = ["--host", "local", "--topology", "isolated", "--claim", "IS-04", "--workers", "1"]
# What a host's owner may add for its other guests, and what no isolated network may have.
MASQUERADE_ALL = "iptables -t nat -A POSTROUTING -j MASQUERADE"


@pytest.mark.slow
def test_ansible_lint(tmp_path: Path) -> None:
    argv = [str(BIN / "ansible-lint"), "--offline", "--strict", "--profile", "production"]
    done = subprocess.run(
        argv, cwd=FLEET, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in 0 files processed" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "reason", "code"),
    [
        (None, "it ended without a record", 4),
        ("altered", "the pack is not as it was packed: plumbline: FAILED", None),
    ],
    ids=["whole", "altered"],
)
def test_the_files_of_a_pack_are_compared_on_the_host(
    content: str | None, reason: str, code: int | None, tmp_path: Path
) -> None:
    done = on_this_machine(pack(tmp_path, content), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    status = json.loads((tmp_path / "records" / "one" / "status.json").read_text())
    assert (status["state"], status["exit_code"]) == ("refused", code)
    assert status["reason"].startswith(reason)
    assert ("; remove " in status["reason"]) == (code is None)
    # Only what was whole is taken for unpacked the next time.
    assert len(list((tmp_path / "on-host").glob("harness-*/.unpacked"))) == (code is not None)


@pytest.mark.slow
@pytest.mark.parametrize("empty", ["plumbline_archive", "plumbline_signer"])
def test_signers_without_something_that_is_signed_by_one_are_refused(
    tmp_path: Path, empty: str
) -> None:
    given = {"plumbline_signers": str(tmp_path / "signers"), "plumbline_signer": "op", empty: ""}
    done = on_this_machine(pack(tmp_path), tmp_path, **given)
    assert done.returncode != 0
    assert f"is to be verified, and {empty} is empty" in " ".join(done.stdout.split())
    assert not (tmp_path / "records").exists()


@pytest.mark.slow
def test_an_archive_that_is_not_that_of_its_sum_or_signer_goes_to_no_host(tmp_path: Path) -> None:
    archive = pack(tmp_path)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signed = [
        "ssh-keygen",
        "-q",
        "-Y",
        "sign",
        "-n",
        "plumbline-pack",
        "-f",
        str(key),
        str(archive),
    ]
    subprocess.run(signed, check=True, capture_output=True)
    (tmp_path / "signers").write_text(f"op {(tmp_path / 'key.pub').read_text()}")
    signers = {"plumbline_signers": str(tmp_path / "signers")}
    wrong = on_this_machine(archive, tmp_path, **signers, plumbline_signer="another")
    assert wrong.returncode != 0
    assert not (tmp_path / "on-host").exists()
    right = on_this_machine(archive, tmp_path, **signers, plumbline_signer="op")
    assert right.returncode == 0, right.stdout + right.stderr
    assert (tmp_path / "on-host").exists()
    with archive.open("ab") as file:
        file.write(b"\0")
    altered = on_this_machine(archive, tmp_path, plumbline_records=str(tmp_path / "next"))
    assert altered.returncode != 0
    assert "it was altered, it is not the file of its .sha256" in altered.stdout
    assert not (tmp_path / "next" / "one").exists()


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
