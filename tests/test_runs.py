# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole runs, as a user makes them: verdicts, record, exit code, nothing left."""

import functools
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from fixtures.waiting import until
from tests.launched import ROOT, SCHEMA, launched

pytestmark = pytest.mark.host

# Beside other tests a rate that is missed is not decided: they load the machine.
MEASURED = {"GN-07", "GN-08"}
WITHOUT_MASQUERADE = "iptables-save -t nat | grep -v MASQUERADE | iptables-restore --table=nat"
WITHOUT_LEARNING = "for tap in $PLUMBLINE_TAPS; do bridge link set dev $tap learning off; done"


run = functools.partial(launched, "run")


def link_names() -> set[str]:
    """Return the links of this machine."""
    return {path.name for path in Path("/sys/class/net").iterdir()}


def seen(record: dict[str, Any], verdict: str) -> set[str]:
    """Return the claims, and for cells without one the checks, that have a verdict."""
    checks = [check for check in record["checks"] if check["verdict"] == verdict]
    return {claim for check in checks for claim in check["claims"] or [check["id"]]}


def test_isolated(tmp_path: Path) -> None:
    done, record = run(tmp_path / "run", "--topology", "isolated")
    assert done.returncode == 0, done.stdout + done.stderr
    assert record["finished"]
    assert {check["verdict"] for check in record["checks"]} == {"conforms"}
    decided = {claim["id"] for claim in record["claims"]}
    assert {"IS-01", "IS-02", "IS-03", "IS-04", "IS-05", "GN-01", "GN-06"} <= decided
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    for check in record["checks"]:
        for evidence in check["evidence"]:
            assert (tmp_path / "run" / evidence["path"]).is_file()
    assert (tmp_path / "run" / "junit.xml").is_file()
    assert any((tmp_path / "run" / "allure-results").iterdir())


def test_deleted_masquerade_is_caught(tmp_path: Path) -> None:
    done, record = run(tmp_path / "run", "--topology", "nat", "--after-build", WITHOUT_MASQUERADE)
    assert done.returncode == 1, done.stdout + done.stderr
    # Guest → outside is NT-10's cell.
    assert seen(record, "violates") == {"NT-08", "NT-09", "NT-10"}
    # Their control is a network that masquerades, or a way out.
    assert seen(record, "inconclusive") - MEASURED == {"NT-13", "NT-14", "NT-22", "NT-23"}
    assert seen(record, "error") == set()


def test_a_violation_is_told_in_the_checks_own_words(tmp_path: Path) -> None:
    words = ("--topology", "nat", "--claim", "NT-08", "--claim", "NT-09")
    done, record = run(tmp_path / "run", *words, "--after-build", WITHOUT_MASQUERADE)
    assert done.returncode == 1, done.stdout + done.stderr
    _assert_told_in_the_checks_own_words(tmp_path / "run", record)


def test_learning_off_is_caught(tmp_path: Path) -> None:
    # A site's own script, in the folder that the run is started from.
    script = tmp_path / "without-learning.sh"
    script.write_text(f"#!/bin/sh\n{WITHOUT_LEARNING}\n")
    script.chmod(0o755)
    words = ("--topology", "linux-bridge", "--after-build", "./without-learning.sh")
    done, record = run(tmp_path / "run", *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert seen(record, "violates") == {"LB-08", "LB-10"}
    assert seen(record, "inconclusive") <= MEASURED
    assert seen(record, "error") == set()


def test_the_bridge_keeps_its_mac_and_its_ageing_time(tmp_path: Path) -> None:
    # A guest that hears the bridge ask from another MAC goes on sending to that one afterwards; and
    # STP that is turned off in the middle of a topology change leaves the shorter time of that.
    heard, aged = tmp_path / "heard", tmp_path / "aged"
    words = [word for claim in ("LB-06", "LB-07", "LB-10", "GN-10") for word in ("--claim", claim)]
    watch = f"""
        ip -o monitor link dev virbr0 > {heard} 2>&1 < /dev/null &
        for i in $(seq 9000); do
            cat /sys/class/net/virbr0/bridge/ageing_time || break
            sleep 0.2
        done > {aged} 2>/dev/null < /dev/null &
    """
    done, _ = run(tmp_path / "run", "--topology", "linux-bridge", *words, "--after-build", watch)
    assert done.returncode == 0, done.stdout + done.stderr
    # With its last port it loses it.
    macs = set(re.findall("link/ether ([0-9a-f:]+)", heard.read_text())) - {"00:00:00:00:00:00"}
    assert macs == {"fe:54:00:55:9b:d6"}
    times = aged.read_text().split()
    assert "400" in times, "no check had a topology change"
    assert times[-1] == "30000"


def test_after_build_that_fails_ends_the_topology(tmp_path: Path) -> None:
    words = ("--topology", "linux-bridge", "--claim", "GN-01", "--claim", "GN-02")
    command = "echo hardening went wrong >&2; exit 7"
    done, record = run(tmp_path / "run", *words, "--after-build", command)
    assert done.returncode == 10, done.stdout + done.stderr
    assert {check["verdict"] for check in record["checks"]} == {"error"}
    reason = record["checks"][0]["reason"]
    assert reason == (
        f"--after-build failed on topology linux-bridge, exit status 7: {command} "
        "(its last line: hardening went wrong)"
    )
    assert "\nYour own command failed\n! linux-bridge  " in done.stdout
    assert "Errors of the harness" not in done.stdout
    [topology] = record["topologies"]
    assert topology["reason"] == reason
    [commands] = [e for e in topology["evidence"] if e["name"] == "commands.txt"]
    assert "hardening went wrong" in (tmp_path / "run" / commands["path"]).read_text()


def test_after_build_sees_the_topology(tmp_path: Path) -> None:
    command = "env | grep ^PLUMBLINE_ | sort"
    _, record = run(
        tmp_path / "run", "--topology", "isolated", "--claim", "IS-01", "--after-build", command
    )
    [topology] = record["topologies"]
    [commands] = [e for e in topology["evidence"] if e["name"] == "commands.txt"]
    said = (tmp_path / "run" / commands["path"]).read_text()
    for line in (
        "PLUMBLINE_BRIDGE=virbr1",
        "PLUMBLINE_GUESTS=kvm1 kvm2",
        "PLUMBLINE_NETWORK=isolated",
        "PLUMBLINE_SUBNET=192.168.66.0/24",
        "PLUMBLINE_TAPS=vnet0 vnet1",
        "PLUMBLINE_TOPOLOGY=isolated",
        "PLUMBLINE_UPLINK=eth1",
    ):
        assert f"\n{line}\n" in said


def test_the_record_has_what_was_built_and_not_what_was_meant(tmp_path: Path) -> None:
    """A TAP that the site's own command took off the bridge is no port in the record."""
    words = ("--topology", "nat", "--claim", "NT-12")
    loose = 'ip link set "${PLUMBLINE_TAPS%% *}" nomaster'
    _, record = run(tmp_path / "run", *words, "--after-build", loose)
    built = record["topologies"][0]["built"]
    of_kind = {
        kind: [node for node in built["nodes"] if node["kind"] == kind]
        for kind in ("guest", "tap", "bridge", "uplink", "lan", "outside")
    }
    assert [len(nodes) for nodes in of_kind.values()] == [2, 2, 1, 1, 1, 1]
    [bridge] = of_kind["bridge"]
    assert {"10.10.10.1/24", "libvirt network nat_net"} <= set(bridge["lines"])
    assert all(re.match(r"10\.10\.10\.\d+ by DHCP$", g["lines"][0]) for g in of_kind["guest"])
    ports = [link["ends"] for link in built["links"] if link["kind"] == "port"]
    assert ports == [[of_kind["tap"][1]["id"], bridge["id"]]]
    assert [link["name"] for link in built["links"] if link["kind"] == "routed"] == ["nat"]
    cells = {(c["reach"]["from"], c["reach"]["to"]) for c in record["checks"] if c["reach"]}
    assert cells == {("guest", "guest"), ("guest", "host"), ("host", "guest")}
    said = record["statements"]
    assert said["NT-12"]["source"].startswith("D3: ")


def test_facts_are_those_of_each_topology(tmp_path: Path) -> None:
    words = ("--topology", "linux-bridge", "--topology", "nat", "--claim", "GN-01")
    done, record = run(tmp_path / "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    facts = record["host"]["facts"]
    assert facts["versions"]["libvirt"]
    bridge, nat = facts["topologies"]["linux-bridge"], facts["topologies"]["nat"]
    # libvirt writes rules and turns forwarding on when a network of its own starts, not before.
    assert bridge["firewall_backend"] is None
    assert nat["firewall_backend"] in ("nftables", "iptables-nft", "iptables-legacy")
    assert bridge["sysctls"]["net.ipv4.ip_forward"] == "0"
    assert nat["sysctls"]["net.ipv4.ip_forward"] == "1"


def test_a_users_own_topology(tmp_path: Path) -> None:
    shipped = (ROOT / "topologies" / "isolated.yaml").read_text()
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        shipped.replace("\nname: isolated", "\nname: mine").replace("192.168.66.", "172.20.5.")
    )
    done, record = run(tmp_path / "run", "--topology", "mine.yaml", "--claim", "IS-05")
    assert done.returncode == 0, done.stdout + done.stderr
    assert record["checks"]
    for check in record["checks"]:
        assert (check["topology"], check["verdict"]) == ("mine", "conforms")
        assert "172.20.5." in check["reason"]
        assert str(mine) in check["rerun"]


def test_killed_run_leaves_a_valid_record_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "run"
    argv = [str(ROOT / "plumbline"), "run", "--topology", "linux-bridge", "--workers", "1"]
    links = link_names()
    with subprocess.Popen(
        [*argv, "--output", str(output)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as harness:
        until(lambda: _decided(output), "the first check is decided", deadline_s=60)
        harness.send_signal(signal.SIGKILL)
    record = json.loads((output / "run.json").read_text())
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    assert record["finished"] is None
    left = [check for check in record["checks"] if check["verdict"] == "inconclusive"]
    assert left
    assert all("not decided" in check["reason"] for check in left)
    until(lambda: not _holders_of(harness.pid), "the sandbox is gone", deadline_s=10)
    assert link_names() == links


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--topology", "nut"), 'did you mean "nat"'),
        (("--topology", "absent.yaml"), "absent.yaml"),
        (("--claim", "NT-99"), "NT-99"),
        (("--claim", "BR-01", "--topology", "nat"), "it is about bridged"),
        (("--claim", "HR-01", "--topology", "nat"), "on a host with other users (--host local"),
        (("--expect", "sriow"), 'did you mean "sriov"?'),
        (("--accel", "xen"), "xen"),
        (("--topologie", "nat"), "--topology"),
    ],
)
def test_usage_errors(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done, record = run(tmp_path / "run", *words)
    assert done.returncode == 4, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not record


def test_libvirtd_that_does_not_come_up(tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "libvirtd"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho libvirtd: no luck today >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
        done, record = run(tmp_path / "run", "--topology", "linux-bridge", "--claim", "GN-01")
    assert done.returncode == 10, done.stdout + done.stderr
    said = {(check["verdict"], check["reason"]) for check in record["checks"]}
    assert said == {("error", "libvirtd did not start in the sandbox")}
    assert "no luck today" in done.stdout


def test_missing_capability_fails_the_run(tmp_path: Path) -> None:
    words = ("--topology", "linux-bridge", "--claim", "LB-02", "--expect", "sriov")
    done, record = run(tmp_path / "run", *words)
    assert done.returncode == 11, done.stdout + done.stderr
    assert "sriov" in done.stdout
    assert record["finished"]


def _assert_told_in_the_checks_own_words(output: Path, record: dict[str, Any]) -> None:
    """JUnit and Allure tell what the checks saw, and show nothing of fixtures or of pytest."""
    violated = [check for check in record["checks"] if check["verdict"] == "violates"]
    junit = list(ElementTree.parse(output / "junit.xml").iter("failure"))
    results = [json.loads(f.read_text()) for f in (output / "allure-results").glob("*-result.json")]
    allure = {each["name"]: each["statusDetails"] for each in results if "statusDetails" in each}
    assert len(junit) == len(allure) == len(violated)
    for check, failure in zip(violated, junit, strict=True):
        name = f"test_{check['id'].partition('.')[2]}"
        assert failure.attrib["message"] == f"violates: {check['reason']}"
        assert allure[name]["message"].splitlines()[0] == f"AssertionError: {check['reason']}"
        assert (failure.text or "").splitlines()[0] == f"violates: {check['reason']}"
        assert allure[name]["trace"].splitlines()[0] == check["reason"]
        for told in (failure.text or "", allure[name]["trace"]):
            assert not re.search(r"Standing\(|Evidence object|Cell\(|site-packages|def test", told)
        [kept] = [each for each in check["evidence"] if each["name"] == "traceback.txt"]
        traceback = (output / kept["path"]).read_text()
        assert "suites/test_" in traceback
        assert "site-packages" not in traceback


def _decided(output: Path) -> bool:
    path = output / "run.json"
    if not path.exists():
        return False
    return any(check["verdict"] == "conforms" for check in json.loads(path.read_text())["checks"])


def _holders_of(harness: int) -> list[str]:
    found = subprocess.run(
        ["pgrep", "-fa", f"namespace_init.py --harness {harness}$"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.splitlines()
