# SPDX-License-Identifier: GPL-2.0-or-later
"""Each kind of change is taken back, and may be taken back twice."""

import json
import operator
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.host.host import Host
from fixtures.host.links import cable, namespace_machine
from fixtures.host.obstacles.link_managers import KeepingFile
from fixtures.host.sandbox import sandbox
from fixtures.host.snapshot.host_snapshot import differences, host_snapshot
from fixtures.host.undo.entries import KINDS, undo_of
from fixtures.host.undo.kernel_undos import (
    DhcpClientStop,
    EmptyFolderRemove,
    FileRestore,
    FolderRemove,
    KeepingFileRemove,
    SysctlRestore,
)
from fixtures.host.undo.libvirt_undos import (
    DomainRemove,
    NetworkRemove,
    NetworkRestore,
    OwnObjectsRemove,
)
from fixtures.host.undo.link_undos import (
    AddressDelete,
    LinkDelete,
    LinkDown,
    LinkReturn,
    NamespaceDelete,
    OwnLinksDelete,
    RouteDelete,
)
from fixtures.host.undo.nic_undos import NicRestore
from fixtures.host.undo.ovs_undos import OvsBridgeDelete, OvsPortDelete, OvsRowsDestroy
from fixtures.host.undo.path_undos import AddressesRestore, PathReturn
from fixtures.host.undo.rule_undos import (
    FilterRuleDelete,
    IptablesPolicy,
    IptablesRuleDelete,
    NftRulesDelete,
    ZoneLeave,
)
from fixtures.host.undo.undo import Undo
from fixtures.host.unmanaged_links import keep_from_managers, keeping_undos
from fixtures.waiting import poll
from launcher.cache import cache_dir
from launcher.staged.profile import load
from launcher.staged.staging import VARIABLES, staged

ROOT = Path(__file__).resolve().parent.parent
SETTLED_DEADLINE_S = 10.0
# What the guardian does, on the machine that it is on.
TAKE_BACK = """\
import json, sys
from fixtures.host.undo.entries import undo_of
for line in undo_of(json.loads(sys.argv[1])).take_back():
    print(line)
"""
RULE = ("FORWARD", "-i", "nic0", "-m", "comment", "--comment", "plumbline", "-j", "ACCEPT")
NETWORK = "<network><name>{0}</name><bridge name='{0}'/></network>"
DOMAIN = """\
<domain type='qemu'><name>{0}</name><memory>16384</memory><os><type>hvm</type></os></domain>
"""
N6 = """\
<network>
  <name>n6</name>
  <uuid>6f2c1c3c-6cbb-4a5b-8c6e-1d9c0a7be006</uuid>
  <bridge name='n6' stp='on' delay='0'/>
  <mac address='52:54:00:00:00:06'/>
</network>
"""
DEFINE = 'echo "{}" >/run/x.xml; virsh {} /run/x.xml; rm /run/x.xml'
SITE = """\
ip link add b6 address 52:54:00:00:00:66 type bridge
ip link set b6 up
ip link add d6 address 52:54:00:00:00:67 type bridge
ip link set d6 up; ip link set d6 down
ip address add 192.0.2.1/24 dev nic0
ip route add default via 192.0.2.2 metric 70
ip route add 198.51.100.0/24 via 192.0.2.3
ip -6 address add 2001:db8::1/64 dev nic0 nodad
ip -6 route add default via 2001:db8::2 dev nic0 metric 80
ovs-vsctl add-br ovs0 -- set bridge ovs0 datapath_type=netdev
nft add table inet site
nft add chain inet site c '{ type filter hook forward priority 0; }'
"""

# The addresses and routes of nic0, as `Carried.by` reads them.
CARRIED = (
    ("-4 192.0.2.1/24 scope global", "-6 2001:db8::1/64 scope global"),
    (
        "-4 default via 192.0.2.2 metric 70",
        "-4 198.51.100.0/24 via 192.0.2.3",
        "-6 default via 2001:db8::2 metric 80 pref medium",
    ),
    0,
)
CHANGES: list[tuple[Undo, str]] = [
    (LinkDelete("b7"), "ip link add b7 type bridge"),
    (LinkDelete("b7"), "ip link add b7 type veth peer b8; ip link set b7 up"),
    (
        OwnLinksDelete(),
        "ip link add plumb-a type veth peer plumb-b; ip link add plumb-c type bridge",
    ),
    (
        NamespaceDelete("n7"),
        "ip netns add n7; ip netns exec n7 sleep 600 >/dev/null 2>&1 & sleep 0.2",
    ),
    (LinkReturn("nic1", "peer", "far", up=True), "ip link set nic1 netns peer name far"),
    (LinkDown("d6"), "ip link set d6 up"),
    (AddressDelete("nic0", "203.0.113.1/24"), "ip address add 203.0.113.1/24 dev nic0"),
    (
        AddressesRestore("nic0", "b6", *CARRIED),
        "ip address flush dev nic0 scope global; ip link set nic0 master b6; ip link set b6 up; "
        "ip address add 192.0.2.1/24 dev b6; ip route add default via 192.0.2.2",
    ),
    (
        AddressesRestore("nic0", "nic0", *CARRIED),
        "ip address flush dev nic0 scope global; ip address add 192.0.2.77/24 dev nic0",
    ),
    (
        PathReturn("nic0", "b6", *CARRIED),
        "ip address flush dev nic0 scope global; ip link set nic0 master b6; ip link set b6 up; "
        "ip address add 192.0.2.1/24 dev b6; ip route add default via 192.0.2.2",
    ),
    (
        PathReturn("nic0", "b6", *CARRIED),
        "ip link set nic0 master b6; ip address add 192.0.2.1/24 dev b6",
    ),
    (PathReturn("nic0", "b7", *CARRIED), "ip address flush dev nic0 scope global"),
    (RouteDelete("203.0.113.0/24", "192.0.2.2"), "ip route add 203.0.113.0/24 via 192.0.2.2"),
    (NetworkRemove("n7"), DEFINE.format(NETWORK.format("n7"), "net-create")),
    (
        NetworkRemove("n7"),
        DEFINE.format(NETWORK.format("n7"), "net-define") + "; virsh net-start n7; "
        "virsh net-autostart n7",
    ),
    (NetworkRestore("n6", N6, active=True, autostart=True), "virsh net-autostart n6 --disable"),
    (NetworkRestore("n6", N6, active=True, autostart=True), "virsh net-destroy n6"),
    (
        NetworkRestore("n6", N6, active=True, autostart=True),
        "virsh net-destroy n6; virsh net-undefine n6",
    ),
    (
        NetworkRestore("n6", N6, active=True, autostart=True),
        "virsh net-destroy n6; virsh net-undefine n6; "
        + DEFINE.format(NETWORK.format("n6"), "net-create"),
    ),
    (DomainRemove("d7"), DEFINE.format(DOMAIN.format("d7"), "define")),
    (DomainRemove("d7"), DEFINE.format(DOMAIN.format("d7"), "create")),
    (OwnObjectsRemove(), DEFINE.format(DOMAIN.format("plumb-d"), "define")),
    (OvsBridgeDelete("b7"), "ovs-vsctl add-br b7 -- set bridge b7 datapath_type=netdev"),
    (OvsPortDelete("ovs0", "p7"), "ovs-vsctl add-port ovs0 p7 -- set interface p7 type=internal"),
    (OvsRowsDestroy("QoS"), "ovs-vsctl create qos type=linux-htb external_ids:plumbline=run"),
    (IptablesRuleDelete("iptables", "filter", RULE), f"iptables -I {' '.join(RULE)}"),
    (
        FilterRuleDelete(("iptables", "-w"), ("FORWARD", "-i", "nic0", "-j", "DROP")),
        "for _ in 1 2; do iptables -I FORWARD -i nic0 -j DROP; done",
    ),
    (IptablesPolicy("iptables", "FORWARD", "ACCEPT"), "iptables -P FORWARD DROP"),
    (
        NftRulesDelete("inet", "site", "c"),
        "nft insert rule inet site c iifname nic0 accept comment '\"plumbline\"'",
    ),
    (SysctlRestore("net.ipv4.ip_forward", "0"), "sysctl -w net.ipv4.ip_forward=1"),
    (FileRestore("/etc/resolv.conf", ""), "echo nameserver 192.0.2.9 >/etc/resolv.conf"),
    (FileRestore("/etc/resolv.conf", ""), "rm /etc/resolv.conf; ln -s /run/x /etc/resolv.conf"),
    (
        KeepingFileRemove("/run/managers/plumbline.conf", ("test", "!", "-e", "/run/managers/x")),
        "mkdir -p /run/managers; echo '[keyfile]' >/run/managers/plumbline.conf",
    ),
    (EmptyFolderRemove("/run/managers7"), "mkdir /run/managers7"),
    (FolderRemove("/run/plumbline/more"), "mkdir -p /run/plumbline/more/deep"),
    (
        DhcpClientStop("/run/d7.pid", ("/etc/dhcp/d7.conf",)),
        "cp /bin/sleep /run/dhclient; /run/dhclient 600 >/dev/null 2>&1 & "
        "echo $! >/run/d7.pid; touch /etc/dhcp/d7.conf; sleep 0.2",
    ),
]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with (
        sandbox(cache_dir() / "libvirt-capabilities") as made,
        namespace_machine(made, "peer") as peer,
        cable(made, "nic0", peer, "eth0"),
        cable(made, "nic1", peer, "eth1"),
    ):
        made.run(["sh", "-ec", SITE])
        network = made.libvirt.networkDefineXML(N6)
        network.setAutostart(1)
        network.create()
        yield made


def taken_back(host: Host, undo: Undo) -> str:
    argv = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-P", "-c", TAKE_BACK]
    return host.run([*argv, json.dumps(undo.as_entry())], deadline_s=60).stdout


@pytest.mark.host
@pytest.mark.parametrize(
    ("undo", "change"), CHANGES, ids=[f"{undo.kind} {n}" for n, (undo, _) in enumerate(CHANGES)]
)
def test_a_change_is_taken_back_once_and_is_then_left_alone(
    host: Host, undo: Undo, change: str
) -> None:
    before = host_snapshot(host)
    # One that was written down and not made.
    assert taken_back(host, undo) == ""
    host.run(["sh", "-ec", change])
    assert taken_back(host, undo) != ""
    assert taken_back(host, undo) == ""
    left = poll(
        lambda: differences(before, host_snapshot(host)),
        lambda seen: not seen,
        deadline_s=SETTLED_DEADLINE_S,
    )
    assert left == []


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "gone before its reload"])
def test_a_manager_reads_its_files_anew_when_the_runs_is_gone(
    tmp_path: Path, is_there: bool
) -> None:
    file, read = tmp_path / "plumbline.conf", tmp_path / "read"
    if is_there:
        file.touch()
    undo = KeepingFileRemove(str(file), ("sh", "-c", f"test ! -e {file} && touch {read}"))
    assert list(undo.take_back()) == ([str(file)] if is_there else [])
    assert read.exists()


@pytest.mark.host
@pytest.mark.parametrize("killed", [None, "before its file", "before its folder"])
def test_folders_that_a_managers_file_needs_go_with_it(host: Host, killed: str | None) -> None:
    top = "/run/manager8"
    files = [
        KeepingFile("manager", f"{top}/conf.d/{name}", "text", ("true",), "")
        for name in ("one.conf", "two.conf")
    ]
    undos = keeping_undos(host, files)
    if killed is None:
        keep_from_managers(host, files)
    elif killed == "before its file":
        host.run(["mkdir", "-p", f"{top}/conf.d"])
    for undo in reversed(undos):
        taken_back(host, undo)
    assert not host.seen(top).exists()
    assert [taken_back(host, undo) for undo in reversed(undos)] == [""] * len(undos)


@pytest.mark.host
def test_a_folder_that_was_there_before_a_managers_file_stays(host: Host) -> None:
    folder = "/run/manager9"
    host.run(["mkdir", folder])
    file = KeepingFile("manager", f"{folder}/plumbline.conf", "text", ("true",), "")
    undos = keeping_undos(host, [file])
    keep_from_managers(host, [file])
    assert [taken_back(host, undo) for undo in reversed(undos)] == [f"{file.path}\n"]
    assert host.seen(folder).exists()
    host.run(["rmdir", folder])


def test_a_folder_with_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "site.conf").touch()
    assert list(EmptyFolderRemove(str(folder)).take_back()) == []
    assert (folder / "site.conf").exists()


@pytest.mark.host
def test_rules_of_the_site_stay(host: Host) -> None:
    own = ["FORWARD", "-i", "nic0", "-j", "ACCEPT"]
    host.run(["iptables", "-A", *own])
    host.run(["nft", "add", "rule", "inet", "site", "c", "iifname", "nic0", "accept"])
    before = host_snapshot(host)
    assert taken_back(host, IptablesRuleDelete("iptables", "filter", RULE)) == ""
    assert taken_back(host, NftRulesDelete("inet", "site", "c")) == ""
    assert differences(before, host_snapshot(host)) == []
    host.run(["iptables", "-D", *own])
    host.run(["nft", "flush", "chain", "inet", "site", "c"])


@pytest.mark.host
@pytest.mark.parametrize("undo", [DomainRemove("plumb1-kvm1"), OwnObjectsRemove()], ids=str)
def test_folders_that_a_power_cut_left_of_a_guest_are_removed(host: Host, undo: Undo) -> None:
    own = ("domain-3-plumb1-kvm1", "channel/target/domain-3-plumb1-kvm1")
    foreign = ("domain-4-site", "channel/target/domain-4-site", "domain-list")
    places = [Path("/var/lib/libvirt/qemu", name) for name in (*own, *foreign)]
    host.run(["mkdir", "-p", *map(str, places)])
    assert taken_back(host, undo).splitlines() == [str(place) for place in places[:2]]
    assert [place for place in places if host.seen(place).exists()] == places[2:]
    host.run(["rm", "-r", *map(str, places[2:])])


KIND = operator.attrgetter("kind")
NIC = NicRestore("0000:01:00.0", "enp1s0", up=True, functions=0, given="192.168.1.2/24")
ZONE = ZoneLeave("virbr7")


@pytest.mark.parametrize(
    "undo",
    {undo.kind: undo for undo in (*(undo for undo, _ in CHANGES), NIC, ZONE)}.values(),
    ids=KIND,
)
def test_an_entry_is_read_as_it_was_written(undo: Undo) -> None:
    assert undo_of(json.loads(json.dumps(undo.as_entry()))) == undo


def test_each_kind_is_tried() -> None:
    # A NIC's is tried in a lab, which has one (tests/test_local.py), firewalld's in a staged host.
    assert {undo.kind for undo, _ in CHANGES} == set(KINDS) - {NIC.kind, ZONE.kind}


@pytest.mark.staged
def test_a_destroyed_network_leaves_firewalld() -> None:
    """The libvirt 9.0 of Debian 12 leaves its bridge in firewalld's zone."""
    profile = replace(load("firewalld"), bystander="")
    made = (
        DEFINE.format(NETWORK.format(ZONE.link), "net-create") + f"; virsh net-destroy {ZONE.link}"
    )
    asked = f"firewall-cmd --get-zone-of-interface={ZONE.link}"
    with staged("bookworm", profile, []) as host:

        def said(*argv: str) -> str:
            return host.capture(argv, VARIABLES | {"PYTHONPATH": str(ROOT)}).stdout.strip()

        entry = ("python3", "-P", "-c", TAKE_BACK, json.dumps(ZONE.as_entry()))
        assert said(*entry) == ""
        said("sh", "-ec", made)
        assert said("sh", "-c", asked) == "libvirt"
        assert said(*entry) == f"{ZONE.link} in firewalld's zone libvirt"
        assert said("sh", "-c", asked) == "no zone"
        assert said(*entry) == ""
