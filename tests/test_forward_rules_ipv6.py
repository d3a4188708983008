# SPDX-License-Identifier: GPL-2.0-or-later
"""Who gets through a host's rules by IPv6: the types of ICMPv6 are not those of ICMP."""

import json

import pytest

from contracts.address_family import IPV6
from fixtures.errors import Inconclusive
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.iptables_reader import parse_iptables
from fixtures.packet_filter.nft_reader import parse_nft
from fixtures.packet_filter.questions import Surroundings, decide, inwards
from fixtures.packet_filter.ruleset import Ruleset
from fixtures.packet_filter.spans import Spans

SUBNET = IPV6.network("fd00:10::/64")
LOCAL = Spans.networks(IPV6.network(each) for each in ("fd00:10::1/128", "fd00:1::2/128"))
AROUND = Surroundings("virbr1", SUBNET, "eth0", LOCAL, elsewhere=Spans(()))


def through(flow: Flow) -> str:
    return "" if flow.fate == "dropped" else "gets through"


def let_in(rules: Ruleset) -> str:
    return decide(inwards(rules, AROUND), rules, through)


def ip6tables(rule: str) -> Ruleset:
    saved = f"*filter\n:FORWARD DROP [0:0]\n-A FORWARD {rule}\nCOMMIT\n"
    return Ruleset(IPV6, tuple(parse_iptables(saved, IPV6, LOCAL)))


def nft(of_type: object) -> Ruleset:
    at = {"family": "inet", "table": "site"}
    left = {"payload": {"protocol": "icmpv6", "field": "type"}}
    match = {"match": {"op": "==", "left": left, "right": of_type}}
    hook = {"type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}
    shown = [
        {"table": {"family": "inet", "name": "site", "handle": 1}},
        {"chain": {**at, "name": "forward", "handle": 2, **hook}},
        {"rule": {**at, "chain": "forward", "handle": 3, "expr": [match, {"accept": None}]}},
    ]
    return Ruleset(IPV6, tuple(parse_nft(json.dumps({"nftables": shown}), IPV6, LOCAL)))


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (ip6tables("-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT"), "type 128 gets"),
        (ip6tables("-p ipv6-icmp -m icmp6 --icmpv6-type 1/0 -j ACCEPT"), "type 1 gets"),
        (nft("echo-request"), "type 128 gets"),
        (nft("packet-too-big"), "type 2 gets"),
        (nft({"set": ["nd-neighbor-solicit", "nd-neighbor-advert"]}), "type 135, 136 gets"),
    ],
)
def test_a_type_that_is_let_in_shows_by_its_number(rules: Ruleset, told: str) -> None:
    assert told in let_in(rules).replace("–", ", ")


@pytest.mark.parametrize("kind", ["1/4", "no-such-type"])
def test_a_type_of_an_unknown_form_is_not_guessed(kind: str) -> None:
    with pytest.raises(Inconclusive, match="icmpv6-type"):
        let_in(ip6tables(f"-p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT"))
