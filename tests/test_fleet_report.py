# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of a fleet: hosts in every state, outliers first, what red hosts share, its forms."""

import json
import random
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from scipy.stats import fisher_exact

from contracts.run_files import PAGE, RECORD
from contracts.verdicts import Verdict
from reports.compare.multiple_testing import testable as reachable
from reports.fleet.fleet import NO_CLAIM, ClaimOnHost, Fleet, FleetClaim, FleetHost
from reports.fleet.fleet_of_folder import fleet_of
from reports.fleet.fleet_pages import fleet_html, fleet_markdown
from reports.fleet.fleet_wording import headline, look, places_to_look, reasons, verdict_of
from reports.fleet.host_facts import short_version
from reports.fleet.host_status import STATUS, HostState
from reports.fleet.open_metrics import metrics_text
from reports.fleet.shared_values import fisher_p, least_p, shared_values
from reports.record import Tool, TopologyRecord, save
from reports.report_error import ReportError
from reports.waiver import Waiver
from tests.fleets import NEW, OLD, host, status
from tests.launched import ROOT
from tests.records import STARTED, check, fault, record

C, V, N = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.NOT_TESTABLE
HOSTILE = '<script>alert("x")</script> \\ "quoted"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fleet with a host in every state."""
    for number in range(5):
        host(tmp_path, f"good{number}", {"NT-01": C, "NT-02": N})
    host(tmp_path, "bad", {"NT-01": V, "NT-02": C}, NEW)
    host(tmp_path, "cut", {"NT-01": C}, finished=None)
    host(tmp_path, "lost", {"NT-01": C}, finished=None)
    status(tmp_path, "lost", "died", reason="no answer for 60 s")
    status(tmp_path, "silent", "unreachable", reason="No route to host", groups=["rack1"])
    status(tmp_path, "old", "refused", reason="Python 3.9 is too old", exit_code=4)
    (tmp_path / "empty").mkdir()
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / RECORD).write_text('{"schema": "plumbline/run/2"}')
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / RECORD).write_text('{"schema": "plumb')
    return tmp_path


def states(fleet: Fleet) -> dict[str, HostState]:
    return {each.name: each.state for each in fleet.hosts}


def test_every_folder_is_a_row_with_its_state(folder: Path) -> None:
    found = fleet_of(folder)
    assert states(found) == {
        **{f"good{number}": HostState.RAN for number in range(5)},
        "bad": HostState.RAN,
        "cut": HostState.DIED,
        "lost": HostState.DIED,
        "silent": HostState.UNREACHABLE,
        "old": HostState.REFUSED,
        "empty": HostState.NO_RECORD,
        "later": HostState.OTHER_VERSION,
        "torn": HostState.UNREADABLE,
    }
    says = {each.name: each.says for each in found.hosts}
    assert says["silent"] == "No route to host"
    assert says["lost"].startswith("no answer for 60 s; so far: ")
    assert "plumbline/run/2" in says["later"]
    assert headline(found) == "1 of 13 hosts red, 7 without a finished run"
    assert verdict_of(found) is V


def test_a_host_that_ran_and_whose_record_is_gone_has_none(tmp_path: Path) -> None:
    status(tmp_path, "one", "ran", exit_code=0)
    [one] = fleet_of(tmp_path).hosts
    assert (one.state, one.says) == (HostState.NO_RECORD, "it ran, and its run.json is not there")


def test_a_host_that_came_back_has_its_later_record(tmp_path: Path) -> None:
    before, after = STARTED - timedelta(hours=2), STARTED + timedelta(hours=2)
    for name, state, at, code in (
        ("lost", "died", before, None),
        ("silent", "unreachable", before, None),
        ("again", "died", before, 124),
        ("interrupted", "died", after, 124),
        ("still there", "died", after, None),
    ):
        host(tmp_path, name, {"NT-01": C})
        status(tmp_path, name, state, at=at, exit_code=code, groups=["rack1"])
    # It began before its status, and its end was seen.
    host(tmp_path, "cut off", {"NT-01": C})
    status(tmp_path, "cut off", "died", at=STARTED + timedelta(seconds=1), exit_code=124)
    # It came back, and was lost again.
    host(tmp_path, "twice", {"NT-01": C}, finished=None)
    status(tmp_path, "twice", "died", at=before)
    found = fleet_of(tmp_path)
    ran = {name for name, state in states(found).items() if state is HostState.RAN}
    assert ran == {"lost", "silent", "again"}
    assert {each.name for each in found.hosts if each.groups == ["rack1"]} > ran
    assert all(each.exit_code is None for each in found.of(HostState.RAN))


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


def test_a_record_of_prove_is_no_host_of_a_fleet(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    made = record([], faults=[fault("gone", outcome="caught")])
    save(made, tmp_path / "one" / RECORD)
    [one] = fleet_of(tmp_path).hosts
    assert (one.state, one.verdict) == (HostState.UNREADABLE, None)


@pytest.mark.parametrize(
    "content", ['{"state": "ran"}', '{"state": "no-record", "at": "2026-03-01T12:00:00Z"}', "x"]
)
def test_a_status_that_is_none_is_a_row_that_names_the_file(tmp_path: Path, content: str) -> None:
    host(tmp_path, "one", {"NT-01": C})
    (tmp_path / "one" / STATUS).write_text(content)
    [one] = fleet_of(tmp_path).hosts
    assert one.state is HostState.UNREADABLE
    assert str(tmp_path / "one" / STATUS) in one.says


def test_a_host_that_refused_a_topology_is_red(tmp_path: Path) -> None:
    host(tmp_path, "good", {"NT-01": C})
    refused = TopologyRecord(name="nat", verdict=V, reason="refused by libvirt")
    host(tmp_path, "bad", {"NT-01": Verdict.INCONCLUSIVE}, topologies=[refused])
    found = fleet_of(tmp_path)
    assert headline(found) == "1 of 2 hosts red"
    assert (found.hosts[0].name, look(found.hosts[0]), verdict_of(found)) == ("bad", V, V)


def test_a_folder_without_hosts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").mkdir()
    with pytest.raises(ReportError, match="no folder in it is that of a host"):
        fleet_of(tmp_path)


def test_outliers_are_first_and_a_claim_that_all_violate_makes_none(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        host(tmp_path, name, {"NT-01": V, "NT-02": C, "NT-03": C})
    host(tmp_path, "x", {"NT-01": V, "NT-02": V, "NT-03": C})
    host(tmp_path, "y", {"NT-01": V, "NT-02": V, "NT-03": V})
    host(tmp_path, "z", {"NT-01": C, "NT-02": C, "NT-03": Verdict.INCONCLUSIVE})
    host(tmp_path, "half", {"NT-02": C}, finished=None)
    order = [(each.name, round(each.deviation, 2)) for each in fleet_of(tmp_path).hosts]
    # NT-01 conforms on 1 of 7, NT-02 on 6 of 8, NT-03 on 5 of the 6 that decided it.
    assert order[:2] == [("y", 1.73), ("x", 0.89)]
    assert [name for name, _ in order[2:]] == ["a", "b", "c", "d", "half", "z"]
    assert order[2] == ("a", 0.14)


def test_the_share_of_a_claim_is_of_the_hosts_that_decided_it(tmp_path: Path) -> None:
    known = Waiver(id="NT-01", until=date(2099, 12, 31), why="ticket 812", source="--waive")
    host(tmp_path, "good", {"NT-01": C})
    host(tmp_path, "bad", {"NT-01": V})
    host(tmp_path, "known", {"NT-01": V}, waivers=[known])
    for number, verdict in enumerate((N, Verdict.ERROR, Verdict.INCONCLUSIVE)):
        host(tmp_path, f"open{number}", {"NT-01": verdict})
    deviations = {each.name: each.deviation for each in fleet_of(tmp_path).hosts}
    assert deviations.pop("bad") == pytest.approx(1 / 3, abs=1e-6)
    assert set(deviations.values()) == {0.0}


def test_a_version_that_most_hosts_do_not_have_is_marked(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        host(tmp_path, name, {"NT-01": C})
    tool = Tool(version="2", commit=None, dirty=None, command=["./plumbline", "run"])
    host(tmp_path, "d", {"NT-01": C}, NEW, tool=tool)
    unusual = {each.name: each.unusual for each in fleet_of(tmp_path).hosts}
    assert unusual == {"d": ["kernel", "plumbline"], "a": [], "b": [], "c": []}


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


def test_checks_without_a_claim_have_a_column(tmp_path: Path) -> None:
    bad = check("nat.shape[nat]", V, claims=[])
    (tmp_path / "one").mkdir()
    save(record([bad]), tmp_path / "one" / RECORD)
    found = fleet_of(tmp_path)
    assert [claim.id for claim in found.claims] == [NO_CLAIM]
    assert found.hosts[0].is_red


def test_fisher_is_that_of_scipy() -> None:
    some = random.Random(7)
    for _ in range(300):
        red, green = some.randint(1, 40), some.randint(1, 400)
        red_with, green_with = some.randint(0, red), some.randint(0, green)
        table = [[red_with, red - red_with], [green_with, green - green_with]]
        known = fisher_exact(table, alternative="greater").pvalue
        assert fisher_p(red, green, red_with, green_with) == pytest.approx(known, rel=1e-9)
        assert least_p(red, green, red_with + green_with) <= known * (1 + 1e-9)


def test_testable_is_the_smallest_number_of_shares_that_suffices() -> None:
    some = random.Random(3)
    for _ in range(200):
        least = {index: some.random() ** some.randint(1, 9) for index in range(some.randint(0, 40))}
        shares = 1
        while len([p for p in least.values() if p <= 0.05 / shares]) > shares:
            shares += 1
        assert reachable(least, 0.05) == [k for k, p in least.items() if p <= 0.05 / shares]


def test_what_red_hosts_share_is_found_and_what_others_have_too_is_not(tmp_path: Path) -> None:
    for number in range(40):
        red = number % 5 == 0
        # One red host has another kernel, and one green one that of the red.
        kernel = NEW if (red and number) or number == 1 else OLD
        host(
            tmp_path, f"h{number:02}", {"NT-01": V if red else C, "NT-05": V if red else C}, kernel
        )
        status(tmp_path, f"h{number:02}", "ran", groups=[f"rack{number % 3}", "all-of-them"])
    shared = fleet_of(tmp_path).shared
    shown = [each for each in shared.found if each.shown]
    [one] = shown
    assert one.claims == ["NT-01", "NT-05"]
    assert [(value.fact, value.value) for value in one.values] == [("kernel", NEW)]
    assert (one.red_with, one.red, one.green_with, one.green) == (7, 8, 1, 32)
    assert one.p == pytest.approx(fisher_exact([[7, 1], [1, 31]], alternative="greater").pvalue)
    assert one.adjusted_p is not None
    assert one.p < one.adjusted_p < 0.001


def test_a_host_without_a_fact_counts_as_one_without_its_values() -> None:
    """Such as the settings of a bridge that only red hosts have."""

    def one(number: int, verdict: Verdict) -> FleetHost:
        facts = {"kernel": [OLD]} | ({"bridges.docker0.mtu": ["1500"]} if verdict is V else {})
        claims = {"NT-01": ClaimOnHost(verdict=verdict)}
        known = {"name": f"h{number}", "folder": f"h{number}", "says": "", "verdict": verdict}
        return FleetHost.model_validate(
            known | {"state": HostState.RAN, "claims": claims, "facts": facts}
        )

    [found] = shared_values([one(each, V if each < 5 else C) for each in range(10)]).found
    assert [value.fact for value in found.values] == ["bridges.docker0.mtu"]
    assert (found.red_with, found.green_with, found.green, found.shown) == (5, 0, 5, True)


def test_chance_alone_is_shown_in_few_of_many_fleets() -> None:
    """The level holds: of 200 fleets without any cause at most some 5 % have a finding."""
    some = random.Random(11)
    found = 0
    for _ in range(200):
        hosts = [
            host_of_chance(some, f"h{number}", facts=12) for number in range(some.randint(10, 40))
        ]
        found += any(each.shown for each in shared_values(hosts).found)
    assert found <= 18


def host_of_chance(some: random.Random, name: str, facts: int) -> FleetHost:
    return FleetHost(
        name=name,
        state=HostState.RAN,
        says="",
        verdict=C,
        folder=name,
        claims={f"C{each}": ClaimOnHost(verdict=some.choice([V, C])) for each in range(4)},
        facts={f"f{each}": [str(some.randint(0, 2))] for each in range(facts)},
    )


def test_few_hosts_show_nothing_and_hint_at_what_sets_the_red_one_apart(folder: Path) -> None:
    found = fleet_of(folder)
    assert found.shared.testable == 0
    [one] = places_to_look(found)
    assert not one.shown
    assert [(value.fact, value.value) for value in one.values] == [("kernel", NEW)]
    assert (one.red, one.green) == (1, 7)


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


def test_metrics_are_read_by_both_parsers(folder: Path) -> None:
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


def test_the_page_links_hosts_and_violated_checks_and_escapes_what_hosts_say(folder: Path) -> None:
    status(folder, "evil", "unreachable", reason=HOSTILE)
    page = fleet_html(fleet_of(folder))
    assert 'href="bad/report.html"' in page
    assert 'href="bad/report.html#check-nat.nt-01-nat"' in page
    assert "<script>alert" not in page
    assert "No route to host" in page


def test_markdown_has_outliers_first_and_leaves_out_whole_hosts(folder: Path) -> None:
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


def test_a_host_with_a_waived_violation_is_before_one_that_conforms(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        host(tmp_path, name, {"NT-01": C})
    known = Waiver(id="NT-01", until=date(2099, 12, 31), why="ticket 812", source="--waive")
    host(tmp_path, "known", {"NT-01": V}, waivers=[known])
    assert [each.name for each in fleet_of(tmp_path).hosts] == ["known", "a", "b", "c"]


def report(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(ROOT / "plumbline"), "report", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_the_command_writes_every_form_and_the_pages_of_hosts(folder: Path) -> None:
    done = report(str(folder), "--fleet")
    assert done.returncode == 0, done.stderr
    assert "1 of 13 hosts red, 7 without a finished run" in done.stderr
    assert {each.parent.name for each in folder.glob(f"*/{PAGE}")} == {
        *(f"good{number}" for number in range(5)),
        *("bad", "cut", "lost"),
    }
    assert 'id="check-nat.nt-01-nat"' in (folder / "bad" / PAGE).read_text()
    for form, name in (("md", "fleet.md"), ("json", "fleet.json"), ("openmetrics", "fleet.prom")):
        assert report(str(folder), "--fleet", "--format", form).returncode == 0
        assert (folder / name).stat().st_size > 500
    read = json.loads((folder / "fleet.json").read_text())
    assert read["schema"] == "plumbline/fleet/1"
    assert read["hosts"][0]["name"] == "bad"
    assert "8 host pages: " in report(str(folder), "--fleet").stderr


def test_a_page_that_was_made_by_hand_gives_way_to_that_of_the_fleet(tmp_path: Path) -> None:
    host(tmp_path, "one", {"NT-01": V})
    words = ["--waive", "NT-01", "--until", "2099-12-31", "--why", "x", "--lang", "zh"]
    assert report(str(tmp_path / "one"), *words).returncode == 0
    page = tmp_path / "one" / PAGE
    assert 'lang="zh-CN"' in page.read_text()
    assert report(str(tmp_path), "--fleet").returncode == 0
    assert 'lang="en"' in page.read_text()
    assert 'data-verdict="violates"' in page.read_text()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--fleet"], "report --fleet: expected a folder"),
        (["none", "--fleet"], "report --fleet none: there is no such folder"),
        ([".", "--fleet", "--format", "junit"], "--format junit is none with --fleet"),
        ([".", "--format", "openmetrics"], "--format openmetrics is none without --fleet"),
        ([".", "--fleet", "--redact"], "--redact is for one run, and --fleet for many"),
        ([".", "--fleet", "--until", "2099-12-31"], "--until is for one run, and --fleet for many"),
        ([".", "--fleet", "--why", "x"], "--why is for one run, and --fleet for many"),
        ([".", "--fleet", "--output", "one/run.json"], "this belongs to the run itself"),
    ],
)
def test_what_contradicts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], why: str
) -> None:
    host(tmp_path, "one", {"NT-01": C})
    monkeypatch.chdir(tmp_path)
    done = report(*words)
    assert done.returncode == 4
    assert why in done.stderr
