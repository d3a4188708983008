# SPDX-License-Identifier: GPL-2.0-or-later
"""`doctor`: every row probed, what is missing named with its remedy, and nothing changed."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from launcher.capabilities import CAPABILITIES, HERE
from launcher.finding import Finding, State
from launcher.sandbox_doctor import Diagnosis, conclusion, exit_code, render

ROOT = Path(__file__).resolve().parent.parent


def doctor(*words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, str(ROOT / "plumbline"), "doctor", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}


@pytest.fixture(scope="module")
def healthy() -> subprocess.CompletedProcess[str]:
    """What doctor says of this machine, which has everything that a run needs."""
    return doctor("--json")


@pytest.mark.host
def test_a_machine_that_has_everything_can_run_the_topologies(
    healthy: subprocess.CompletedProcess[str],
) -> None:
    answer = json.loads(healthy.stdout)
    lacking = [f for f in answer["findings"] if f["needed"] and f["state"] != "yes"]
    assert not lacking
    assert answer["schema"] == "plumbline/doctor/1"
    assert answer["sandbox"] is True
    assert healthy.returncode == 0


def test_every_finding_has_a_detail_and_what_is_missing_a_remedy(
    healthy: subprocess.CompletedProcess[str],
) -> None:
    for finding in findings(healthy).values():
        assert finding["state"] in ("yes", "no", "not proven")
        assert finding["detail"]
        assert finding["state"] == "yes" or finding["fix"], finding


def test_doctor_asks_for_every_capability(healthy: subprocess.CompletedProcess[str]) -> None:
    assert set(CAPABILITIES) <= set(findings(healthy))


@pytest.mark.host
def test_a_hidden_program_is_missed_with_the_command_that_adds_it() -> None:
    hide = 'mount --bind /dev/null /usr/sbin/dnsmasq && exec "$@"'
    done = doctor("--json", before=("unshare", "--mount", "sh", "-c", hide, "sh"))
    found = findings(done)
    assert done.returncode == 11
    assert found["dnsmasq"]["state"] == "no"
    assert found["dnsmasq"]["fix"] == "sudo ci/setup"
    assert "dnsmasq-base" in found["packages"]["detail"]
    assert found["iperf3"]["state"] == "yes"


@pytest.mark.host
def test_a_missing_tun_device_is_missed() -> None:
    hide = 'mount -t tmpfs tmpfs /dev/net && exec "$@"'
    done = doctor("--json", before=("unshare", "--mount", "sh", "-c", hide, "sh"))
    found = findings(done)
    assert done.returncode == 11
    assert found["tun"]["state"] == "no"
    assert found["links"]["state"] == "no"
    assert found["namespaces"]["state"] == "yes"


def test_nothing_cached_means_nothing_proven_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("PLUMBLINE_CACHE", str(cache))
    done = doctor("--json")
    found = findings(done)
    assert done.returncode == 11
    assert found["image"]["state"] == "no"
    assert found["image"]["fix"] == "./plumbline image build"
    assert found["environment"]["state"] == "no"
    assert found["kvm"]["state"] != "yes"
    assert not cache.exists()


@pytest.mark.host
def test_without_root_what_needs_it_is_not_proven_rather_than_missing() -> None:
    # A user namespace without a mapping: nobody's user id, and no further namespaces.
    done = doctor("--json", before=("unshare", "--user"))
    found = findings(done)
    assert found["root"]["state"] == "not proven"
    for name in ("namespaces", "links", "overlayfs", "vlan", "iptables"):
        assert found[name]["state"] == "not proven", found[name]
        assert found[name]["fix"] == "sudo ./plumbline doctor"
    assert done.returncode == 0


# It may read all files, because this Python may be in a folder of root's; it may write none.
NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


@pytest.mark.host
@pytest.mark.parametrize(
    ("prepare", "state"),
    [
        ("mknod -m 600 /dev/net/tun c 10 200", "not proven"),
        ("mknod -m 666 /dev/net/tun c 10 200", "yes"),
        ("true", "no"),
    ],
)
def test_what_this_user_may_not_open_is_not_proven_rather_than_missing(
    prepare: str, state: str
) -> None:
    hide = f'mount -t tmpfs tmpfs /dev/net && {prepare} && exec "$@"'
    done = doctor("--json", before=("unshare", "--mount", "sh", "-c", hide, "sh", *NOBODY))
    found = findings(done)
    for name in ("tun", "links"):
        assert found[name]["state"] == state, found[name]
        if state == "not proven":
            assert "only root can prove it" in found[name]["detail"]
            assert found[name]["fix"] == "sudo ./plumbline doctor"


def test_what_is_only_not_proven_is_not_promised() -> None:
    unproven = UNPROVEN._replace(needed=True)
    said = " ".join(conclusion([FINE, unproven]).split())
    assert said == "Nothing that the topologies need is known to be missing. Not proven: KVM."


def rendered(*diagnoses: Diagnosis) -> str:
    out = io.StringIO()
    render(diagnoses, out)
    return out.getvalue()


LONG = Diagnosis("Open vSwitch", True, Finding("ovs", State.NO, "word " * 60, "sudo ci/setup"))
FINE = Diagnosis("netem", False, Finding("netem", State.YES, "delay was set"))
UNPROVEN = Diagnosis("KVM", False, Finding("kvm", State.NOT_PROVEN, "no image", "build it"))


def test_the_table_fits_100_columns_and_has_no_colour_in_a_pipe() -> None:
    text = rendered(LONG, FINE, UNPROVEN)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "\x1b" not in text
    assert "to add it: sudo ci/setup" in text


def test_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    render([LONG, FINE], out)
    assert "\x1b[31mno" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    render([LONG, FINE], plain)
    assert "\x1b" not in plain.getvalue()


def test_only_what_every_topology_needs_decides_the_exit_code() -> None:
    optional = Diagnosis("IOMMU", False, Finding("iommu", State.NO, "no group", "no fix"))
    unproven = UNPROVEN._replace(needed=True)
    assert exit_code([FINE, optional, unproven]) == 0
    assert exit_code([FINE, LONG]) == 11
    assert "missing: Open vSwitch" in conclusion([FINE, LONG])
    assert "can be run in a sandbox" in conclusion([FINE, optional])


def test_capabilities_are_the_names_that_expect_takes() -> None:
    assert set(CAPABILITIES) == {
        *("kvm", "libvirt", "ovs", "ovs-kernel", "nftables", "iptables", "bridge-nf"),
        *("brctl", "iperf3", "virt-install", "vlan", "bonding", "netem", "htb", "vhost"),
        *("iommu", "sriov"),
    }


@pytest.mark.parametrize("name", sorted(set(CAPABILITIES) - {"kvm"}))
def test_a_capabilitys_finding_has_its_name(name: str) -> None:
    assert CAPABILITIES[name](HERE).name == name
