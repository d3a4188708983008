# SPDX-License-Identifier: GPL-2.0-or-later
"""The hosts of a fleet: one in every state, outliers first, shares, versions."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from contracts.run_files import RECORD
from contracts.verdicts import Verdict
from reports.fleet.fleet import NO_CLAIM, Fleet
from reports.fleet.fleet_of_folder import fleet_of
from reports.fleet.fleet_wording import headline, look, verdict_of
from reports.fleet.host_status import STATUS, HostState
from reports.record import Tool, TopologyRecord, save
from reports.report_error import ReportError
from reports.waiver import Waiver
from tests.fleets import NEW, C, N, V, host, status, with_every_state
from tests.records import STARTED, check, fault, record


def states(fleet: Fleet) -> dict[str, HostState]:
    return {each.name: each.state for each in fleet.hosts}


def test_every_folder_is_a_row_with_its_state(tmp_path: Path) -> None:
    folder = with_every_state(tmp_path)
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


def test_checks_without_a_claim_have_a_column(tmp_path: Path) -> None:
    bad = check("nat.shape[nat]", V, claims=[])
    (tmp_path / "one").mkdir()
    save(record([bad]), tmp_path / "one" / RECORD)
    found = fleet_of(tmp_path)
    assert [claim.id for claim in found.claims] == [NO_CLAIM]
    assert found.hosts[0].is_red


def test_a_host_with_a_waived_violation_is_before_one_that_conforms(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        host(tmp_path, name, {"NT-01": C})
    known = Waiver(id="NT-01", until=date(2099, 12, 31), why="ticket 812", source="--waive")
    host(tmp_path, "known", {"NT-01": V}, waivers=[known])
    assert [each.name for each in fleet_of(tmp_path).hosts] == ["known", "a", "b", "c"]
