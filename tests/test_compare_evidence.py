# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence beside a flip: what always differs is left out, what was configured never."""

from pathlib import Path

import pytest

from contracts.volatile_text import normalised
from reports.compare.compare_runs import compare
from reports.compare.comparison import Comparison
from reports.compare.evidence_differences import unified
from reports.compare.hunks import hunks
from reports.compare.quantities import Criteria
from reports.compare.transcript import COMMANDS
from reports.record import Verdict
from tests.compared import check, kept, record

RULES = """\
[host]$ nft list ruleset
table ip nat {{
\tchain LIBVIRT_PRT {{
\t\tip saddr 10.10.10.0/24 counter packets {count} bytes 40 return
\t\t{rule}
\t}}
}}
-> exit 0 after 0.0{count} s
"""
MASQUERADE = "ip saddr 10.10.10.0/24 ip daddr != 10.10.10.0/24 masquerade to :1024-65535"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-> exit 0 after 0.03 s", "-> exit 0 after 12.1 s"),
        (
            "<uuid>886733e5-00f0-4bcc-84ca-81ab5fabe3ec</uuid>",
            "<uuid>e32ee184-d6fd-40e6-8db2-2b4716bea001</uuid>",
        ),
        ("link/ether fe:54:00:55:9b:d6 brd", "link/ether fe:54:00:12:00:d7 brd"),
        ("inet6 fe80::fc54:ff:fe55:9bd6/64", "inet6 fe80::1:ff:fe12:d7/64"),
        ("counter packets 8 bytes 2624 accept", "counter packets 0 bytes 0 accept"),
        (":INPUT ACCEPT [12:2800]", ":INPUT ACCEPT [0:0]"),
        ("n_packets=3, n_bytes=210, idle_age=4", "n_packets=0, n_bytes=0, idle_age=1"),
        ("Sun, 22 Nov 2026 00:59:14 GMT", "Mon, 23 Nov 2026 10:00:00 GMT"),
        ("2026-03-01T12:00:00Z", "2027-04-02 13:01:01.5+01:00"),
        ('"expiry-time": 1795309154', '"expiry-time": 1795312754'),
        ("hello_timer    0.70 tcn_timer    0.00", "hello_timer    1.20 tcn_timer    0.01"),
        ("users:((dnsmasq,pid=102,fd=5))", "users:((dnsmasq,pid=911,fd=7))"),
        ('"local_port": 57534,', '"local_port": 1025,'),
        ("64 bytes: icmp_seq=1 ttl=64 time=0.276 ms", "64 bytes: icmp_seq=1 ttl=64 time=1.9 ms"),
        ('"rtt_us":640413,', '"rtt_us":1200,'),
        ("<domain type='qemu' id='1'>", "<domain type='qemu' id='7'>"),
        ("on Sun Nov 22 02:48:57 2026", "on Mon Nov  2 12:00:01 2027"),
        ('"source":"10.10.10.128:46501"', '"source":"10.10.10.128:1025"'),
        ('"name": "nat", "handle": 7}', '"name": "nat", "handle": 2}'),
        ("in tmpab12cd_4/x", "in tmpzz99yy11/x"),
        ("in tmp.Ab12Cd34Ef", "in tmp.Zz99Yy11Xx"),
        ("guest-image/5deb3f7c43d96ca4/kernel", "guest-image/0123456789abcdef/kernel"),
    ],
)
def test_what_always_differs_is_alike(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("masquerade to :1024-65535", "masquerade to :2048-65535"),
        ("ip saddr 10.10.10.0/24 accept", "ip saddr 10.10.11.0/24 accept"),
        ("dhcp-range=10.10.10.2,10.10.10.254", "dhcp-range=10.10.10.2,10.10.10.200"),
        ("udp dport 53 accept", "udp dport 67 accept"),
        ("machine='pc-i440fx-7.2'", "machine='pc-i440fx-5.2'"),
        ("mtu 1500 qdisc noqueue", "mtu 9000 qdisc noqueue"),
        ("net.ipv4.ip_forward = 1", "net.ipv4.ip_forward = 0"),
        ("<port start='1024' end='65535'/>", "<port start='1024' end='60000'/>"),
        ("ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:00"),
        ("-> exit 0 after 0.1 s", "-> exit 1 after 0.1 s"),
        ("actions=NORMAL", "actions=drop"),
        ('"source":"10.10.10.128:777"', '"source":"10.10.10.128:778"'),
        ("forward_delay 200 hello_time 200", "forward_delay 1500 hello_time 200"),
    ],
)
def test_what_was_configured_stays(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def test_which_address_stands_where_is_kept() -> None:
    one = "a 52:54:00:00:00:01 b 52:54:00:00:00:02 a 52:54:00:00:00:01"
    assert normalised(one) == "a MAC-1 b MAC-2 a MAC-1"
    crossed = one.replace("a 52:54:00:00:00:01", "a 52:54:00:00:00:02", 2).replace("02 b", "02 b")
    assert normalised(crossed) != normalised(one)
    # A bridge's id is its address without leading zeros.
    assert normalised("52:54:00:65:84:0c 8000.52:54:0:65:84:c") == "MAC-1 8000.MAC-1"


def test_a_hunk_of_a_transcript_stands_below_its_command() -> None:
    before = RULES.format(count=1, rule=MASQUERADE) + "[host]$ ip route\ndefault\n-> exit 0\n"
    after = RULES.format(count=7, rule="drop") + "[host]$ ip route\ndefault\n-> exit 0\n"
    assert list(unified(COMMANDS, before, after)) == [
        "[host]$ nft list ruleset",
        "@@ -1,7 +1,7 @@",
        " table ip nat {",
        " \tchain LIBVIRT_PRT {",
        " \t\tip saddr 10.10.10.0/24 counter packets N bytes N return",
        f"-\t\t{MASQUERADE}",
        "+\t\tdrop",
        " \t}",
        " }",
        " -> exit 0 after TIME",
    ]


def test_how_often_something_was_asked_is_no_difference() -> None:
    once = "[host]$ ss\nnothing\n-> exit 0 after 0.1 s\n"
    assert list(unified(COMMANDS, once, once + once)) == []
    other = "[host]$ ss\nLISTEN\n-> exit 0 after 0.1 s\n"
    assert "+LISTEN" in list(unified(COMMANDS, once, once + other))


def test_in_which_order_tables_were_made_is_no_difference() -> None:
    one, other = "table ip nat {\n\tchain A {\n\t}\n}\n", "table ip filter {\n}\n"
    command, end = "[host]$ nft list ruleset\n", "-> exit 0 after 0.1 s\n"
    before, after = command + one + other + end, command + other + one + end
    assert list(unified(COMMANDS, before, after)) == []
    changed = after.replace("chain A", "chain B")
    assert {"-\tchain A {", "+\tchain B {"} <= set(unified(COMMANDS, before, changed))


def test_an_address_more_in_one_command_shows_in_no_other() -> None:
    links = "[host]$ ip link\nlink/ether 52:54:00:00:00:01\n"
    said = "[host]$ sh -c tune\nseen 52:54:00:00:00:07 52:54:00:00:00:08\n"
    assert list(unified(COMMANDS, links, said + links)) == [
        "+[host]$ sh -c tune",
        "+seen MAC-1 MAC-2",
    ]


def test_a_command_that_only_one_run_gave_is_marked_as_such() -> None:
    ran = "[host]$ tc qdisc\ntbf\n"
    assert list(unified(COMMANDS, "", ran)) == ["+[host]$ tc qdisc", "+tbf"]
    assert list(unified(COMMANDS, ran, "")) == ["-[host]$ tc qdisc", "-tbf"]


def test_json_is_compared_by_what_it_says() -> None:
    assert list(unified("x.json", '{"a": 1, "b": 2}', '{\n"b":2,\n"a":1}')) == []
    assert '+ "a": 3,' in list(unified("x.json", '{"a": 1, "b": 2}', '{"a": 3, "b": 2}'))


def test_of_a_long_line_only_what_is_about_the_change_is_shown() -> None:
    words = [f"word{number}" for number in range(60)]
    changed = [*words]
    changed[30] = "other"
    minus, plus = list(hunks([" ".join(words)], [" ".join(changed)]))[1:]
    assert minus == ("-… word26 word27 word28 word29 word30 word31 word32 word33 word34 …")
    assert plus == minus.replace("word30", "other").replace("-…", "+…", 1)


def flip(before: Path, after: Path, verdict: Verdict = Verdict.VIOLATES) -> Comparison:
    """Compare two runs in which the rules lost a line."""
    sides = []
    for number, (folder, rule) in enumerate(((before, MASQUERADE), (after, ""))):
        seen = kept(folder, "nat.rules/rules.txt", f"-A POSTROUTING\n{rule}\n")
        of_it = kept(folder, "topology-nat/commands.txt", RULES.format(count=number, rule=rule))
        console = kept(folder, "topology-nat/console-kvm1.txt", f"boot {number}")
        sides.append(
            (
                record(
                    number,
                    check(
                        "nat.rules", Verdict.CONFORMS if number == 0 else verdict, evidence=[seen]
                    ),
                    check("dhcp.lease", evidence=[kept(folder, f"{number}.txt", str(number))]),
                    evidence={"nat": [of_it, console]},
                ),
                folder,
            )
        )
    return compare(*sides, Criteria())


def test_beside_a_flip_stands_what_differs_of_it_and_of_its_topology(tmp_path: Path) -> None:
    found = flip(tmp_path / "before", tmp_path / "after")
    assert [(each.check, each.name) for each in found.differences] == [
        (None, "commands.txt"),
        ("nat.rules", "rules.txt"),
    ]
    assert f"-{MASQUERADE}" in found.differences[1].lines
    assert not found.notes


def test_what_became_decided_is_not_explained_by_what_was_not_run_before(tmp_path: Path) -> None:
    assert not flip(tmp_path / "before", tmp_path / "after", Verdict.CONFORMS).differences


def test_evidence_that_is_gone_or_changed_is_told(tmp_path: Path) -> None:
    after = tmp_path / "after"
    flip(tmp_path / "before", after)
    (after / "evidence/topology-nat/commands.txt").unlink()
    sides = [
        (
            record(
                number,
                check(
                    "nat.rules",
                    verdict,
                    evidence=[kept(folder, "nat.rules/rules.txt", verdict)],
                ),
            ),
            folder,
        )
        for number, (folder, verdict) in enumerate(
            ((tmp_path / "before", Verdict.CONFORMS), (after, Verdict.VIOLATES))
        )
    ]
    (after / "evidence/nat.rules/rules.txt").write_text("tampered with")
    found = compare(*sides, Criteria())
    assert len(found.notes) == 1
    assert "it is not what was recorded" in found.notes[0]
    (after / "evidence/nat.rules/rules.txt").unlink()
    found = compare(*sides, Criteria())
    assert "No such file" in found.notes[0]
    assert not found.differences
