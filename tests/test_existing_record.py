# SPDX-License-Identifier: GPL-2.0-or-later
"""What reports say of existing networks: what no check looks at, and what was left out."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from contracts.exit_code_decision import exit_code_of_run
from contracts.exit_codes import EXIT_CONFORMS
from reports.exports import job_summary
from reports.html.report_page import render
from reports.record import MovedField, RunRecord, TopologyRecord, UnreadSetting, Verdict, parse
from reports.recording.ledger import Ledger
from reports.terminal.summary import print_findings
from reports.unread_settings import unread_settings
from tests import records

OPTIONS = UnreadSetting(
    source="network default",
    element="network/dnsmasq:options",
    attribute=None,
    line=14,
    value="",
)
DEFAULT = TopologyRecord(
    name="network-default", verdict=Verdict.CONFORMS, origin="existing", not_looked_at=[OPTIONS]
)
VEPA = TopologyRecord(
    name="network-vepa",
    verdict=Verdict.NOT_TESTABLE,
    origin="existing",
    reason="network vepa: <forward mode='vepa'> is a type of network that Plumbline does not know",
)


def run() -> RunRecord:
    check = records.check("dhcp.lease[network-default]", topology=DEFAULT.name)
    return records.record([check], topologies=[DEFAULT, VEPA])


def test_the_page_lists_what_no_check_looks_at(tmp_path: Path) -> None:
    page = render(run(), tmp_path)
    assert "What it is asked for, and no check looks at (1)" in page
    assert "<dt>network/dnsmasq:options</dt><dd>given (network default, line 14)</dd>" in page
    assert "does not know" in page


@pytest.mark.parametrize(
    ("origin", "said", "not_said"),
    [
        ("existing", ["(existing)", "without other users: nat"], ["in place of"]),
        ("made", ["in place of the documented ones", "documented: nat"], ["(existing)"]),
        (None, ["in place of the documented ones", "documented: nat"], ["(existing)"]),
    ],
)
def test_the_page_has_the_words_of_a_networks_origin(
    tmp_path: Path, origin: str | None, said: list[str], not_said: list[str]
) -> None:
    moved = MovedField(field="networks[0].name", documented="nat", used="plumb-nat")
    topology = DEFAULT.model_copy(update={"origin": origin, "placement": [moved]})
    page = render(records.record(run().checks, topologies=[topology]), tmp_path)
    assert all(each in page for each in said)
    assert not any(each in page for each in not_said)


def test_the_terminal_names_what_was_left_out() -> None:
    console = Console(file=StringIO(), width=80, force_terminal=False)
    print_findings(run(), {}, console, Path("runs/1"))
    assert isinstance(console.file, StringIO)
    said = console.file.getvalue()
    assert "Could not be tested" in said
    assert f"{VEPA.reason}\n  network-vepa: left out" in said


def test_a_network_that_was_left_out_is_no_failure() -> None:
    verdicts = [each.verdict for each in run().topologies]
    assert exit_code_of_run([Verdict.CONFORMS], verdicts) == EXIT_CONFORMS


def test_the_ledger_keeps_both() -> None:
    ledger = Ledger(records.TOOL)
    for each in (DEFAULT, VEPA):
        keys = {"name", "origin", "not_looked_at", "verdict", "reason"}
        ledger.report_topology(each.model_dump(include=keys, mode="json"))
    kept = {each.name: each for each in ledger.record().topologies}
    assert kept[DEFAULT.name].not_looked_at == [OPTIONS]
    assert kept[VEPA.name].reason == VEPA.reason
    assert kept[VEPA.name].verdict is Verdict.NOT_TESTABLE


def test_a_record_from_before_is_read_without_them() -> None:
    record = run()
    text = record.model_dump_json(by_alias=True)
    older = text.replace('"origin":"existing",', "")
    assert older != text
    assert parse(older.encode(), "run.json").topologies[0].origin is None


def test_the_terminal_and_the_summary_list_what_no_check_looks_at() -> None:
    console = Console(file=StringIO(), width=80, force_terminal=False)
    print_findings(run(), {}, console, Path("runs/1"))
    assert isinstance(console.file, StringIO)
    said = "network-default, line 14: network/dnsmasq:options"
    assert f"Not looked at\n– {said}\n" in console.file.getvalue()
    assert f"### Not looked at: 1\n\n- {said}\n" in job_summary.render(run()).replace("\\", "")


def test_an_element_is_one_line_with_its_attributes() -> None:
    route = UnreadSetting(
        source="network lab", element="network/route", attribute=None, line=9, value=""
    )
    settings = [
        route,
        route.model_copy(update={"attribute": "prefix", "value": "16"}),
        route.model_copy(update={"line": 10}),
    ]
    topology = DEFAULT.model_copy(update={"not_looked_at": settings})
    record = records.record([], topologies=[topology])
    assert list(unread_settings(record)) == [
        "network-default, line 9: network/route prefix=16",
        "network-default, line 10: network/route",
    ]
