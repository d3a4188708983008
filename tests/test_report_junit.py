# SPDX-License-Identifier: GPL-2.0-or-later
"""JUnit XML from a run record: valid, and never greener than the run."""

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
import xmlschema

from contracts.verdicts import SEEN, Verdict
from reports.exports.junit import render
from reports.record import RunRecord, TopologyRecord
from tests import records
from tests.reported import check, fault, record

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))


def parsed(run: RunRecord) -> Element:
    """The document, after it was found valid."""
    text = render(run)
    SCHEMA.validate(text)
    return ElementTree.fromstring(text)


def ending(case: Element) -> str:
    return case[0].tag


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        (Verdict.CONFORMS, "system-out"),
        (Verdict.VIOLATES, "failure"),
        (Verdict.ERROR, "error"),
        (Verdict.INCONCLUSIVE, "error"),
        (Verdict.NOT_TESTABLE, "skipped"),
    ],
)
def test_each_verdict_ends_a_case_in_its_way(verdict: Verdict, tag: str) -> None:
    decided = check(verdict)
    root = parsed(record([check(Verdict.CONFORMS, "other"), decided]))
    [case] = [each for each in root.iter("testcase") if each.attrib["name"] == decided.id[4:-5]]
    assert ending(case) == tag
    assert case.attrib["classname"] == "nat.nat"
    text = case[0].text or ""
    assert text.startswith(f"{verdict}: {decided.reason}\nagain: ./plumbline run --topology nat")
    assert "NT-01: Guests reach the outside (D1: 4.2)" in text
    if tag != "system-out":
        assert case[0].attrib == {"message": f"{verdict}: {decided.reason}", "type": verdict}


def test_counts_are_those_of_the_run() -> None:
    root = parsed(record([check(verdict) for verdict in SEEN]))
    [suite] = root
    counts = {name: suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "2", "skipped": "1"}
    facts = {each.attrib["name"]: each.attrib["value"] for each in suite.iter("property")}
    assert facts["counts"] == "conforms 1 · violates 1 · error 1 · inconclusive 1 · not-testable 1"


@pytest.mark.parametrize(
    "run",
    [
        record([check(Verdict.CONFORMS)], finished=None),
        record([], finished=None),
        record([]),
        record([check(Verdict.NOT_TESTABLE)]),
        record([check(Verdict.CONFORMS)], ended_with=11, lacking=["kvm"]),
        record([check(Verdict.CONFORMS)], ended_with=130),
        record([check(Verdict.CONFORMS)], faults=[fault("not testable")]),
    ],
    ids=[
        "killed",
        "killed at once",
        "empty",
        "nothing testable",
        "lacking",
        "interrupted",
        "none caught",
    ],
)
def test_what_shows_nothing_or_not_all_is_an_error(run: RunRecord) -> None:
    root = parsed(run)
    assert int(root.attrib["errors"]) >= 1
    [case, *_] = [each for each in root.iter("testcase") if ending(each) == "error"]
    assert case.attrib["classname"] == "run.run"


def test_a_topology_that_broke_is_told_though_its_checks_conform() -> None:
    broken = TopologyRecord(name="nat", verdict=Verdict.ERROR, reason="libvirtd would not stop")
    root = parsed(record([check(Verdict.CONFORMS)], topologies=[broken]))
    [error] = root.iter("error")
    assert error.attrib["message"] == "error: libvirtd would not stop"


def test_a_topology_that_the_host_refused_is_a_failure_and_no_error() -> None:
    said = "libvirt did not start network n: port 53 is taken"
    refused = TopologyRecord(name="nat", verdict=Verdict.VIOLATES, reason=said)
    root = parsed(record([check(Verdict.CONFORMS)], topologies=[refused]))
    assert list(root.iter("error")) == []
    [failure] = root.iter("failure")
    assert failure.attrib["message"] == f"violates: {said}"


def test_violations_beside_a_fault_are_no_failures() -> None:
    noticed = check(Verdict.VIOLATES, topology="nat+nat-caught")
    run = record(
        [noticed],
        faults=[
            fault("caught"),
            fault("got through", missed={"NT-01": "conforms"}),
            fault("not testable"),
        ],
    )
    root = parsed(run)
    ends = {each.attrib["name"]: ending(each) for each in root.iter("testcase")}
    assert ends == {
        "nat-caught": "system-out",
        "nat-got-through": "failure",
        "nat-not-testable": "skipped",
    }
    [failure] = root.iter("failure")
    assert "not noticed by NT-01: conforms" in failure.attrib["message"]


def test_a_harmless_change_passes_unnoticed_and_fails_noticed() -> None:
    run = record(
        [check(Verdict.CONFORMS, topology="nat+calm")],
        faults=[
            records.harmless("calm", outcome="unnoticed"),
            records.harmless("loud", outcome="false alarm", unexplained={"a.b": "error: broke"}),
        ],
    )
    root = parsed(run)
    ends = {each.attrib["name"]: ending(each) for each in root.iter("testcase")}
    assert ends == {"calm": "system-out", "loud": "failure"}
    [failure] = root.iter("failure")
    assert "turned red too: a.b: error: broke" in failure.attrib["message"]
    assert {each.attrib["classname"] for each in root.iter("testcase")} == {"nat.harmless"}


def test_what_no_xml_may_hold_is_written_out() -> None:
    hostile = "\x1b[31m ]]> <script>&\x00 \ufffe"
    [failure] = parsed(record([check(Verdict.VIOLATES, reason=hostile)])).iter("failure")
    assert failure.attrib["message"] == r"violates: \x1b[31m ]]> <script>&\x00 \xfffe"
