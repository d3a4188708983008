# SPDX-License-Identifier: GPL-2.0-or-later
"""The sandbox host: what it has, what it does not touch, and that nothing of it stays."""

import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.address_family import IPV4
from fixtures.errors import CommandFailed, HostFailed
from fixtures.host.links import addresses, has_link
from fixtures.host.ovs_datapath import KERNEL, USERSPACE
from fixtures.host.sandbox import bare_sandbox, sandbox
from fixtures.switch.linux_bridge import linux_bridge
from fixtures.switch.ovs_bridge import ovs_bridge, rows
from fixtures.testbed.physical_network import OUTSIDE_NIC, physical_network
from fixtures.waiting import until
from topologies.library import load

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parent.parent
FIGURES = load("nat").physical
HOLD = """
import os, sys
from fixtures.host.sandbox import bare_sandbox, sandbox
with sandbox() as host:
    host.run(["ip", "link", "add", "eth7", "type", "veth", "peer", "name", "eth8"])
    print(host.namespace.parts[2], flush=True)
    sys.stdin.read()
"""


def link_names() -> set[str]:
    """Return the links of this machine."""
    return {path.name for path in Path("/sys/class/net").iterdir()}


def processes_in(namespace: str) -> list[str]:
    """Return the processes whose network namespace is the given one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((entry / "ns/net").readlink()) == namespace:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


def test_daemons_answer() -> None:
    with sandbox() as host:
        assert host.libvirt.listAllDomains() == []
        assert host.libvirt.listAllNetworks() == []
        assert rows(host, "Bridge") == []
        assert host.ovs_datapath in (KERNEL, USERSPACE)


def test_links_are_its_own() -> None:
    outer = link_names()
    with sandbox() as host:
        inner = host.run(["ls", "/sys/class/net"]).stdout.split()
        assert inner == ["lo"]
        host.run(["ip", "link", "add", "plumb-test", "type", "bridge"])
        assert link_names() == outer


def test_files_are_its_own(tmp_path: Path) -> None:
    with sandbox() as host:
        host.run(["touch", "/etc/plumbline-was-here", "/var/lib/plumbline-was-here"])
        assert host.seen("/etc/plumbline-was-here").exists()
        assert not Path("/etc/plumbline-was-here").exists()
        assert not Path("/var/lib/plumbline-was-here").exists()
        # The rest of the file system is the machine's: a user's own files can be handed over.
        (tmp_path / "given").write_text("text")
        assert host.read(tmp_path / "given") == "text"


def test_two_at_once_do_not_meet() -> None:
    with sandbox() as one, sandbox() as two:
        with linux_bridge(one, "br0"), ovs_bridge(two, "br0"):
            assert rows(one, "Bridge") == []
            assert [row["name"] for row in rows(two, "Bridge")] == ["br0"]
        assert not has_link(two, "br0")


def test_nothing_stays_after_sigkill() -> None:
    harness = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with harness:
        assert harness.stdout is not None
        pid = harness.stdout.readline().strip()
        namespace = str(Path(f"/proc/{pid}/ns/net").readlink())
        there = processes_in(namespace)
        assert any("libvirtd" in line for line in there)
        assert any("ovs-vswitchd" in line for line in there)
        harness.send_signal(signal.SIGKILL)
    until(lambda: not processes_in(namespace), "the sandbox's processes are gone", deadline_s=10)
    assert not Path("/sys/class/net/eth7").exists()


def test_physical_network() -> None:
    assert FIGURES is not None
    with sandbox() as host, physical_network(host, FIGURES) as physical:
        assert addresses(host, FIGURES.uplink, IPV4) == [str(FIGURES.host_interface)]
        assert addresses(physical.outside, OUTSIDE_NIC, IPV4) == [str(FIGURES.outside_interface)]
        physical.outside.run(["ping", "-n", "-c", "1", "-W", "2", str(FIGURES.host)])
        # The outside has no way to the guests' subnets: that is a promise of the topologies.
        routes = physical.outside.run(["ip", "-4", "route"]).stdout.splitlines()
        assert [line.split()[0] for line in routes] == [str(FIGURES.subnet)]


def test_a_command_that_outlives_its_deadline_is_ended() -> None:
    with sandbox() as host:
        with pytest.raises(CommandFailed, match=r"sleep 60 on host did not end within 0\.2 s"):
            host.run(["sleep", "60"], deadline_s=0.2)
        until(lambda: "sleep" not in host.run(["ps", "ax"]).stdout, "sleep is gone", deadline_s=5)


def test_a_command_that_leaves_a_daemon_behind_has_ended() -> None:
    with sandbox() as host:
        done = host.run(["sh", "-c", "sleep 60 & echo started"], deadline_s=5)
        assert done.stdout == "started\n"
        assert done.seconds < 5


def test_libvirtd_that_does_not_come_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # A configuration that libvirtd refuses, as a broken release's own might be.
    monkeypatch.setattr("fixtures.host.daemons.LIBVIRTD_CONF", 'auth_unix_rw = "sesame"\n')
    monkeypatch.setattr("fixtures.host.daemons.LIBVIRTD_DEADLINE_S", 1.0)
    with pytest.raises(HostFailed, match="libvirtd did not"), sandbox():
        pytest.fail("a sandbox without libvirtd was handed over")


def test_capabilities_are_asked_of_the_host_itself() -> None:
    with bare_sandbox() as host:
        assert host.probe("ovs").state == "yes"
        missing = host.probe("sriov")
        assert (missing.state, "--host lab has them" in missing.detail) == ("no", True)
        # The host's own programs answer: one that is gone from it is missing there alone.
        host.run(["mount", "--bind", "/dev/null", str(Path(shutil.which("ovs-vsctl") or ""))])
        assert host.probe("ovs").state == "no"
    with bare_sandbox() as host:
        assert host.probe("ovs").state == "yes"


@pytest.mark.parametrize(
    ("capability", "said"),
    [
        ("SYS_ADMIN", "the sandbox's namespaces could not be made"),
        ("NET_ADMIN", "the sandbox's links could not be set: Operation not permitted"),
    ],
)
def test_a_capability_that_root_lacks_is_named(capability: str, said: str) -> None:
    """As in a container that was started without it."""
    script = "from fixtures.host.sandbox import bare_sandbox\nwith bare_sandbox(): pass"
    words = ["setpriv", f"--bounding-set=-{capability.lower()}", "--", sys.executable, "-c", script]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    failed = f"fixtures.errors.HostFailed: {said}\na container needs the capability {capability}: "
    assert failed in done.stderr
