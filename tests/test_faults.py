# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults as data, and what is concluded from the verdicts of checks beside them."""

import itertools
import re
from pathlib import Path

import pytest

from contracts.verdicts import NOT_DECIDED, Verdict
from faults import Fault, Harmless, load_all
from fixtures.testbed.faulted_topology import broken_ones
from launcher import prove
from reports.fault_outcomes import lacking_for, results
from reports.record import Check, FaultResult, TopologyRecord
from tests import records
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.library import load

GOOD = """\
schema: plumbline/faults/1
faults:
  - id: silent
    title: Nothing happens
    topologies: [nat]
    apply: "true"
    caught_by: [NT-08]
"""


HARMLESS = """\
schema: plumbline/faults/1
harmless:
  - id: quiet
    title: A link of its own
    topologies: [nat]
    apply: "true"
    why: No claim is about it.
    lengthy: [GN-07]
"""


def written(folder: Path, text: str) -> str:
    file = folder / "my.yaml"
    file.write_text(text)
    return str(file)


# The data


def test_a_topology_of_a_users_own_is_known_by_its_file() -> None:
    fault, topology = "portgroups-another-tag", "tests/topologies/bridged-ovs-portgroups.yaml"
    [variant] = broken_ones([fault], [str(Path(__file__).parent.parent / topology)])
    assert variant.base == "bridged-ovs-portgroups"
    with pytest.raises(DataError, match="none of these faults"):
        broken_ones([fault], ["nat"])


def test_there_are_at_least_forty_on_every_topology_with_a_switch_of_its_own() -> None:
    shipped = [each for each in load_all() if isinstance(each, Fault)]
    assert len(shipped) >= 40
    about = {topology for fault in shipped for topology in fault.topologies}
    assert about >= {"linux-bridge", "ovs", "nat", "isolated", "bridged", "bridged-ovs"}


def test_each_shipped_fault_names_claims_of_its_topologies() -> None:
    for variant in broken_ones([], []):
        fault, topology = variant.fault, variant.topology
        if not isinstance(fault, Fault):
            continue
        named = [entry for entry in (*fault.caught_by, *fault.also) if "." not in entry]
        about = [c for c in named if claims()[c].applies_to(topology.kind, topology.switch)]
        # A fault of several topologies names the claims of each: some of them must be this one's.
        assert len(fault.topologies) > 1 or about == named, f"{topology.name}: {named}"
        assert variant.as_record()["caught_by"], f"{topology.name}: nothing has to notice it"


def test_each_topology_of_a_fault_has_the_claims_that_are_about_it(tmp_path: Path) -> None:
    text = GOOD.replace("[nat]", "[nat, isolated]").replace("[NT-08]", "[NT-08, IS-04, dhcp.lease]")
    variants = broken_ones([written(tmp_path, text)], [])
    assert {v.topology.name: v.as_record()["caught_by"] for v in variants} == {
        "nat+silent": ["NT-08", "dhcp.lease"],
        "isolated+silent": ["IS-04", "dhcp.lease"],
    }


def test_at_least_fifteen_are_harmless() -> None:
    assert sum(isinstance(each, Harmless) for each in load_all()) >= 15


def test_the_launchers_list_is_the_catalogue() -> None:
    shipped = load_all()
    assert prove.shipped() == [(each.id, each.title) for each in shipped]
    harmless = [(each.id, each.title) for each in shipped if isinstance(each, Harmless)]
    assert prove.shipped("harmless") == harmless


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    [fault] = load_all([file])
    assert (fault.id, fault.on, fault.undo, fault.canonical()) == ("silent", "host", None, file)
    [variant] = broken_ones([file], [])
    assert variant.topology.name == "nat+silent"
    assert variant.topology.network == load("nat").network


def test_a_harmless_change_of_ones_own(tmp_path: Path) -> None:
    file = written(tmp_path, HARMLESS)
    [change] = load_all([file])
    assert isinstance(change, Harmless)
    assert change.is_for(("GN-07", "GN-01"), "throughput.guest_host")
    assert not change.is_for(("GN-01",), "guests.is_listed")
    [variant] = broken_ones([file], [])
    record = FaultResult.model_validate(variant.as_record())
    assert (record.topology, record.why, record.is_harmless) == (
        "nat+quiet", "No claim is about it.", True,
    )  # fmt: skip


def test_a_topology_of_ones_own_beside_it(tmp_path: Path) -> None:
    theirs = (Path(__file__).parent.parent / "topologies" / "nat.yaml").read_text()
    (tmp_path / "theirs.yaml").write_text(theirs.replace("name: nat\n", "name: theirs\n", 1))
    (tmp_path / "faults").mkdir()
    file = written(tmp_path / "faults", GOOD.replace("[nat]", "[../theirs.yaml]"))
    assert [v.topology.name for v in broken_ones([file], [])] == ["theirs+silent"]
    only = broken_ones([file], [str(tmp_path / "theirs.yaml")])
    assert [v.topology.name for v in only] == ["theirs+silent"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            GOOD.replace("faults/1", "faults/9"),
            r'my.yaml:1: schema: found "plumbline/faults/9"; expected plumbline/faults/1',
        ),
        (HARMLESS.replace("GN-07", "GN-99"), r"my.yaml:8: .*unknown claim \"GN-99\""),
        (HARMLESS.replace("    why: No claim is about it.\n", ""), r"why: the key is missing"),
        ("schema: plumbline/faults/1\n", r"my.yaml:1: schema: the file has no fault"),
        (GOOD.replace("NT-08", "NT-99"), r"my.yaml:7: .*unknown claim \"NT-99\""),
        (GOOD.replace("    title", "    titel"), r"my.yaml:4: .*unknown key"),
        (GOOD.replace('    apply: "true"\n', ""), r"apply: the key is missing"),
        (GOOD.replace("[NT-08]", "[]"), r"caught_by"),
        (f'{GOOD}    before: "true"\n    undo: "true"\n', r"my.yaml:9: .*undo: .*serves no other"),
        (GOOD + GOOD.partition("faults:\n")[2], r"my.yaml:8: faults\[1\].id: \"silent\" is used"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        load_all([written(tmp_path, text)])
    assert re.search(said, str(caught.value)), str(caught.value)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'unknown fault "nat-no-masquerad".*nat-no-masquerade'):
        load_all(["nat-no-masquerad"])
    with pytest.raises(DataError, match=r"the file does not exist|no such file|not found"):
        load_all([str(tmp_path / "none.yaml")])
    with pytest.raises(DataError, match="none of these faults is for ovs"):
        broken_ones(["nat-no-masquerade"], ["ovs"])
    with pytest.raises(DataError, match="unknown topology"):
        broken_ones([written(tmp_path, GOOD.replace("[nat]", "[nta]"))], [])


def test_a_topologys_file_is_the_same_by_each_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    found = broken_ones([], ["topologies/bridged-vlan.yaml"])
    assert {variant.base for variant in found} == {"bridged-vlan"}


# What is concluded

FAULT = FaultResult(
    id="f", title="t", topology="nat+f", on="host", apply="true",
    caught_by=["NT-08", "connectivity.reach"], also={"NT-13": "the same"},
)  # fmt: skip


def check(id_: str, claim: str | None, verdict: Verdict, reason: str = "seen") -> Check:
    named = [claim] if claim else []
    return records.check(id_, verdict, claims=named, topology="nat+f", reason=reason)


RULES = check("nat.rules[nat+f]", "NT-08", Verdict.VIOLATES)
REACH = check("connectivity.reach[nat+f-a]", None, Verdict.VIOLATES)
FINE = check("dhcp.lease[nat+f]", "NT-05", Verdict.CONFORMS)
ALSO = check("nat.wire[nat+f]", "NT-13", Verdict.VIOLATES)


@pytest.mark.parametrize(
    ("checks", "outcome"),
    [
        ([RULES, REACH, FINE], "caught"),
        ([RULES, REACH, FINE, ALSO], "caught"),
        ([RULES, FINE], "got through"),
        ([RULES, check("connectivity.reach[nat+f-a]", None, Verdict.CONFORMS)], "got through"),
        ([RULES, check("connectivity.reach[nat+f-a]", None, Verdict.INCONCLUSIVE)], "got through"),
        ([RULES, REACH, check("dhcp.lease[nat+f]", "NT-05", Verdict.VIOLATES)], "false alarm"),
        ([RULES, REACH, check("dhcp.lease[nat+f]", "NT-05", Verdict.ERROR)], "not decided"),
        ([RULES, REACH, check("x.y", None, Verdict.INCONCLUSIVE, NOT_DECIDED)], "not decided"),
        ([RULES, REACH, check("x.y", "NT-05", Verdict.INCONCLUSIVE)], "caught"),
        ([], "got through"),
        (
            [
                check("nat.rules[nat+f]", "NT-08", Verdict.NOT_TESTABLE),
                check("connectivity.reach[nat+f-a]", None, Verdict.NOT_TESTABLE),
            ],
            "not testable",
        ),
        ([check("nat.rules[nat+f]", "NT-08", Verdict.NOT_TESTABLE), REACH], "caught"),
    ],
)
def test_outcome(checks: list[Check], outcome: str) -> None:
    stands = [TopologyRecord(name="nat+f", verdict=Verdict.VIOLATES)]
    assert results([FAULT], checks, stands)[0].outcome == outcome


QUIET = FaultResult(id="f", title="t", topology="nat+f", on="host", apply="true", why="no matter")


@pytest.mark.parametrize(
    ("checks", "outcome"),
    [
        ([FINE], "unnoticed"),
        ([FINE, check("x.y", "NT-05", Verdict.NOT_TESTABLE)], "unnoticed"),
        ([FINE, RULES], "false alarm"),
        ([FINE, check("x.y", "NT-05", Verdict.INCONCLUSIVE)], "false alarm"),
        ([FINE, check("x.y", "NT-05", Verdict.ERROR)], "false alarm"),
        ([FINE, check("x.y", None, Verdict.INCONCLUSIVE, NOT_DECIDED)], "not decided"),
        ([RULES, check("x.y", None, Verdict.INCONCLUSIVE, NOT_DECIDED)], "false alarm"),
        ([check("x.y", "NT-05", Verdict.NOT_TESTABLE)], "not testable"),
        ([], "not decided"),
    ],
)
def test_outcome_of_a_harmless_change(checks: list[Check], outcome: str) -> None:
    stands = [TopologyRecord(name="nat+f", verdict=Verdict.CONFORMS)]
    assert results([QUIET], checks, stands)[0].outcome == outcome


def test_a_harmless_change_names_what_turned() -> None:
    stands = [TopologyRecord(name="nat+f", verdict=Verdict.VIOLATES)]
    [told] = results([QUIET], [FINE, RULES], stands)
    assert told.unexplained == {"nat.rules[nat+f]": "violates: seen"}


def test_what_is_lacking_for_a_harmless_change_is_named() -> None:
    made = [
        FINE,
        check("x.y", "NT-05", Verdict.NOT_TESTABLE, "no bonds"),
        check("x.z", None, Verdict.NOT_TESTABLE, "no VLANs"),
        check("x.w", None, Verdict.NOT_TESTABLE, "no bonds"),
    ]
    assert lacking_for(QUIET, made) == ["no VLANs", "no bonds"]


def test_a_topology_that_broke_decides_nothing() -> None:
    broke = [
        TopologyRecord(name="nat+f", verdict=Verdict.ERROR, reason="the fault was not applied")
    ]
    assert results([FAULT], [RULES, REACH], broke)[0].outcome == "not decided"


@pytest.mark.parametrize(
    ("first", "verdict", "outcome"),
    [
        ({"before": "iptables -P FORWARD DROP"}, Verdict.VIOLATES, "caught"),
        ({"before_build": "iptables -P FORWARD DROP"}, Verdict.VIOLATES, "caught"),
        ({}, Verdict.VIOLATES, "not decided"),
        ({"before": "iptables -P FORWARD DROP"}, Verdict.ERROR, "not decided"),
    ],
    ids=["before the guests", "before the build", "by something else", "the harness broke"],
)
def test_a_topology_that_a_fault_keeps_from_being_built_shows_it(
    first: dict[str, str], verdict: Verdict, outcome: str
) -> None:
    fault = FAULT.model_copy(update=first)
    refused = [TopologyRecord(name="nat+f", verdict=verdict, reason="kvm1 got no address")]
    undecided = check("x.y", "NT-05", Verdict.INCONCLUSIVE, "kvm1 got no address")
    assert results([fault], [RULES, REACH, undecided], refused)[0].outcome == outcome


def test_what_was_missed_and_what_cried_is_told() -> None:
    cried = check("dhcp.lease[nat+f]", "NT-05", Verdict.VIOLATES, "no lease")
    stands = [TopologyRecord(name="nat+f", verdict=Verdict.VIOLATES)]
    [told] = results([FAULT], [RULES, cried], stands)
    assert told.missed == {"connectivity.reach": "not run"}
    assert told.unexplained == {"dhcp.lease[nat+f]": "no lease"}


@pytest.mark.slow
def test_parts_are_every_fault_once() -> None:
    names = [variant.topology.name for variant in broken_ones([], [])]
    thirds = [broken_ones([], [], f"{part}/3") for part in (1, 2, 3)]
    assert sorted(v.topology.name for third in thirds for v in third) == sorted(names)
    assert max(map(len, thirds)) - min(map(len, thirds)) <= 1
    # What can be undone comes before what can't, so that the topology stands on for it.
    for third in thirds:
        for one, other in itertools.pairwise(third):
            assert one.fault is not None
            assert other.fault is not None
            assert one.base != other.base or one.fault.undo or not other.fault.undo


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(DataError, match="part 2/3 of 1 breaks is empty"):
        broken_ones(["nat-no-masquerade"], [], "2/3")


def test_a_guest_is_built_with_another_model() -> None:
    [fault] = load_all(["guest-wrong-model"])
    topology = load("linux-bridge")
    built = fault.as_built(topology)
    assert [guest.model for guest in built.guests] == ["e1000", "virtio"]
    assert built.model_copy(update={"guests": topology.guests}) == topology


@pytest.mark.parametrize(
    ("name", "key"),
    [("guest-nic-in-another-slot", "before"), ("nat-port-53-taken-at-boot", "before_build")],
)
def test_what_comes_first_is_in_the_record(name: str, key: str) -> None:
    [fault] = load_all([name])
    [variant] = broken_ones([name], [])
    assert fault.needs_own_build
    assert getattr(FaultResult.model_validate(variant.as_record()), key) == getattr(fault, key)


def test_a_nic_is_built_with_fewer_functions() -> None:
    [fault] = load_all(["too-few-functions"])
    topology = load("passthrough")
    built = fault.as_built(topology)
    assert (topology.network.vfs, built.network.vfs) == (3, 2)
    assert built.model_copy(update={"networks": topology.networks}) == topology
