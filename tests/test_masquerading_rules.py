# SPDX-License-Identifier: GPL-2.0-or-later
"""What masquerading rules mean, for both backends: every class of packets, not one of each."""

import json
from ipaddress import IPv6Address
from typing import Any

import pytest

from contracts.address_family import IPV4, IPV6
from fixtures.errors import Inconclusive
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.iptables_reader import parse_iptables
from fixtures.packet_filter.iptables_targets import actions_of
from fixtures.packet_filter.nft_reader import parse_nft
from fixtures.packet_filter.packets import OCTET, PROTOCOLS
from fixtures.packet_filter.questions import decide, on_the_link, outwards
from fixtures.packet_filter.ruleset import BaseChain, Ruleset
from fixtures.packet_filter.spans import Spans
from tests.filtered import AROUND, LOCAL, iptables, nft

# libvirt 9.0's rules for a NAT network on 10.10.10.0/24.
IPTABLES = """\
*nat
:POSTROUTING ACCEPT [0:0]
:LIBVIRT_PRT - [0:0]
-A POSTROUTING -j LIBVIRT_PRT
-A LIBVIRT_PRT -s 10.10.10.0/24 -d 224.0.0.0/24 -j RETURN
-A LIBVIRT_PRT -s 10.10.10.0/24 -d 255.255.255.255/32 -j RETURN
-A LIBVIRT_PRT -s 10.10.10.0/24 ! -d 10.10.10.0/24 -p tcp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s 10.10.10.0/24 ! -d 10.10.10.0/24 -p udp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s 10.10.10.0/24 ! -d 10.10.10.0/24 -j MASQUERADE
COMMIT
"""


def match(field: str, op: str, right: Any) -> dict[str, Any]:
    return {
        "match": {
            "op": op,
            "left": {"payload": {"protocol": "ip", "field": field}},
            "right": right,
        }
    }


def nft_rule(*expressions: dict[str, Any], chain: str = "guest_nat") -> dict[str, Any]:
    rule = {"family": "ip", "table": "libvirt_network", "chain": chain, "expr": list(expressions)}
    return {"rule": rule}


TABLE = {"table": {"family": "ip", "name": "libvirt_network"}}
BASE = {
    "chain": {
        "family": "ip",
        "table": "libvirt_network",
        "name": "postrouting",
        "type": "nat",
        "hook": "postrouting",
        "prio": 100,
        "policy": "accept",
    }
}
SUBNET = {"prefix": {"addr": "10.10.10.0", "len": 24}}
MULTICAST = {"prefix": {"addr": "224.0.0.0", "len": 24}}
# The same as libvirt 11 writes it with its nftables backend.
NFT = json.dumps(
    {
        "nftables": [
            {"metainfo": {"version": "1.0.6"}},
            TABLE,
            BASE,
            {"chain": {"family": "ip", "table": "libvirt_network", "name": "guest_nat"}},
            nft_rule({"counter": None}, {"jump": {"target": "guest_nat"}}, chain="postrouting"),
            nft_rule(
                match("saddr", "==", SUBNET), match("daddr", "==", MULTICAST), {"return": None}
            ),
            nft_rule(
                match("saddr", "==", SUBNET),
                match("daddr", "==", "255.255.255.255"),
                {"return": None},
            ),
            *(
                nft_rule(
                    {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": proto}},
                    match("saddr", "==", SUBNET),
                    match("daddr", "!=", SUBNET),
                    {"masquerade": {"port": {"range": [1024, 65535]}}},
                )
                for proto in ("tcp", "udp")
            ),
            nft_rule(
                match("saddr", "==", SUBNET), match("daddr", "!=", SUBNET), {"masquerade": None}
            ),
        ]
    }
)
TCP, UDP, ICMP = (Spans.one(PROTOCOLS[name]) for name in ("tcp", "udp", "icmp"))
MAPPED = (1024, 65535)


@pytest.fixture(params=["iptables", "nft"])
def rules(request: pytest.FixtureRequest) -> Ruleset:
    return iptables(IPTABLES) if request.param == "iptables" else nft(NFT)


def without(line: str) -> Ruleset:
    kept = [each for each in IPTABLES.splitlines() if line not in each]
    assert len(kept) < len(IPTABLES.splitlines())
    return iptables("\n".join(kept))


def before(*lines: str) -> Ruleset:
    """Libvirt's rules with a site's in front of them."""
    first = "-A POSTROUTING -j LIBVIRT_PRT"
    return iptables(IPTABLES.replace(first, "\n".join((*lines, first))))


def behind(*lines: str) -> Ruleset:
    return iptables(IPTABLES.replace("COMMIT", "\n".join((*lines, "COMMIT"))))


def mapped_to(rules: Ruleset, protocol: Spans, ports: tuple[int, int] | None) -> str:
    """What is not masqueraded to these ports; "": nothing."""

    def wrong(flow: Flow) -> str:
        return "" if flow.translator and flow.ports == ports else f"not mapped ({flow.ports})"

    return decide(outwards(rules, AROUND, protocol, stops=False), rules, wrong)


def translated(rules: Ruleset, protocol: Spans = OCTET) -> str:
    flows = outwards(rules, AROUND, protocol, stops=False)
    return decide(flows, rules, lambda flow: flow.translator)


def translated_on_the_link(rules: Ruleset) -> str:
    return decide(on_the_link(rules, AROUND), rules, lambda flow: flow.translator)


def test_a_healthy_host(rules: Ruleset) -> None:
    assert not mapped_to(rules, TCP, MAPPED)
    assert not mapped_to(rules, UDP, MAPPED)
    assert not mapped_to(rules, OCTET - TCP - UDP, None)
    assert not translated_on_the_link(rules)


def test_a_rule_is_the_same_after_it_applied() -> None:
    later = NFT.replace('{"counter": null}', '{"counter": {"packets": 3, "bytes": 252}}')
    assert later != NFT
    assert list(nft(later)) == list(nft(NFT))


def test_another_subnet_is_not_masqueraded() -> None:
    assert not translated(iptables(IPTABLES.replace("10.10.10.0/24", "10.10.11.0/24")))


def test_a_missing_return_shows() -> None:
    assert "to 224.0.0.0/24" in translated_on_the_link(without("-d 224.0.0.0/24"))


def test_a_deleted_protocol_falls_to_the_rest() -> None:
    assert "tcp from" in mapped_to(without("-p tcp"), TCP, MAPPED)
    assert not mapped_to(without("-p tcp"), TCP, None)


def test_a_chain_that_nobody_calls_decides_nothing() -> None:
    assert not translated(without("-j LIBVIRT_PRT"))


def test_a_return_in_another_chain_returns_there() -> None:
    saved = IPTABLES.replace(
        "-A POSTROUTING", ":DOCKER - [0:0]\n-A DOCKER -j RETURN\n-A POSTROUTING -j DOCKER\n"
        "-A POSTROUTING", 1
    )  # fmt: skip
    assert not mapped_to(iptables(saved), TCP, MAPPED)


def test_snat_translates_too() -> None:
    saved = "*nat\n:POSTROUTING ACCEPT [0:0]\n{}\nCOMMIT\n"
    rules = iptables(saved.format("-A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 192.0.2.1"))
    assert translated(rules)
    one = iptables(saved.format("-A POSTROUTING -p tcp -j MASQUERADE --to-ports 5000"))
    assert not mapped_to(one, TCP, (5000, 5000))


@pytest.mark.parametrize(
    ("to", "first", "last", "ports"),
    [
        ("fd00::5", "fd00::5", "fd00::5", None),
        ("::5", "::5", "::5", None),
        ("fd00::5-fd00::9", "fd00::5", "fd00::9", None),
        ("[fd00::5]:22", "fd00::5", "fd00::5", (22, 22)),
        ("[fd00::5-fd00::9]:22-30", "fd00::5", "fd00::9", (22, 30)),
    ],
)
def test_ports_of_an_ipv6_translation_are_behind_brackets(
    to: str, first: str, last: str, ports: tuple[int, int] | None
) -> None:
    [action] = actions_of(["-j", "SNAT", "--to-source", to], (), IPV6)
    ends = (int(IPv6Address(first)), int(IPv6Address(last)))
    assert (action.does, action.addresses, action.ports) == ("source", Spans.of(ends), ports)


def test_a_translation_to_ports_alone_is_one_in_each_family() -> None:
    for family in (IPV4, IPV6):
        [action] = actions_of(["-j", "DNAT", "--to-destination", ":22"], (), family)
        assert (action.does, action.addresses, action.ports) == ("destination", None, (22, 22))


def test_a_translation_of_an_unknown_form_is_not_understood() -> None:
    [action] = actions_of(["-j", "SNAT", "--to-source", "elsewhere"], (), IPV4)
    assert action.does == "unread"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("-s 10.10.10.0/24 -d 172.16.0.0/12 -j ACCEPT", "to 172.16.0.0/12 "),
        ("-d 203.0.113.7/32 -p tcp -m tcp --dport 25 -j ACCEPT", "to 203.0.113.7 port 25 "),
        ("-s 10.10.10.77/32 -j RETURN", "tcp from 10.10.10.77 to"),
        ("-m iprange --src-range 10.10.10.7-10.10.10.8 -j ACCEPT", "from 10.10.10.7, 10.10.10.8"),
        ("-p tcp -m multiport --sports 5:9,22 -j ACCEPT", "port 5–9, 22 to"),
        ("-o eth0 -j MASQUERADE", "tcp from"),
    ],
)
def test_what_a_site_puts_in_front_shows_with_its_class(rule: str, told: str) -> None:
    wrong = mapped_to(before(f"-A POSTROUTING {rule}"), TCP, MAPPED)
    assert told in wrong


@pytest.mark.parametrize(
    "rule",
    [
        # docker's, a VPN's, another bridge's, a container network's, and firewalld's
        "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
        "-o tun0 -j MASQUERADE",
        "-s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE",
        "-m addrtype --src-type LOCAL -o docker0 -j MASQUERADE",
        "-m mark --mark 0x40000/0xff0000 -j MASQUERADE",
        "-m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-m set --match-set foreign src -s 172.20.0.0/16 -j ACCEPT",
    ],
)
def test_what_a_healthy_host_has_beside_it_changes_nothing(rule: str) -> None:
    for found in (before, behind):
        if "RETURN" in rule and found is before:
            continue
        rules = found(f"-A POSTROUTING {rule}")
        assert not mapped_to(rules, TCP, MAPPED)
        assert not mapped_to(rules, ICMP, None)


def test_what_is_not_understood_is_not_guessed_and_named() -> None:
    with pytest.raises(Inconclusive, match="match-set"):
        mapped_to(before("-A POSTROUTING -m set --match-set own src -j ACCEPT"), TCP, MAPPED)


def test_what_is_not_understood_does_not_matter_where_nothing_depends_on_it() -> None:
    rules = before("-A POSTROUTING -m length --length 0:99 -j LOG", "-A POSTROUTING -m recent -j X")
    assert not mapped_to(before("-A POSTROUTING -m length --length 0:99 -j LOG"), TCP, MAPPED)
    with pytest.raises(Inconclusive, match="recent"):
        mapped_to(rules, TCP, MAPPED)


def test_what_either_way_is_wrong_is_wrong() -> None:
    rules = before(
        "-A POSTROUTING -m set --match-set own src -j ACCEPT", "-A POSTROUTING -j ACCEPT"
    )
    assert mapped_to(rules, TCP, MAPPED)


def site(hook: str, priority: int, *rules: list[dict[str, Any]]) -> list[BaseChain]:
    """A site's own nftables table with one chain of the type nat."""
    chain = {"family": "inet", "table": "site", "name": "own"}
    base = {**chain, "type": "nat", "hook": hook, "prio": priority, "policy": "accept"}
    entries: list[dict[str, Any]] = [{"table": {"family": "inet", "name": "site"}}, {"chain": base}]
    entries += [
        {"rule": {"family": "inet", "table": "site", "chain": "own", "expr": rule}}
        for rule in rules
    ]
    return parse_nft(json.dumps({"nftables": entries}), IPV4, LOCAL)


def test_a_sites_own_table_masquerades_too() -> None:
    bases = parse_iptables(IPTABLES.replace("-A LIBVIRT", "#"), IPV4, LOCAL)
    own = site("postrouting", 101, [match("saddr", "==", SUBNET), {"masquerade": None}])
    assert translated(Ruleset(IPV4, (*bases, *own)))


def test_an_accept_in_an_earlier_chain_of_the_hook_does_not_stop_a_later_one() -> None:
    bases = parse_iptables(IPTABLES, IPV4, LOCAL)
    early = site("postrouting", 50, [{"accept": None}])
    assert not mapped_to(Ruleset(IPV4, (*bases, *early)), TCP, MAPPED)


def test_the_first_chain_that_translates_decides() -> None:
    bases = parse_iptables(IPTABLES, IPV4, LOCAL)
    rule = [{"masquerade": {"port": 7}}]
    assert mapped_to(Ruleset(IPV4, (*bases, *site("postrouting", 50, rule))), TCP, MAPPED)
    assert not mapped_to(Ruleset(IPV4, (*bases, *site("postrouting", 101, rule))), TCP, MAPPED)


def test_of_two_chains_with_one_priority_either_may_be_the_first() -> None:
    bases = parse_iptables(IPTABLES, IPV4, LOCAL)
    to_one_port = site("postrouting", 100, [{"masquerade": {"port": 7}}])
    with pytest.raises(Inconclusive, match=r"the order of .* table ip nat.* table inet site"):
        mapped_to(Ruleset(IPV4, (*bases, *to_one_port)), TCP, MAPPED)
    of_others = site("postrouting", 100, [match("saddr", "==", "192.0.2.1"), {"masquerade": None}])
    assert not mapped_to(Ruleset(IPV4, (*bases, *of_others)), TCP, MAPPED)


def test_what_is_wrong_in_either_order_is_wrong() -> None:
    bases = parse_iptables(IPTABLES.replace("1024-65535", "2000-3000"), IPV4, LOCAL)
    to_one_port = site("postrouting", 100, [{"masquerade": {"port": 7}}])
    assert mapped_to(Ruleset(IPV4, (*bases, *to_one_port)), TCP, MAPPED)


def test_what_is_redirected_to_the_host_leaves_nothing_to_masquerade() -> None:
    proxy = [{"redirect": {"port": 3128}}]
    bases = site("prerouting", -100, proxy)
    assert outwards(Ruleset(IPV4, tuple(bases)), AROUND, stops=False) == []


def test_a_mark_is_followed() -> None:
    marked = (
        "*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j MARK --set-xmark 0x1/0xff\n"
        "COMMIT\n*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -m mark --mark 0x1 -j MASQUERADE\n"
        "COMMIT\n"
    )
    assert not mapped_to(iptables(marked), UDP, None)
    assert not translated(iptables(marked), TCP)
