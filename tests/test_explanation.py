# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline explain`: what it knows of each claim, and what its data may not be."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from faults.library import load_all as all_changes
from fixtures.explanation import explain_command
from fixtures.explanation import explanation as explanation_module
from fixtures.explanation.check_source import check_sources
from fixtures.explanation.explanation import SHOWN_BY, explanation
from fixtures.explanation.remedies import remedies
from fixtures.host.sandbox import Sandbox
from launcher import run
from topologies.catalogue import HOST, Claim, claims
from topologies.data_error import DataError
from topologies.library import load, names

ROOT = Path(__file__).resolve().parent.parent
# Claims without a usual cause, each with the reason; none so far.
WITHOUT_REMEDY: dict[str, str] = {}


def explain(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), "explain", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_each_claim_has_a_check_with_its_procedure() -> None:
    decided = {id_: [c for c in check_sources() if c.decides(claims()[id_])] for id_ in claims()}
    assert not [id_ for id_, checks in decided.items() if not checks]


def test_a_claim_of_cells_has_the_checks_of_its_promise() -> None:
    one, other = explanation("NT-10"), explanation("NT-11")
    named = {check["name"] for check in one["checks"]}
    assert {"connectivity.reach", "beyond_router.beyond_the_router"} <= named
    assert "connectivity.no_reach" not in named
    assert "connectivity.no_reach" in {check["name"] for check in other["checks"]}


def test_what_is_known_of_a_claim() -> None:
    known = explanation("NT-09")
    assert known["level"] == "required"
    assert "nat" in known["topologies"]
    assert set(known["topologies"]) <= set(names())
    assert known["sources"]["D4"].startswith("KVM network configuration")
    [check] = [c for c in known["checks"] if c["name"] == "nat.outside_sees_the_host"]
    assert check["preconditions"]
    assert check["steps"]
    assert check["verify"]
    assert "nat-no-masquerade" in {fault["id"] for fault in known["faults"]}
    assert any("Docker" in remedy["cause"] for remedy in known["remedies"])
    assert known["rerun"] == "sudo ./plumbline run --topology=nat --claim=NT-09"


def test_each_claim_has_a_remedy_or_a_reason_for_none() -> None:
    helped = {claim for remedy in remedies() for claim in remedy.claims}
    assert set(claims()) - helped == set(WITHOUT_REMEDY)
    assert all(WITHOUT_REMEDY.values())


def test_the_looks_are_commands_of_a_shell() -> None:
    """They are for a terminal, in every language: no prose, and each of them parses by itself."""
    for command in (each for remedy in remedies() for each in remedy.look.split("; ")):
        argv = ["bash", "-n", "-c", command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert not {"the", "and", "or", "of", "package"} & set(_unquoted(command)), command


def _unquoted(command: str) -> list[str]:
    """Return the words of a command line outside of quotes."""
    return re.sub(r"'[^']*'", "", command).split()


def test_each_claim_has_a_fault_or_a_test_that_shows_how_its_check_fails() -> None:
    faults = [each for each in all_changes() if not each.is_harmless]
    for claim in claims().values():
        checks = [each.name for each in check_sources() if each.decides(claim)]
        is_broken = any(fault.is_for((claim.id,), name) for fault in faults for name in checks)
        assert is_broken is not (claim.id in SHOWN_BY), claim.id
    for id_, test in SHOWN_BY.items():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
        assert explanation(id_)["shown_by"] == test


def test_a_claim_without_a_fault_is_explained_with_its_test(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert explain_command.main(['{"claims": ["HR-01"], "format": "terminal"}']) == 0
    assert f"\n  {SHOWN_BY['HR-01']}\n" in capsys.readouterr().out


def test_a_claim_without_a_remedy_has_one_line_about_that(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {**explanation("NT-09"), "remedies": []}
    monkeypatch.setattr(explain_command, "explanation", lambda _id: known)
    assert explain_command.main(['{"claims": ["NT-09"], "format": "terminal"}']) == 0
    lines = capsys.readouterr().out.splitlines()
    title = lines.index("What usually breaks it, how to see that, and how to mend it")
    assert lines[title + 1 : title + 3] == ["  no cause is known that is usual", ""]


def test_each_command_that_shows_a_cause_has_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert explain_command.main(['{"claims": ["GN-03"], "format": "terminal"}']) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("    see:  in the guest:")
    assert lines[place + 1] == "          ip -d link show"


def test_where_a_claim_is_decided_again() -> None:
    assert "--host=lab" in explanation("PT-07")["rerun"]
    assert "--host=staged" in explanation("HR-01")["rerun"]


def run_words(claim: str) -> list[str]:
    """Return the words after `./plumbline run` that decide a claim again."""
    rerun = shlex.split(explanation(claim)["rerun"])
    assert rerun[:3] == ["sudo", "./plumbline", "run"], claim
    return rerun[3:]


@pytest.mark.parametrize("claim", claims().values(), ids=[*claims()])
def test_the_run_takes_the_words_that_decide_a_claim_again(claim: Claim) -> None:
    options = run.parser().parse(run_words(claim.id))
    if HOST in claim.types:
        assert options.host == "staged"
        return
    assert options.claim == [claim.id]
    [name] = options.topology
    topology = load(name if name in names() else str(ROOT / name))
    assert topology.applies(claim)
    assert (options.host == "lab") is bool(topology.needs & Sandbox.lacks.keys())


def test_a_claim_of_no_shipped_topology_has_the_file_and_the_key_that_it_is_asked_by(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = "tests/topologies/bridged-ovs-portgroups.yaml"
    other = "tests/topologies/bridged-ovs-vlan.yaml"
    known = explanation("OV-19")
    assert (known["topologies"], known["files"]) == ([], [file, other])
    assert {place for fault in known["faults"] for place in fault["topologies"]} == {file, other}
    assert explain_command.main(['{"claims": ["OV-19"], "format": "terminal"}']) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f" topologies no shipped one, but {file}, {other} " in shown
    assert f"sudo ./plumbline run --topology={file} --claim=OV-19 or --topology=FILE" in shown
    asked = "of type ovs or bridged, that asks for portgroups.vlan or vlan: docs/topologies.md"
    assert asked in shown


def test_a_claim_that_no_topology_is_about_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanation_module, "_shipped_changes", tuple)
    with pytest.raises(DataError, match="claim OV-19: no topology is about it"):
        explanation("OV-19")


def test_the_faults_are_those_of_the_claims_own_topologies() -> None:
    known = explanation("NT-10")
    shipped = {place for fault in known["faults"] for place in fault["topologies"]} & set(names())
    assert shipped
    assert shipped <= set(known["topologies"])


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"PYTHONIOENCODING": "latin-1"}, r"\u5185\u6838"),
        ({"PYTHONIOENCODING": "latin-1:replace"}, "????"),
        ({"PYTHONIOENCODING": "utf-8"}, "内核"),
    ],
)
def test_a_character_that_the_terminal_lacks_ends_nothing(
    variables: dict[str, str], shown: str
) -> None:
    argv = [sys.executable, str(ROOT / "plumbline"), "explain", "LB-01", "--lang", "zh"]
    done = subprocess.run(argv, env=os.environ | variables, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert shown in done.stdout.decode(variables["PYTHONIOENCODING"].partition(":")[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("claims: [NT-99], cause: c, look: l, mend: m", 'unknown claim "NT-99"'),
        ("claims: [NT-09], cause: c, look: l", "mend"),
        ("claims: [NT-09], cause: c, look: l, mend: m, more: x", "more"),
    ],
)
def test_wrong_causes_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "remedies.yaml"
    file.write_text(f"schema: plumbline/remedies/1\nremedies:\n  - {{{text}}}\n")
    with pytest.raises(DataError, match=said):
        remedies(file)


@pytest.mark.slow
def test_the_command() -> None:
    done = explain("nt-09")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("NT-09  On the wire the outside end sees")
    assert "sudo ./plumbline run --topology=nat --claim=NT-09" in done.stdout
    listed = json.loads(explain("--format", "json").stdout)
    assert [each["id"] for each in listed] == list(claims())
    unknown = explain("NT-9")
    assert unknown.returncode == 4
    assert 'no claim "NT-9"' in unknown.stderr
    assert not unknown.stdout
