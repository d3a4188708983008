# SPDX-License-Identifier: GPL-2.0-or-later
"""Who gets through a host's rules as a whole: several tables and tools, and a translated target.

`packet_filters/` has what the tools print: the rules of docker and of ufw, each with libvirt's, by
iptables-save, the own tables of libvirt and of firewalld by `nft -j`.
"""

import itertools
import json
import random
from typing import Any, NamedTuple

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.iptables_reader import parse_iptables
from fixtures.packet_filter.nft_reader import parse_nft
from fixtures.packet_filter.packets import PROTOCOLS
from fixtures.packet_filter.questions import decide, inwards, outwards
from fixtures.packet_filter.ruleset import BaseChain, Ruleset
from fixtures.packet_filter.spans import Spans
from tests.filtered import AROUND, LOCAL, SHOWN, iptables

DOCKER = (SHOWN / "docker.rules").read_text()
UFW = (SHOWN / "ufw.rules").read_text()
LIBVIRT = (SHOWN / "libvirt.json").read_text()
FIREWALLD = (SHOWN / "firewalld.json").read_text()


def through(flow: Flow) -> str:
    return "" if flow.fate == "dropped" else f"gets through ({flow.by})"


def let_in(rules: Ruleset) -> str:
    return decide(inwards(rules, AROUND), rules, through)


def let_out(rules: Ruleset) -> str:
    return decide(outwards(rules, AROUND, stops=True), rules, through)


def docker(*before: str, table: str = "filter", chain: str = "FORWARD") -> Ruleset:
    """Docker's and libvirt's rules, with some in front of a chain."""
    head, rest = DOCKER.split(f"*{table}\n")
    first = rest.index("-A ")
    added = "".join(f"-A {chain} {rule}\n" for rule in before)
    return iptables(f"{head}*{table}\n{rest[:first]}{added}{rest[first:]}")


def tables(*shown: str, more: tuple[BaseChain, ...] = ()) -> Ruleset:
    return Ruleset(IPV4, (*(b for each in shown for b in parse_nft(each, IPV4, LOCAL)), *more))


@pytest.mark.parametrize(
    "rules",
    [
        docker(),
        iptables(UFW),
        tables(LIBVIRT),
        tables(LIBVIRT, FIREWALLD),
        tables(FIREWALLD, LIBVIRT),
    ],
    ids=["docker", "ufw", "libvirt", "libvirt and firewalld", "firewalld first"],
)
def test_nothing_comes_in_on_a_healthy_host(rules: Ruleset) -> None:
    assert not let_in(rules)
    assert let_out(rules)


def test_firewalld_alone_lets_icmp_in() -> None:
    told = let_in(tables(FIREWALLD))
    assert told.startswith("icmp")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("-i eth0 -o virbr1 -p tcp -m tcp --dport 22 -j ACCEPT", "10.10.10.254 port 22 gets"),
        ("-s 192.168.1.7/32 -d 10.10.10.9/32 -j ACCEPT", "from 192.168.1.7 to 10.10.10.9 gets"),
        ("-p udp -m multiport --dports 53,5353 -j ACCEPT", "port 53, 5353 gets"),
        ("-p icmp -m icmp --icmp-type 8 -j ACCEPT", "type 8 gets"),
        ("-m conntrack --ctstate NEW -p gre -j ACCEPT", "gre from"),
    ],
)
def test_what_lets_the_outside_in_shows_with_its_class(rule: str, told: str) -> None:
    assert told in let_in(docker(rule))


@pytest.mark.parametrize(
    "rule",
    [
        "-i tun0 -j ACCEPT",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-m physdev --physdev-is-bridged -j ACCEPT",
        "-d 192.168.122.0/24 -j ACCEPT",
        "-s 10.10.10.0/24 -j ACCEPT",
        "-m mark --mark 0x20000/0xff0000 -j ACCEPT",
    ],
)
def test_what_lets_others_through_does_not(rule: str) -> None:
    assert not let_in(docker(rule))


def test_ufw_before_libvirt_lets_the_outside_ping() -> None:
    # As it is once libvirt's chains are called after ufw's.
    jumps = [line for line in UFW.splitlines() if line.startswith("-A FORWARD -j LIBVIRT")]
    kept = [line for line in UFW.splitlines() if line not in jumps]
    later = "\n".join(kept).replace("-A LIBVIRT", "\n".join([*jumps, "-A LIBVIRT"]), 1)
    assert "type 3 gets" in let_in(iptables(later))


@pytest.mark.parametrize(
    "rule",
    [
        "-s 10.0.0.1/255.0.0.255 -j ACCEPT",
        "-p no-such-protocol -j ACCEPT",
        "-m connmark --mark 0x1 -j ACCEPT",
        "-p icmp -m icmp --icmp-type 3/4 -j ACCEPT",
        "-m addrtype --src-type UNICAST -j ACCEPT",
        "-j TPROXY --on-port 1",
    ],
)
def test_what_has_an_unknown_form_is_not_guessed(rule: str) -> None:
    with pytest.raises(Inconclusive, match=rule.split()[1]):
        let_in(docker(rule))


def test_a_translation_of_the_other_family_does_not_count() -> None:
    other = chains(
        "accept",
        [
            nft_match({"meta": {"key": "nfproto"}}, "ipv6"),
            {"dnat": {"family": "ip6", "addr": "fd00::1"}},
        ],
        [{"dnat": {"family": "ip6", "addr": "fd00::1", "port": 22}}],
    )
    assert "any protocol" in let_in(Ruleset(IPV4, other))


def test_a_translated_destination_counts_where_it_is_let_through() -> None:
    translation = "-i eth0 -p tcp -m tcp --dport 2222 -j DNAT --to-destination 10.10.10.5:22"
    only = docker(translation, table="nat", chain="PREROUTING")
    assert not let_in(only)
    head, rest = str(DOCKER).split("*nat\n")
    both = head.replace(
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\n-A FORWARD -j DOCKER-USER",
    )
    at = rest.index("-A ")
    saved = f"{both}*nat\n{rest[:at]}-A PREROUTING {translation}\n{rest[at:]}"
    told = let_in(iptables(saved))
    assert told.startswith("tcp from")
    assert "port 2222 gets through" in told


@pytest.mark.parametrize("rule", ["-m set --match-set friends src -j ACCEPT", "-j NFQUEUE"])
def test_what_is_not_understood_is_named(rule: str) -> None:
    with pytest.raises(Inconclusive, match=rule[:8]):
        let_in(docker(rule))


def test_an_early_drop_stops_what_is_accepted_later() -> None:
    saved = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.10.10.0/24 -j DROP\nCOMMIT\n"
    assert not let_in(iptables(saved))
    assert let_in(iptables(saved.replace("DROP", "ACCEPT")))


def chains(policy: str, *rules: list[dict[str, Any]]) -> tuple[BaseChain, ...]:
    """A table of a site's own with one base chain of the hook forward."""
    where = {"family": "inet", "table": "f"}
    base = {**where, "name": "x", "type": "filter", "hook": "forward", "prio": 0, "policy": policy}
    entries: list[dict[str, Any]] = [{"table": {"family": "inet", "name": "f"}}, {"chain": base}]
    entries += [{"chain": {**where, "name": "y"}}]
    entries += [{"rule": {**where, "chain": "x", "expr": each}} for each in rules]
    return tuple(parse_nft(json.dumps({"nftables": entries}), IPV4, LOCAL))


def nft_match(left: dict[str, Any], right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


TCP_PORT = {"payload": {"protocol": "tcp", "field": "dport"}}
STATE = {"ct": {"key": "state"}}
SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}


@pytest.mark.parametrize(
    ("expressions", "told"),
    [
        ([nft_match(TCP_PORT, {"set": [22, {"range": [80, 90]}]})], "port 22, 80–90 gets"),
        ([nft_match(TCP_PORT, 1024, "<")], "port 0–1023 gets"),
        (
            [nft_match({"payload": {"protocol": "th", "field": "dport"}}, 53)],
            "tcp, udp, dccp, sctp",
        ),
        ([nft_match(STATE, ["established", "new"], "in")], "any protocol from"),
        ([nft_match(STATE, {"set": ["established", "related"]})], ""),
        ([nft_match({"meta": {"key": "iifname"}}, "eth*")], "any protocol from"),
        ([nft_match({"meta": {"key": "iifname"}}, {"set": ["lo", "tun0"]})], ""),
        ([nft_match({"payload": {"protocol": "ip6", "field": "saddr"}}, "fe80::1")], ""),
        (
            [nft_match({"concat": [SOURCE, TCP_PORT]}, {"set": [{"concat": ["192.0.2.1", 22]}]})],
            "tcp from 192.0.2.1 to",
        ),
        (
            [
                nft_match(
                    {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["syn"]]}, "syn"
                )
            ],
            "tcp from",
        ),
        ([nft_match({"fib": {"result": "type", "flags": ["daddr"]}}, "local")], ""),
    ],
)
def test_conditions_of_nft(expressions: list[dict[str, Any]], told: str) -> None:
    found = let_in(Ruleset(IPV4, chains("drop", [*expressions, {"accept": None}])))
    assert told in found
    assert bool(told) == bool(found)


def test_a_map_of_verdicts() -> None:
    link = {"meta": {"key": "iifname"}}
    looked_up = {"key": link, "data": {"set": [["lo", {"accept": None}], ["eth0", {"drop": None}]]}}
    rules = chains("accept", [{"vmap": looked_up}])
    assert not let_in(Ruleset(IPV4, rules))
    assert let_out(Ruleset(IPV4, rules))


def test_an_accept_in_one_table_does_not_spare_the_drop_of_another() -> None:
    assert not let_in(Ruleset(IPV4, (*chains("accept", [{"accept": None}]), *chains("drop"))))


def test_chains_that_cannot_drop_need_no_control() -> None:
    assert [base.may_drop for base in chains("accept", [{"accept": None}])] == [False]
    assert [base.may_drop for base in chains("drop")] == [True]
    assert [base.may_drop for base in chains("accept", [{"reject": None}])] == [True]


class Line(NamedTuple):
    """A rule as numbers, to be followed packet by packet."""

    source: tuple[int, int] | None
    port: tuple[int, int] | None
    inverted: bool
    verdict: str

    def text(self) -> str:
        """Write it as iptables-save does."""
        words = []
        if self.source is not None:
            ends = "-".join(f"192.0.2.{number}" for number in self.source)
            words += [*(["!"] if self.inverted else []), "--src-range", ends]
        if self.port is not None:
            words += ["-p", "tcp", "-m", "tcp", "--dport", "{}:{}".format(*self.port)]
        return f"-A FORWARD -m iprange {' '.join(words)} -j {self.verdict}"

    def takes(self, source: int, port: int) -> bool:
        """Whether it applies to one packet."""
        inside = self.source is None or self.source[0] <= source <= self.source[1]
        right = inside != (self.inverted and self.source is not None)
        return right and (self.port is None or self.port[0] <= port <= self.port[1])


@pytest.mark.parametrize("seed", range(12))
def test_classes_agree_with_packets_followed_one_by_one(seed: int) -> None:
    choose = random.Random(seed)

    def span(most: int) -> tuple[int, int] | None:
        first, last = sorted(choose.randrange(most) for _ in range(2))
        return (first, last) if choose.random() < 0.7 else None

    lines = [
        Line(span(9), span(9), choose.random() < 0.4, choose.choice(["ACCEPT", "DROP"]))
        for _ in range(8)
    ]
    body = "\n".join(line.text() for line in lines)
    rules = iptables(f"*filter\n:FORWARD DROP [0:0]\n{body}\nCOMMIT\n")
    flows = inwards(rules, AROUND)
    for source, port in itertools.product(range(9), range(9)):
        decided = next((line.verdict for line in lines if line.takes(source, port)), "DROP")
        address = int(IPV4.network(f"192.0.2.{source}").network_address)
        holding = [
            flow
            for flow in flows
            if address in flow.sent.source
            and PROTOCOLS["tcp"] in flow.sent.protocol
            and port in flow.sent.destination_port
        ]
        assert len(holding) == 1
        assert bool(through(holding[0])) == (decided == "ACCEPT")


def test_too_many_classes_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.packet_filter.walk.CLASSES_MAX", 3)
    rules = docker(*(f"-s 192.0.2.{n} -p tcp -m tcp --dport {n} -j DROP" for n in range(1, 9)))
    with pytest.raises(Inconclusive, match="more than 3 classes"):
        let_in(rules)


def test_a_set_of_numbers() -> None:
    numbers = Spans.of((5, 9), (1, 2), (3, 4), (20, 20))
    assert numbers == Spans(((1, 9), (20, 20)))
    assert numbers - Spans.of((2, 3), (20, 30)) == Spans(((1, 1), (4, 9)))
    assert numbers & Spans.of((0, 1), (9, 25)) == Spans(((1, 1), (9, 9), (20, 20)))
    assert not Spans.of((3, 2))
    assert str(numbers) == "1–9, 20"


@pytest.mark.parametrize("seed", range(5))
def test_sets_of_numbers_agree_with_their_numbers(seed: int) -> None:
    choose = random.Random(seed)

    def some() -> Spans:
        firsts = [choose.randrange(30) for _ in range(choose.randrange(5))]
        return Spans.of(*((first, first + choose.randrange(4)) for first in firsts))

    def numbers(spans: Spans) -> set[int]:
        return {n for first, last in spans.ranges for n in range(first, last + 1)}

    for _ in range(200):
        one, other = some(), some()
        assert one & other == Spans.of(*((n, n) for n in numbers(one) & numbers(other)))
        assert one - other == Spans.of(*((n, n) for n in numbers(one) - numbers(other)))
        assert one | other == Spans.of(*((n, n) for n in numbers(one) | numbers(other)))


def test_a_table_that_iptables_reads_is_left_to_it() -> None:
    bases = parse_iptables(DOCKER, IPV4, LOCAL)
    shown = json.dumps(
        {"nftables": [{"table": {"family": "ip", "name": n}} for n in ("nat", "filter", "own")]
         + [{"chain": {"family": "ip", "table": n, "name": "c", "type": "filter",
                       "hook": "forward", "prio": 0, "policy": "drop"}}
            for n in ("nat", "filter", "own")]}
    )  # fmt: skip
    read = parse_nft(shown, IPV4, LOCAL, skipped={base.table.name for base in bases})
    assert [base.table.name for base in read] == ["own"]
