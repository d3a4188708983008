# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a host refuses what it does not know, and the ports that are let in there."""

import json
from collections.abc import Sequence
from typing import Any, cast

from contracts.address_family import IPV4
from fixtures.host.command import Completed
from fixtures.host.undo.rule_undos import IptablesRuleDelete, NftRulesDelete
from fixtures.host.undo.undo import Undo
from fixtures.probe.input_exception import Refusal, input_exception, refusals, said

LINKS = ["virbr1"]
PORTS = [("tcp", 7777), ("udp", 7777)]
OPEN = "-P INPUT ACCEPT\n-A INPUT -i virbr1 -p tcp -m tcp --dport 7777 -j DROP\n"
UFW = """\
-P INPUT DROP
-P FORWARD DROP
-N ufw-before-input
-N ufw-not-local
-A INPUT -j ufw-before-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -j ufw-not-local
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -j DROP
-A unreached -j DROP
"""


def chain(name: str, **more: Any) -> dict[str, Any]:
    """Return a chain of firewalld's table, as nft lists it."""
    return {"chain": {"family": "inet", "table": "firewalld", "name": name, **more}}


def rule(of: str, handle: int, *expr: dict[str, Any]) -> dict[str, Any]:
    """Return a rule of firewalld's table, as nft lists it."""
    known = {"family": "inet", "table": "firewalld", "chain": of}
    return {"rule": {**known, "handle": handle, "expr": list(expr)}}


BY_NAME = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "virbr1"}}
FIREWALLD = [
    {"metainfo": {"version": "1.0.6"}},
    chain("filter_INPUT", type="filter", hook="input", prio=10, policy="accept"),
    chain("filter_FORWARD", type="filter", hook="forward", prio=10, policy="drop"),
    chain("filter_IN_libvirt"),
    rule("filter_INPUT", 1, BY_NAME, {"goto": {"target": "filter_IN_libvirt"}}),
    rule("filter_INPUT", 2, BY_NAME, {"drop": None}),
    rule("filter_INPUT", 3, {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}),
    rule("filter_IN_libvirt", 4, {"counter": {"packets": 0, "bytes": 0}}, {"reject": None}),
    rule("filter_FORWARD", 5, {"reject": None}),
]


class Host:
    """Stands for a host: what it lists, and what was run on it."""

    def __init__(self, iptables: str = "", ruleset: Sequence[dict[str, Any]] = ()) -> None:
        self._said = {"iptables -w -S": iptables, "nft -j list ruleset": _json(ruleset)}
        self.ran: list[str] = []
        self.noted: list[Undo] = []

    def note(self, undo: Undo) -> None:
        """Remember what is to be taken back, and that it comes first."""
        self.noted.append(undo)

    def run(self, argv: Sequence[str]) -> Completed:
        """Answer a listing; remember anything else."""
        line = " ".join(argv)
        answer = self._said.get(line)
        if answer is None:
            self.ran.append(line)
            how = argv[4] if argv[0] == "nft" and argv[1] == "-j" else "add"
            answer = _json([{how: {"rule": {"handle": len(self.ran)}}}])
        return Completed("host", tuple(argv), 0, answer, "", 0.0)


def _json(entries: Sequence[dict[str, Any]]) -> str:
    return json.dumps({"nftables": list(entries)})


def found(host: Host) -> list[Refusal]:
    """Return the host's refusals."""
    return refusals(cast(Any, host), IPV4)


def test_a_host_that_refuses_only_by_name_is_left_alone() -> None:
    host = Host(OPEN)
    with input_exception(cast(Any, host), IPV4, PORTS, LINKS) as let_in:
        assert let_in == []
    assert host.ran == []
    assert said([], PORTS) == ""


def test_nothing_is_asked_without_a_port() -> None:
    with input_exception(cast(Any, None), IPV4, [], LINKS) as let_in:
        assert let_in == []


def test_the_policy_and_the_last_rule_of_iptables() -> None:
    assert found(Host(UFW)) == [
        Refusal(("INPUT",), None, by_nft=False),
        Refusal(("ufw-not-local",), 2, by_nft=False),
    ]


def test_the_last_rules_of_a_table_of_nfts_own() -> None:
    table = ("inet", "firewalld")
    assert found(Host(OPEN, FIREWALLD)) == [
        Refusal((*table, "filter_INPUT"), 3, by_nft=True),
        Refusal((*table, "filter_IN_libvirt"), 4, by_nft=True),
    ]


def test_a_policy_of_nfts_own() -> None:
    own = {"family": "ip", "table": "site", "name": "in", "type": "filter", "hook": "input"}
    listed = [{"chain": {**own, "policy": "drop"}}]
    assert found(Host(OPEN, listed)) == [Refusal(("ip", "site", "in"), None, by_nft=True)]
    # iptables' own table is read by iptables.
    listed = [{"chain": {**own, "table": "filter", "policy": "drop"}}]
    assert found(Host(OPEN, listed)) == []


def test_exactly_the_ports_are_let_in_and_taken_out_again() -> None:
    host = Host(UFW)
    accept = "-i virbr1 -p tcp --dport 7777 -m comment --comment plumbline -j ACCEPT"
    with input_exception(cast(Any, host), IPV4, PORTS[:1], LINKS) as let_in:
        assert host.ran == [
            f"iptables -w -A INPUT {accept}",
            f"iptables -w -I ufw-not-local 2 {accept}",
        ]
    assert host.ran[2:] == [
        f"iptables -w -D ufw-not-local {accept}",
        f"iptables -w -D INPUT {accept}",
    ]
    assert host.noted == [
        IptablesRuleDelete("iptables", "filter", ("INPUT", *accept.split())),
        IptablesRuleDelete("iptables", "filter", ("ufw-not-local", *accept.split())),
    ]
    assert said(let_in, PORTS[:1]) == (
        "; the host refuses unknown ports, let in for the probes: tcp 7777 at INPUT (policy), "
        "ufw-not-local"
    )


def test_the_same_by_nft() -> None:
    host = Host(OPEN, FIREWALLD)
    with input_exception(cast(Any, host), IPV4, PORTS[1:], LINKS):
        pass
    table = "inet firewalld"
    accept = 'iifname virbr1 udp dport 7777 accept comment "plumbline"'
    assert host.ran == [
        f"nft -j -e -a insert rule {table} filter_INPUT handle 3 {accept}",
        f"nft -j -e -a insert rule {table} filter_IN_libvirt handle 4 {accept}",
        f"nft delete rule {table} filter_IN_libvirt handle 2",
        f"nft delete rule {table} filter_INPUT handle 1",
    ]
    assert host.noted == [
        NftRulesDelete(*table.split(), "filter_INPUT"),
        NftRulesDelete(*table.split(), "filter_IN_libvirt"),
    ]
