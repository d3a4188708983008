# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline report` as its user meets it: what it writes, where, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.verdicts import Verdict
from reports.record import load, save
from tests.records import kept
from tests.reported import check, record, saved

ROOT = Path(__file__).resolve().parent.parent


def report(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), "report", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def unpack(bundle: Path, folder: Path) -> None:
    """Unpack a bundle as its reader would."""
    folder.mkdir()
    subprocess.run(["tar", "-xzf", bundle, "-C", folder], check=True)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with evidence, in runs/latest of the current folder."""
    folder = tmp_path / "runs" / "2026-03-01T12-00-00Z"
    saved(folder, {"evidence/nat/commands.txt": b"[host]$ ip link\n52:54:00:12:ab:cd\n"})
    (tmp_path / "runs" / "latest").symlink_to(folder.name)
    return folder


def listing(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize(
    ("form", "name", "begin"),
    [
        ("html", "report.html", "<!doctype html>"),
        ("md", "report.md", "## ✅ Plumbline: "),
        ("junit", "junit.xml", '<?xml version="1.0" encoding="utf-8"?>\n<testsuites'),
    ],
)
def test_a_report_is_one_file_beside_the_record(
    form: str, name: str, begin: str, run: Path, tmp_path: Path
) -> None:
    before = listing(run)
    done = report("--format", form, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"{form}: runs/latest/{name}" in done.stderr
    assert "conforms 1 · violates 0 · error 0 · inconclusive 0 · not-testable 0" in done.stderr
    after = listing(run)
    assert after.pop(name).decode().lower().startswith(begin.lower())
    assert after == before


@pytest.mark.parametrize("given", ["folder", "record"])
def test_a_run_is_named_by_its_folder_or_its_record(given: str, run: Path, tmp_path: Path) -> None:
    named = run if given == "folder" else run / "run.json"
    done = report(str(named), "--format", "md", "--output", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## ✅ Plumbline")
    assert set(listing(run)) == {"run.json", "evidence/nat/commands.txt"}


def test_allure_results_are_a_new_folder(run: Path, tmp_path: Path) -> None:
    done = report(str(run), "--format", "allure", "--output", "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [result] = (tmp_path / "results").glob("*-result.json")
    assert json.loads(result.read_text())["status"] == "passed"
    again = report(str(run), "--format", "allure", "--output", "results", cwd=tmp_path)
    assert again.returncode == 4
    assert "results: not a new or empty folder" in again.stderr


def test_bundle_sign_and_verify(run: Path, tmp_path: Path) -> None:
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "op", "-f", "key"]
    subprocess.run(keygen, cwd=tmp_path, check=True)
    done = report("--bundle", "b.tar.gz", "--sign", "key", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert set(listing(run)) == {"run.json", "evidence/nat/commands.txt"}
    verified = report("--verify", "b.tar.gz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stderr
    assert "signed by ED25519 key SHA256:" in verified.stdout
    (tmp_path / "allowed").write_text("op@example.com " + (tmp_path / "key.pub").read_text())
    known = report("--verify", "b.tar.gz", "--allowed-signers", "allowed", cwd=tmp_path)
    assert "signed by op@example.com, with ED25519 key SHA256:" in known.stdout
    octets = bytearray((tmp_path / "b.tar.gz").read_bytes())
    octets[len(octets) // 2] ^= 1
    (tmp_path / "b.tar.gz").write_bytes(octets)
    tampered = report("--verify", "b.tar.gz", cwd=tmp_path)
    assert (tampered.returncode, tampered.stdout) == (4, "")
    assert "Traceback" not in tampered.stderr


@pytest.mark.usefixtures("run")
def test_a_redacted_bundle_names_what_was_found(tmp_path: Path) -> None:
    done = report("--bundle", "b.tar.gz", "--redact", "--redact-also", "ip link", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "replaced: MAC addresses: 1 different, in 1 place" in done.stderr
    assert "replaced: words that were named: 1 different, in 1 place" in done.stderr
    assert "redacted: REDACTION.txt" in report("--verify", "b.tar.gz", cwd=tmp_path).stdout
    unpack(tmp_path / "b.tar.gz", tmp_path / "out")
    [told] = (tmp_path / "out").rglob("commands.txt")
    assert told.read_text() == "[host]$ site-1\n52:54:00:00:00:01\n"
    assert all(b"12:ab:cd" not in content for content in listing(tmp_path / "out").values())


def test_a_redacted_report_does_not_take_the_name_of_the_whole_one(
    run: Path, tmp_path: Path
) -> None:
    assert report("--format", "junit", "--redact", cwd=tmp_path).returncode == 0
    assert set(listing(run)) == {
        *("run.json", "evidence/nat/commands.txt", "junit-redacted.xml"),
    }


def alter(evidence: Path) -> None:
    evidence.write_text("[host]$ something else\n")


def remove(evidence: Path) -> None:
    shutil.rmtree(evidence.parent.parent)


def lead_away(evidence: Path) -> None:
    evidence.unlink()
    evidence.symlink_to("/etc/hostname")


def lead_nowhere(evidence: Path) -> None:
    evidence.unlink()
    evidence.symlink_to(evidence.name)


def pipe(evidence: Path) -> None:
    evidence.unlink()
    os.mkfifo(evidence)


def too_long(evidence: Path) -> None:
    """Stands for what a user may not read, which root may: the system refuses to look at it."""
    record_file = evidence.parent.parent.parent / "run.json"
    told = record_file.read_text().replace("nat/commands.txt", f"nat/{'c' * 300}.txt")
    record_file.write_text(told)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (alter, "evidence is not as it was recorded: evidence/nat/commands.txt"),
        (remove, "evidence is missing: evidence/nat/commands.txt"),
        (lead_away, "evidence is missing: evidence/nat/commands.txt"),
        (lead_nowhere, "evidence is missing: evidence/nat/commands.txt"),
        (pipe, "evidence is missing: evidence/nat/commands.txt"),
        (too_long, "evidence cannot be read: evidence/nat/ccc"),
    ],
)
def test_evidence_with_a_fault_is_told_of_and_never_handed_over(
    spoil: Callable[[Path], None], said: str, run: Path, tmp_path: Path
) -> None:
    spoil(run / "evidence/nat/commands.txt")
    for form, name in (("md", "report.md"), ("junit", "junit.xml"), ("html", "report.html")):
        done = report("--format", form, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert said in done.stderr
        head = "evidence/nat/c" if form == "html" else said.partition(":")[0]
        assert head in (run / name).read_text()
    for words in (["--bundle", "b"], ["--redact"], ["--format", "allure"]):
        refused = report(*words, cwd=tmp_path)
        assert refused.returncode == 4
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr


def test_what_a_killed_run_was_still_writing_is_no_reason_to_refuse_it(
    run: Path, tmp_path: Path
) -> None:
    whole = load(run / "run.json")
    growing = kept(run, "evidence/topology-nat/commands.txt", b"[host]$ ip link\n")
    [topology] = whole.topologies
    standing = topology.model_copy(update={"evidence": [growing]})
    killed = whole.model_copy(update={"finished": None, "topologies": [standing]})
    save(killed, run / "run.json")
    (run / growing.path).write_text("[host]$ ip link\n[host]$ ip route\n")
    done = report("--format", "md", "--bundle", "b.tar.gz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "topology-nat/commands.txt: grew after it was recorded" in done.stderr
    assert (run / "report.md").read_text().startswith("## ⚠️")
    assert report("--verify", "b.tar.gz", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not a run record: it has no field `schema`"),
        ('{"schema": "plumbline/run/2"}', "a record of schema 'plumbline/run/2'"),
        ('{"schema": "plumbline/run/1"}', "not a plumbline/run/1 record: id: Field required"),
        ('{"schema": "plumbline/doctor/1"}', "a record of schema 'plumbline/doctor/1'"),
    ],
)
def test_what_is_no_record_is_refused(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    done = report(".", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"plumbline: run.json: {said}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_record_of_somebody_else_s_writes_nothing_on_the_terminal_itself(tmp_path: Path) -> None:
    foreign = record([check(Verdict.CONFORMS)]).model_dump(mode="json", by_alias=True)
    (tmp_path / "run.json").write_text(json.dumps(foreign | {"\x1b[2J": 1}))
    refused = report(".", "--format", "md", cwd=tmp_path)
    assert refused.returncode == 4
    evidence = kept(tmp_path, "evidence/\x1b[2J.txt", b"")
    save(record([check(Verdict.CONFORMS, evidence=[evidence])]), tmp_path / "run.json")
    (tmp_path / evidence.path).unlink()
    missing = report(".", "--format", "md", cwd=tmp_path)
    assert "evidence is missing" in missing.stderr
    assert "\x1b" not in (tmp_path / "report.md").read_text()
    assert "\x1b" not in refused.stderr + missing.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "report nowhere: there is no such file or folder"),
        (["."], "report .: this folder has no run.json"),
        (["--format", "pdf"], "'pdf' is not one of html, md, junit, allure"),
        (["--sign", "key"], "--sign goes with --bundle"),
        (["--redact-also", "x"], "--redact-also goes with --redact"),
        (["--allowed-signers", "x"], "--allowed-signers goes with --verify"),
        (["--verify", "b", "--signer", "x"], "--signer goes with --allowed-signers"),
        (["--verify", "b", "--format", "md"], "--verify checks a bundle and takes no --format"),
        (["--verify", "nowhere"], "nowhere: cannot be read: No such file or directory"),
        (["--bundle", "b", "--sign", "nowhere"], "--sign nowhere: there is no such file"),
        (["--format", "allure", "--output", "-"], "Allure results are a folder"),
        (["--output", "runs/latest/run.json"], "this belongs to the run itself"),
        (["--bundle", "runs/latest/evidence/b"], "this belongs to the run itself"),
        (["--format", "md", "--output", "no/folder/x.md"], "no/folder/x.md: cannot be written"),
        (["--bundle", "no/folder/b"], "--bundle no/folder/b: cannot be written"),
    ],
)
def test_usage_errors_are_one_message_and_exit_code_4(
    words: list[str], said: str, run: Path, tmp_path: Path
) -> None:
    before = listing(run)
    done = report(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert said in done.stderr
    assert done.stderr.splitlines()[-2].startswith("plumbline: ")
    assert "Traceback" not in done.stderr
    assert listing(run) == before


def test_without_a_run_the_newest_is_meant(tmp_path: Path) -> None:
    done = report(cwd=tmp_path)
    assert done.returncode == 4
    assert "there is no runs/latest below this folder" in done.stderr


def test_a_report_of_a_bad_run_is_still_a_report(tmp_path: Path) -> None:
    """The exit code says whether it was written; what the run says is in it."""
    save(record([check(Verdict.VIOLATES)]), tmp_path / "run.json")
    done = report("run.json", "--format", "md", "--output", "-", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("## ❌")


def test_the_record_says_that_it_was_redacted(run: Path, tmp_path: Path) -> None:
    def told(record_file: Path) -> Any:
        return json.loads(record_file.read_text())["redacted"]

    assert told(run / "run.json") is False
    assert report("--bundle", "b.tar.gz", "--redact", cwd=tmp_path).returncode == 0
    unpack(tmp_path / "b.tar.gz", tmp_path / "out")
    [copy] = (tmp_path / "out").rglob("run.json")
    assert told(copy) is True
