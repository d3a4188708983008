# SPDX-License-Identifier: GPL-2.0-or-later
"""A run on a host that has others' networks: beside them, and nothing of theirs is touched.

The host is a sandbox, in which the harness runs as on a machine of its own.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.run_files import RECORD
from fixtures.host.command import Completed
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from launcher.cache import cache_dir

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parent.parent
# On a machine with other work; on an idle one a run takes 40 s.
DEADLINE_S = 600
DEFAULT = """\
<network><name>default</name><forward/><bridge name='virbr0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'>
<dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>
"""
# Names of the documents, the first subnet of the usual pool, and a default route of the host's.
OTHERS = """\
ip link add virbr1 type bridge
ip link add eth1 type veth peer name eth9
ip address add 10.213.0.5/16 dev eth1
ip link set eth1 up; ip link set eth9 up
ip route add default via 10.213.0.1
ip link add wire0 type veth peer name wire1
ethtool -K wire0 tx off; ethtool -K wire1 tx off
ip netns add lan
ip netns add outside
echo nameserver 10.213.0.1 >/etc/resolv.conf
"""
# Without the queue of links: one that is down gets it anew, by the kernel, when it comes up.
LOOK = """\
ip -details address | sed 's/qdisc [a-z]*//'; ip route show table all; ip rule; ip netns
cat /etc/resolv.conf; ls -d /run/plumbline /var/lib/plumbline/journal
sysctl -a --pattern '^net\\.(ipv4\\.ip_forward|ipv4\\.conf\\.[^/]*\\.(forwarding|arp_ignore))'
virsh -q list --all; virsh -q net-list --all; virsh -q net-dumpxml default
ps -e -o pid=,args= | grep '[d]nsmasq'
iptables-save | sed '/^#/d; s/\\[[0-9:]*\\]//'; nft list ruleset | sed 's/packets.*bytes [0-9]*//'
ovs-vsctl list-br
"""
# Lines with what moves by itself: timers, and IPv6's own addresses and routes.
MOVING = ("valid_lft", "hello_timer", "tcn_timer", "fe80:", "ff00:")


@pytest.fixture
def host() -> Iterator[Host]:
    """A host with a default network that is up, and with names and routes of the documents'."""
    with sandbox(cache_dir() / "libvirt-capabilities") as made:
        made.run(["sh", "-ec", OTHERS])
        # A sandbox's own folder; a machine has none.
        made.seen(made.state).rmdir()
        network = made.libvirt.networkDefineXML(DEFAULT)
        network.create()
        network.setAutostart(1)
        yield made


def looked(host: Host) -> list[str]:
    lines = host.run(["sh", "-c", LOOK], check=False).stdout.splitlines()
    return [line for line in lines if not any(word in line for word in MOVING)]


def ran(host: Host, *words: str) -> Completed:
    argv = ["env", f"PLUMBLINE_CACHE={cache_dir()}", sys.executable, "-P", "-m", "pytest"]
    argv += ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    argv += [str(ROOT / "suites"), "--plumbline-terminal", "--host=local", *words]
    return host.run(argv, deadline_s=DEADLINE_S, check=False)


def record_of(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / RECORD).read_text())
    return record


def test_a_nat_network_beside_others(host: Host, tmp_path: Path) -> None:
    before = looked(host)
    claims = ("NT-03", "NT-09", "NT-10", "NT-11", "NT-16")
    words = [f"--claim={claim}" for claim in claims]
    done = ran(host, "--topology=nat", f"--output={tmp_path / 'run'}", *words)
    assert done.status == 0, done.stdout + done.stderr
    assert looked(host) == before
    record = record_of(tmp_path / "run")
    verdicts = {each["id"]: each["verdict"] for each in record["claims"] if each["id"] in claims}
    assert verdicts == dict.fromkeys(claims, "conforms")
    topology, of_host = record["topologies"]
    assert (topology["name"], of_host["name"]) == ("nat", "host")
    moved = {each["field"]: (each["documented"], each["used"]) for each in topology["placement"]}
    assert moved["networks[0].bridge"] == ("virbr1", "plumb1-virbr1")
    assert moved["networks[0].address"] == ("10.10.10.1/24", "10.214.1.1/24")
    assert moved["physical.uplink"] == ("eth1", "plumb1-eth1")
    built = {node["name"] for node in topology["built"]["nodes"]}
    assert {"plumb1-virbr1", "plumb1-eth1", "plumb1-kvm1"} <= built
    [default] = [each for each in record["checks"] if each["id"].startswith("default_network.")]
    assert default["reason"].startswith("the host's own: virbr0 with 192.168.122.1/24")


def test_what_would_change_the_host_is_not_made(host: Host, tmp_path: Path) -> None:
    before = looked(host)
    words = ["--topology=nat", "--topology=passthrough", "--claim=NT-17", "--claim=PT-03"]
    done = ran(host, f"--output={tmp_path / 'run'}", *words)
    # No check was made, so no topology was built.
    assert done.status == 10, done.stdout + done.stderr
    assert {each["id"] for each in record_of(tmp_path / "run")["claims"]} >= {"HR-01"}
    assert looked(host) == before
    reasons = {each["topology"]: each["reason"] for each in record_of(tmp_path / "run")["checks"]}
    assert reasons["nat"].startswith("it restarts libvirtd")
    assert "--disruptive" in reasons["nat"]
    assert "iommu" in reasons["passthrough"]


def test_a_plan_touches_nothing(host: Host, tmp_path: Path) -> None:
    before = looked(host)
    done = ran(host, "--plan", "--topology=nat", "--topology=bridged")
    assert done.status == 0, done.stdout + done.stderr
    assert looked(host) == before
    assert not list(tmp_path.iterdir())
    for words in (
        "libvirt network plumb1-nat_net, bridge plumb1-virbr1, 10.214.1.1/255.255.255.0",
        "Linux bridge plumb1-br0 with 10.214.0.2/24, with port plumb1-eth1",
        "network namespaces plumb1-lan and plumb1-outside",
        "libvirtd_restart.networks_after_a_restart[nat] (NT-17 NT-01)",
        "because it restarts libvirtd",
    ):
        assert words in done.stdout


def test_a_pool_without_room_is_one_message(host: Host) -> None:
    done = ran(host, "--topology=nat", "--subnets=10.213.0.0/16", "--plan")
    assert done.status == 4
    assert "--subnets: 10.213.0.0/16 has no free subnets /24, /24 for a topology" in done.stderr


def test_a_real_wire_is_the_uplink(host: Host, tmp_path: Path) -> None:
    before = looked(host)
    claims = ("BR-01", "BR-02", "BR-05", "BR-06")
    words = ["--uplink=wire0", "--peer-nic=wire1", *(f"--claim={claim}" for claim in claims)]
    done = ran(host, "--topology=bridged", f"--output={tmp_path / 'run'}", *words)
    assert done.status == 0, done.stdout + done.stderr
    assert looked(host) == before
    record = record_of(tmp_path / "run")
    [topology] = [each for each in record["topologies"] if each["name"] == "bridged"]
    moved = {each["field"]: each["used"] for each in topology["placement"]}
    assert moved["networks[0].uplink"] == moved["physical.uplink"] == "wire0"
    cables = {link["name"] for link in topology["built"]["links"] if link["kind"] == "cable"}
    assert "wire of wire1" in cables


def test_a_nic_in_use_is_no_uplink(host: Host, tmp_path: Path) -> None:
    before = looked(host)
    words = ["--uplink=eth1", "--peer-nic=wire1", "--claim=BR-01", "--topology=bridged"]
    done = ran(host, f"--output={tmp_path / 'run'}", *words)
    assert done.status == 10, done.stdout + done.stderr
    assert "--uplink eth1: it carries the default route" in done.stdout
    assert looked(host) == before


def test_a_bridge_gets_no_advertisements_of_the_runs(host: Host, tmp_path: Path) -> None:
    before = looked(host)
    words = [f"--topology={ROOT / 'tests/topologies/bridged-dual-stack.yaml'}", "--claim"]
    done = ran(host, *words, "BR-02", "--claim=BR-03", f"--output={tmp_path / 'run'}")
    assert done.status == 0, done.stdout + done.stderr
    assert looked(host) == before
    assert "physical.ipv6: a host with other users takes no router's" in done.stdout
    record = record_of(tmp_path / "run")
    [topology] = [each for each in record["topologies"] if each["name"] != "host"]
    moved = {each["field"]: each["used"] for each in topology["placement"]}
    assert moved["networks[0].address6"] == moved["physical.ipv6.subnet"] == "null"
    [checked] = [each for each in record["checks"] if each["claims"] == ["BR-02"]]
    assert "2001:db8:" not in checked["reason"]
    refused = ran(host, *words, "V6-30")
    assert refused.status == 4
    assert "no topology of this run is of that kind" in refused.stderr
