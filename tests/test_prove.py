# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline prove` for real: what is caught, what is not, and where packets are lost."""

import functools
import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.launched import SCHEMA, launched

pytestmark = pytest.mark.host

OWN = """\
schema: plumbline/faults/1
faults:
  - id: nothing
    title: Nothing is broken
    topologies: [isolated]
    apply: "true"
    caught_by: [IS-04]
  - id: cannot-be-applied
    title: The command fails
    topologies: [isolated]
    apply: echo it did not work; exit 7
    caught_by: [IS-04]
  - id: cannot-be-undone
    title: The network stays broken
    topologies: [isolated]
    apply: "true"
    undo: exit 3
    caught_by: [IS-04]
  - id: cannot-be-broken
    title: The host has nothing that could be broken
    topologies: [isolated]
    apply: echo no such thing here; exit 77
    caught_by: [IS-04]
  - id: nothing-either
    title: Nothing is broken after that
    topologies: [isolated]
    apply: "true"
    caught_by: [IS-04]
"""

# The first is mended only in part, so the second needs a build of its own.
NOT_UNDONE = """\
schema: plumbline/faults/1
faults:
  - id: changes-more
    title: More is changed than undone
    topologies: [isolated]
    apply: sysctl -q -w net.ipv4.ip_forward=1
    undo: "true"
    caught_by: [IS-04]
  - id: never-undone
    title: Nothing is undone
    topologies: [isolated]
    apply: "true"
    caught_by: [IS-04]
"""

prove = functools.partial(launched, "prove")


def test_an_undone_fault_leaves_its_topology_to_the_next(tmp_path: Path) -> None:
    faults = ("isolated-masquerades", "isolated-guests-apart", "never-undone", "changes-more")
    own = tmp_path / "own.yaml"
    own.write_text(NOT_UNDONE)
    words = [word for fault in faults[:2] for word in ("--fault", fault)]
    only = ["--", "suites/test_nat.py", "suites/test_guests.py"]
    done, record = prove(tmp_path / "run", *words, "--fault", str(own), *only)
    topologies = {each["name"].partition("+")[2]: each for each in record["topologies"]}
    undone = {fault: topologies[fault]["undone"] for fault in faults}
    assert undone == dict(zip(faults, (True, True, None, False), strict=True))
    # Only a build makes domains, whose XML is evidence of the topology that it was made for.
    kept = {
        fault: {e["name"]: e["path"] for e in topologies[fault]["evidence"]} for fault in faults
    }
    built = [fault for fault in faults if "domain-kvm1.xml" in kept[fault]]
    assert built == ["isolated-masquerades", "never-undone"]
    assert "undone and found as it was built 2" in done.stdout
    assert "isolated+changes-more: undone, but not as it was built" in done.stdout
    for fault in faults:
        assert re.search(rf"\[./4\] .* isolated\+{fault} ", done.stdout), done.stdout
    difference = tmp_path / "run" / kept["changes-more"]["undone.txt"]
    assert "+net.ipv4.ip_forward = 1" in difference.read_text()
    # The consoles of a topology that stood on are told when it is taken down.
    assert {"console-kvm1.txt", "console-kvm2.txt"} <= set(kept["isolated-masquerades"])


def test_a_fault_is_caught(tmp_path: Path) -> None:
    done, record = prove(tmp_path / "run", "--fault", "isolated-masquerades")
    assert done.returncode == 0, done.stdout + done.stderr
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    [fault] = record["faults"]
    assert (fault["outcome"], fault["missed"], fault["unexplained"]) == ("caught", {}, {})
    assert "caught 1 of 1 fault" in done.stdout


def test_a_fault_that_gets_through_and_one_that_fails(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    only = ["--", "suites/test_nat.py"]
    done, record = prove(tmp_path / "run", "--fault", str(own), *only)
    assert done.returncode == 1, done.stdout + done.stderr
    outcomes = {fault["id"]: fault["outcome"] for fault in record["faults"]}
    assert outcomes == {
        "nothing": "got through",
        "cannot-be-applied": "not decided",
        "cannot-be-undone": "not decided",
        "cannot-be-broken": "not testable",
        "nothing-either": "got through",
    }
    verdicts = {check["topology"]: check["verdict"] for check in record["checks"]}
    assert verdicts["isolated+nothing-either"] == "conforms"
    assert "undo ended with status 3" in done.stdout
    assert "not caught by IS-04: conforms" in done.stdout
    assert "ended with status 7" in done.stdout
    said = " ".join(done.stdout.split())
    assert "lacks the target of fault cannot-be-broken (probe: no such thing here)" in said


def test_what_the_host_cannot_show_is_told_with_its_probe(tmp_path: Path) -> None:
    # A libvirt with netcf, which this machine's own is not: tests/test_release.py has one.
    done, record = prove(
        tmp_path / "run", "--fault", "interface-stays", "--", "suites/test_defined_interface.py"
    )
    assert done.returncode == 10, done.stdout + done.stderr
    assert [fault["outcome"] for fault in record["faults"]] == ["not testable"]
    said = " ".join(done.stdout.split())
    assert "– the host lacks a libvirt with netcf (probe: interfaceDefineXML:" in said
    assert "not caught by" not in said


@pytest.mark.parametrize(
    ("fault", "cell", "said"),
    [
        (
            "nat-udp-dropped",
            "guest-to-outside-udp",
            "was last seen on bridge virbr1, and not on uplink eth1; dropped by -A FORWARD",
        ),
        (
            "nat-answers-dropped",
            "guest-to-outside-icmp",
            "the answer was last seen on uplink eth1, and not on bridge virbr1; dropped by",
        ),
        (
            "bridge-tap-elsewhere",
            "guest-to-host-icmp",
            "was last seen on TAP",
        ),
    ],
)
def test_the_hop_that_loses_packets_is_named(
    tmp_path: Path, fault: str, cell: str, said: str
) -> None:
    topology = "nat" if fault.startswith("nat") else "linux-bridge"
    only = f"suites/test_connectivity.py::test_reach[{topology}+{fault}-{cell}]"
    _done, record = prove(tmp_path / "run", "--fault", fault, "--", only)
    [check] = record["checks"]
    assert check["verdict"] == "violates"
    assert said in check["reason"], check["reason"]
    names = {evidence["name"] for evidence in check["evidence"]}
    assert "trace.json" in names
    assert any(name.endswith("-trace.pcap") for name in names)


def test_each_other_check_is_in_one_part_of_them(tmp_path: Path) -> None:
    def checks(fault: str, others: str) -> set[str]:
        words = ("--fault", fault, "--topology", "isolated", "--others", others)
        done, record = prove(tmp_path / "run", *words, "--", "--collect-only", "-q")
        assert done.returncode == 0, done.stdout + done.stderr
        assert record == {}
        return {line for line in done.stdout.splitlines() if "::" in line}

    fault = "isolated-rules-gone"
    named, every = checks(fault, "none"), checks(fault, "all")
    parts = [checks(fault, f"{part}/3") for part in (1, 2, 3)]
    assert named, "the checks that have to notice are made in any case"
    assert set.intersection(*parts) == named
    assert set.union(*parts) == every
    assert sum(len(part - named) for part in parts) == len(every - named)
    harmless = "harmless-forward-drop"
    assert checks(harmless, "none") == checks(harmless, "all")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fault", "nat-no-masquerad"), "nat-no-masquerade"),
        (("--fault", "nat-no-masquerade", "--topology", "ovs"), "is for ovs"),
        (("--part", "4/3"), '--part: "4/3" is not a part; expected I/N'),
        (("--others", "some"), '--others: "some" is not a part of the other checks'),
        (("--others", "0/3"), '--others: "0/3" is not a part of the other checks'),
    ],
)
def test_usage_errors(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done, record = prove(tmp_path / "run", *words)
    assert done.returncode == 4
    assert said in done.stdout + done.stderr
    assert record == {}
