# SPDX-License-Identifier: GPL-2.0-or-later
"""Allure results from a run record, and what Allure 3 makes of them."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from allure_commons.model2 import Parameter
from allure_pytest.utils import get_history_id
from playwright.sync_api import Page, Route

from contracts.verdicts import SEEN, Verdict
from reports.exports.allure import write
from reports.record import Measurement, RunRecord
from tests.browser import chromium
from tests.npm_programs import installed, with_node
from tests.records import kept
from tests.reported import REASONS, check, fault, record

ROOT = Path(__file__).resolve().parent.parent
GENERATE_DEADLINE_S = 120
# Its page counts its readers there, whatever its options say (allure 3.18); it is kept from it.
ALLURES_OWN = "www.googletagmanager.com"
HOSTILE = "<img src=http://taken.example/x onerror='window.taken=1'><script>window.taken=1</script>"
STATUSES = {
    Verdict.CONFORMS: "passed",
    Verdict.VIOLATES: "failed",
    Verdict.ERROR: "broken",
    Verdict.INCONCLUSIVE: "unknown",
    Verdict.NOT_TESTABLE: "skipped",
}


def results(run: RunRecord, folder: Path) -> list[dict[str, Any]]:
    """Write the results to a folder `results`, and return them."""
    write(run, folder, folder / "results")
    files = sorted((folder / "results").glob("*-result.json"))
    return [json.loads(file.read_text()) for file in files]


def test_each_verdict_has_its_status(tmp_path: Path) -> None:
    run = record([check(verdict) for verdict in SEEN])
    found = {each["name"]: each for each in results(run, tmp_path)}
    for verdict, status in STATUSES.items():
        result = found[f"nat: {verdict.value.replace('-', '_')}"]
        assert result["status"] == status
        assert result["statusDetails"]["message"] == f"{verdict}: {REASONS[verdict]}"
        labels = {(label["name"], label["value"]) for label in result["labels"]}
        assert {("claim", "NT-01"), ("topology", "nat"), ("verdict", verdict)} <= labels
        assert ("statement", "Guests reach the outside") in labels
        assert result["stop"] - result["start"] == 1500


def test_a_check_is_known_again_in_the_next_run(tmp_path: Path) -> None:
    [before] = results(record([check(Verdict.CONFORMS)]), tmp_path / "before")
    later = record([check(Verdict.CONFORMS)], id="99999999-2222-4333-8444-555555555555")
    [after] = results(later, tmp_path / "after")
    assert before["historyId"] == after["historyId"]
    assert before["uuid"] != after["uuid"]


def test_ids_are_those_of_allure_pytests_convention(tmp_path: Path) -> None:
    one = check(Verdict.CONFORMS, "same")
    other = one.model_copy(update={"id": "nat.same[isolated]", "topology": "isolated"})
    first, second = results(record([one, other]), tmp_path)
    assert first["testCaseId"] == second["testCaseId"]
    for result in (first, second):
        parameters = [Parameter(**each) for each in result["parameters"]]
        assert result["historyId"] == get_history_id(result["fullName"], parameters, {})
    values = {each["parameters"][0]["value"] for each in (first, second)}
    assert values == {"nat", "isolated"}


def test_evidence_and_samples_are_attached(tmp_path: Path) -> None:
    file = kept(tmp_path, "evidence/nat/commands.txt", b"[host]$ ip link\n")
    samples = Measurement(name="throughput", unit="Mbit/s", samples=[1.0, 2.5])
    run = record([check(Verdict.CONFORMS, evidence=[file], measurements=[samples])])
    [result] = results(run, tmp_path)
    told = {each["name"]: tmp_path / "results" / each["source"] for each in result["attachments"]}
    assert told["commands.txt"].read_bytes() == b"[host]$ ip link\n"
    [measured] = json.loads(told["measurements.json"].read_text())
    assert (measured["samples"], measured["unit"]) == ([1.0, 2.5], "Mbit/s")


@pytest.mark.parametrize(
    "run",
    [record([]), record([check(Verdict.CONFORMS)], finished=None)],
    ids=["empty", "killed"],
)
def test_what_shows_nothing_or_not_all_is_broken(run: RunRecord, tmp_path: Path) -> None:
    assert "broken" in {each["status"] for each in results(run, tmp_path)}


def test_faults_have_their_outcome(tmp_path: Path) -> None:
    run = record(
        [check(Verdict.VIOLATES, topology="nat+nat-caught")],
        faults=[fault("caught"), fault("got through"), fault("not decided")],
    )
    found = {each["name"]: each["status"] for each in results(run, tmp_path)}
    assert found == {
        "faults: nat-caught": "passed",
        "faults: nat-got-through": "failed",
        "faults: nat-not-decided": "unknown",
    }


@pytest.fixture(scope="module")
def allure() -> Path:
    """The Allure of ci/allure, installed into the cache."""
    return installed(ROOT / "ci" / "allure", "allure") / "allure"


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


def generated(allure: Path, folder: Path, **config: object) -> Path:
    """Let Allure make a page of the results in a folder, and return it."""
    options = {"singleFile": True, "reportLanguage": "en"}
    given = {**config, "plugins": {"awesome": {"options": options}}}
    (folder / "allurerc.json").write_text(json.dumps(given))
    argv = [str(allure), "generate", "--config", "allurerc.json", "--output", "report", "results"]
    done = subprocess.run(
        argv,
        cwd=folder,
        env=with_node(),
        capture_output=True,
        text=True,
        timeout=GENERATE_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "report" / "index.html"


@pytest.mark.browser
def test_allure_3_shows_the_checks_and_their_verdicts(
    allure: Path, page: Page, tmp_path: Path
) -> None:
    file = kept(tmp_path, "evidence/nat/commands.txt", f"{HOSTILE}\n".encode())
    hostile = check(Verdict.VIOLATES, "hostile", reason=f"said {HOSTILE}", evidence=[file])
    others = [check(verdict) for verdict in SEEN if verdict is not Verdict.VIOLATES]
    results(record([hostile, *others]), tmp_path)
    made = generated(allure, tmp_path)
    asked: set[str] = set()

    def refuse(route: Route) -> None:
        asked.add(urlsplit(route.request.url).netloc)
        route.abort()

    page.route(re.compile("^http"), refuse)
    page.goto(made.as_uri())
    counts = {"Total": 5, "Passed": 1, "Failed": 1, "Broken": 1, "Skipped": 1, "Unknown": 1}
    page.get_by_placeholder("Search tests").wait_for()
    shown = page.inner_text("body")
    assert [name for name, number in counts.items() if f"{name}\n{number}" not in shown] == []
    page.get_by_text("nat: hostile", exact=True).first.click()
    page.get_by_text(f"violates: said {HOSTILE}").first.wait_for()
    page.get_by_text("NT-01", exact=True).first.wait_for()
    # The description is in a frame of its own.
    page.frame_locator("iframe").get_by_text("./plumbline run --topology nat").first.wait_for()
    assert not any(frame.evaluate("window.taken") for frame in page.frames)
    assert asked <= {ALLURES_OWN}


@pytest.mark.browser
def test_allure_3_shows_the_verdict_of_the_run_before(
    allure: Path, page: Page, tmp_path: Path
) -> None:
    history = str(tmp_path / "history.jsonl")
    for number, verdict in enumerate((Verdict.CONFORMS, Verdict.VIOLATES)):
        folder = tmp_path / str(number)
        run = f"{number}1111111-2222-4333-8444-555555555555"
        results(record([check(verdict, "same")], id=run), folder)
        made = generated(allure, folder, historyPath=history)
    page.route(re.compile("^http"), lambda route: route.abort())
    page.goto(made.as_uri())
    page.get_by_text("nat: same", exact=True).first.click()
    page.get_by_test_id("test-result-status-failed").first.wait_for()
    page.get_by_test_id("test-result-tab-history").click()
    shown = page.get_by_test_id("test-result-history-item")
    shown.first.wait_for()
    assert shown.count() == 1
    assert shown.get_by_test_id("tree-leaf-status-passed").count() == 1
