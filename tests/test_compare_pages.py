# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages of a comparison and of a trend: in a browser, and with what a hostile guest may say."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from rich.console import Console

from reports.compare import trend_text
from reports.compare.compare_runs import compare
from reports.compare.comparison import Comparison, EvidenceDifference
from reports.compare.comparison_pages import (
    comparison_html,
    comparison_markdown,
    trend_html,
    trend_markdown,
)
from reports.compare.comparison_terminal import show
from reports.compare.quantities import Criteria
from reports.compare.run_folders import runs
from reports.compare.trend import Trend, trend_of
from reports.record import FaultResult, RecordError, Verdict, save
from tests.browser import chromium
from tests.compared import HOST, check, kept, quantity, record

HOSTILE = (
    "</pre><script>window.taken = 1</script><img src=x onerror='window.taken = 2'> | `x` \x1b[2J"
)
STEADY = [1000.0, 1012, 990, 1005, 998, 1020, 985, 1008, 995, 1003]
WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 360, "height": 740}


def made(folder: Path) -> Comparison:
    """Compare two runs with one of everything, in which a guest has its say."""
    sides = []
    for number, factor in enumerate((1.0, 0.5)):
        place = folder / str(number)
        samples = [value * factor for value in STEADY]
        said = f"rule {number} {HOSTILE}\n"
        checks = [
            check(
                "nat.rules",
                Verdict.VIOLATES if number else Verdict.CONFORMS,
                reason=HOSTILE,
                evidence=[kept(place, "nat.rules/rules.txt", said)],
            ),
            check("dhcp.lease", Verdict.ERROR if number else Verdict.CONFORMS, claims=["NT-06"]),
            check(
                "throughput.x",
                claims=["GN-07"],
                measurements=[
                    quantity(f"tcp {HOSTILE}", samples),
                    quantity("few", samples[:3]),
                    quantity("loss", [0.0] * 8, "%", "less"),
                    quantity("interval", samples, "s", None),
                ],
            ),
            check("qos.meter", claims=["OV-14"], measurements=[quantity("few", STEADY)]),
            check(f"only.{number}", claims=[f"IF-0{number}"]),
        ]
        host = {**HOST, "release": f"Debian 1{number} {HOSTILE}"}
        sides.append((record(number, *checks, host=host), place))
    return compare(*sides, Criteria())


def history(folder: Path) -> Trend:
    verdicts = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.ERROR
    for number, verdict in enumerate(verdicts):
        measured = [quantity(f"tcp {HOSTILE}", STEADY)] if number else []
        place = folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        checks = check("nat.rules", verdict), check("dhcp.lease", claims=["NT-06"])
        speed = check("throughput.x", claims=["GN-07"], measurements=measured)
        save(record(number, *checks, speed), place / "run.json")
    return trend_of(*runs(folder))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "compare.html").write_text(comparison_html(made(folder)))
    (folder / "trend.html").write_text(trend_html(history(folder / "runs")))
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(params=["compare.html", "trend.html"])
def page(request: pytest.FixtureRequest, browser: Browser, pages: Path) -> Iterator[Page]:
    """A page, opened; it must have asked for nothing else and complained about nothing."""
    place = (pages / request.param).as_uri()
    context = browser.new_context(viewport=WIDE)
    opened = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    opened.on("request", lambda sent: asked.append(sent.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(place)
    yield opened
    context.close()
    assert asked == [place]
    assert said == []


@pytest.mark.browser
def test_what_a_guest_says_is_text(page: Page) -> None:
    assert page.evaluate("window.taken") is None
    assert page.locator("script, img").count() == 0
    assert "<script>window.taken" in page.locator("body").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_it_is_accessible_and_fits(page: Page, size: dict[str, int], scheme: str) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]  # its own name for such a dict
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a parameter's literal
    for summary in page.locator("details:not([open]) > summary").all():
        summary.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.browser
def test_the_answer_is_the_heading(pages: Path, browser: Browser) -> None:
    opened = browser.new_page()
    opened.goto((pages / "compare.html").as_uri())
    assert opened.get_by_role("heading", level=1).inner_text() == "Something is worse"
    assert opened.get_by_role("row").filter(has_text="nat.rules").count() == 1
    drawings = opened.get_by_role("img").all()
    assert len(drawings) == 5
    assert "before: median 1002 Mbit/s of 10; after: median 501" in (
        drawings[0].get_attribute("aria-label") or ""
    )
    opened.close()


@pytest.mark.parametrize("width", [40, 80, 124])
def test_the_terminal_keeps_to_its_width_and_passes_no_escape_on(
    tmp_path: Path, width: int
) -> None:
    file = StringIO()
    console = Console(
        file=file, width=width, force_terminal=True, color_system=None, markup=False, emoji=False
    )
    show(made(tmp_path), console)
    said = file.getvalue()
    assert "\x1b" not in said
    assert "␛[2J" in said
    assert max(len(line.rstrip()) for line in said.splitlines()) <= width


def test_markdown_has_a_table_whose_cells_nothing_breaks(tmp_path: Path) -> None:
    text = comparison_markdown(made(tmp_path))
    outside, fence = [], False
    for line in text.splitlines():
        fence = not fence if line.startswith("`````") else fence
        if not fence:
            outside.append(line)
    assert "<script>" not in "\n".join(outside)
    rows = [line for line in outside if line.startswith("| nat | ")]
    columns = {len(line.replace("\\|", "").split("|")) for line in rows}
    assert columns == {10}
    assert "\x1b" not in text


def test_quantities_of_one_name_are_told_apart_by_their_check(tmp_path: Path) -> None:
    titles = [each.title for each in made(tmp_path).quantities]
    assert {"few (throughput.x)", "few (qos.meter)", "loss"} <= set(titles)


def test_a_trend_has_the_verdicts_of_each_run_and_each_median(tmp_path: Path) -> None:
    found = history(tmp_path)
    changed = trend_text.changed(found)
    assert [(claim.id, trend_text.strip(claim)) for claim in changed] == [("NT-05", "✓✗!")]
    assert trend_text.medians(found.quantities[0]) == ["–", "1002", "1002"]
    assert "# 3 runs" in trend_markdown(found)


def test_a_trend_takes_each_run_once_in_their_order_and_says_what_it_left_out(
    tmp_path: Path,
) -> None:
    fault = FaultResult(
        id="x", title="x", topology="nat", on="host", apply="true", caught_by=["NT-05"], also={}
    )
    for name, number, more in (("b", 0, {}), ("a", 1, {}), ("p", 2, {"faults": [fault]})):
        (tmp_path / name).mkdir()
        save(record(number, check("dhcp.lease"), **more), tmp_path / name / "run.json")
    (tmp_path / "latest").symlink_to("a")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    found = trend_of(*runs(tmp_path))
    assert [Path(run.folder).name for run in found.runs] == ["b", "a"]
    assert {Path(file).parent.name for file in found.left_out} == {"p", "torn"}


def test_a_folder_without_any_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no run was found"):
        trend_of(*runs(tmp_path))
    with pytest.raises(RecordError, match="there is no such folder"):
        runs(tmp_path / "nowhere")


def test_a_trend_leaves_out_by_name_what_it_cannot_read(tmp_path: Path) -> None:
    odd = quantity("tcp up", [1000.0, 990]).model_copy(update={"trials": [1]})
    for number, measured in enumerate((quantity("tcp up", [1000.0, 990]), odd)):
        folder = tmp_path / str(number)
        folder.mkdir()
        save(record(number, check("throughput.n", measurements=[measured])), folder / "run.json")
    found = trend_of(*runs(tmp_path))
    assert len(found.runs) == 1
    assert list(found.left_out) == [str(tmp_path / "1")]
    with pytest.raises(RecordError, match="--topology ovs: none of these runs has it"):
        trend_of(*runs(tmp_path), ["ovs"])


def test_markdown_stays_below_what_github_takes(tmp_path: Path) -> None:
    whole = made(tmp_path)
    lines = [f"+{number} {'x' * 500}" for number in range(300)]
    long = EvidenceDifference(
        topology="nat", check="nat.rules\n\n# taken", name="rules.txt", lines=lines, left_out=0
    )
    text = comparison_markdown(whole.model_copy(update={"differences": [long] * 20}))
    assert 900_000 < len(text.encode()) < 1 << 20
    assert "files more did not fit: --format html shows all." in text
    assert "\n# taken" not in text
