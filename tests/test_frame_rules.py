# SPDX-License-Identifier: GPL-2.0-or-later
"""What nft's tables of frames, of the families netdev and bridge, mean for a network's packets."""

import json
from typing import Any

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.link_layer import HostLinks
from fixtures.packet_filter.nft_reader import parse_nft
from fixtures.packet_filter.questions import decide, inwards, on_the_link, outwards
from fixtures.packet_filter.ruleset import Ruleset
from tests.filtered import AROUND, LOCAL

Expressions = list[dict[str, Any]]
LINKS = HostLinks({"vnet0": "virbr1", "eth1": "br0"}, frozenset({"virbr1", "br0"}))
SUBNET = {"prefix": {"addr": "10.10.10.0", "len": 24}}
DROP: dict[str, Any] = {"drop": None}


def ip(field: str, right: Any) -> dict[str, Any]:
    return {
        "match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": field}}}
        | {"right": right}
    }


def meta(key: str, right: Any) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": right}}


def rewrite(field: str, value: Any) -> dict[str, Any]:
    return {"mangle": {"key": {"payload": {"protocol": "ip", "field": field}}, "value": value}}


def rules(family: str, hook: str, *every: Expressions, **more: Any) -> Ruleset:
    """A table of frames with one base chain, before or behind the site's open FORWARD."""
    where = {"family": family, "table": "f"}
    base = {**where, "name": "x", "type": "filter", "hook": hook, "prio": 0, "policy": "accept"}
    entries: list[dict[str, Any]] = [{"table": {"family": family, "name": "f"}}]
    entries += [{"chain": base | more}]
    entries += [{"rule": {**where, "chain": "x", "expr": each}} for each in every]
    shown = json.dumps({"nftables": entries})
    return Ruleset(IPV4, tuple(parse_nft(shown, IPV4, LOCAL, links=LINKS)))


def through(flow: Flow) -> str:
    return "" if flow.fate == "dropped" else "gets through"


def dropped(flow: Flow) -> str:
    return "is dropped" if flow.fate == "dropped" else ""


def let_in(seen: Ruleset) -> str:
    return decide(inwards(seen, AROUND), seen, through)


def translated(seen: Ruleset) -> str:
    return decide(outwards(seen, AROUND, stops=False), seen, lambda flow: flow.translator)


@pytest.mark.parametrize(
    ("seen", "is_let_in"),
    [
        (rules("netdev", "ingress", [DROP], dev="eth0"), False),
        (rules("netdev", "ingress", [DROP], dev=["eth9", "eth0"]), False),
        (rules("netdev", "ingress", [DROP], dev="eth1"), True),
        (rules("netdev", "ingress", [ip("daddr", SUBNET), DROP], dev="eth0"), False),
        (rules("netdev", "ingress", [ip("daddr", "10.10.10.9"), DROP], dev="eth0"), True),
        (rules("netdev", "ingress", [meta("protocol", "arp"), DROP], dev="eth0"), True),
        (rules("netdev", "egress", [DROP], dev="virbr1"), False),
        (rules("bridge", "output", [DROP]), False),
        (rules("bridge", "postrouting", policy="drop"), False),
        # The uplink is no bridge, and this one is not the network's.
        (rules("bridge", "prerouting", [DROP]), True),
        (rules("bridge", "output", [meta("obrname", "br0"), DROP]), True),
        (rules("bridge", "output", [meta("obrname", "virbr1"), DROP]), False),
        (rules("bridge", "forward", [DROP]), True),
    ],
)
def test_what_frames_are_dropped_does_not_come_in(seen: Ruleset, *, is_let_in: bool) -> None:
    assert bool(let_in(seen)) == is_let_in


@pytest.mark.parametrize(
    "seen",
    [
        # To one port of the network's bridge, of which the guests may have another.
        rules("netdev", "egress", [DROP], dev="vnet0"),
        rules("bridge", "output", [meta("oifname", "vnet*"), DROP]),
        rules(
            "bridge",
            "postrouting",
            [
                {
                    "match": {
                        "op": "==",
                        "left": {"payload": {"protocol": "ether", "field": "daddr"}},
                        "right": "52:54:00:00:00:01",
                    }
                },
                DROP,
            ],
        ),
        rules("netdev", "ingress", [{"fwd": {"dev": "eth9"}}], dev="eth0"),
    ],
    ids=["egress of a port", "a port by name", "an address of the frame", "sent on elsewhere"],
)
def test_what_may_be_dropped_is_named(seen: Ruleset) -> None:
    with pytest.raises(Inconclusive, match=r"depends on .*(drop|fwd|vnet0)"):
        let_in(seen)


def test_a_port_of_another_bridge_is_none_of_the_network() -> None:
    assert let_in(rules("bridge", "output", [meta("oifname", "eth1"), DROP]))


def test_a_rewritten_source_is_a_translated_one() -> None:
    for seen in (
        rules("bridge", "prerouting", [ip("saddr", SUBNET), rewrite("saddr", "198.51.100.7")]),
        rules("netdev", "egress", [rewrite("saddr", "198.51.100.7")], dev="eth0"),
    ):
        assert "198.51.100.7" in translated(seen)
    other = [ip("saddr", "192.0.2.1"), rewrite("saddr", "198.51.100.7")]
    assert not translated(rules("bridge", "prerouting", other))


def test_a_rewritten_destination_may_be_a_guest() -> None:
    closed = [ip("daddr", SUBNET), DROP]
    assert not let_in(rules("netdev", "ingress", closed, dev="eth0"))

    def moved(to: Any) -> Ruleset:
        rule = [ip("daddr", "192.168.1.2"), rewrite("daddr", to)]
        return rules("netdev", "ingress", closed, rule, dev="eth0")

    assert "to 192.168.1.2 gets through" in let_in(moved("10.10.10.7"))
    assert not let_in(moved("192.0.2.9"))


def test_an_address_that_is_not_understood_is_named() -> None:
    closed = [ip("daddr", SUBNET), DROP]
    unknown = {"map": {"key": {"meta": {"key": "mark"}}, "data": "@guests"}}
    moved = [ip("daddr", "192.168.1.2"), rewrite("daddr", unknown)]
    with pytest.raises(Inconclusive, match="@guests"):
        let_in(rules("netdev", "ingress", closed, moved, dev="eth0"))
    with pytest.raises(Inconclusive, match="@guests"):
        translated(rules("bridge", "prerouting", [rewrite("saddr", unknown)]))


def test_what_stays_on_the_link_passes_no_table_of_packets() -> None:
    seen = rules("netdev", "ingress", [DROP], dev="eth0")
    assert not decide(on_the_link(seen, AROUND), seen, dropped)


def test_the_rules_are_listed() -> None:
    seen = rules("netdev", "ingress", [DROP], dev="eth0")
    assert "nft table netdev f" in str(seen)
    assert len(list(seen)) == 1
