# SPDX-License-Identifier: GPL-2.0-or-later
"""A report names the catalogue that it judges by, and what of it was left out."""

import hashlib
from dataclasses import replace
from pathlib import Path

from contracts.run_settings import RunSettings
from contracts.verdicts import Verdict
from fixtures.plugin.standard_entry import standard_entry
from reports.exports import allure, job_summary, junit
from reports.html import report_page
from reports.record import RunRecord
from reports.recording.recorded_settings import standard
from reports.run_verdict import facts
from tests.reported import check, record

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = ROOT / "topologies" / "claims.yaml"


def judged_by(settings: RunSettings) -> RunRecord:
    """A run of NT-01 alone, of the catalogue as it is."""
    known = standard(replace(settings, standard=standard_entry(settings)), "0.1.0")
    return record([check(Verdict.CONFORMS)], standard=known)


def test_the_facts_of_a_report_name_catalogue_digest_levels_and_what_was_left_out() -> None:
    found = dict(facts(judged_by(RunSettings(topology=("nat",), claim=("NT-01",)))))
    digest = hashlib.sha256(CLAIMS.read_bytes()).hexdigest()
    number = CLAIMS.read_text().count("- id: ")
    assert found["Standard"][0].startswith(
        f"plumbline/claims/1 of Plumbline 0.1.0, {number} claims: required "
    )
    assert found["Standard"][1] == f"SHA-256 {digest}"
    assert found["Of it decided here"] == ["1 claim: required 1"]
    (left_out,) = found["Left out"]
    assert left_out.startswith(f"{number - 1} claims (--topology nat, --claim NT-01): GN-01–")
    assert " NT-02–" in left_out


def test_each_form_of_the_report_has_it(tmp_path: Path) -> None:
    run = judged_by(RunSettings(topology=("nat",)))
    digest = hashlib.sha256(CLAIMS.read_bytes()).hexdigest()
    assert digest in report_page.render(run, ROOT)
    assert "Level: required" in report_page.render(run, ROOT)
    assert digest in job_summary.render(run)
    assert digest in junit.render(run)
    allure.write(run, ROOT, tmp_path)
    assert digest in (tmp_path / "environment.properties").read_text()


def test_a_record_from_before_it_was_kept_has_no_standard() -> None:
    assert "Standard" not in dict(facts(record([check(Verdict.CONFORMS)])))
