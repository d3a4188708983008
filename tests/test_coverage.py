# SPDX-License-Identifier: GPL-2.0-or-later
"""Where each claim was decided: the table that is made from run records."""

from datetime import timedelta
from pathlib import Path

import pytest

from faults import Harmless, load_all
from reports.coverage import (
    PROVING_TESTS,
    by_family,
    families_of,
    main,
    proving_faults,
    table,
    undecided,
)
from reports.record import (
    Built,
    BuiltNode,
    Check,
    ClaimVerdict,
    FaultResult,
    HostRecord,
    RunRecord,
    TopologyRecord,
    Verdict,
    save,
)
from reports.shipped_data import FAULTS, claim_ids, shipped_changes
from tests import records


def record(kind: str, release: str, **verdicts: list[Verdict]) -> RunRecord:
    """Return a record with verdicts of claims, one for each topology."""
    return records.record(
        [],
        host=HostRecord.model_validate(
            {"kind": kind, "release": release, "facts": {"versions": {"libvirt": "9.0.0"}}}
        ),
        claims=[
            ClaimVerdict(id=id_.replace("_", "-"), topology=f"t{number}", verdict=verdict)
            for id_, seen in verdicts.items()
            for number, verdict in enumerate(seen)
        ],
    )


SANDBOX = record(
    "sandbox",
    "Debian 12",
    PT_01=[Verdict.NOT_TESTABLE],
    PT_12=[Verdict.NOT_TESTABLE],
    GN_03=[Verdict.CONFORMS, Verdict.CONFORMS, Verdict.NOT_TESTABLE],
)
LAB = record("lab", "Debian 13", PT_01=[Verdict.CONFORMS], PT_12=[Verdict.NOT_TESTABLE])


def test_a_row_has_a_verdict_for_each_host_and_release() -> None:
    page = table([SANDBOX, LAB]).partition("## By family")[0]
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert rows[:4] == [
        "| host | release | versions |",
        "| sandbox | Debian 12 | libvirt 9.0.0 |",
        "| lab | Debian 13 | libvirt 9.0.0 |",
        "| claim | sandbox, Debian 12 | lab, Debian 13 | faults |",
    ]
    assert len(rows) == 4 + len(claim_ids())
    assert {
        ("GN-01", "–", "–"),
        ("GN-03", "conforms (2)", "–"),
        ("PT-01", "not-testable", "conforms"),
        ("PT-12", "not-testable", "not-testable"),
    } <= {tuple(cell.strip() for cell in row.split("|")[1:-2]) for row in rows}


def of_guests(**lines: list[str]) -> list[TopologyRecord]:
    """Return topologies by their names, each with a guest that has these addresses."""
    return [
        TopologyRecord(
            name=name,
            verdict=Verdict.CONFORMS,
            built=Built(
                nodes=[
                    BuiltNode(id="guest/a", kind="guest", name="a", lines=[*each, "virtio"]),
                    BuiltNode(id="host/b", kind="bridge", name="b", lines=["fd00::9/64"]),
                ]
            ),
        )
        for name, each in lines.items()
    ]


def test_a_row_has_the_families_of_the_guests_that_decided_it() -> None:
    seen = record(
        "sandbox", "Debian 12", GN_03=[Verdict.CONFORMS] * 3, BR_15=[Verdict.NOT_TESTABLE]
    )
    built = of_guests(
        t0=["10.0.0.2 by DHCP"],
        t1=["10.0.0.2 by DHCP", "fd00::2 by SLAAC"],
        t2=["fd00::2/64"],
    )
    found = families_of([seen.model_copy(update={"topologies": built})])
    assert found["GN-03"] == {"IPv4": 1, "both": 1, "IPv6": 1}
    assert found["BR-15"] == {"IPv4": 0, "both": 0, "IPv6": 0}
    [_, _, _, row] = by_family([seen.model_copy(update={"topologies": built})])
    assert row == "| GN-03 | 1 | 1 | 1 |"
    # One that was not built says nothing.
    assert set(families_of([seen])["GN-03"].values()) == {0}


def test_records_of_one_host_share_a_column_and_the_worst_verdict_counts() -> None:
    other = record("sandbox", "Debian 12", GN_03=[Verdict.VIOLATES])
    assert "| GN-03 | violates (3) |" in table([SANDBOX, other])


def test_a_profile_has_a_column_of_its_own() -> None:
    plain, docker = (
        record("staged", "Debian 12", GN_03=[verdict])
        for verdict in (Verdict.CONFORMS, Verdict.VIOLATES)
    )
    plain.host.facts["profile"], docker.host.facts["profile"] = "plain", "docker"
    page = table([plain, docker])
    assert "| claim | staged plain, Debian 12 | staged docker, Debian 12 | faults |" in page
    assert "| GN-03 | conforms | violates |" in page


def test_what_was_decided_nowhere_is_named() -> None:
    left = [id_ for id_ in claim_ids() if id_ not in ("GN-03", "PT-01")]
    assert undecided([SANDBOX, LAB]) == left
    assert f"{len(claim_ids())} claims, decided nowhere: {', '.join(left)}." in table(
        [SANDBOX, LAB]
    )


def test_files_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.json"
    save(LAB, file)
    assert main([str(file)]) == 1
    assert "| PT-01 | conforms |" in capsys.readouterr().out
    assert main([]) == 4
    file.write_text("{}")
    assert main([str(file)]) == 4


def test_a_fault_is_in_brackets_where_no_record_shows_the_claim_violated_by_it() -> None:
    named = {
        claim: faults
        for claim, faults in proving_faults().items()
        if "nat-port-range-changed" in faults
    }
    first, *others = sorted(named)
    proof = records.record(
        [],
        host=SANDBOX.host,
        claims=[
            ClaimVerdict(id=id_, topology=f"nat+{fault}", verdict=Verdict.VIOLATES)
            for id_, fault in ((first, "nat-port-range-changed"), ("NT-08", "nat-no-masquerade"))
        ],
        faults=[
            FaultResult.model_validate(
                {"id": id_, "title": "", "topology": f"nat+{id_}", "on": "host", "apply": ":"}
                | {"outcome": outcome}
            )
            for id_, outcome in (
                ("nat-port-range-changed", "caught"),
                ("nat-no-masquerade", "got through"),
            )
        ],
    )
    assert proving_faults()["NT-08"][0] == "nat-no-masquerade"
    row = next(line for line in table([SANDBOX, proof]).splitlines() if "| NT-08 |" in line)
    assert row.startswith("| NT-08 | – | (nat-no-masquerade), ")
    rows = {
        line.split()[1]: line
        for line in table([SANDBOX, proof]).splitlines()
        if "nat-port-range-changed" in line
    }
    assert "(nat-port-range-changed)" not in rows[first]
    assert others
    assert all("(nat-port-range-changed)" in rows[each] for each in others)
    # A network that is broken on purpose says nothing about the host.
    assert "violates" not in table([SANDBOX, proof])


def test_a_harmless_change_has_a_row_for_each_host_and_outcome() -> None:
    def proof(day: int, host: RunRecord, **outcomes: str) -> RunRecord:
        changes = [
            records.harmless("harmless-docker", topology, outcome=outcome)
            for topology, outcome in outcomes.items()
        ]
        started = records.STARTED + timedelta(days=day)
        return records.record([], host=host.host, faults=changes, started=started)

    proofs = [
        # An earlier record comes later: its alarm is of the past.
        proof(2, SANDBOX, nat="unnoticed", isolated="unnoticed", routed="not decided"),
        proof(1, SANDBOX, nat="false alarm", routed="false alarm"),
        proof(3, LAB, nat="not testable"),
    ]
    rows = [line for line in table(proofs).splitlines() if line.startswith("| harmless-docker |")]
    assert rows == [
        "| harmless-docker | nat, isolated | sandbox, Debian 12 | unnoticed |",
        "| harmless-docker | nat | lab, Debian 13 | not testable |",
        "| harmless-docker | routed | sandbox, Debian 12 | false alarm |",
        "| harmless-docker | bridged, linux-bridge, ovs | – | – |",
    ]


def test_each_harmless_change_is_in_the_table_and_no_fault() -> None:
    shipped = [each for each in load_all() if isinstance(each, Harmless)]
    topologies = {each.id: tuple(Path(name).stem for name in each.topologies) for each in shipped}
    harmless = {each.id: each.topologies for each in shipped_changes() if each.is_harmless}
    assert harmless == topologies
    page = table([records.record([], faults=[records.fault("nat-no-masquerade")])])
    tabled = page.partition("## Harmless changes")[2]
    assert all(f"| {id_} | " in tabled for id_ in topologies)
    assert "nat-no-masquerade" not in tabled


def test_a_fault_that_names_a_check_proves_the_claims_of_that_check() -> None:
    def seen(topology: str, verdict: Verdict, claim: str) -> Check:
        return records.check(
            f"connectivity.reach[{topology}-{claim}]",
            topology=topology,
            claims=[claim],
            verdict=verdict,
        )

    healthy = records.record(
        [seen("linux-bridge", Verdict.CONFORMS, each) for each in ("LB-05", "LB-12", "GN-09")]
    )
    assert "bridge-one-direction" in proving_faults()["LB-05"]
    assert "bridge-port-mtu" in proving_faults([healthy])["LB-12"]
    broken = "linux-bridge+bridge-port-mtu"
    proof = records.record(
        [seen(broken, Verdict.VIOLATES, "LB-05"), seen(broken, Verdict.CONFORMS, "LB-12")]
    )
    proven = proving_faults([healthy, proof])
    assert "bridge-port-mtu" in proven["LB-05"]
    assert "bridge-port-mtu" not in proven["LB-12"]


def test_a_claim_about_the_run_itself_has_its_test() -> None:
    [row] = [line for line in table([SANDBOX]).splitlines() if line.startswith("| HR-01 |")]
    assert row.endswith("| tests/test_as_it_was.py |")
    assert all((FAULTS.parent / test).is_file() for test in PROVING_TESTS.values())
