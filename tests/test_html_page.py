# SPDX-License-Identifier: GPL-2.0-or-later
"""The report page: what stands in it, and what can never be green or run."""

import base64
import hashlib
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from contracts.verdicts import NOT_DECIDED
from reports.html.report_page import render
from reports.html.template_environment import FOLDER
from reports.record import EvidenceFile, RunRecord, Verdict
from reports.run_verdict import run_verdict
from tests.html_run import (
    HOSTILE,
    C,
    E,
    N,
    Parsed,
    U,
    V,
    check,
    fault,
    full,
    graph,
    record,
)
from tests.records import harmless, kept


def page(run: RunRecord, folder: Path) -> Parsed:
    return Parsed(render(run, folder))


@pytest.mark.parametrize(
    ("verdicts", "finished", "verdict"),
    [
        ([], True, U),
        ([], False, U),
        ([C], True, C),
        ([C], False, U),
        ([C, N], True, C),
        ([C, N], False, U),
        ([N], True, U),
        ([C, U], True, U),
        ([C, E], True, E),
        ([C, E, U], True, E),
        ([C, E, V], True, V),
        ([C, V], False, V),
    ],
)
def test_only_a_finished_run_in_which_something_conforms_is_green(
    verdicts: list[Verdict], *, finished: bool, verdict: Verdict, tmp_path: Path
) -> None:
    checks = [check(f"dhcp.n{number}", each, "NT-05") for number, each in enumerate(verdicts)]
    run = record(checks, finished=finished)

    assert run_verdict(run).verdict is verdict
    [result] = [
        attrs["class"]
        for tag, attrs in page(run, tmp_path).tags
        if tag == "section" and str(attrs.get("class")).startswith("result")
    ]
    assert result == f"result {verdict}"


def test_a_check_of_the_host_is_shown_and_the_host_is_not_drawn_as_built(tmp_path: Path) -> None:
    of_host = check("host_as_it_was.host_is_as_it_was", C, "HR-01", topology="host")
    shown = page(record([check("dhcp.a", C, "NT-05"), of_host]), tmp_path)
    ids = {str(attrs.get("id")) for _, attrs in shown.tags}
    assert "HR-01" in ids
    assert "topology-1" in ids
    assert "topology-2" not in ids


def test_what_was_never_begun_is_said_on_top(tmp_path: Path) -> None:
    run = record(
        [check("dhcp.a", C, "NT-05"), check("dhcp.b", U, "NT-06", reason=NOT_DECIDED)],
        finished=False,
    )
    text = page(run, tmp_path).text
    assert "This run did not finish, or goes on: 1 check of 2 never began or never ended." in text
    assert text.index("did not finish") < text.index("What it rests on")


def test_every_verdict_stands_beside_the_number_that_conforms(tmp_path: Path) -> None:
    text = page(full(tmp_path), tmp_path).text
    top = re.sub(r"\s+", " ", text[: text.index("What it rests on")])
    for word, claims, checks in (
        ("conforms", 1, 12),
        ("violates", 3, 7),
        ("error", 1, 1),
        ("inconclusive", 0, 3),
        ("not-testable", 0, 1),
    ):
        noun = "claim" if claims == 1 else "claims"
        assert f"{word} {claims} {noun} {checks} check" in top
    assert "%" not in text


def test_what_it_rests_on_is_named(tmp_path: Path) -> None:
    text = page(full(tmp_path), tmp_path).text
    for said in (
        "2026-03-01 12:00 UTC to 2026-03-01 12:03 UTC, 3 min 41 s",
        "sandbox, Debian 12",
        "tcg: no KVM",
        "libvirt 9.0.0",
        "c" * 40,
        "./plumbline run",
        "the host lacks vlan (probe: none)",
    ):
        assert said in text


def test_each_claim_has_statement_source_reason_and_rerun(tmp_path: Path) -> None:
    text = page(full(tmp_path), tmp_path).text
    for said in (
        "Host and guest reach each other",
        "Source: D3: NAT",
        "libvirtd is gone",
        "./plumbline run -- 'suites/test_x.py::test_nat.rules[ovs]'",
        "median 2338 Mbit/s",
        "in order: 2301, 2338, 2390 Mbit/s",
    ):
        assert said in text
    assert "Checks that decide no claim" in text


def test_a_command_is_one_that_a_shell_takes(tmp_path: Path) -> None:
    run = record([check("dhcp.a", C, "NT-05")])
    hard = ["./plumbline", "run", "--after-build", "iptables-save | grep 'x'"]
    run = run.model_copy(update={"tool": run.tool.model_copy(update={"command": hard})})
    open_quote = run.checks[0].model_copy(update={"rerun": "./plumbline 'run"})
    text = page(run, tmp_path).text
    assert f"Command{shlex.join(hard)} " in text
    assert run.checks[0].rerun in text
    odd = run.model_copy(update={"checks": [open_quote]})
    assert "./plumbline 'run" in page(odd, tmp_path).text


def test_a_check_of_two_claims_stands_once(tmp_path: Path) -> None:
    parsed = page(full(tmp_path), tmp_path)
    assert Counter(parsed.values("id"))["check-dhcp.lease-nat"] == 1
    assert "Decides NT-05, NT-06." in parsed.text
    assert "shown with another claim" in parsed.text


def test_anchors_are_unique_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    same = check("dhcp.a", C, "NT-05", topology="x y"), check("dhcp.a", C, "NT-05", topology="x-y")
    run = full(tmp_path)
    run = record([*run.checks, *same], statements=run.statements, built={"nat": graph()})
    parsed = page(run, tmp_path)
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    inner = {href[1:] for href in parsed.values("href") if href.startswith("#")}
    assert inner <= set(ids)
    assert inner


def test_what_evidence_says_is_text_and_never_markup(tmp_path: Path) -> None:
    """A guest chooses its console, its host name and what it answers: none of it may be obeyed."""
    run = full(tmp_path)
    file = kept(tmp_path, "evidence/javascript:alert(1)//<b>.txt", HOSTILE)
    worse = check(
        f"dhcp.{HOSTILE}", V, f"XX {HOSTILE}", topology=HOSTILE, reason=HOSTILE, evidence=(file,)
    )
    run = record([*run.checks, worse], statements=run.statements, built={HOSTILE: graph()})
    plain, parsed = page(full(tmp_path), tmp_path), page(run, tmp_path)

    assert len(parsed.inlined["script"]) == len(plain.inlined["script"]) == 1
    assert "img" not in {tag for tag, _ in parsed.tags}
    for tag, attrs in parsed.tags:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "style")], (
            tag,
            attrs,
        )
    for href in parsed.values("href"):
        assert href.startswith(("#", "evidence/")), href
        assert ":" not in href
    assert parsed.text.count(HOSTILE) >= 5


def test_what_would_not_be_seen_is_shown(tmp_path: Path) -> None:
    text = page(full(tmp_path), tmp_path).text
    assert "␛[31m‹U+202E›␀" in text
    assert not set("\x1b\x00\u202e") & set(text)


def test_the_page_allows_its_own_style_and_script_alone(tmp_path: Path) -> None:
    parsed = page(full(tmp_path), tmp_path)
    [policy] = [
        str(attrs["content"])
        for _, attrs in parsed.tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for directive, tag in (("style-src", "style"), ("script-src", "script")):
        digests = [hashlib.sha256(text.encode()).digest() for text in parsed.inlined[tag]]
        allowed = [f"'sha256-{base64.b64encode(each).decode()}'" for each in digests]
        assert rules[directive].split() == allowed


def test_nothing_of_the_page_is_anywhere_else(tmp_path: Path) -> None:
    html = render(full(tmp_path), tmp_path)
    assert not re.search(r"https?:|wss?:|fetch\(|XMLHttp", html)
    for sheet in FOLDER.glob("*.css"):
        assert not re.search(r"url\(|@import", sheet.read_text())


def test_a_record_from_before_statements_and_drawings_is_shown(tmp_path: Path) -> None:
    run = full(tmp_path)
    topologies = [each.model_copy(update={"built": None}) for each in run.topologies]
    older = run.model_copy(update={"statements": {}, "topologies": topologies})
    text = page(older, tmp_path).text
    assert "(what it says is not in this record)" in text
    assert "What was built cannot be drawn from this record." in text


def test_a_redacted_record_says_so(tmp_path: Path) -> None:
    run = full(tmp_path).model_copy(update={"redacted": True})
    assert "What may identify the site was replaced" in page(run, tmp_path).text


def test_an_empty_record_says_that_it_shows_nothing(tmp_path: Path) -> None:
    text = page(record([]), tmp_path).text
    assert "Nothing was checked: this run shows nothing" in text


def test_a_topology_that_was_not_built_says_why(tmp_path: Path) -> None:
    run = record([check("dhcp.a", E, "NT-05", reason="libvirtd did not come up")])
    broken = run.topologies[0].model_copy(
        update={"build_s": None, "reason": "libvirtd did not come up", "verdict": E}
    )
    text = page(run.model_copy(update={"topologies": [broken]}), tmp_path).text
    assert "It was not built." in text
    assert "nat: libvirtd did not come up" in text


def test_faults_are_shown_with_what_caught_them_and_what_did_not(tmp_path: Path) -> None:
    undone = kept(tmp_path, "evidence/t/undone.txt", "as it was built\n")
    lacking = "the host lacks vlan (probe: none)"
    checks = [
        check("nat.rules", V, "NT-08", topology="nat+gone", reason="no rule"),
        check("dhcp.lease", C, "NT-05", topology="nat+deaf"),
        check("dhcp.other", V, "NT-06", topology="nat+deaf", reason="red for nothing"),
        check("vlan.tag", N, "OV-12", topology="ovs+tag", reason=lacking),
        check("dhcp.x", E, "NT-05", topology="nat+odd", reason="libvirtd is gone"),
    ]
    faults = (
        fault("gone", "nat", "NT-08", outcome="caught"),
        fault(
            "deaf",
            "nat",
            "NT-05",
            outcome="got through",
            missed={"NT-05": "conforms"},
            unexplained={"dhcp.other[nat+deaf]": "red for nothing"},
            also={"NT-09": "it hangs on it"},
        ),
        fault("tag", "ovs", "OV-12", outcome="not testable", missed={"OV-12": "not-testable"}),
        fault("odd", "nat", "NT-08", outcome="not decided", missed={"NT-08": "not run"}),
    )
    run = record(checks, faults=faults)
    first = run.topologies[0].model_copy(update={"evidence": [undone], "undone": True})
    run = run.model_copy(update={"topologies": [first, *run.topologies[1:]]})
    parsed = page(run, tmp_path)
    text = re.sub(r"\s+", " ", parsed.text)
    for said in (
        "Of 4 faults: 1 got through",
        "What gone breaks. Caught by NT-08",
        "Not caught by NT-05 (conforms)",
        "dhcp.other[nat+deaf]: red for nothing",
        "NT-09: it hangs on it",
        lacking,
        "dhcp.x: libvirtd is gone",
        "Afterwards it was as it had been built.",
        "ip link del virbr1 && echo '<b>'",
    ):
        assert said in text, said
    top = text[: text.index("What it rests on")]
    for tile in ("caught 1", "got through 1", "false alarm 0", "not decided 1", "not testable 1"):
        assert tile in top
    assert {href for href in parsed.values("href") if href.startswith("#")} <= {
        f"#{id_}" for id_ in parsed.values("id")
    }


def test_harmless_changes_are_shown_with_why_they_are_and_what_noticed(tmp_path: Path) -> None:
    faults = (
        harmless("calm", outcome="unnoticed"),
        harmless("loud", outcome="false alarm", unexplained={"a.b[nat+loud]": "error: broke"}),
    )
    parsed = page(record([check("a.b", C, topology="nat+calm")], faults=faults), tmp_path)
    text = re.sub(r"\s+", " ", parsed.text)
    for said in (
        "Of 2 harmless changes: 1 false alarm",
        "Harmless: What calm breaks",
        "No claim is touched by it: No claim is about it.",
        "Changed on the host by",
        "Not as it was without the change",
        "a.b[nat+loud]: error: broke",
    ):
        assert said in text, said


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["caught"], C),
        (["unnoticed"], C),
        (["caught", "not testable"], C),
        (["not testable"], U),
        (["caught", "not decided"], U),
        (["caught", "false alarm"], V),
        (["got through", "not decided"], V),
    ],
)
def test_a_proof_is_green_when_every_fault_was_caught(
    outcomes: list[str], verdict: Verdict
) -> None:
    faults = tuple(
        fault(f"f{number}", "nat", "NT-05", outcome=each) for number, each in enumerate(outcomes)
    )
    assert run_verdict(record([], faults=faults)).verdict is verdict
    if verdict is C:
        assert run_verdict(record([], faults=faults, finished=False)).verdict is U


def test_evidence_is_linked_relative_to_the_record(tmp_path: Path) -> None:
    odd = kept(tmp_path, "evidence/a b#c?/100%.txt", "x\n")
    run = record([check("dhcp.a", C, "NT-05", evidence=(odd,))])
    assert "evidence/a%20b%23c%3F/100%25.txt" in page(run, tmp_path).values("href")


def test_files_that_are_not_what_the_record_says_are_named_on_top(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("a secret of the machine")
    folder = tmp_path / "run"
    changed = kept(folder, "evidence/changed.txt", "before\n")
    (folder / changed.path).write_text("after\n")
    (folder / "evidence/link.txt").symlink_to(outside)
    digest = hashlib.sha256(outside.read_bytes()).hexdigest()
    missing, leading_out = (
        EvidenceFile(name=name, media_type="text/plain", path=f"evidence/{name}", sha256=digest)
        for name in ("missing.txt", "link.txt")
    )
    run = record([check("dhcp.a", C, "NT-05", evidence=(changed, missing, leading_out))])
    text = page(run, folder).text
    top = text[: text.index("What it rests on")]
    assert "3 files of evidence are not what the record says" in top
    assert "evidence/changed.txt is not the file that the record names: another SHA-256" in top
    assert "evidence/missing.txt cannot be read: No such file or directory" in top
    assert "evidence/link.txt leads out of the folder of the record: not read" in top
    assert "a secret of the machine" not in text


def test_checks_that_cannot_be_made_do_not_colour_a_topology(tmp_path: Path) -> None:
    for others, verdict in (([C, N], C), ([N, N], N), ([C, N, U], U)):
        checks = [check(f"dhcp.n{number}", each, "NT-05") for number, each in enumerate(others)]
        run = record(checks)
        worst = run.topologies[0].model_copy(update={"verdict": N if U not in others else U})
        seen = page(run.model_copy(update={"topologies": [worst]}), tmp_path)
        assert f"{verdict} nat" in re.sub(r"[^\w-]+", " ", seen.text), seen.text
