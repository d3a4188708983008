# SPDX-License-Identifier: GPL-2.0-or-later
"""The playbook of ci/fleet: linted, and run over SSH on staged hosts of which some fail."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.git_command import git
from faults import library
from fixtures.waiting import until
from tests.fleet_playbooks import (
    BIN,
    FLEET,
    environment,
    on_this_machine,
    pack,
    report,
)
from tests.launched import ROOT
from tests.staged_fleet import StagedFleet, staged_fleet

# On a machine with other work; on an idle one the six hosts take five minutes.
DEADLINE_S = 1800.0
OPTIONS = ["--host", "local", "--topology", "isolated", "--claim", "IS-04", "--workers", "1"]
[FAULT] = library.load_all(["isolated-masquerades"])
# A program of a run that one host has not got.
LACKS = "iperf3"
AT_ONCE = 2


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
@pytest.mark.parametrize(
    ("empty", "of"), [("plumbline_archive", " for one; "), ("plumbline_signer", "; ")]
)
def test_signers_without_something_that_is_signed_by_one_are_refused(
    tmp_path: Path, empty: str, of: str
) -> None:
    given = {"plumbline_signers": str(tmp_path / "signers"), "plumbline_signer": "op", empty: ""}
    done = on_this_machine(pack(tmp_path), tmp_path, **given)
    assert done.returncode != 0
    assert f"is to be verified, and {empty} is empty{of}" in " ".join(done.stdout.split())
    assert not (tmp_path / "records").exists()


@pytest.mark.slow
def test_the_number_of_hosts_at_once_is_ansible_s(tmp_path: Path) -> None:
    done = on_this_machine(pack(tmp_path), tmp_path, plumbline_at_once=2)
    assert done.returncode != 0
    assert "ansible-playbook --forks N takes on N hosts at once" in " ".join(done.stdout.split())
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
    damage(archive)
    altered = on_this_machine(archive, tmp_path, plumbline_records=str(tmp_path / "next"))
    assert altered.returncode != 0
    assert "it was altered, it is not the file of its .sha256" in altered.stdout
    assert not (tmp_path / "next" / "one").exists()


@pytest.mark.slow
def test_a_host_has_an_archive_of_its_own(tmp_path: Path) -> None:
    """As a group of hosts with another Python has it in the inventory."""
    ends = {"one": 4, "two": 7}
    archives = {
        name: pack(tmp_path / name, packed=f"#!/bin/sh\nexit {code}\n")
        for name, code in ends.items()
    }
    hosts = {
        name: {"plumbline_archive": f"{{{{ inventory_dir }}}}/{name}/pack.tar.gz"} for name in ends
    }
    done = on_this_machine(None, tmp_path, hosts)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {
        name: json.loads((tmp_path / "records" / name / "status.json").read_text()) for name in ends
    }
    assert {name: row["exit_code"] for name, row in rows.items()} == ends

    # Of two archives one is wrong: nothing is copied anywhere.
    for break_it, said in (
        (damage, "two/pack.tar.gz: it was altered, it is not the file of its .sha256"),
        (forget_the_sum, "two/pack.tar.gz: there is no .sha256 beside it"),
    ):
        break_it(archives["two"])
        records, folder = tmp_path / break_it.__name__, tmp_path / "elsewhere"
        done = on_this_machine(
            None, tmp_path, hosts, plumbline_records=str(records), plumbline_folder=str(folder)
        )
        assert done.returncode != 0
        assert said in " ".join(done.stdout.split())
        assert not folder.exists()
        assert not (records / "one").exists()


def damage(archive: Path) -> None:
    with archive.open("ab") as file:
        file.write(b"\0")


def forget_the_sum(archive: Path) -> None:
    archive.with_name(f"{archive.name}.sha256").unlink()


@pytest.mark.slow
def test_without_an_archive_a_host_is_given_the_committed_tree(tmp_path: Path) -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("these files are no clone of git's: nothing is committed")
    given = {"plumbline_archive": "", "plumbline_options": ["--host", "nowhere"]}
    done = on_this_machine(tmp_path, tmp_path, **given)
    assert done.returncode == 0, done.stdout + done.stderr
    status = json.loads((tmp_path / "records" / "one" / "status.json").read_text())
    assert (status["state"], status["exit_code"]) == ("refused", 4)
    assert "'nowhere' is not one of" in status["reason"]
    [tree] = (tmp_path / "on-host").glob("harness-*")
    committed = git(ROOT, "show", "HEAD:README.md").stdout
    assert (tree / "README.md").read_text() == committed
    # The archive was made for this playbook alone.
    assert not list((tmp_path / "records").glob(".harness*"))


@pytest.mark.slow
def test_the_metrics_for_node_exporter_are_replaced_whole(tmp_path: Path) -> None:
    textfile = tmp_path / "textfile" / "plumbline.prom"
    textfile.parent.mkdir()
    textfile.write_text("of another time\n")
    with textfile.open() as read_by_exporter:
        done = on_this_machine(
            pack(tmp_path),
            tmp_path,
            plumbline_formats=["openmetrics"],
            plumbline_textfile=str(textfile),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        # Who reads it meanwhile reads one file to its end, never parts of both.
        assert read_by_exporter.read() == "of another time\n"
    assert [file.name for file in textfile.parent.iterdir()] == [textfile.name]
    found, report_s = (file.read_text() for file in (textfile, tmp_path / "records" / "fleet.prom"))
    assert 'plumbline_fleet_host_state{host="one",state="refused"} 1' in found
    assert found.endswith("# EOF\n")
    assert timeless(found) == timeless(report_s)


def timeless(metrics: str) -> list[str]:
    """The lines of metrics without the time at which they were made."""
    return [line for line in metrics.splitlines() if "made_timestamp" not in line]


def start(
    fleet: StagedFleet, records: Path, name: str = "qualify.yml", **more: object
) -> subprocess.Popen[str]:
    """Start a playbook on the machine of the network."""
    given = {"plumbline_records": str(records), **more}
    # What the fault does comes whenever the network is up.
    broken = [*OPTIONS, "--after-build", FAULT.apply]
    inventory = fleet.inventory(
        {"plumbline_options": OPTIONS}, {"broken": {"plumbline_options": broken}}
    )
    argv = [str(BIN / "ansible-playbook"), f"--forks={AT_ONCE}", "-i", str(inventory)]
    return subprocess.Popen(
        [*fleet.enter, *argv, str(FLEET / name), "-e", json.dumps(given)],
        env=environment(fleet.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StagedFleet]:
    """Six hosts.

    `good` is as it is, and so is `broken`, whose run meets a fault. `newer` is of another release.
    `dies` can be restarted. `small` has lost a program of a run, though dpkg has its package for
    installed, so set-up cannot mend it. `silent` is up, and its link is down.
    """
    with staged_fleet(tmp_path_factory.mktemp("fleet")) as made:
        for name in ("good", "broken", "small", "silent"):
            made.add(name)
        made.add("newer", "trixie")
        made.add("dies", kept=True)
        made.must("small", f"rm $(command -v {LACKS})")
        made.must("silent", "ip link set mgmt0 down")
        yield made


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack, as the hosts are given it."""
    folder = tmp_path_factory.mktemp("pack")
    argv = [os.path.realpath(sys.executable), str(ROOT / "plumbline"), "pack"]
    argv += ["--output", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    [archive] = folder.glob("*.tar.gz")
    return archive


@pytest.mark.staged
def test_every_host_is_a_row(fleet: StagedFleet, packed: Path) -> None:
    records = fleet.folder / "records"
    playbook = start(
        fleet,
        records,
        plumbline_archive=str(packed),
        plumbline_look_s=3,
    )
    wait_for_a_run(fleet, "dies")
    fleet.kill("dies")
    killed = datetime.now(UTC)
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
    assert LACKS in hosts["small"]["says"]
    assert hosts["good"]["groups"] == ["rack1"]
    page = (records / "fleet.html").read_text()
    assert 'href="broken/report.html#' in page
    assert (records / "broken" / "report.html").exists()
    assert (records / "fleet.prom").read_text().endswith("# EOF\n")
    # What was fetched is gone there, and the harness of the pack stays for the next time.
    look = "cd /var/lib/plumbline; ls -d harness-*/MANIFEST.sha256; ls runs"
    left = fleet.must("good", look)
    assert left.count("harness-") == 1
    assert "-good" not in left

    # Its record is there still, and fetched once the host is back.
    assert not (records / "dies" / "run.json").exists()
    fleet.restart("dies")
    later = start(fleet, records, "fetch.yml")
    said, _ = later.communicate(timeout=DEADLINE_S)
    assert later.returncode == 0, said
    started, finished = times(records / "dies")
    assert finished is None
    ran = [times(records / name) for name in ("good", "broken", "newer")]
    assert at_once([*ran, (started, killed)]) == AT_ONCE
    # A run that was cut off is none that ended, and its row now has a page.
    assert (records / "dies" / "report.html").exists()
    assert fleet.must("dies", "ls /var/lib/plumbline/runs") == ""
    assert {name: host["state"] for name, host in report(records).items()} == states


def times(folder: Path) -> tuple[datetime, datetime | None]:
    """When a run began, and when it ended; None: its end was not seen."""
    record = json.loads((folder / "run.json").read_text())
    began, ended = record["started"], record["finished"]
    return datetime.fromisoformat(began), ended and datetime.fromisoformat(ended)


def at_once(runs: Sequence[tuple[datetime, datetime | None]]) -> int:
    """The most runs that went on at one time."""
    return max(
        sum(began <= moment and (ended is None or moment < ended) for began, ended in runs)
        for moment, _ in runs
    )


def wait_for_a_run(fleet: StagedFleet, name: str) -> None:
    """Wait until the record of a run is begun on a host."""
    argv = ["sh", "-c", "ls /var/lib/plumbline/runs/*/record/run.json"]
    until(
        lambda: fleet.hosts[name].capture(argv).returncode == 0,
        f"the begin of a run on {name}",
        deadline_s=DEADLINE_S,
        interval_s=0.5,
    )
