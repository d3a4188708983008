# SPDX-License-Identifier: GPL-2.0-or-later
"""A report names the catalogue that it judges by, and what of it was left out."""

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.run_options import RUN_OPTIONS
from contracts.run_settings import RunSettings
from contracts.verdicts import ONLY_WITH_DISRUPTIVE, Verdict
from fixtures.errors import ChangesHost
from fixtures.plugin.standard_entry import selected_by_pytest, standard_entry
from reports.exports import allure, job_summary, junit
from reports.html import report_page
from reports.record import Check, RunRecord
from reports.recording.recorded_settings import standard
from reports.run_verdict import facts
from tests.launched import launched
from tests.reported import check, record
from topologies import catalogue

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = ROOT / "topologies" / "claims.yaml"
EDITIONS = CLAIMS.with_suffix(".editions")


# What an option that selects is given with, where it is no name.
VALUES: dict[str, Any] = {"existing": True, "part": "1/3", "others": "none"}


def judged_by(
    settings: RunSettings, by_pytest: Sequence[str] = (), checks: Sequence[Check] = ()
) -> RunRecord:
    """A run of NT-01 alone, or of other checks, of the catalogue as it is."""
    entry = standard_entry(settings, by_pytest)
    known = standard(replace(settings, standard=entry), "0.1.0")
    return record(checks or [check(Verdict.CONFORMS)], standard=known)


def facts_of(*checks: Check) -> dict[str, list[str]]:
    return dict(facts(judged_by(RunSettings(), checks=checks)))


def test_the_facts_of_a_report_name_catalogue_digest_levels_and_what_was_left_out() -> None:
    found = dict(facts(judged_by(RunSettings(topology=("nat",), claim=("NT-01",)))))
    digest = hashlib.sha256(CLAIMS.read_bytes()).hexdigest()
    number = CLAIMS.read_text().count("- id: ")
    assert found["Standard"][0].startswith(
        f"plumbline/claims/1, edition {catalogue.edition()}, of Plumbline 0.1.0, "
        f"{number} claims: required "
    )
    assert found["Standard"][1] == f"SHA-256 {digest}"
    assert found["Of it decided here"] == ["1 claim: required 1"]
    (left_out,) = found["Left out"]
    assert left_out.startswith(f"{number - 1} claims (--topology nat, --claim NT-01): GN-01–")
    assert " NT-02–" in left_out


def test_an_edition_is_one_text_of_the_catalogue() -> None:
    """A change of the catalogue is another standard, and has another number."""
    lines = [line for line in EDITIONS.read_text().splitlines() if not line.startswith("#")]
    numbers, digests = zip(*(line.split() for line in lines), strict=True)
    assert list(map(int, numbers)) == list(range(1, len(lines) + 1))
    assert len(set(digests)) == len(digests)
    assert digests[-1] == hashlib.sha256(CLAIMS.read_bytes()).hexdigest(), (
        f"{CLAIMS.name} has changed: raise its edition, and add number and SHA-256 to "
        f"{EDITIONS.name}"
    )
    assert int(numbers[-1]) == catalogue.edition()


def test_a_record_of_a_catalogue_without_a_number_names_its_format() -> None:
    run = judged_by(RunSettings(topology=("nat",)))
    assert run.standard is not None
    older = run.model_copy(update={"standard": run.standard.model_copy(update={"edition": None})})
    assert dict(facts(older))["Standard"][0].startswith("plumbline/claims/1 of Plumbline 0.1.0")


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


def test_what_could_not_be_tested_or_decided_is_not_counted_as_decided() -> None:
    found = facts_of(
        check(Verdict.CONFORMS),
        check(Verdict.NOT_TESTABLE, claims=["PT-01"]),
        check(Verdict.NOT_TESTABLE, claims=["PT-02"]),
        check(Verdict.INCONCLUSIVE, claims=["NT-05"]),
        check(Verdict.ERROR, claims=["NT-06"]),
        check(Verdict.VIOLATES, claims=["NT-09"]),
    )
    [decided] = found["Of it decided here"]
    assert decided.startswith("2 claims: ")
    assert found["Of it not decided here"] == [
        "error 1: NT-06",
        "inconclusive 1: NT-05",
        "not-testable 2: PT-01 PT-02",
    ]
    # They were not left out either.
    [left_out] = found["Left out"]
    assert "PT-01" not in left_out


def test_a_claim_counts_where_it_could_be_tested() -> None:
    found = facts_of(
        check(Verdict.NOT_TESTABLE),
        check(Verdict.CONFORMS, "elsewhere", topology="nat-dns"),
    )
    assert found["Of it decided here"] == ["1 claim: required 1"]
    assert "Of it not decided here" not in found


def test_a_run_that_decided_nothing_says_so() -> None:
    found = facts_of(check(Verdict.NOT_TESTABLE))
    assert "Of it decided here" not in found
    assert found["Of it not decided here"] == ["not-testable 1: NT-01"]


@pytest.mark.parametrize("option", [each for each in RUN_OPTIONS if each.selects])
def test_each_option_that_selects_is_named(option: Any) -> None:
    value = VALUES.get(option.name, ("this",))
    [left_out] = dict(facts(judged_by(RunSettings(**{option.name: value}))))["Left out"]
    words = option.flag if value is True else f"{option.flag} {''.join(value)}"
    assert f" claims ({words}): " in left_out


def test_every_option_selects_or_leaves_the_checks_as_they_are() -> None:
    """A new option of a run is put on one side of this list."""
    selecting = {each.name for each in RUN_OPTIONS if each.selects}
    assert selecting == {
        *("topology", "network", "bridge", "existing", "claim"),
        *("fault", "part", "others"),
    }


def test_words_for_pytest_that_select_are_named() -> None:
    given = argparse.Namespace(
        keyword="dhcp and not nat", markexpr="", deselect=["suites/test_stp.py"], ignore=None
    )
    places = [str(ROOT / "suites"), f"{ROOT / 'suites' / 'test_nat.py'}::test_x[nat]"]
    selected = selected_by_pytest(given, places)
    assert selected == [
        "-k 'dhcp and not nat'",
        "--deselect suites/test_stp.py",
        "suites/test_nat.py::test_x[nat]",
    ]
    [left_out] = dict(facts(judged_by(RunSettings(), selected)))["Left out"]
    assert f"({', '.join(selected)})" in left_out
    assert not selected_by_pytest(argparse.Namespace(), [str(ROOT / "suites")])


def test_checks_without_the_option_that_they_need_are_left_out() -> None:
    reason = str(ChangesHost("restarts libvirtd"))
    assert reason.endswith(ONLY_WITH_DISRUPTIVE)
    found = facts_of(
        check(Verdict.CONFORMS),
        check(Verdict.NOT_TESTABLE, "restart", claims=["NT-13"], reason=reason),
        check(Verdict.NOT_TESTABLE, "again", claims=["NT-13", "NT-14"], reason=reason),
    )
    assert found["Left out"][-1] == "2 checks (made only with --disruptive): NT-13 NT-14"


def test_what_no_option_left_out_is_of_other_networks_or_hosts() -> None:
    [left_out] = facts_of(check(Verdict.CONFORMS))["Left out"]
    assert "(they are about other networks or hosts): " in left_out


@pytest.mark.host
def test_a_run_of_one_check_records_what_selected_it(tmp_path: Path) -> None:
    """As the command has it that makes a check of a report again."""
    place = "suites/test_bridge.py::test_new_bridge_is_empty"
    words = ("--topology", "linux-bridge", "--", f"{place}[linux-bridge]")
    done, run = launched("run", tmp_path / "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run["standard"]["selected"] == [
        "--topology linux-bridge",
        f"{place}[linux-bridge]",
    ]
