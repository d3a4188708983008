# SPDX-License-Identifier: GPL-2.0-or-later
"""The snapshot of a host: equal when nothing was done, and each kind of change is seen in it."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fixtures.host.host import Host
from fixtures.host.links import add_address, cable, namespace_machine, set_up
from fixtures.host.sandbox import sandbox
from fixtures.host.snapshot.asked import Listings, SnapshotFailed, ThisMachine, answer
from fixtures.host.snapshot.host_snapshot import differences, host_snapshot
from fixtures.host.snapshot.libvirt_objects import still_xml
from fixtures.host.snapshot.links import UNKNOWN
from fixtures.host.snapshot.normalisations import (
    COLUMNS,
    FLAGS,
    KEYS,
    PROCESSES,
    ROUTES,
    TEXT,
    XML,
    flattened,
    still,
    without,
)
from fixtures.host.snapshot.packet_filters import listed_rules, saved_rules
from fixtures.switch import libvirt_network
from fixtures.switch.linux_bridge import linux_bridge
from fixtures.switch.ovs_bridge import ovs_bridge
from fixtures.waiting import poll
from launcher.cache import cache_dir

NETWORK = """\
<network><name>site</name><bridge name='site0'/>
<ip address='198.51.100.1' netmask='255.255.255.0'>
<dhcp><range start='198.51.100.9' end='198.51.100.20'/></dhcp></ip></network>
"""
MAC = "52:54:00:00:00:77"
LEASE = f"\"<host mac='{MAC}' ip='198.51.100.7'/>\" --config"
UPDATE = "virsh net-update site"
# A server ends a moment after its network.
SETTLED_DEADLINE_S = 10.0


class Change(NamedTuple):
    """A change of a host by hand.

    Attributes:
        apply: shell commands.
        undo: those that take it back.
        shown: a part of the line that shows it.
    """

    apply: str
    undo: str
    shown: str


CHANGES = {
    "MTU": Change("ip link set nic0 mtu 1400", "ip link set nic0 mtu 1500", "nic0 mtu 1400"),
    "link down": Change("ip link set nic0 down", "ip link set nic0 up", "nic0 flags"),
    "promiscuous": Change("ip link set br0 promisc on", "ip link set br0 promisc off", "PROMISC"),
    "new link": Change("ip link add b7 type bridge", "ip link del b7", "b7 linkinfo info_kind"),
    "port leaves": Change("ip link set nic0 nomaster", "ip link set nic0 master br0", "master br0"),
    "address": Change(
        "ip address add 203.0.113.1/24 dev br0",
        "ip address del 203.0.113.1/24 dev br0",
        "br0 inet 203.0.113.1/24",
    ),
    "route": Change(
        "ip route add 203.0.113.0/24 via 192.0.2.9",
        "ip route del 203.0.113.0/24",
        "203.0.113.0/24 via 192.0.2.9",
    ),
    "route of another table": Change(
        "ip route add 203.0.113.0/24 dev br0 table 77", "ip route flush table 77", "table 77"
    ),
    "IPv6 route": Change(
        "ip -6 route add 2001:db8:9::/48 dev br0",
        "ip -6 route del 2001:db8:9::/48 dev br0",
        "2001:db8:9::/48 dev br0",
    ),
    "policy rule": Change(
        "ip rule add from 203.0.113.1 table 77",
        "ip rule del from 203.0.113.1 table 77",
        "from 203.0.113.1 lookup 77",
    ),
    "sysctl": Change(
        "sysctl -w net.ipv4.conf.all.log_martians=1",
        "sysctl -w net.ipv4.conf.all.log_martians=0",
        "net.ipv4.conf.all.log_martians = 1",
    ),
    "ageing of a bridge": Change(
        "ip link set br0 type bridge ageing_time 1000",
        "ip link set br0 type bridge ageing_time 30000",
        "ageing_time 1000",
    ),
    "priority of a bridge": Change(
        "ip link set br0 type bridge priority 7",
        "ip link set br0 type bridge priority 32768",
        "priority 7",
    ),
    "learning of a port": Change(
        "bridge link set dev nic0 learning off", "bridge link set dev nic0 learning on", "learning"
    ),
    "fixed address": Change(
        f"bridge fdb add {MAC} dev nic0 master static", f"bridge fdb del {MAC} dev nic0 master", MAC
    ),
    "permanent neighbour": Change(
        f"ip neigh add 192.0.2.9 lladdr {MAC} dev br0", "ip neigh del 192.0.2.9 dev br0", MAC
    ),
    "queueing discipline": Change(
        "tc qdisc add dev nic0 root pfifo limit 7", "tc qdisc del dev nic0 root", "pfifo"
    ),
    "namespace": Change("ip netns add more", "ip netns del more", "more"),
    "OVS bridge": Change("ovs-vsctl add-br b7", "ovs-vsctl del-br b7", "b7 "),
    "OVS option": Change(
        "ovs-vsctl set bridge ovs0 other_config:mac-aging-time=77",
        "ovs-vsctl remove bridge ovs0 other_config mac-aging-time",
        "ovs0 other_config mac-aging-time 77",
    ),
    "OVS tag": Change("ovs-vsctl set port ovs0 tag=7", "ovs-vsctl clear port ovs0 tag", "tag 7"),
    "OVS flow": Change(
        "ovs-ofctl add-flow ovs0 priority=7,actions=drop",
        "ovs-ofctl --strict del-flows ovs0 priority=7",
        "priority=7 actions=drop",
    ),
    "OVS row": Change(
        "ovs-vsctl create qos type=linux-htb", "ovs-vsctl --all destroy qos", "linux-htb"
    ),
    "iptables rule": Change(
        "iptables -A FORWARD -i br0 -j DROP",
        "iptables -D FORWARD -i br0 -j DROP",
        "-A FORWARD -i br0 -j DROP",
    ),
    "iptables policy": Change(
        "iptables -P FORWARD DROP", "iptables -P FORWARD ACCEPT", "filter :FORWARD DROP"
    ),
    "iptables chain": Change("iptables -N SITE", "iptables -X SITE", "filter :SITE -"),
    "nft table": Change("nft add table inet site", "nft delete table inet site", "site"),
    "nft rule": Change(
        "nft add table inet s; nft add chain inet s c; nft add rule inet s c drop",
        "nft delete table inet s",
        "table inet s chain c rule",
    ),
    "network off": Change("virsh net-destroy site", "virsh net-start site", "Active: no"),
    "network autostart": Change(
        "virsh net-autostart site", "virsh net-autostart site --disable", "Autostart: yes"
    ),
    "network XML": Change(
        f"{UPDATE} add ip-dhcp-host {LEASE}", f"{UPDATE} delete ip-dhcp-host {LEASE}", MAC
    ),
    "name server": Change(
        "echo nameserver 192.0.2.9 >/etc/resolv.conf", ": >/etc/resolv.conf", "/etc/resolv.conf"
    ),
    "DHCP server": Change(
        "kill $(cat /run/libvirt/network/site.pid)",
        "virsh net-destroy site; virsh net-start site",
        "dnsmasq",
    ),
}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A host with a bridge, a port, an Open vSwitch bridge and a network of libvirt's."""
    with (
        sandbox(cache_dir() / "libvirt-capabilities") as made,
        namespace_machine(made, "peer") as peer,
        linux_bridge(made, "br0") as bridge,
        cable(made, "nic0", peer, "eth0"),
        ovs_bridge(made, "ovs0"),
        libvirt_network.defined(made, NETWORK) as network,
    ):
        network.create()
        bridge.attach("nic0")
        set_up(made, "br0")
        add_address(made, "br0", "192.0.2.1/24")
        add_address(peer, "eth0", "192.0.2.2/24")
        yield made


def changed_lines(before: Listings, after: Listings) -> list[str]:
    return [
        line
        for line in differences(before, after)
        if line[0] in "+-" and not line.startswith(("+++", "---"))
    ]


@pytest.mark.host
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_and_so_is_that_it_was_taken_back(host: Host, change: Change) -> None:
    before = host_snapshot(host)
    host.run(["sh", "-ec", change.apply])
    shown = poll(lambda: changed_lines(before, host_snapshot(host)), deadline_s=SETTLED_DEADLINE_S)
    assert any(change.shown in line for line in shown), shown
    host.run(["sh", "-ec", change.undo])
    left = poll(
        lambda: differences(before, host_snapshot(host)),
        lambda seen: not seen,
        deadline_s=SETTLED_DEADLINE_S,
    )
    assert left == []


@pytest.mark.host
def test_what_moves_by_itself_is_no_difference(host: Host) -> None:
    before = host_snapshot(host)
    host.run(["iptables", "-A", "INPUT", "-p", "icmp"])
    counted = host_snapshot(host)
    # Counters, learnt addresses, neighbours.
    host.run(["ping", "-c", "3", "-i", "0.01", "192.0.2.2"])
    assert "192.0.2.2" in host.run(["ip", "neigh"]).stdout
    assert differences(counted, host_snapshot(host)) == []
    host.run(["iptables", "-D", "INPUT", "-p", "icmp"])
    # iptables has made its table meanwhile, libvirt its chains: they do nothing.
    assert differences(before, host_snapshot(host)) == []


@pytest.mark.host
def test_what_a_queueing_discipline_counts_is_no_difference(host: Host) -> None:
    # As libvirt's nftables backend makes it on each of its bridges, for checksums of DHCP.
    host.run(["tc", "qdisc", "add", "dev", "br0", "root", "handle", "1:", "htb", "default", "2"])
    try:
        before = host_snapshot(host)
        host.run(["ping", "-c", "3", "-i", "0.01", "192.0.2.2"])
        counted = host.run(["tc", "qdisc", "show", "dev", "br0"]).stdout
        assert "direct_packets_stat 0" not in counted
        assert differences(before, host_snapshot(host)) == []
    finally:
        host.run(["tc", "qdisc", "del", "dev", "br0", "root"])


@pytest.mark.host
def test_the_first_port_of_a_bridge_leaves_no_difference(host: Host) -> None:
    # With a MAC of its own, as libvirt's and udev's have one: others take over their ports'.
    mac = ["address", "52:54:00:0e:0e:0e"]
    host.run(["ip", "link", "add", "empty0", *mac, "up", "type", "bridge"])
    try:
        before = host_snapshot(host)
        host.run(["ip", "tuntap", "add", "tap0", "mode", "tap"])
        host.run(["ip", "link", "set", "tap0", "up", "master", "empty0"])
        assert differences(before, host_snapshot(host))
        host.run(["ip", "link", "delete", "tap0"])
        assert differences(before, host_snapshot(host)) == []
    finally:
        host.run(["ip", "link", "delete", "empty0"])


@pytest.mark.host
def test_first_use_of_libvirt_and_iptables_is_no_difference() -> None:
    with sandbox(cache_dir() / "libvirt-capabilities") as fresh:
        before = host_snapshot(fresh)
        with libvirt_network.defined(fresh, NETWORK) as network:
            network.create()
            assert differences(before, host_snapshot(fresh))
        fresh.run(["sysctl", "-w", "net.ipv4.ip_forward=0"])
        left = poll(
            lambda: differences(before, host_snapshot(fresh)),
            lambda seen: not seen,
            deadline_s=SETTLED_DEADLINE_S,
        )
        assert left == []
        assert "LIBVIRT_FWO" in fresh.run(["iptables-save"]).stdout


@pytest.mark.host
def test_it_is_kept_as_json(host: Host) -> None:
    taken = host_snapshot(host)
    assert json.loads(json.dumps(taken)) == taken
    assert all(isinstance(line, str) for lines in taken.values() for line in lines)


SAVED = """\
# Generated by iptables-save v1.8.9 (nf_tables) on Sun Nov 29 12:00:00 2026
*filter
:INPUT ACCEPT [12:34]
:FORWARD ACCEPT [0:0]
:LIBVIRT_INP - [0:0]
:SITE - [0:0]
[3:400] -A INPUT -j LIBVIRT_INP
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
COMMIT
"""


def test_chains_of_libvirt_and_iptables_without_rules_do_nothing() -> None:
    assert saved_rules(SAVED.replace("[3:400] ", "")) == ["filter :SITE -"]


def test_a_chain_of_libvirt_with_a_rule_counts_and_so_does_the_jump_to_it() -> None:
    rule = "-A LIBVIRT_INP -i virbr0 -p udp --dport 53 -j ACCEPT"
    text = SAVED.replace("[3:400] ", "").replace("COMMIT\n*nat", f"{rule}\nCOMMIT\n*nat")
    assert saved_rules(text) == [
        "filter :INPUT ACCEPT",
        "filter :LIBVIRT_INP -",
        "filter :SITE -",
        "filter -A INPUT -j LIBVIRT_INP",
        f"filter {rule}",
    ]


def ruleset(policy: str, *expressions: Any) -> list[dict[str, Any]]:
    chain = {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1}
    rule = {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 7}
    libvirt = {"family": "ip", "table": "filter", "name": "LIBVIRT_FWO", "handle": 9}
    return [
        {"metainfo": {"version": "1.0.6"}},
        {"table": {"family": "ip", "name": "filter", "handle": 3}},
        {"chain": {**chain, "type": "filter", "hook": "forward", "prio": 0, "policy": policy}},
        {"chain": libvirt},
        *({"rule": {**rule, "expr": [each]}} for each in expressions),
    ]


JUMP = {"jump": {"target": "LIBVIRT_FWO"}}


def test_what_does_nothing_is_not_listed_of_nft() -> None:
    assert listed_rules(ruleset("accept")) == []
    assert listed_rules(ruleset("accept", JUMP)) == []
    assert len(listed_rules(ruleset("drop"))) == 2
    dropping = listed_rules(ruleset("accept", {"drop": None}, JUMP))
    assert [line.partition(" {")[0] for line in dropping] == [
        "table ip filter chain FORWARD rule 0000",
        "table ip filter chain FORWARD",
        "table",
    ]


def test_the_order_of_rules_counts_and_that_of_tables_does_not() -> None:
    accept, drop = {"accept": None}, {"drop": None}
    one, other = ruleset("accept", accept, drop), ruleset("accept", drop, accept)
    assert listed_rules(one) != listed_rules(other)
    more = [{"table": {"family": "inet", "name": name, "handle": 1}} for name in ("a", "b")]
    assert listed_rules(more) == listed_rules(more[::-1])


def test_entries_that_packets_make_are_no_difference() -> None:
    members = {"family": "inet", "table": "site", "name": "seen", "type": "ipv4_addr", "handle": 2}
    fixed = [{"set": {**members, "elem": ["192.0.2.1"]}}]
    moving = copy.deepcopy(fixed)
    moving[0]["set"]["flags"] = ["timeout"]
    assert "192.0.2.1" in listed_rules(fixed)[0]
    assert "192.0.2.1" not in listed_rules(moving)[0]


OWN = "local fd00::/64 dev lo table 9 metric 1024"
LOCAL = "local 10.0.0.1 dev br0 table local proto kernel scope host"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("default via 192.0.2.9 dev eth0 linkdown", ["default via 192.0.2.9 dev eth0"]),
        ("fe80::/64 dev br0 proto kernel metric 256", []),
        ("multicast ff00::/8 dev br0 table local", []),
        ("2001:db8::/64 dev eth0 proto ra expires 77sec", ["2001:db8::/64 dev eth0 proto ra"]),
        ("local fd00::1 dev br0 table local proto kernel metric 0 pref medium", []),
        ("anycast fd00:: dev br0 table local proto kernel metric 0 pref medium", []),
        # Somebody's own, and one of IPv4, which is there with its address.
        (OWN, [OWN]),
        (LOCAL, [LOCAL]),
        # A gateway may be link-local.
        ("default via fe80::1 dev eth0", ["default via fe80::1 dev eth0"]),
    ],
)
def test_a_route_without_what_moves(text: str, kept: list[str]) -> None:
    assert without(text, ROUTES) == kept


DOMAIN = """\
<domain type='kvm' id='3'>
  <currentMemory unit='KiB'>7</currentMemory>
  <devices><controller type='usb' model='none'><alias name='usb'/></controller>
  <disk><alias name='ua-site'/></disk></devices>
</domain>
"""


def test_xml_without_what_moves() -> None:
    assert still_xml("<network connections='2'><name>n</name></network>") == [
        "<network>",
        "  <name>n</name>",
        "</network>",
    ]
    # As libvirt shows it once it was restarted.
    restarted = DOMAIN.replace("'3'", "'4'").replace(
        "'none'><alias name='usb'/></controller>", "'none'/>"
    )
    assert still_xml(DOMAIN) == still_xml(restarted)
    assert any("ua-site" in line for line in still_xml(DOMAIN))
    assert still_xml(DOMAIN) != still_xml(DOMAIN.replace("usb", "pci"))


def test_processes_without_what_moves() -> None:
    assert without("libvirtd --timeout 120\nlibvirtd\n[kworker/0:1]", PROCESSES) == ["libvirtd"]


@pytest.mark.parametrize("moving", [*KEYS, *COLUMNS, *FLAGS, *TEXT, *ROUTES, *XML, *PROCESSES])
def test_each_normalisation_gives_its_reason(moving: Any) -> None:
    assert len(moving.reason.split()) > 2


def test_an_ageing_time_that_the_kernel_does_not_show_is_not_compared() -> None:
    known = {"links": ["br0 ageing_time 30000", "br0 mtu 1500"]}
    hidden = {"links": [f"br0 ageing_time {UNKNOWN}", "br0 mtu 1500"]}
    assert differences(known, hidden) == []
    assert differences(known, {"links": ["br0 ageing_time 1000", "br0 mtu 1500"]})


def test_the_groups_of_a_port_are_forgotten_and_their_limit_is_not() -> None:
    port = {"mcast_n_groups": 1, "mcast_max_groups": 4}
    assert list(flattened("vnet0", still(port))) == ["vnet0 mcast_max_groups 4"]


def test_a_listing_that_is_gone_or_new_is_a_difference() -> None:
    assert "-net0" in differences({"network net0": ["net0"]}, {})
    assert "+net0" in differences({}, {"network net0": ["net0"]})


def test_a_host_without_a_program_is_asked_for_the_rest(tmp_path: Path) -> None:
    machine = ThisMachine()
    assert answer(machine, "no-such-program-here", "list") is None
    with pytest.raises(SnapshotFailed, match="ended with status 1"):
        answer(machine, "false")
    assert not list(tmp_path.iterdir())
