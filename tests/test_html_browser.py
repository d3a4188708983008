# SPDX-License-Identifier: GPL-2.0-or-later
"""The report page in a real browser: filters, folding, links, keyboard, accessibility, paper."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from contracts.language import CHINESE, spoken
from reports.html.report_page import render
from tests.browser import chromium
from tests.html_run import C, N, V, check, fault, full, record

pytestmark = pytest.mark.browser

WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
REPORT, PROOF, CHINESE_REPORT = "report.html", "proof.html", "chinese.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its report, and a proof."""
    made = tmp_path_factory.mktemp("run")
    (made / REPORT).write_text(render(full(made), made))
    checks = [
        check("nat.rules", V, "NT-08", topology="nat+gone", reason="no rule"),
        check("dhcp.lease", C, "NT-05", topology="nat+deaf"),
        check("vlan.tag", N, "OV-12", topology="ovs+tag", reason="the host lacks vlan"),
    ]
    faults = (
        fault("gone", "nat", "NT-08", outcome="caught"),
        fault("deaf", "nat", "NT-05", outcome="got through", missed={"NT-05": "conforms"}),
        fault("tag", "ovs", "OV-12", outcome="not testable", missed={"OV-12": "not-testable"}),
    )
    (made / PROOF).write_text(render(record(checks, faults=faults), made))
    with spoken(CHINESE):
        (made / CHINESE_REPORT).write_text(render(full(made), made), encoding="utf-8")
    return made


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    """The report, opened; it must have asked for nothing else and complained about nothing."""
    context = browser.new_context(viewport=WIDE)
    opened = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto((folder / REPORT).as_uri())
    yield opened
    context.close()
    assert {url.partition("#")[0] for url in asked} == {(folder / REPORT).as_uri()}
    assert said == []


def shown(page: Page) -> list[str]:
    """Return the names of the checks that are to be seen, without their topology's brackets."""
    return [
        check.get_attribute("id") or ""
        for check in page.locator("details.check").all()
        if check.is_visible()
    ]


def test_everything_is_shown_at_first_and_folded(page: Page) -> None:
    assert len(shown(page)) == page.locator("details.check").count() == 24
    assert page.locator("details.check[open]").count() == 0
    assert page.locator("output").inner_text() == "all 24 shown"


def test_filters_join_verdict_topology_property_and_text(page: Page) -> None:
    page.get_by_role("checkbox", name="violates").check()
    assert len(shown(page)) == 7
    page.get_by_role("checkbox", name="not-testable").check()
    assert len(shown(page)) == 8
    page.get_by_role("combobox", name="Topology").select_option("isolated")
    assert len(shown(page)) == 6
    page.get_by_role("searchbox", name="Text").fill("outside TCP")
    assert shown(page) == ["check-connectivity.no_outside_to_guest_tcp-isolated"]
    assert page.locator("output").inner_text() == "1 of 24 shown, 23 left out"
    page.get_by_role("combobox", name="Property").select_option("stp")
    assert shown(page) == []
    assert page.get_by_text("No check matches.").is_visible()
    assert page.locator("article.claim:visible").count() == 0
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("document.querySelector('output').textContent === 'all 24 shown'")
    assert len(shown(page)) == 24


def test_text_finds_statements_and_sources(page: Page) -> None:
    page.get_by_role("searchbox", name="Text").fill("whole range")
    assert shown(page) == ["check-vlan.tag-ovs"]


def test_a_check_unfolds_and_its_evidence_too(page: Page) -> None:
    entry = page.locator("#check-stp\\.none-ovs")
    assert not entry.get_by_text("commands.txt", exact=True).is_visible()
    entry.locator("summary").first.click()
    assert entry.get_by_text("Run just this check again").is_visible()
    assert not entry.get_by_text("ip link").is_visible()
    entry.get_by_text("commands.txt", exact=True).click()
    assert entry.get_by_text("[host]$ ip link").is_visible()


def test_unfolding_all_means_what_is_shown(page: Page) -> None:
    page.get_by_role("checkbox", name="not-testable").check()
    page.get_by_role("button", name="Unfold").click()
    assert page.locator("details.check[open]").count() == 1
    page.get_by_role("button", name="Fold", exact=True).click()
    assert page.locator("details.check[open]").count() == 0


def test_a_link_opens_what_it_leads_to_even_if_a_filter_hid_it(page: Page) -> None:
    page.get_by_role("checkbox", name="conforms").check()
    page.locator("#findings ~ ul a", has_text="NT-05, NT-06 on nat").click()
    entry = page.locator("#check-dhcp\\.lease-nat")
    page.wait_for_function("document.getElementById('check-dhcp.lease-nat').open")
    assert entry.is_visible()
    assert len(shown(page)) == 24


def test_a_cell_of_the_matrix_shows_its_checks(page: Page) -> None:
    page.get_by_label("connectivity on isolated: 6 violates, 3 inconclusive").click()
    page.wait_for_function("document.querySelector('output').textContent.startsWith('9 of 24')")
    assert all(name.endswith("-isolated") for name in shown(page))


def test_the_keyboard_reaches_and_works_everything(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the result"
    assert page.get_by_text("To the result").is_visible()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        tag = page.evaluate("document.activeElement.tagName + (document.activeElement.name || '')")
        if tag == "BODY":
            break
        reached.add(tag)
    assert {"A", "SUMMARY", "BUTTON", "INPUTverdict", "INPUTtext", "SELECTtopology"} <= reached
    summary = page.locator("details.check > summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.check").first.get_attribute("open") is not None
    outline = summary.evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid"


def test_what_a_guest_wrote_did_not_run(page: Page) -> None:
    page.get_by_role("button", name="Unfold").click()
    assert page.evaluate("window.taken") is None


def test_the_policy_stops_what_would_get_in(browser: Browser, folder: Path) -> None:
    """Were escaping to fail somewhere, neither a handler nor a script of it could run."""
    context = browser.new_context()
    page = context.new_page()
    page.goto((folder / REPORT).as_uri())
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.taken = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML(
                "beforeend", "<b id=trap onclick='window.taken = 2' style='color: red'>x</b>");
            document.getElementById("trap").click();
        }"""
    )
    assert page.evaluate("window.taken") is None
    context.close()


def test_without_scripts_everything_is_there(browser: Browser, folder: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / REPORT).as_uri())
    assert len(shown(page)) == 24
    assert not page.locator("form.filters").is_visible()
    page.locator("#check-stp\\.none-ovs > summary").click()
    assert page.locator("#check-stp\\.none-ovs").get_by_text("x.pcap").is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", [REPORT, PROOF])
def test_nothing_stands_in_the_way_of_assistive_technology(
    browser: Browser, folder: Path, name: str, viewport: dict[str, int], scheme: str
) -> None:
    context = browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]  # as playwright has them
    page = context.new_page()
    page.goto((folder / name).as_uri())
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true; }")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    context.close()


@pytest.mark.parametrize("name", [REPORT, PROOF])
def test_on_a_phone_only_boxes_of_their_own_scroll_sideways(
    browser: Browser, folder: Path, name: str
) -> None:
    context = browser.new_context(viewport=NARROW)
    page = context.new_page()
    page.goto((folder / name).as_uri())
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true; }")
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]
    context.close()


def test_a_proof_is_filtered_by_outcome(browser: Browser, folder: Path) -> None:
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    page.goto((folder / PROOF).as_uri())
    page.get_by_role("checkbox", name="got through").check()
    assert shown(page) == ["fault-2"]
    page.get_by_role("button", name="Unfold").click()
    assert page.locator("#fault-2").get_by_text("ip link del virbr1").is_visible()
    context.close()


def test_a_page_in_chinese_filters_and_counts_in_chinese(browser: Browser, folder: Path) -> None:
    context = browser.new_context(viewport=NARROW)
    page = context.new_page()
    page.goto((folder / CHINESE_REPORT).as_uri())
    number = page.locator("details.check").count()
    counted = page.locator(".filters output")
    assert counted.inner_text() == f"显示全部 {number} 项"
    page.get_by_role("checkbox", name="错误").check()
    assert counted.inner_text() == f"显示 {number} 项中的 1 项，略去 {number - 1} 项"
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    context.close()


def test_it_prints_with_its_plots_and_without_its_filters(page: Page, tmp_path: Path) -> None:
    printed = tmp_path / "report.pdf"
    page.pdf(path=printed, format="A4", print_background=True)
    assert printed.read_bytes().startswith(b"%PDF-")
    page.emulate_media(media="print")
    assert not page.locator("form.filters").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.check[open]").count() == 2
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.check[open]").count() == 0
