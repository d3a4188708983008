# SPDX-License-Identifier: GPL-2.0-or-later
"""`doctor --host local` in staged hosts: each obstacle is found, and found gone once undone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from launcher.staged import profile
from launcher.staged.staged_host import StagedHost
from launcher.staged.staging import VARIABLES, staged
from tests.launched import ROOT

RELEASE = "bookworm"
BARE = profile.Profile("bare", "the packages of every host alone")
# The proof of KVM may take 8 s, and a libvirtd that hangs is waited for.
DEADLINE_S = 240.0
CLEAR, REFUSED, USAGE = 0, 11, 4
RUN = "python3 -m pytest suites --host local --topology isolated --claim IS-01 --output /run/record"


@dataclass(frozen=True)
class Made:
    """An obstacle that is made by hand.

    Attributes:
        make: shell commands.
        undo: those that take it back.
        subject: of the finding.
        level: of the finding.
        shown: a part of its message.
        refuses: whether a run is refused for it, in the finding's words.
    """

    make: str
    undo: str
    subject: str
    level: str
    shown: str
    refuses: bool = False


JOURNAL = '{"run": {"harness": 1, "started": "1", "boot": "other", "mark": ""}}'
LIBVIRTD = "libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service"
OVS = "openvswitch-switch ovs-vswitchd ovsdb-server"
IN_THE_WAY, NOTE, OK = "in the way", "note", "ok"
MADE = {
    "link": Made(
        "ip link add plumb7-br0 type bridge",
        "ip link del plumb7-br0",
        *("taken names", IN_THE_WAY, "link plumb7-br0"),
        refuses=True,
    ),
    "network of libvirt's": Made(
        "echo '<network><name>plumb3-net</name><bridge name=\"br7\"/></network>' >/run/net.xml; "
        "virsh -q net-define /run/net.xml",
        "virsh -q net-undefine plumb3-net",
        *("taken names", IN_THE_WAY, "network plumb3-net"),
        refuses=True,
    ),
    "namespace": Made(
        "ip netns add plumb2-lan",
        "ip netns del plumb2-lan",
        *("taken names", NOTE, "network namespace plumb2-lan"),
    ),
    "pool": Made(
        "ip route add blackhole 10.0.0.0/8; ip route add blackhole 172.16.0.0/12 table 77",
        "ip route del blackhole 10.0.0.0/8; ip route flush table 77",
        *("free subnets", IN_THE_WAY, "in every private network; the widest: 10.0.0.0/8"),
        refuses=True,
    ),
    "journal": Made(
        f"mkdir -p /var/lib/plumbline; echo '{JOURNAL}' >/var/lib/plumbline/journal",
        "rm /var/lib/plumbline/journal",
        *("earlier runs", IN_THE_WAY, "an earlier run left state behind (/var/lib/plumbline/jour"),
        refuses=True,
    ),
    "damaged journal": Made(
        "mkdir -p /var/lib/plumbline; echo '{}' >/var/lib/plumbline/journal",
        "rm /var/lib/plumbline/journal",
        *("earlier runs", IN_THE_WAY, "/var/lib/plumbline/journal:1: not the journal of a run"),
        refuses=True,
    ),
    "folder": Made(
        "mkdir /run/plumbline", "rmdir /run/plumbline", "earlier runs", IN_THE_WAY, "/run/plumbline"
    ),
    "read-only journal": Made(
        "mkdir -p /var/lib/plumbline; mount -t tmpfs -o ro tmpfs /var/lib/plumbline",
        "umount /var/lib/plumbline",
        *("folders", IN_THE_WAY, "/var/lib/plumbline (the journal) is on a read-only file system"),
        refuses=True,
    ),
    "full": Made(
        "mkdir -p /var/lib/plumbline; mount -t tmpfs -o size=64k tmpfs /var/lib/plumbline",
        "umount /var/lib/plumbline",
        *(
            "folders",
            IN_THE_WAY,
            "/var/lib/plumbline (the journal) has 0 MiB of room, a run needs 1",
        ),
        refuses=True,
    ),
    "read-only settings": Made(
        "mkdir -p /etc/dhcp; mount -t tmpfs -o ro tmpfs /etc/dhcp",
        "umount /etc/dhcp",
        *("folders", IN_THE_WAY, "/etc/dhcp (dhclient's settings)"),
    ),
    "no libvirtd": Made(
        f"systemctl stop {LIBVIRTD}",
        f"systemctl start {LIBVIRTD}",
        *("libvirt's daemons", IN_THE_WAY, "there is no /run/libvirt/libvirt-sock"),
        refuses=True,
    ),
    "modular daemons": Made(
        f"systemctl stop {LIBVIRTD}; touch /run/libvirt/virtqemud-sock",
        f"rm /run/libvirt/virtqemud-sock; systemctl start {LIBVIRTD}",
        *("libvirt's daemons", IN_THE_WAY, "libvirt is split up into virtqemud"),
        refuses=True,
    ),
    "libvirtd hangs": Made(
        "virsh version; systemctl kill --signal STOP libvirtd",
        "systemctl kill --signal CONT libvirtd",
        *("libvirt's daemons", IN_THE_WAY, "the host's libvirtd does not answer"),
        refuses=True,
    ),
    "no Open vSwitch": Made(
        f"systemctl stop {OVS}", f"systemctl start {OVS}", "Open vSwitch", NOTE, "is not up"
    ),
    "no default route": Made(
        "ip route del default",
        "ip route add default via 10.77.0.1",
        *("default route", NOTE, "the host has none"),
    ),
    "no forwarding": Made(
        "sysctl -q -w net.ipv4.ip_forward=0",
        "sysctl -q -w net.ipv4.ip_forward=1",
        *("forwarding", NOTE, "net.ipv4.ip_forward is 0"),
    ),
    "own table": Made(
        "nft add table inet site; nft add chain inet site f "
        "'{ type filter hook forward priority 0; policy drop; }'",
        "nft delete table inet site",
        *("FORWARD policy", NOTE, "nft inet site f (policy)"),
    ),
    "older iptables": Made(
        "iptables-legacy -P FORWARD DROP",
        "iptables-legacy -P FORWARD ACCEPT",
        *("FORWARD policy", NOTE, "iptables FORWARD (policy)"),
    ),
    "greedy networkd": Made(
        "printf '[Match]\\nName=*\\n[Network]\\nDHCP=yes\\n' >/run/systemd/network/90-all.network",
        "rm /run/systemd/network/90-all.network",
        *("managers of links", OK, "/run/systemd/network/90-all.network"),
    ),
}


def done_there(host: StagedHost, script: str) -> subprocess.CompletedProcess[str]:
    return host.capture(["sh", "-c", f"cd {ROOT} && {script}"], VARIABLES, DEADLINE_S)


def must(host: StagedHost, script: str) -> None:
    done = done_there(host, f"set -e; {script}")
    assert done.returncode == 0, done.stdout


def looked(host: StagedHost) -> tuple[int, dict[str, Any]]:
    """Doctor's exit code there, and what it prints."""
    done = done_there(host, "python3 ./plumbline doctor --host local --json")
    assert done.returncode in (CLEAR, REFUSED), done.stdout
    return done.returncode, json.loads(done.stdout)


def of(answer: dict[str, Any], subject: str, level: str) -> list[dict[str, str]]:
    return [f for f in answer["findings"] if (f["subject"], f["level"]) == (subject, level)]


@pytest.fixture(scope="module")
def host() -> Iterator[StagedHost]:
    with staged(RELEASE, BARE, []) as made:
        must(made, "systemctl start systemd-networkd; mkdir -p /run/systemd/network")
        must(made, "ip address add 10.77.0.2/24 dev eth0; ip link set eth0 up")
        must(made, "ip route add default via 10.77.0.1; sysctl -q -w net.ipv4.ip_forward=1")
        yield made


@pytest.mark.staged
def test_nothing_is_in_the_way_of_a_run_on_a_bare_host(host: StagedHost) -> None:
    code, answer = looked(host)
    assert (code, answer["clear"], answer["schema"]) == (CLEAR, True, "plumbline/doctor-host/1")
    for finding in answer["findings"]:
        assert finding["level"] in ("ok", NOTE)
        assert finding["what"]
        assert bool(finding["effect"]) == bool(finding["fix"]) == (finding["level"] != "ok")
    assert of(answer, "free subnets", "ok")[0]["what"].startswith("10.213.0.0/16 is free")


@pytest.mark.staged
@pytest.mark.parametrize("name", MADE)
def test_an_obstacle_is_found_and_found_gone(host: StagedHost, name: str) -> None:
    made = MADE[name]
    must(host, made.make)
    try:
        code, answer = looked(host)
        [found] = [f for f in of(answer, made.subject, made.level) if made.shown in f["what"]]
        assert code == (REFUSED if made.level == IN_THE_WAY else CLEAR)
        assert bool(found["effect"]) == bool(found["fix"]) == (made.level != OK)
        if made.refuses:
            run = done_there(host, RUN)
            assert run.returncode == USAGE, run.stdout
            assert made.shown.partition(";")[0] in run.stdout
            assert "Traceback" not in run.stdout
            must(host, "test ! -e /run/record")
    finally:
        must(host, made.undo)
    code, answer = looked(host)
    assert code == CLEAR
    assert not [f for f in of(answer, made.subject, made.level) if made.shown in f["what"]]


@pytest.mark.staged
def test_a_plan_without_open_vswitchs_service_makes_no_check_on_it(host: StagedHost) -> None:
    plan = "python3 -m pytest suites --host local --topology ovs --plan"
    must(host, f"systemctl stop {OVS}")
    try:
        shown = done_there(host, plan)
    finally:
        must(host, f"systemctl start {OVS}")
    assert shown.returncode == CLEAR, shown.stdout
    assert "ovs: 0 of " in shown.stdout
    assert "the host lacks ovs (probe: its service is not up: there is no /run/op" in shown.stdout
    assert "ovs: 0 of " not in done_there(host, plan).stdout


@pytest.mark.staged
def test_a_plan_is_refused_for_what_its_run_is_refused_for(host: StagedHost) -> None:
    must(host, "ip link add plumb7-br0 type bridge")
    try:
        shown = done_there(host, f"{RUN} --plan")
    finally:
        must(host, "ip link del plumb7-br0")
    assert shown.returncode == USAGE, shown.stdout
    assert "are in use: link plumb7-br0" in shown.stdout


@pytest.mark.staged
def test_a_run_that_is_at_work_is_named(host: StagedHost) -> None:
    hold = (
        "from fixtures.host.host_in_use import host_in_use\n"
        "with host_in_use(['./plumbline', 'run']): print('held', flush=True); input()"
    )
    argv = host.argv(["python3", "-c", hold], {"PYTHONPATH": str(ROOT)})
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        code, answer = looked(host)
        holder.communicate("\n")
    assert code == REFUSED
    [found] = of(answer, "earlier runs", IN_THE_WAY)
    assert "a run is at work on this host, of root, process" in found["what"]
    assert found["what"].endswith("UTC: ./plumbline run")
    assert looked(host)[0] == CLEAR


# Subject → a part of what is found there.
OF_PROFILES = {
    "firewalld": {
        "firewalls": "firewalld",
        "FORWARD policy": "nft inet firewalld filter_FORWARD",
        "INPUT policy": "nft inet firewalld filter_INPUT",
        "managers of links": "NetworkManager has eth0",
    },
    "ufw": {
        "firewalls": "ufw",
        "FORWARD policy": "iptables FORWARD (policy)",
        "INPUT policy": "iptables INPUT (policy)",
        "bridged packets": "net.bridge.bridge-nf-call-iptables is 1",
        "managers of links": "ifupdown has eth0",
    },
    "docker": {"firewalls": "docker", "FORWARD policy": "iptables FORWARD (policy)"},
    "networkd": {"firewalls": "libvirt", "managers of links": "systemd-networkd has eth0"},
    "ifupdown2": {"managers of links": "ifupdown2 has eth0, vmbr0"},
    "ovs": {"Open vSwitch": "with bridge br-ex"},
}


@pytest.mark.staged
@pytest.mark.parametrize("name", OF_PROFILES)
def test_a_profiles_own_services_are_found(name: str) -> None:
    without_guest = replace(profile.load(name), bystander="")
    with staged(RELEASE, without_guest, []) as host:
        code, answer = looked(host)
    assert code == CLEAR
    for subject, shown in OF_PROFILES[name].items():
        whats = [f["what"] for f in answer["findings"] if f["subject"] == subject]
        assert any(shown in what for what in whats), (subject, whats)


@pytest.mark.staged
def test_a_staged_host_is_looked_at_from_here() -> None:
    argv = [str(ROOT / "plumbline"), "doctor", "--host", "staged", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == CLEAR, done.stderr
    assert json.loads(done.stdout)["clear"] is True


def doctor(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(ROOT / "plumbline"), "doctor", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--host", "cloud"], "'cloud' is not one of sandbox, lab, staged, local"),
        (["--host", "lab"], "a lab without a profile is an empty host"),
        (["--host", "local", "--profile", "ufw"], "--profile: not with --host local"),
        (["--release", "trixie"], "--release: not with --host sandbox"),
    ],
)
def test_options_that_do_not_fit_are_refused(words: list[str], why: str) -> None:
    done = doctor(*words)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert why in done.stderr


@pytest.mark.host
def test_without_root_it_is_refused_with_the_command() -> None:
    # A user namespace without a mapping: nobody's user id.
    argv = ["unshare", "--user", sys.executable, str(ROOT / "plumbline"), "doctor", "--host=local"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == USAGE
    assert "doctor --host local needs root" in done.stderr
    assert "sudo ./plumbline doctor --host local" in done.stderr
