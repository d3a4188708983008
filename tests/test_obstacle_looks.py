# SPDX-License-Identifier: GPL-2.0-or-later
"""What doctor makes of the files of a host, and how it prints it: on files of a made-up host."""

import io
from pathlib import Path

import pytest

from contracts.address_family import IPV4
from fixtures.host.obstacles import machine_facts
from fixtures.host.obstacles.link_managers import OF_UDEV, keeping_files, link_managers
from fixtures.host.obstacles.machine_facts import memory, nics
from fixtures.host.obstacles.obstacle import Level, Obstacle, in_the_way, joined, note, ok
from fixtures.host.obstacles.security_modules import security_modules
from fixtures.packet_filter.refusals import FORWARD, INPUT, of_iptables, of_nft
from launcher.finding import Probed
from launcher.host_doctor import ASKED_FOR, conclusion, exit_code, render

# A program that no host has, in the place of every one.
NOTHING_RUNS = ("plumbline-no-such-program",)
AUDIT_LOG = "var/log/audit/audit.log"
# Of a Fedora and a Debian host.
AVC = (
    "type=AVC msg=audit(1764410000.1:77): avc:  denied  { write } for  pid=712 "
    'comm="qemu-system-x86" name="guests" scontext=system_u:system_r:svirt_t:s0 permissive=0\n'
)
DENIED = (
    'type=AVC msg=audit(1764410000.2:78): apparmor="DENIED" operation="open" '
    'profile="dnsmasq" name="/run/plumbline/x" pid=99 comm="dnsmasq"\n'
)
OF_OTHERS = (
    'type=AVC msg=audit(1764410000.3:79): apparmor="DENIED" operation="open" '
    'profile="cupsd" pid=98 comm="cupsd"\n'
)


@pytest.fixture
def host(tmp_path: Path) -> Probed:
    return Probed(NOTHING_RUNS, tmp_path)


def put(host: Probed, path: str, text: str) -> None:
    file = host.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("may", "offered"), [(True, "free for --uplink, with"), (False, "takes no --uplink and no")]
)
def test_a_lab_is_offered_no_option_that_it_refuses(
    host: Probed, monkeypatch: pytest.MonkeyPatch, may: bool, offered: str
) -> None:
    link = {"ifname": "eth1", "link_type": "ether", "addr_info": []}
    monkeypatch.setattr(machine_facts, "listed", lambda *_asked: [link])
    monkeypatch.setattr(machine_facts, "takes_uplinks", lambda: may)
    [found] = nics(host)
    assert (found.level, found.what.startswith("eth1: ")) == (Level.OK, True)
    assert offered in found.what


def test_a_host_without_either_security_module_is_ok(host: Probed) -> None:
    put(host, "sys/module/apparmor/parameters/enabled", "N\n")
    [found] = security_modules(host)
    assert (found.level, found.what) == (Level.OK, "neither SELinux nor AppArmor is on")


@pytest.mark.parametrize(("value", "mode"), [("1", "enforcing"), ("0", "permissive")])
def test_a_denial_to_a_program_of_a_run_is_shown_with_the_mode(
    host: Probed, value: str, mode: str
) -> None:
    put(host, "sys/fs/selinux/enforce", value)
    put(host, AUDIT_LOG, OF_OTHERS + AVC)
    [found] = security_modules(host)
    assert found.level == Level.NOTE
    assert f"SELinux is {mode}; 1 denials to programs of a run" in found.what
    assert 'comm="qemu-system-x86"' in found.what


def test_denials_of_apparmor_are_found_and_those_of_others_are_not(host: Probed) -> None:
    put(host, "sys/module/apparmor/parameters/enabled", "Y\n")
    put(host, AUDIT_LOG, DENIED + OF_OTHERS)
    [found] = security_modules(host)
    assert "AppArmor is on; 1 denials to programs of a run, the last: " in found.what
    assert "cupsd" not in found.what


def test_a_log_that_cannot_be_read_is_said_to_be_so(host: Probed) -> None:
    put(host, "sys/module/apparmor/parameters/enabled", "Y\n")
    [found] = security_modules(host)
    assert found.level == Level.NOTE
    assert "denials could not be read: dmesg: " in found.what


def test_too_little_memory_is_in_the_way(host: Probed) -> None:
    put(host, "proc/meminfo", "MemTotal:  4000000 kB\nMemAvailable:   512000 kB\n")
    [found] = memory(host)
    assert (found.level, found.what.split(",")[0]) == (Level.IN_THE_WAY, "500 MiB are available")
    put(host, "proc/meminfo", "MemTotal:  4000000 kB\nMemAvailable:   2048000 kB\n")
    assert [found.level for found in memory(host)] == [Level.OK]


def test_managers_that_leave_files_are_named_with_their_links(host: Probed) -> None:
    put(
        host, "etc/network/interfaces", "auto lo br0\niface lo inet loopback\niface br0 inet dhcp\n"
    )
    put(host, "etc/network/interfaces.d/eth7", "iface eth7 inet manual\n")
    put(host, "etc/netplan/50-site.yaml", "network: {version: 2}\n")
    whats = [found.what for found in link_managers(host)]
    assert whats == [
        "ifupdown has br0, eth7 (/etc/network/interfaces)",
        "netplan has 50-site.yaml (/etc/netplan), carried out by the above",
    ]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("[Match]\nOriginalName=*\n[Link]\nMTUBytes=9000\n", True),
        ("[Match]\nOriginalName=en* plumb*\n", True),
        ("[Match]\nType=ether\n", True),
        ("[Match]\nType=ether\nDriver=igb\n", False),
        ("[Match]\nMACAddress=52:54:00:00:00:01\n", False),
        ("[Match]\nOriginalName=en*\n", False),
        ("[Link]\nMTUBytes=9000\n", False),
        ("no section\n", False),
    ],
)
def test_a_policy_of_udevs_that_fits_a_runs_links_is_found(
    host: Probed, text: str, taken: bool
) -> None:
    put(host, "run/udev/control", "")
    put(host, "etc/systemd/network/10-site.link", text)
    [found] = link_managers(host)
    assert ("10-site.link" in found.what) == taken
    assert ("by /run/systemd/network/0-plumbline.link" in found.what) == taken
    assert list(keeping_files(host)) == ([OF_UDEV] if taken else [])


def test_a_closed_chain_is_found_at_its_own_hook_alone() -> None:
    saved = ["-P INPUT ACCEPT", "-P FORWARD DROP", "-A FORWARD -j SITE", "-A SITE -j REJECT"]
    assert [str(each) for each in of_iptables(saved, FORWARD)] == ["SITE", "FORWARD (policy)"]
    assert list(of_iptables(saved, INPUT)) == []
    base = {"family": "inet", "table": "site", "name": "f", "handle": 1}
    chain = {"chain": {**base, "type": "filter", "hook": "forward", "policy": "drop"}}
    assert [str(each) for each in of_nft([chain], FORWARD, IPV4)] == ["inet site f (policy)"]
    assert list(of_nft([chain], INPUT, IPV4)) == []


FOUND: list[Obstacle] = [
    ok("memory", "enough"),
    note("FORWARD policy", "word " * 40, "some claims", "none needed"),
    in_the_way("earlier runs", "a journal", "every run is refused", "sudo ./plumbline clean"),
]


def test_what_is_in_the_way_is_printed_first_within_100_columns() -> None:
    out = io.StringIO()
    render(FOUND, out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "in the way  earlier runs: a journal"
    assert lines[1:3] == [
        "            effect: every run is refused",
        "            fix: sudo ./plumbline clean",
    ]
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "In the way of a run on this host: earlier runs."
    assert "\x1b" not in out.getvalue()


def test_only_what_is_in_the_way_decides_the_exit_code() -> None:
    assert exit_code(FOUND) == 11
    assert exit_code(FOUND[:2]) == 0
    assert conclusion(FOUND[:2]).startswith("Nothing is in the way of a run on this host.")


@pytest.mark.parametrize(
    ("asked_for", "command"),
    [
        (None, "sudo ./plumbline run --host local --plan"),
        ("--host staged --profile ufw", "sudo ./plumbline run --host staged --profile ufw --plan"),
    ],
)
def test_the_plan_that_comes_next_is_one_of_the_host_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked_for: str | None, command: str
) -> None:
    monkeypatch.delenv(ASKED_FOR, raising=False)
    if asked_for is not None:
        monkeypatch.setenv(ASKED_FOR, asked_for)
    assert conclusion([]).endswith(command)


def test_long_lists_are_cut_with_the_number_of_the_rest() -> None:
    assert joined(["a", "b", "c"], 2) == "a, b and 1 more"
    assert joined(["a", "b"], 2) == "a, b"
