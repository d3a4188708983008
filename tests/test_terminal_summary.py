# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix and the closing text of a record, at the width of a terminal and in a log."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from contracts.exit_codes import EXIT_MEANINGS
from reports.record import (
    Check,
    EvidenceFile,
    RunRecord,
    TopologyRecord,
    Verdict,
)
from reports.recording.ledger import NOT_DECIDED
from reports.terminal.matrix_table import print_matrix
from reports.terminal.progress_lines import check_line, columns
from reports.terminal.summary import print_closing, print_findings
from reports.wording import both_ends, duration, few, one_line
from tests import records

SHIPPED = ["linux-bridge", "ovs", "nat", "nat1", "isolated", "bridged", "bridged-ovs"]
STATEMENTS = {
    "NT-05": "A guest gets by DHCP an address inside the range, the mask, and the router",
    "NT-09": "On the wire the outside end sees the host's uplink address as source",
}


def check(
    name: str,
    verdict: Verdict = Verdict.CONFORMS,
    reason: str | None = None,
    *,
    topology: str = "nat",
    claims: Sequence[str] = ("NT-05",),
    evidence: Sequence[str] = (),
) -> Check:
    files = [
        EvidenceFile(name=each, media_type="text/plain", path=each, sha256="0" * 64)
        for each in evidence
    ]
    more = {"claims": list(claims), "topology": topology, "duration_s": 0.3, "evidence": files}
    return records.check(name, verdict, reason=reason, **more)


def record(*checks: Check, topologies: Sequence[TopologyRecord] = ()) -> RunRecord:
    more = {"topologies": topologies} if topologies else {}
    return records.record(checks, **more)


def matrix(shown: RunRecord, width: int = 80) -> list[str]:
    console = Console(file=StringIO(), width=width, force_terminal=False)
    print_matrix(shown, console)
    return _lines(console)


def findings(shown: RunRecord, *, terminal: bool = False) -> list[str]:
    console = Console(file=StringIO(), width=80, force_terminal=terminal, color_system=None)
    print_findings(shown, STATEMENTS, console, Path("runs/1"))
    return _lines(console)


def _lines(console: Console) -> list[str]:
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_matrix_counts_each_verdict_in_its_cell() -> None:
    shown = record(
        check("dhcp.a"),
        check("dhcp.b"),
        check("dhcp.c", Verdict.VIOLATES),
        check("dhcp.d", Verdict.INCONCLUSIVE),
        check("dhcp.e", Verdict.INCONCLUSIVE),
        check("nat.a", Verdict.NOT_TESTABLE),
        check("nat.b", Verdict.ERROR, topology="isolated"),
    )

    rows = [" ".join(line.split()) for line in matrix(shown)]

    assert rows[0] == "nat isolated"
    assert rows[2:4] == ["dhcp 2 1✗ 2? ·", "nat 1– 1!"]
    assert rows[5] == "all 2 1✗ 2? 1– 1!"
    assert rows[7] == ("n conforms n✗ violates n! error n? inconclusive n– not-testable · no check")


def test_the_shipped_topologies_fit_side_by_side_into_80_columns() -> None:
    shown = record(
        *(
            check(f"{each}.a{n}", topology=name)
            for each in ("connectivity", "dhcp")
            for n in range(12)
            for name in SHIPPED
        )
    )

    lines = matrix(shown)

    assert max(len(line) for line in lines) <= 80
    assert lines[0].split() == SHIPPED


@pytest.mark.parametrize("width", [60, 80, 100])
def test_more_topologies_than_fit_go_below_each_other_and_none_is_cut(width: int) -> None:
    names = [f"site-{number}-of-customer" for number in range(9)]
    shown = record(*(check("dhcp.a", Verdict.VIOLATES, topology=name) for name in names))

    lines = matrix(shown, width)

    assert max(len(line) for line in lines) <= width
    assert [word for line in lines for word in line.split() if word.startswith("site-")] == names


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_claims_of_each_property_stand_below_the_matrix_at_any_width(width: int) -> None:
    dhcp = ["NT-05", "NT-06", "NT-07", "NT-09", "BR-01", "BR-02"]
    many = [f"GN-{number:02}" for number in range(1, 80, 2)]
    shown = record(
        *(check("dhcp.a", topology=name, claims=dhcp) for name in SHIPPED),
        *(check("guests.a", topology=name, claims=many) for name in SHIPPED),
        check("own.cell", claims=[]),
    )

    lines = matrix(shown, width)
    told = " ".join(" ".join(lines[lines.index("") :]).split())

    assert max(len(line) for line in lines) <= width
    assert f"decides: dhcp BR-01 BR-02 NT-05–07 NT-09 · guests {' '.join(many)}" in told
    assert "own" not in told


def test_a_record_without_checks_has_no_matrix() -> None:
    assert matrix(record()) == []


@pytest.mark.parametrize("terminal", [True, False])
def test_a_violation_is_three_lines_and_the_command_that_explains_it(*, terminal: bool) -> None:
    shown = record(
        check(
            "nat.source[nat]",
            Verdict.VIOLATES,
            "the outside saw 10.10.10.2 as source,\nexpected 192.168.1.2",
            claims=["NT-09"],
            evidence=["evidence/nat.source_nat/outside.pcap"],
        )
    )

    assert findings(shown, terminal=terminal) == [
        "",
        "Violated",
        "✗ NT-09  On the wire the outside end sees the host's uplink address as source",
        "  nat: the outside saw 10.10.10.2 as source, expected 192.168.1.2",
        "  evidence: runs/1/evidence/nat.source_nat/outside.pcap",
        "what usually breaks that: ./plumbline explain NT-09",
    ]


def test_a_long_line_is_cut_on_a_terminal_and_whole_in_a_log() -> None:
    long = "the outside saw " + "10.10.10.2 " * 20 + "END"
    shown = record(check("nat.source", Verdict.VIOLATES, long))

    on_terminal, in_log = findings(shown, terminal=True), findings(shown)

    assert len(on_terminal) == len(in_log) == 6
    assert max(len(line) for line in on_terminal) == 80
    assert in_log[3].endswith("END")


def test_every_violation_is_told_and_one_cause_of_many_errors_once() -> None:
    shown = record(
        check("dhcp.a", Verdict.VIOLATES, "x", evidence=["evidence/a/1", "evidence/a/2"]),
        check("dhcp.b", Verdict.VIOLATES, "x", evidence=["evidence/b/1"]),
        check("nat.a", Verdict.ERROR, "it is gone", evidence=["evidence/na/1"]),
        check("nat.b", Verdict.ERROR, "it is gone", claims=["NT-09"], evidence=["evidence/2"]),
    )

    lines = findings(shown)

    assert sum(line.startswith("✗") for line in lines) == 2
    assert "  evidence: runs/1/evidence/a (2 files)" in lines
    assert lines[lines.index("Errors of the harness") + 1 :] == [
        "! NT-05 NT-09  2 checks for the same reason",
        "  nat: it is gone",
        "  evidence: runs/1/evidence (2 files)",
    ]


def test_a_topology_that_could_not_be_built_is_told_once_with_what_it_cost() -> None:
    reason = "libvirtd did not come up within 5 s\nlast seen: no socket"
    topology = TopologyRecord(
        name="nat", title="NAT forwarding network", verdict=Verdict.ERROR, reason=reason
    )
    shown = record(
        check("dhcp.a", Verdict.ERROR, "libvirtd did not come up within 5 s"),
        check("dhcp.b", Verdict.ERROR, "libvirtd did not come up within 5 s", claims=["NT-09"]),
        check("dhcp.c", Verdict.ERROR, "the worker crashed"),
        topologies=[topology],
    )

    assert findings(shown) == [
        "",
        "Errors of the harness",
        "! nat  NAT forwarding network: 2 checks of 2 claims undecided",
        "  libvirtd did not come up within 5 s last seen: no socket",
        "  no evidence was stored",
        f"! NT-05  {STATEMENTS['NT-05']}",
        "  nat: the worker crashed",
        "  no evidence was stored by dhcp.c",
    ]


def test_a_topology_that_the_host_refused_is_a_violation_told_once() -> None:
    reason = "libvirt did not start network n: port 53 is taken"
    topology = TopologyRecord(
        name="nat", title="NAT forwarding network", verdict=Verdict.VIOLATES, reason=reason
    )
    shown = record(
        check("network.a", Verdict.VIOLATES, reason, claims=["NT-01"]),
        check("dhcp.a", Verdict.INCONCLUSIVE, reason),
        check("dhcp.b", Verdict.INCONCLUSIVE, reason, claims=["NT-09"]),
        topologies=[topology],
    )

    told = findings(shown)

    assert told[2:] == [
        "✗ nat  NAT forwarding network: NT-01 violated, 2 checks of 2 claims undecided",
        f"  {reason}",
        "  no evidence was stored",
    ]


def test_what_was_never_reached_is_counted_not_listed() -> None:
    shown = record(
        *(check(f"dhcp.{n}", Verdict.INCONCLUSIVE, NOT_DECIDED) for n in range(20)),
        *(
            check(f"dhcp.{n}", Verdict.INCONCLUSIVE, NOT_DECIDED, topology="ovs", claims=["OV-01"])
            for n in range(5)
        ),
    )

    assert findings(shown) == [
        "",
        "Inconclusive",
        "? 25 checks of 2 claims  not decided: the run ended before them",
        "  nat 20 · ovs 5",
        "  no evidence: they never began, or never ended",
    ]


def test_what_could_not_be_tested_is_grouped_by_its_reason() -> None:
    reason = "the host lacks vlan (probe: ip link add … type vlan: Operation not supported)"
    shown = record(
        check("vlan.a", Verdict.NOT_TESTABLE, reason, topology="ovs", claims=["OV-12", "OV-14"]),
        check("vlan.b", Verdict.NOT_TESTABLE, reason, topology="ovs", claims=["OV-12"]),
        check("vlan.a", Verdict.NOT_TESTABLE, reason, topology="bridged-ovs", claims=["OV-12"]),
        check("nic.a", Verdict.NOT_TESTABLE, "the host lacks sriov", claims=["GN-04"]),
    )

    assert findings(shown) == [
        "",
        "Could not be tested",
        f"– {reason}",
        "  ovs: OV-12 OV-14",
        "  bridged-ovs: OV-12",
        "– the host lacks sriov",
        "  nat: GN-04",
    ]


def test_a_conforming_run_has_nothing_to_tell() -> None:
    assert findings(record(check("dhcp.a"))) == []


@pytest.mark.parametrize("code", EXIT_MEANINGS)
def test_the_closing_line_counts_and_says_what_the_exit_code_means(code: int) -> None:
    shown = record(check("dhcp.a"), check("dhcp.b", Verdict.VIOLATES))
    console = Console(file=StringIO(), width=80, force_terminal=False)

    print_closing(shown, console, Path("runs/1"), code)

    assert _lines(console) == [
        "",
        "conforms 1 · not-testable 0 · inconclusive 0 · error 0 · violates 1"
        f" · 3 min 41 s · runs/1/run.json · exit {code}: {EXIT_MEANINGS[code]}",
    ]


def test_a_record_of_a_killed_run_is_said_to_be_unfinished() -> None:
    shown = record(check("dhcp.a")).model_copy(update={"finished": None})
    console = Console(file=StringIO(), width=80, force_terminal=False)

    print_closing(shown, console, Path("runs/1"))

    assert _lines(console)[1].endswith(" · not finished · runs/1/run.json")


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_the_lines_of_a_run_are_aligned_and_fit(width: int) -> None:
    checks = [
        check("reach.works[bridged-ovs-guest-to-outside-icmp]", topology="bridged-ovs"),
        check("dhcp.lease[nat]", Verdict.NOT_TESTABLE, claims=["NT-05", "NT-06", "NT-07"]),
    ]
    widths = columns(record(*checks), width)

    lines = [check_line(each, (1, 2), widths).plain for each in checks]

    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= width
    assert lines[0].index("conforms") == lines[1].index("not-testable")


def seven_topologies() -> list[Check]:
    long = "connectivity.reachable[{}-guest-to-outside-icmp]"
    claims = ["NT-08", "NT-09", "NT-10"]
    return [check(long.format(name), topology=name, claims=claims) for name in SHIPPED]


def test_seven_topologies_show_their_claims_in_100_columns() -> None:
    checks = seven_topologies()
    widths = columns(record(*checks * 20), 100)

    lines = [check_line(each, (140, 140), widths).plain for each in checks]

    assert max(len(line) for line in lines) <= 100
    assert all(" NT-08 +2 " in line for line in lines)


def test_a_pipe_gets_every_id_and_claim_whole() -> None:
    checks = seven_topologies()
    widths = columns(record(*checks), 60, whole=True)

    for each in checks:
        line = check_line(each, (1, 7), widths).plain
        assert f" {each.label} " in line
        assert " NT-08 NT-09 NT-10 " in line


@pytest.mark.parametrize(
    ("seconds", "put"),
    [
        (None, ""),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (221, "3 min 41 s"),
    ],
)
def test_a_duration_has_as_many_places_as_matter(seconds: float | None, put: str) -> None:
    assert duration(seconds) == put


def test_what_is_too_long_for_its_place_is_shortened_visibly() -> None:
    assert few(["NT-08", "NT-09"], 11) == "NT-08 NT-09"
    assert few(["NT-08", "NT-09"], 10) == "NT-08 +1"
    assert few([], 10) == ""
    assert one_line(" a\n  b ") == "a b"
    assert one_line("abcdef", 4) == "abc…"
    assert both_ends("abcdefgh", 5) == "ab…gh"
    assert both_ends("abcdefgh", 8) == "abcdefgh"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dhcp.lease", "dhcp.lease"),
        ("dhcp.lease[nat]", "dhcp.lease"),
        ("reach.works[nat-guest-to-host-icmp]", "reach.works[guest-to-host-icmp]"),
        ("reach.works[nat1]", "reach.works[nat1]"),
    ],
)
def test_a_line_that_names_the_topology_does_not_name_it_twice(name: str, shown: str) -> None:
    assert check(name, topology="nat").label == shown
