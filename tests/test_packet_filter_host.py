# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of a host, read back from every tool that wrote some, and lifted for a control."""

from collections.abc import Iterator

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.host_rules import linked_networks, local_addresses, read_rules
from fixtures.packet_filter.questions import (
    decide,
    dropped_by,
    inwards,
    outwards,
    outwards_connections,
    surroundings,
)
from fixtures.packet_filter.spans import Spans
from fixtures.probe.forward_bypass import forward_bypass
from fixtures.waiting import poll
from tests.filtered import AROUND, SUBNET

pytestmark = pytest.mark.host

TABLES = """nft add table inet f
nft add chain inet f x '{ type filter hook forward priority 5; policy drop; }'
nft add rule inet f x tcp dport '{ 22, 80-90 }' drop"""
LEGACY = "iptables-legacy -A FORWARD -o virbr1 -j DROP"
NFT_VARIANT = "iptables -A FORWARD -i virbr1 -j REJECT"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox() as made:
        yield made


def shell(host: Host, command: str) -> None:
    host.run(["sh", "-ec", command])


def let_in(host: Host) -> str:
    rules = read_rules(host, IPV4)
    return decide(inwards(rules, AROUND), rules, _through)


def let_out(host: Host) -> str:
    rules = read_rules(host, IPV4)
    return decide(outwards(rules, AROUND, stops=True), rules, _through)


def _through(flow: Flow) -> str:
    return "" if flow.fate == "dropped" else "gets through"


@pytest.fixture
def closed(host: Host) -> Iterator[Host]:
    """A host on which three tools keep a drop each."""
    if host.run(["sh", "-c", "command -v iptables-legacy"], check=False).status:
        pytest.skip("this machine has one variant of iptables")
    for command in (TABLES, LEGACY, NFT_VARIANT):
        shell(host, command)
    yield host
    shell(host, f"nft delete table inet f; {LEGACY.replace('-A', '-D')}")
    shell(host, NFT_VARIANT.replace("-A", "-D"))


def test_every_tool_is_read_and_no_table_twice(closed: Host) -> None:
    rules = read_rules(closed, IPV4)
    forward = [(base.table.tool, base.table.name, base.policy) for base in rules.at("forward")]
    assert sorted(forward) == [
        ("iptables-legacy", "filter", "accept"),
        ("iptables-nft", "filter", "accept"),
        ("nft", "f", "drop"),
    ]
    assert rules.at("forward")[-1].table.name == "f"
    assert "-A FORWARD -o virbr1 -j DROP" in str(rules)
    assert "x: tcp dport { 22, 80-90 } drop" in str(rules)


def test_the_obstacle_is_lifted_in_every_chain_and_back(closed: Host) -> None:
    before = read_rules(closed, IPV4)
    assert not let_in(closed)
    assert not let_out(closed)
    with forward_bypass(closed, "virbr1", before):
        assert let_in(closed)
        assert let_out(closed)
    assert str(read_rules(closed, IPV4)) == str(before)


OWNED = """(echo 'add table inet o { flags owner; }'
echo 'add chain inet o x { type filter hook forward priority 0; policy drop; }'
exec sleep 60) | nft -i"""


def test_a_chain_that_takes_no_rule_is_told(host: Host) -> None:
    with host.background(["sh", "-c", OWNED]):
        rules = poll(
            lambda: read_rules(host, IPV4), lambda seen: "inet o" in str(seen), deadline_s=10
        )
        with forward_bypass(host, "virbr1", rules) as refused:
            assert not let_in(host)
    [said] = refused
    assert "inet o, chain x takes no rule: Error: Could not process rule: Operation" in said


def test_a_sites_table_masquerades(host: Host) -> None:
    shell(host, "nft add table ip s")
    shell(host, "nft add chain ip s n '{ type nat hook postrouting priority 110; }'")
    shell(host, f"nft add rule ip s n ip saddr {SUBNET} masquerade")
    try:
        rules = read_rules(host, IPV4)
        flows = outwards(rules, AROUND, stops=False)
        assert decide(flows, rules, lambda flow: flow.translator)
    finally:
        shell(host, "nft delete table ip s")


def test_a_hosts_own_addresses(host: Host) -> None:
    shell(host, "ip link add one type veth peer name two; ip address add 192.0.2.9/24 dev one")
    try:
        local = local_addresses(host, IPV4)
        linked = linked_networks(host, IPV4)["one"]
        assert int(IPV4.network("192.0.2.9").network_address) in local
        assert int(IPV4.network("192.0.2.8").network_address) not in local
        assert int(IPV4.network("192.0.2.8").network_address) in linked
        seen = [
            surroundings(host, IPV4, "virbr1", SUBNET, uplink).elsewhere
            for uplink in ("one", "two")
        ]
        assert [bool(linked & elsewhere) for elsewhere in seen] == [False, True]
    finally:
        shell(host, "ip link delete one")


def test_a_route_leads_to_a_network_beyond_a_link(host: Host) -> None:
    shell(host, "ip link add one type veth peer name two; ip link set one up; ip link set two up")
    shell(host, "ip address add 192.0.2.9/24 dev one; ip address add 192.0.3.9/24 dev two")
    shell(host, "ip route add 198.51.100.0/24 via 192.0.2.1")
    shell(host, "ip route add 198.51.0.0/16 via 192.0.3.1; ip route add 198.51.100.8/30 dev two")
    shell(host, "ip route add 203.0.112.0/24 nexthop via 192.0.2.1 nexthop via 192.0.2.2")
    try:
        by_two = surroundings(host, IPV4, "virbr1", SUBNET, "two")
        wanted = IPV4.network("198.51.100.0/24"), IPV4.network("203.0.112.0/24")
        own = Spans.networks([IPV4.network("198.51.100.8/30")])
        beyond = Spans.networks(wanted) - own
        assert not beyond - by_two.beyond
        assert not own & by_two.beyond
        # The outside may send from there: the rules are asked about it all the same.
        assert not beyond & by_two.elsewhere
    finally:
        shell(host, "ip link delete one")


def test_a_rule_for_another_machines_port_is_not_about_the_guests(host: Host) -> None:
    shell(host, "ip link add virbr1 type bridge")
    for name in ("tap-one", "tap-two"):
        shell(host, f"ip tuntap add dev {name} mode tap; ip link set {name} master virbr1")
    shell(host, "nft add table bridge s")
    shell(host, "nft add chain bridge s in '{ type filter hook prerouting priority -300; }'")
    shell(host, "nft add rule bridge s in iifname tap-two tcp dport 25 drop")
    try:
        for ports in ({}, {"virbr1": ("tap-two",)}):
            rules = read_rules(host, IPV4, ports)
            with pytest.raises(Inconclusive, match="tap-two"):
                decide(outwards_connections(rules, AROUND), rules, dropped_by)
        rules = read_rules(host, IPV4, {"virbr1": ("tap-one",)})
        assert decide(outwards_connections(rules, AROUND), rules, dropped_by) == ""
    finally:
        shell(host, "nft delete table bridge s; ip link delete tap-one; ip link delete tap-two")
        shell(host, "ip link delete virbr1")
