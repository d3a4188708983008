# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of a run, put together from what comes in piece by piece."""

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.plan import PlannedCheck
from reports.record import EvidenceFile, RecordError, Statement, Tool, Verdict
from reports.recording.ledger import NOT_DECIDED, Ledger, entry_for, parse_check

TOOL = Tool(version="1", commit=None, dirty=None, command=[])


def planned(number: int, topology: str = "nat") -> PlannedCheck:
    return PlannedCheck(
        id=f"dhcp.check_{number}",
        nodeid=f"suites/dhcp.py::test_{number}[{topology}]",
        claims=("NT-05",),
        topology=topology,
        rerun="./plumbline run",
    )


def evidence(path: str, digit: str = "0") -> dict[str, str]:
    return {"name": path, "media_type": "text/plain", "path": path, "sha256": digit * 64}


def test_what_is_planned_is_not_decided_until_it_is() -> None:
    ledger = Ledger(TOOL)
    ledger.plan([planned(1), planned(2), planned(1, "nat1")])
    ledger.decide(entry_for(planned(1), Verdict.CONFORMS, "leased 10.10.10.2"))

    record = ledger.record()

    assert ledger.progress == (1, 3)
    assert [check.verdict for check in record.checks] == [
        "conforms",
        "inconclusive",
        "inconclusive",
    ]
    assert record.checks[1].reason == NOT_DECIDED
    assert [(each.name, each.verdict) for each in record.topologies] == [
        ("nat", "inconclusive"),
        ("nat1", "inconclusive"),
    ]


def test_an_item_is_found_with_and_without_its_group() -> None:
    ledger = Ledger(TOOL)
    ledger.plan([planned(1)])

    assert ledger.planned_for(f"{planned(1).nodeid}@nat") == [planned(1)]
    assert ledger.planned_for(planned(1).nodeid) == [planned(1)]
    assert ledger.planned_for("suites/dhcp.py::test_9[nat]@nat") == []


def test_the_last_word_counts_and_a_repeated_one_is_no_news() -> None:
    ledger = Ledger(TOOL)
    good, bad = (entry_for(planned(1), each, "x") for each in (Verdict.CONFORMS, Verdict.ERROR))

    assert [ledger.decide(each) for each in (good, good, bad)] == [True, False, True]
    assert ledger.entry(planned(1).key) == bad


def test_a_violation_stays_whatever_breaks_after_it() -> None:
    ledger = Ledger(TOOL)
    ledger.decide(entry_for(planned(1), Verdict.VIOLATES, "the lease was outside the range"))

    assert not ledger.decide(entry_for(planned(1), Verdict.ERROR, "teardown failed"))
    assert ledger.record().checks[0].verdict is Verdict.VIOLATES


def test_a_topology_grows_by_what_is_newly_known() -> None:
    ledger = Ledger(TOOL)
    ledger.report_topology({"name": "nat", "kind": "nat", "title": "NAT", "build_s": 3.0})
    ledger.report_topology({"name": "nat", "evidence": [evidence("a"), evidence("b")]})

    news = ledger.report_topology(
        {"name": "nat", "kind": None, "teardown_s": 0.5, "evidence": [evidence("b", "1")]}
    )
    again = ledger.report_topology({"name": "nat", "teardown_s": 0.5})

    assert (news, again) == (True, False)
    nat = ledger.topology("nat")
    assert (nat.kind, nat.build_s, nat.teardown_s) == ("nat", 3.0, 0.5)
    assert [(each.path, each.sha256[0]) for each in nat.evidence] == [("a", "0"), ("b", "1")]


def test_what_was_built_stays_known() -> None:
    ledger = Ledger(TOOL)
    bridge = {"id": "host/virbr1", "kind": "bridge", "name": "virbr1", "within": "host"}
    ledger.report_topology({"name": "nat", "built": {"nodes": [bridge], "links": []}})
    ledger.report_topology({"name": "nat", "teardown_s": 0.5})

    built = ledger.topology("nat").built

    assert built is not None
    assert [node.name for node in built.nodes] == ["virbr1"]


def test_a_check_that_was_not_decided_says_which_cell_it_was_for() -> None:
    cell: dict[str, str | bool] = {
        "from": "guest",
        "to": "outside",
        "protocol": "tcp",
        "family": "ipv4",
        "promised": False,
    }
    ledger = Ledger(TOOL)
    ledger.plan([replace(planned(1), reach=cell)])

    reach = ledger.record().checks[0].reach

    assert reach is not None
    assert reach.model_dump() == cell


def test_a_record_says_what_the_claims_of_its_checks_say() -> None:
    said = {
        "NT-05": Statement(statement="A guest gets its address by DHCP", source="D4: NAT"),
        "NT-12": Statement(statement="They reach each other", source="D3: NAT"),
    }
    ledger = Ledger(TOOL, statements=said)
    ledger.plan([planned(1)])

    assert ledger.record().statements == {"NT-05": said["NT-05"]}


def test_a_topology_is_as_bad_as_its_worst_check_or_its_building() -> None:
    ledger = Ledger(TOOL)
    ledger.report_topology({"name": "nat", "verdict": "conforms"})
    assert ledger.topology("nat").verdict is Verdict.CONFORMS

    ledger.decide(entry_for(planned(1), Verdict.NOT_TESTABLE, "no vlan"))
    assert ledger.topology("nat").verdict is Verdict.NOT_TESTABLE

    ledger.report_topology({"name": "nat", "verdict": None, "reason": "libvirtd did not come up"})
    assert ledger.topology("nat").verdict is Verdict.NOT_TESTABLE

    ledger.report_topology({"name": "nat1", "reason": "libvirtd did not come up"})
    assert ledger.topology("nat1").verdict is Verdict.ERROR


def test_the_first_host_counts() -> None:
    ledger = Ledger(TOOL)
    host = {"kind": "sandbox", "release": None, "accel": None, "facts": {"cpus": 2}}

    assert ledger.report_host(host)
    assert not ledger.report_host(host | {"facts": {"cpus": 4}})
    assert ledger.record().host.facts == {"cpus": 2}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"verdict": "passed"}, "verdict: Input should be 'conforms'"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"duration_s": float("nan")}, "not JSON compliant"),
        ({"claims": Path("x")}, "not JSON serializable"),
        ({"rerun": None}, "rerun: Input should be a valid string"),
    ],
)
def test_a_malformed_entry_is_refused_with_its_field(wrong: dict[str, object], said: str) -> None:
    entry = entry_for(planned(1), Verdict.CONFORMS, "x").model_dump(mode="json") | wrong

    with pytest.raises(RecordError, match=said) as caught:
        parse_check(entry)

    assert str(caught.value).startswith("a plumbline.check entry is not what the contract says")


def test_what_depends_on_a_topology_is_kept_for_each_of_them() -> None:
    ledger = Ledger(TOOL)
    for name, forwards in (("linux-bridge", "0"), ("nat", "1")):
        built = {name: {"sysctls": {"net.ipv4.ip_forward": forwards}}}
        ledger.report_host({"kind": "sandbox", "facts": {"kernel": "6.18", "topologies": built}})

    assert ledger.record().host.facts == {
        "kernel": "6.18",
        "topologies": {
            "linux-bridge": {"sysctls": {"net.ipv4.ip_forward": "0"}},
            "nat": {"sysctls": {"net.ipv4.ip_forward": "1"}},
        },
    }


def test_a_second_reason_does_not_hide_the_first() -> None:
    ledger = Ledger(TOOL)
    ledger.report_topology({"name": "nat", "reason": "it could not be undone"})
    ledger.report_topology({"name": "nat", "reason": "it stays", "teardown_s": 1.0})
    assert ledger.topology("nat").reason == "it could not be undone; then it stays"


def test_a_violation_stays_and_its_files_are_as_they_are_now() -> None:
    ledger = Ledger(TOOL)
    ledger.plan([planned(1)])
    entries = [
        entry_for(planned(1), verdict, reason).model_copy(
            update={"evidence": [EvidenceFile(**evidence("commands.txt", digit))]}
        )
        for verdict, reason, digit in (
            (Verdict.VIOLATES, "no lease", "0"),
            (Verdict.ERROR, "virbr1 is busy", "1"),
        )
    ]
    assert ledger.decide(entries[0])
    assert not ledger.decide(entries[1])
    [check] = ledger.record().checks
    assert (check.verdict, check.reason) == ("violates", "no lease")
    assert [file.sha256 for file in check.evidence] == ["1" * 64]
