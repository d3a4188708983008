# SPDX-License-Identifier: GPL-2.0-or-later
"""The run record: its shape, its verdicts, its exit code, its file."""

import json
from datetime import datetime, timedelta, timezone
from itertools import permutations
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from reports.record import (
    Accelerator,
    Built,
    BuiltLink,
    BuiltNode,
    Check,
    EvidenceFile,
    HostRecord,
    Measurement,
    Procedure,
    Reach,
    RecordError,
    RunRecord,
    Statement,
    Tool,
    TopologyRecord,
    Verdict,
    claim_verdicts,
    load,
    save,
    worst,
)
from reports.schema import SCHEMA_FILE, schema_text
from tests import records
from tests.records import STARTED


def check(number: int, verdict: Verdict, *claims: str, topology: str = "nat") -> Check:
    more = {"claims": list(claims), "topology": topology, "duration_s": None}
    return records.check(f"dhcp.check_{number}", verdict, **more)


def record(*verdicts: Verdict, topologies: tuple[TopologyRecord, ...] = ()) -> RunRecord:
    checks = [check(number, verdict, "NT-05") for number, verdict in enumerate(verdicts)]
    return records.record(checks, topologies=topologies, finished=None)


def full() -> RunRecord:
    """Return a record in which every key of the contract has a value."""
    evidence = EvidenceFile(
        name="leases.json",
        media_type="application/json",
        path="evidence/dhcp/leases.json",
        sha256="0123456789abcdef" * 4,
    )
    whole = Check(
        id="dhcp.lease[nat]",
        claims=["NT-05"],
        topology="nat",
        verdict=Verdict.VIOLATES,
        reason="offered 10.10.10.1",
        reach=Reach(from_="guest", to="host", protocol="udp", promised=True),
        procedure=Procedure(preconditions=["a guest"], steps=["ask"], verify=["it is leased"]),
        duration_s=0.5,
        measurements=[Measurement(name="rtt", unit="ms", samples=[0.5, 1])],
        evidence=[evidence],
        rerun="./plumbline run --topology nat",
    )
    return records.record(
        [whole],
        tool=Tool(version="1", commit="c" * 40, dirty=True, command=["./plumbline", "run"]),
        host=HostRecord(
            kind="sandbox",
            release="Debian 12",
            accel=Accelerator(name="tcg", reason="no KVM"),
            facts={"kernel": "6.18", "sysctls": {"net.ipv4.ip_forward": 1}},
        ),
        topologies=[
            TopologyRecord(
                name="nat",
                kind="nat",
                title="NAT forwarding network",
                verdict=Verdict.VIOLATES,
                build_s=3.2,
                teardown_s=0.4,
                built=Built(
                    nodes=[
                        BuiltNode(id="host", kind="host", name="host"),
                        BuiltNode(
                            id="host/virbr1",
                            kind="bridge",
                            name="virbr1",
                            within="host",
                            lines=["10.10.10.1/24"],
                        ),
                    ],
                    links=[BuiltLink(ends=("host", "host/virbr1"), kind="port")],
                ),
                evidence=[evidence],
            )
        ],
        statements={"NT-05": Statement(statement="It is leased", source="D4: NAT")},
    )


C, V, U, N, E = (
    Verdict.CONFORMS,
    Verdict.VIOLATES,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_TESTABLE,
    Verdict.ERROR,
)


@pytest.mark.parametrize("order", list(permutations([V, E, U, N, C])))
def test_the_worst_verdict_does_not_depend_on_the_order(order: tuple[Verdict, ...]) -> None:
    ranking = [V, E, U, N, C]
    while ranking:
        seen = [verdict for verdict in order if verdict in ranking]
        assert worst(seen) is ranking.pop(0)


def test_no_verdict_is_not_a_verdict() -> None:
    with pytest.raises(ValueError, match="empty"):
        worst([])


def test_a_claim_is_decided_per_topology_by_its_worst_check() -> None:
    checks = [
        check(1, C, "NT-05", "NT-06"),
        check(2, N, "NT-05"),
        check(3, V, "NT-05", topology="nat1"),
    ]

    decided = [(each.id, each.topology, each.verdict) for each in claim_verdicts(checks)]

    assert decided == [("NT-05", "nat", N), ("NT-06", "nat", C), ("NT-05", "nat1", V)]


@pytest.mark.parametrize(
    ("verdicts", "missing", "code"),
    [
        ([C], [], 0),
        ([C, N], [], 0),
        ([], [], 10),
        ([N], [], 10),
        ([C, U], [], 10),
        ([C, E], [], 10),
        ([C, U, V], [], 1),
        ([C, E, V], [], 1),
        ([C, N], ["sriov"], 11),
        ([], ["sriov"], 11),
        ([C, E], ["sriov"], 11),
        ([C, V], ["sriov"], 1),
    ],
)
def test_the_exit_code_says_what_is_certain_first(
    verdicts: list[Verdict], missing: list[str], code: int
) -> None:
    assert record(*verdicts).exit_code(missing) == code


@pytest.mark.parametrize(("host", "code"), [(C, 10), (V, 1), (E, 10)])
def test_a_run_that_decides_only_that_its_host_is_as_it_was_decides_nothing(
    host: Verdict, code: int
) -> None:
    of_host = records.check("host_as_it_was.host_is_as_it_was", host, topology="host")
    assert records.record([records.check("a.b[nat]", N), of_host]).exit_code() == code
    conforming = records.record([records.check("a.b[nat]", C), of_host]).exit_code()
    assert conforming == (0 if host is C else code)


def test_a_host_that_refuses_a_topology_is_in_violation_whatever_was_asked_for() -> None:
    refused = TopologyRecord(name="nat", verdict=V, reason="libvirt did not start network n: no")

    assert refused.refused
    assert not refused.model_copy(update={"build_s": 3.0}).refused
    assert record(U, topologies=(refused,)).exit_code() == 1


def test_a_topology_that_broke_is_not_a_success() -> None:
    broken = TopologyRecord(name="nat", verdict=E, reason="virsh net-destroy failed")

    assert record(C, topologies=(broken,)).exit_code() == 10


def test_a_saved_record_is_read_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.json"

    save(full(), path)

    assert load(path) == full()
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_the_keys_are_the_contracts() -> None:
    written = json.loads(full().model_dump_json())

    assert list(written) == [
        *("schema", "id", "started", "finished", "ended_with", "lacking", "redacted"),
        *("tool", "host"),
        *("topologies", "checks", "claims", "statements", "faults", "expected"),
        *("waivers", "standard"),
    ]
    assert list(written["tool"]) == ["version", "commit", "dirty", "command"]
    assert list(written["host"]) == ["kind", "release", "accel", "facts"]
    assert list(written["host"]["accel"]) == ["name", "reason"]
    assert list(written["checks"][0]) == [
        *("id", "claims", "topology", "verdict", "reason", "reach", "procedure"),
        *("duration_s", "paused_s", "measurements", "evidence", "rerun"),
    ]
    assert list(written["checks"][0]["procedure"]) == ["preconditions", "steps", "verify"]
    assert list(written["checks"][0]["measurements"][0]) == [
        *("name", "unit", "samples", "better", "cold", "trials"),
    ]
    assert list(written["checks"][0]["evidence"][0]) == ["name", "media_type", "path", "sha256"]
    assert list(written["claims"][0]) == ["id", "topology", "verdict"]
    assert list(written["checks"][0]["reach"]) == ["from", "to", "protocol", "family", "promised"]
    assert list(written["topologies"][0]["built"]) == ["nodes", "links"]
    seconds = {"build_s", "boot_s", "guests_cpu_s", "teardown_s"}
    assert {"name", "verdict", *seconds} <= set(written["topologies"][0])


def test_a_record_from_before_these_keys_is_read(tmp_path: Path) -> None:
    older = json.loads(full().model_dump_json())
    del older["statements"], older["topologies"][0]["built"], older["checks"][0]["reach"]
    path = tmp_path / "run.json"
    path.write_text(json.dumps(older))

    read = load(path)

    assert (read.statements, read.topologies[0].built, read.checks[0].reach) == ({}, None, None)


def test_times_are_written_in_utc() -> None:
    east = timezone(timedelta(hours=8))
    local = full().model_dump() | {"started": datetime(2026, 3, 1, 20, 0, tzinfo=east)}

    assert json.loads(RunRecord.model_validate(local).model_dump_json())["started"] == (
        "2026-03-01T12:00:00Z"
    )


def test_a_time_without_its_zone_is_refused() -> None:
    naive = full().model_dump() | {"started": STARTED.replace(tzinfo=None)}

    with pytest.raises(ValidationError, match="timezone"):
        RunRecord.model_validate(naive)


@pytest.mark.parametrize("path", ["/etc/passwd", "../run.json", "evidence/../../x", ""])
def test_evidence_stays_in_the_runs_folder(path: str) -> None:
    with pytest.raises(ValidationError, match="relative to the output directory"):
        EvidenceFile(name="x", media_type="text/plain", path=path, sha256="0" * 64)


@pytest.mark.parametrize("sample", [float("nan"), float("inf")])
def test_a_sample_is_a_number(sample: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Measurement(name="rtt", unit="ms", samples=[sample])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not a run record: it has no field `schema`"),
        ('{"schema": "plumbline/run/2"}', "a record of schema 'plumbline/run/2'"),
        (full().model_dump_json().replace('"rerun"', '"again"'), "checks.0.rerun: Field required"),
    ],
)
def test_what_is_not_a_record_is_refused_with_its_name_and_field(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(RecordError) as caught:
        load(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_the_published_schema_is_the_models() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(), "run: python -m reports.schema"


@pytest.mark.parametrize("written", [full(), record(), record(C, U, N)])
def test_a_record_validates_against_the_published_schema(written: RunRecord) -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(json.loads(written.model_dump_json()))


@pytest.mark.parametrize("key", ["schema", "finished", "host", "checks"])
def test_the_published_schema_refuses_a_record_without_a_key(key: str) -> None:
    written = json.loads(full().model_dump_json())
    del written[key]

    with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
        jsonschema.validate(written, json.loads(SCHEMA_FILE.read_text()))


def test_the_published_schema_refuses_a_key_it_does_not_know() -> None:
    written = json.loads(full().model_dump_json()) | {"verdict": "conforms"}

    with pytest.raises(jsonschema.ValidationError, match="'verdict' was unexpected"):
        jsonschema.validate(written, json.loads(SCHEMA_FILE.read_text()))
