# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark of a fleet's page: what it opens, and that it ends with 1 where that is slow."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.fleet import CLAIMS, TIMED, USABLE_S, exit_code, make
from benchmarks.opened_page import opened
from reports.fleet.fleet_of_folder import fleet_of
from reports.fleet.fleet_pages import fleet_html
from tests.browser import chromium


@pytest.mark.parametrize(
    ("taken_s", "expected"),
    [([0.4, USABLE_S, 9.0], 0), ([0.4, USABLE_S + 0.1, 9.0], 1), ([USABLE_S + 0.1], 1)],
)
def test_the_median_of_the_rounds_decides(
    taken_s: Sequence[float], expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(taken_s) == expected
    assert capsys.readouterr().err.startswith("the page was usable after 3.1 s") is bool(expected)


@pytest.mark.browser
def test_its_page_shows_each_host_and_each_claim_of_the_catalogue(tmp_path: Path) -> None:
    make(tmp_path, 60, CLAIMS)
    file = tmp_path / "fleet.html"
    file.write_text(fleet_html(fleet_of(tmp_path)))
    with chromium() as browser:
        page = browser.new_page()
        page.goto(file.as_uri())
        rows = page.locator("table.fleet tbody tr")
        assert rows.count() == 60
        assert rows.locator(".host", has_text="host049").is_visible()
        page.uncheck("#differing")
        assert page.locator("table.fleet thead .claim:visible").count() == CLAIMS
    shown = opened(file, 1, TIMED)
    assert set(shown) >= set(TIMED)
    assert all(seconds > 0 for times in shown.values() for seconds in times)
