# SPDX-License-Identifier: GPL-2.0-or-later
"""The forms of a fleet's report: page, Markdown, metrics, JSON."""

import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from contracts.verdicts import Verdict
from reports.fleet.fleet import ClaimOnHost, Fleet, FleetClaim, FleetHost
from reports.fleet.fleet_of_folder import fleet_of
from reports.fleet.fleet_pages import fleet_html, fleet_markdown
from reports.fleet.fleet_wording import reasons
from reports.fleet.host_facts import short_version
from reports.fleet.host_status import HostState
from reports.fleet.open_metrics import metrics_text
from reports.fleet.shared_values import shared_values
from reports.record import Tool
from tests.fleets import C, host, status, with_every_state
from tests.records import STARTED

HOSTILE = '<script>alert("x")</script> \\ "quoted"'


def test_an_exit_code_is_shown(tmp_path: Path) -> None:
    host(tmp_path, "good", {"NT-01": C})
    status(tmp_path, "good", "ran", exit_code=0)
    host(tmp_path, "short", {"NT-01": C})
    status(tmp_path, "short", "ran", exit_code=11)
    status(tmp_path, "old", "refused", reason="Python 3.9 is too old", exit_code=4)
    found = fleet_of(tmp_path)
    assert {each.name: each.exit_code for each in found.hosts} == {"good": 0, "short": 11, "old": 4}
    for made in (fleet_html(found), fleet_markdown(found)):
        page = made.replace("\\", "")
        assert "Python 3.9 is too old (exit code 4)" in page
        assert page.count("(exit code 11)") == 1
        assert "exit code 0" not in page


def test_versions_that_differ_are_named_so_that_the_difference_shows(tmp_path: Path) -> None:
    command = ["./plumbline", "run"]
    for name, commit, dirty, kernel in (
        ("a", "a" * 40, False, "6.1.0-28-amd64 #1 SMP"),
        ("b", "a" * 40, False, "6.1.0-28-amd64 #2 SMP"),
        ("c", "b" * 40, True, "6.1.0-28-amd64 #2 SMP"),
    ):
        tool = Tool(version="0.1.0", commit=commit, dirty=dirty, command=command)
        host(tmp_path, name, {"NT-01": C}, kernel, tool=tool)
    found = fleet_of(tmp_path)
    said = list(reasons(found))
    assert "kernel differs: 6.1.0-28-amd64 #2 SMP on 2, 6.1.0-28-amd64 #1 SMP on 1" in said
    assert "Plumbline differs: 0.1.0 aaaaaaaaa on 2, 0.1.0 bbbbbbbbb changed on 1" in said
    assert "| 0.1.0 bbbbbbbbb changed |" in fleet_markdown(found).replace("\\", "")
    assert re.search(r'<td class="version[^>]*>0.1.0 bbbbbbbbb changed', fleet_html(found))
    assert 'plumbline="0.1.0 bbbbbbbbb changed"' in metrics_text(found)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", "7.2.22"),
        ("iptables v1.8.9 (nf_tables)", "1.8.9 (nf_tables)"),
        ("iptables v1.8.9 (legacy)", "1.8.9 (legacy)"),
        ("6.1.0-28-amd64 #1 SMP x86_64", "6.1.0-28-amd64"),
        ("ovs-vswitchd (Open vSwitch) 3.1.0", "3.1.0"),
        ("Debian GNU/Linux 12 (bookworm)", "12 (bookworm)"),
        ("Ubuntu 24.04.1 LTS", "24.04.1"),
        ("none", "none"),
    ],
)
def test_versions_are_short(text: str, short: str) -> None:
    assert short_version(text) == short


def test_metrics_are_read_by_both_parsers(tmp_path: Path) -> None:
    folder = with_every_state(tmp_path)
    host(folder, 'quo"ted\\name', {"NT-01": C})
    found = fleet_of(folder)
    text = metrics_text(found)
    for parse in (openmetrics, prometheus):
        samples = {
            (each.name, *sorted(each.labels.items())): each.value
            for family in parse(text)
            for each in family.samples
        }
        hosts = "plumbline_fleet_hosts"
        assert samples[hosts, ("state", "ran")] == 7
        assert samples[hosts, ("state", "died")] == 2
        claims = ("plumbline_fleet_host_claims", ("host", "bad"), ("verdict", "violates"))
        assert samples[claims] == 1
        assert (
            samples["plumbline_fleet_claim_hosts", ("claim", "NT-01"), ("verdict", "violates")] == 1
        )
        named = {
            each.labels["host"] for f in parse(text) for each in f.samples if "host" in each.labels
        }
        assert named == {each.name for each in found.hosts}


def test_the_page_links_hosts_and_violated_checks_and_escapes_their_words(
    tmp_path: Path,
) -> None:
    folder = with_every_state(tmp_path)
    status(folder, "evil", "unreachable", reason=HOSTILE)
    page = fleet_html(fleet_of(folder))
    assert 'href="bad/report.html"' in page
    assert 'href="bad/report.html#check-nat.nt-01-nat"' in page
    assert "<script>alert" not in page
    assert "No route to host" in page


def test_markdown_has_outliers_first_and_leaves_out_whole_hosts(tmp_path: Path) -> None:
    folder = with_every_state(tmp_path)
    status(folder, "evil", "unreachable", reason=HOSTILE)
    text = fleet_markdown(fleet_of(folder))
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    first = rows[rows.index(next(row for row in rows if row.startswith("| host"))) + 1]
    assert first.startswith("| bad | violates | 1 | ")
    small = fleet_markdown(fleet_of(folder), size_max=len(text.encode()) - 300)
    assert "left out" in small


@pytest.mark.parametrize("verdict", Verdict)
def test_every_form_has_a_host_with_each_verdict(verdict: Verdict) -> None:
    claim = ClaimOnHost(verdict=verdict, reason="seen", anchor=None)
    one = FleetHost(
        name="one",
        state=HostState.RAN,
        says="seen",
        verdict=verdict,
        folder="one",
        claims={"NT-01": claim},
    )
    fleet = Fleet(
        made=STARTED,
        hosts=[one],
        claims=[FleetClaim(id="NT-01", counts={verdict: 1})],
        shared=shared_values([one]),
    )
    page = fleet_html(fleet)
    if verdict is not C:
        [letter] = re.findall(r'<td class="k (\w)[^"]*" title="NT-01">', page)
        assert f".k.{letter} {{ color: var(--{verdict});" in page
    assert f"| one | {verdict} | " in fleet_markdown(fleet).replace("\\-", "-")
    labels = f'{{host="one",verdict="{verdict}"}}'
    assert f"plumbline_fleet_host_claims{labels} 1" in metrics_text(fleet)
    assert Fleet.model_validate_json(fleet.model_dump_json()) == fleet
