# SPDX-License-Identifier: GPL-2.0-or-later
"""Which classes of new connections a host's rules drop, outwards and inwards.

`packet_filters/` has what the tools print: see `test_forward_rules.py`.
"""

import dataclasses
import json
from typing import Any

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.packet_filter.nft_reader import parse_nft
from fixtures.packet_filter.questions import (
    decide,
    dropped_by,
    inwards_connections,
    outwards_connections,
)
from fixtures.packet_filter.ruleset import BaseChain, Ruleset
from fixtures.packet_filter.spans import Spans
from tests.filtered import AROUND, LOCAL, SHOWN, iptables

DOCKER = (SHOWN / "docker.rules").read_text()
UFW = (SHOWN / "ufw.rules").read_text()
LIBVIRT = (SHOWN / "libvirt.json").read_text()
DROP: dict[str, Any] = {"drop": None}
OPEN = "*filter\n:FORWARD ACCEPT [0:0]\n{}COMMIT\n"


def out(rules: Ruleset, elsewhere: str = "") -> str:
    spans = Spans.networks([IPV4.network(elsewhere)]) if elsewhere else Spans(())
    around = dataclasses.replace(AROUND, elsewhere=spans)
    return decide(outwards_connections(rules, around), rules, dropped_by)


def come_in(rules: Ruleset) -> str:
    return decide(inwards_connections(rules, AROUND), rules, dropped_by)


def forward(*rules: str) -> Ruleset:
    """Docker's and libvirt's rules of a NAT network, with some in front of FORWARD."""
    added = "".join(f"-A FORWARD {rule}\n" for rule in rules)
    first = DOCKER.index("-A ", DOCKER.index("*filter\n"))
    return iptables(DOCKER[:first] + added + DOCKER[first:])


def alone(*rules: str) -> Ruleset:
    """A host that forwards everything, but for some rules."""
    return iptables(OPEN.format("".join(f"-A FORWARD {rule}\n" for rule in rules)))


def nft_bases() -> tuple[BaseChain, ...]:
    return tuple(parse_nft(LIBVIRT, IPV4, LOCAL))


def test_a_link_local_address_is_not_beyond_the_uplink() -> None:
    assert out(alone("-d 169.254.169.254/32 -j DROP")) == ""
    assert "169.253.0.0" in out(alone("-d 169.253.0.0/16 -j DROP"))
    assert come_in(alone("-s 169.254.0.0/16 -j DROP")) == ""


@pytest.mark.parametrize(
    "rules", [forward(), iptables(UFW), Ruleset(IPV4, nft_bases())], ids=["docker", "ufw", "nft"]
)
def test_a_healthy_nat_network_drops_nothing_outwards(rules: Ruleset) -> None:
    assert out(rules) == ""
    assert "is dropped by" in come_in(rules)


def test_a_host_without_rules_drops_nothing() -> None:
    assert come_in(alone()) == out(alone()) == ""


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("-s 10.10.10.0/24 -d 172.16.0.0/12 -j DROP", "to 172.16.0.0/12 is dropped by"),
        ("-i virbr1 -o eth0 -p tcp -m tcp --dport 443 -j REJECT", "port 443 is dropped by -A FOR"),
        ("-s 10.10.10.9/32 -p udp -j DROP", "udp from 10.10.10.9"),
        (
            "-p tcp -m tcp --sport 1024:65535 -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
            "port 1024–65535",
        ),
    ],
)
def test_what_is_dropped_outwards_shows_with_class_and_rule(rule: str, said: str) -> None:
    assert said in out(forward(rule))
    assert said in out(alone(rule))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("-i eth0 -s 172.16.0.0/12 -j DROP", "from 172.16.0.0/12 to 10.10.10.2–10.10.10.254 is"),
        ("-i eth0 -p tcp -m tcp --dport 22 -j REJECT", "port 22 is dropped by -A FORWARD -i eth0"),
        ("-d 10.10.10.9/32 -p udp -j DROP", "udp from"),
    ],
)
def test_what_is_dropped_inwards_shows_with_class_and_rule(rule: str, said: str) -> None:
    assert said in come_in(alone(rule))


@pytest.mark.parametrize(
    "rule",
    [
        "-p icmp -j DROP",
        "-m conntrack --ctstate INVALID -j DROP",
        "-p tcp -m tcp --tcp-flags FIN,SYN FIN,SYN -j DROP",
        "-p tcp -m tcp --dport 0 -j DROP",
        "-p udp -m udp --sport 0 -j DROP",
        "-d 127.0.0.0/8 -j DROP",
        "-s 240.0.0.0/4 -j DROP",
        "-d 224.0.0.0/4 -o eth0 -j DROP",
        "-i tun0 -j DROP",
        "-o docker0 -j DROP",
        "! -s 10.10.10.0/24 -i virbr1 -j REJECT",
    ],
)
def test_what_is_no_connection_of_the_networks_may_be_dropped(rule: str) -> None:
    assert out(forward(rule)) == out(alone(rule)) == come_in(alone(rule)) == ""


def test_a_network_by_another_link_is_not_asked_about() -> None:
    rules = forward("-s 10.10.10.0/24 -d 10.8.0.0/24 -j REJECT")
    assert "to 10.8.0.0/24 is" in out(rules)
    assert out(rules, elsewhere="10.8.0.0/24") == ""


def test_a_connection_that_is_led_to_the_host_is_not_dropped() -> None:
    redirected = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -i virbr1 -p udp -m udp --dport 53 "
    rules = f"{redirected}-j REDIRECT --to-ports 5353\nCOMMIT\n" + OPEN.format(
        "-A FORWARD -p udp -m udp --dport 53 -j DROP\n"
    )
    assert out(iptables(rules)) == ""


# A host that takes packets only by the link of their answers, as NixOS and firewalld write it.
RPFILTER = """*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -m rpfilter --validmark --invert -j DROP
COMMIT
"""


def by_the_way_back(result: Any, op: str, *flags: str) -> Ruleset:
    fib = {"fib": {"result": "oif", "flags": list(flags)}}
    where = {"family": "inet", "table": "f", "chain": "x"}
    base = {"family": "inet", "table": "f", "name": "x", "type": "filter", "hook": "prerouting"}
    entries = [
        {"table": {"family": "inet", "name": "f"}},
        {"chain": {**base, "prio": -300, "policy": "accept"}},
        {"rule": {**where, "expr": [{"match": {"op": op, "left": fib, "right": result}}, DROP]}},
    ]
    return Ruleset(IPV4, tuple(parse_nft(json.dumps({"nftables": entries}), IPV4, LOCAL)))


@pytest.mark.parametrize(
    "rules",
    [
        iptables(RPFILTER),
        by_the_way_back(False, "==", "saddr", "mark", "iif"),
        by_the_way_back(False, "==", "saddr"),
        by_the_way_back("0", "==", "saddr", "iif"),
        by_the_way_back(True, "!=", "saddr", "iif"),
    ],
)
def test_a_filter_of_the_way_back_drops_none(rules: Ruleset) -> None:
    assert out(rules) == come_in(rules) == ""


def test_another_look_at_the_routes_is_not_guessed() -> None:
    for rules in (by_the_way_back("eth7", "==", "saddr"), by_the_way_back(False, "==", "daddr")):
        with pytest.raises(Inconclusive, match="fib"):
            out(rules)


@pytest.mark.parametrize(
    "rule",
    ["-m limit --limit 10/second -j DROP", "-p tcp -m connlimit --connlimit-above 9 -j REJECT"],
)
def test_a_drop_by_an_unknown_condition_is_not_decided(rule: str) -> None:
    for asked in (out, come_in):
        with pytest.raises(Inconclusive, match=r"is dropped by .* depends"):
            asked(alone(rule))


def test_a_doubt_about_what_is_accepted_anyway_does_not_matter() -> None:
    assert out(alone("-m limit --limit 10/second -j ACCEPT")) == ""


def test_a_certain_drop_shows_beside_a_doubtful_one() -> None:
    rules = alone("-p tcp -m limit --limit 10/second -j DROP", "-p udp -m udp --dport 443 -j DROP")
    assert "udp" in out(rules)
