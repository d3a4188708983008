# SPDX-License-Identifier: GPL-2.0-or-later
"""What masquerading rules mean, for both backends."""

import json
from ipaddress import IPv4Address
from typing import Any

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.probe.iptables_rules import parse_iptables
from fixtures.probe.nat_rules import Ruleset, outcome
from fixtures.probe.nft_rules import parse_nft

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
    return {"rule": {"table": "libvirt_network", "chain": chain, "expr": list(expressions)}}


BASE = {"chain": {"name": "postrouting", "type": "nat", "hook": "postrouting"}}
SUBNET = {"prefix": {"addr": "10.10.10.0", "len": 24}}
MULTICAST = {"prefix": {"addr": "224.0.0.0", "len": 24}}
# The same as libvirt 11 writes it with its nftables backend.
NFT = json.dumps(
    {
        "nftables": [
            {"metainfo": {"version": "1.0.6"}},
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
GUEST = IPv4Address("10.10.10.57")
ELSEWHERE = IPv4Address("203.0.113.1")


@pytest.fixture(params=["iptables", "nftables"])
def rules(request: pytest.FixtureRequest) -> Ruleset:
    return parse_iptables(IPTABLES, IPV4) if request.param == "iptables" else parse_nft(NFT, IPV4)


def without(line: str) -> Ruleset:
    kept = [each for each in IPTABLES.splitlines() if line not in each]
    assert len(kept) < len(IPTABLES.splitlines())
    return parse_iptables("\n".join(kept), IPV4)


@pytest.mark.parametrize("proto", ["tcp", "udp"])
def test_ports_are_mapped_to_the_range(rules: Ruleset, proto: str) -> None:
    rule = outcome(rules, proto, GUEST, ELSEWHERE)
    assert rule is not None
    assert rule.ports == (1024, 65535)


def test_a_rule_is_the_same_after_it_applied() -> None:
    later = NFT.replace('{"counter": null}', '{"counter": {"packets": 3, "bytes": 252}}')
    assert later != NFT
    assert list(parse_nft(later, IPV4)) == list(parse_nft(NFT, IPV4))


def test_the_rest_has_no_range(rules: Ruleset) -> None:
    rule = outcome(rules, "icmp", GUEST, ELSEWHERE)
    assert rule is not None
    assert rule.ports is None


@pytest.mark.parametrize("to", ["224.0.0.251", "255.255.255.255", "10.10.10.1"])
def test_what_is_never_masqueraded(rules: Ruleset, to: str) -> None:
    assert outcome(rules, "udp", GUEST, IPv4Address(to)) is None


def test_another_subnet_is_not_masqueraded(rules: Ruleset) -> None:
    assert outcome(rules, "tcp", IPv4Address("10.10.11.57"), ELSEWHERE) is None


def test_a_missing_return_shows() -> None:
    kept = without("224.0.0.0/24")
    assert outcome(kept, "udp", GUEST, IPv4Address("224.0.0.251")) is not None


def test_a_deleted_protocol_falls_to_the_rest() -> None:
    rule = outcome(without("-p tcp"), "tcp", GUEST, ELSEWHERE)
    assert rule is not None
    assert rule.ports is None


def test_a_chain_that_nobody_calls_decides_nothing() -> None:
    assert outcome(without("-j LIBVIRT_PRT"), "tcp", GUEST, ELSEWHERE) is None


def test_a_return_in_another_chain_returns_there() -> None:
    other = ":DOCKER - [0:0]\n-A DOCKER -j RETURN\n-A POSTROUTING -j DOCKER\n"
    saved = IPTABLES.replace("-A POSTROUTING", other + "-A POSTROUTING", 1)
    assert outcome(parse_iptables(saved, IPV4), "tcp", GUEST, ELSEWHERE) is not None


def test_snat_translates_too() -> None:
    saved = "-A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 192.0.2.1\n"
    assert outcome(parse_iptables(saved, IPV4), "tcp", GUEST, ELSEWHERE) is not None


def test_what_is_not_understood_is_not_guessed() -> None:
    saved = IPTABLES.replace("-p tcp -j", "-o eth7 -p tcp -j")
    with pytest.raises(Inconclusive, match="-o"):
        outcome(parse_iptables(saved, IPV4), "tcp", GUEST, ELSEWHERE)


def test_one_port_is_a_range_of_one() -> None:
    saved = "-A POSTROUTING -s 10.0.0.0/8 -p tcp -j MASQUERADE --to-ports 5000\n"
    rule = outcome(parse_iptables(saved, IPV4), "tcp", GUEST, ELSEWHERE)
    assert rule is not None
    assert rule.ports == (5000, 5000)
