# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a fleet in a real browser: search, boxes, links, accessibility."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from contracts.verdicts import Verdict
from reports.fleet.fleet_of_folder import fleet_of
from reports.fleet.fleet_pages import fleet_html
from reports.fleet.host_pages import write_host_page
from tests.browser import chromium
from tests.fleets import NEW, C, V, host, status

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page of four hosts and 50 claims, two of which are not alike on all."""
    alike = {f"GN-{number:02}": C for number in range(48)}
    host(tmp_path, "one", {**alike, "NT-01": C, "NT-02": C})
    host(tmp_path, "two", {**alike, "NT-01": V, "NT-02": C}, NEW)
    host(tmp_path, "three", {**alike, "NT-01": C, "NT-02": Verdict.INCONCLUSIVE})
    status(tmp_path, "four", "unreachable", reason="No route to host", groups=["rack7"])
    (tmp_path / "fleet.html").write_text(fleet_html(fleet_of(tmp_path)))
    write_host_page(tmp_path / "two")
    context = browser.new_context()
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto((tmp_path / "fleet.html").as_uri())
    yield opened
    context.close()
    assert said == []


def hosts(page: Page) -> list[str]:
    rows = page.locator("table.fleet tbody tr")
    names = [rows.nth(each).locator(".host") for each in range(rows.count())]
    return [name.inner_text() for name in names if name.is_visible()]


def test_search_finds_names_versions_groups_and_reasons(page: Page) -> None:
    assert hosts(page) == ["two", "four", "three", "one"]
    of = {"6.12": "two", "rack7": "four", "no route": "four", "THREE": "three"}
    for words, found in of.items():
        page.fill("[name=text]", words)
        assert hosts(page) == [found]
    assert page.locator("output").inner_text() == "1 of 4 hosts shown"


def test_boxes_hide_what_is_alike(page: Page) -> None:
    claims = page.locator("table.fleet thead .claim:visible")
    assert claims.all_inner_texts() == ["NT-01", "NT-02"]
    page.uncheck("#differing")
    assert claims.count() == 50
    page.check("#unusual")
    assert hosts(page) == ["two", "four", "three"]


def test_a_violated_claim_leads_to_its_check(page: Page) -> None:
    page.click("table.fleet .k.v a")
    assert page.url.endswith("two/report.html#check-nat.nt-01-nat")
    assert page.locator("details.check[open]").count() == 1


def test_nothing_is_hard_to_read(page: Page) -> None:
    page.uncheck("#differing")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
