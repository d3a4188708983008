# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the pictures of README.md and docs/: pages, opened in headless Chromium.

    python -m docs.pictures RUN
    script -qec 'stty cols 110; ./plumbline run …' /dev/null >SHOWN
    python -m docs.pictures --terminal SHOWN
    python -m benchmarks.fleet 60 60 1 FOLDER && python -m docs.pictures --fleet FOLDER
    python -m docs.pictures --gate FOLDER

RUN is a run's folder; docs/report.md names the command that made the one shown. SHOWN is all that
the terminal of that command has shown; the lines in its middle are left out. FOLDER is that of a
fleet with its page, where the hosts of the benchmark are made up, or that of a gate, by a command
of docs/gate.md. The pictures are written beside this file.
"""

import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, FloatRect, Locator, Page
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from reports.html.report_page import render
from reports.record import RecordError, load
from tests.browser import chromium

HERE = Path(__file__).resolve().parent
WIDE, PHONE, FLEET, TERMINAL = (1120, 900), (390, 780), (1400, 1250), (960, 400)
FIRST_LINES, LAST_LINES = 32, 48
EDGE = 12
VIOLATED = "details.check.violates-edge"
MEASURED = "details.check:has(.plot)"


def main(argv: Sequence[str]) -> int:
    """Make all pictures; return the status for the shell."""
    match list(argv):
        case ["--fleet", folder]:
            return _whole(Path(folder, "fleet.html"), FLEET)
        case ["--terminal", shown]:
            return _terminal(Path(shown))
        case ["--gate", folder]:
            return _whole(Path(folder, "gate.html"), WIDE)
        case [_]:
            pass
        case _:
            print("python -m docs.pictures RUN: the folder of one run", file=sys.stderr)
            return 4
    folder = Path(argv[0])
    try:
        record = load(folder / "run.json")
    except RecordError as error:
        print(f"plumbline: {error}", file=sys.stderr)
        return 4
    with tempfile.TemporaryDirectory(prefix="plumbline-") as name, chromium() as browser:
        report = Path(name) / "report.html"
        report.write_text(render(record, folder))
        _wide(browser, report)
        _phone(browser, report)
    return 0


def _whole(page: Path, size: tuple[int, int]) -> int:
    """Picture the top of a page, under its own name."""
    with chromium() as browser:
        opened = _open(browser, page.absolute(), size, "light")
        opened.screenshot(path=HERE / f"{page.stem}.png")
    return 0


def _terminal(shown: Path) -> int:
    """Picture the first and the last lines that a terminal has shown."""
    lines = shown.read_text(encoding="utf-8").splitlines()
    if len(lines) > FIRST_LINES + LAST_LINES:
        lines[FIRST_LINES:-LAST_LINES] = ["", "        ⋮", ""]
    console = Console(record=True, width=TERMINAL[0] // 8, file=io.StringIO())
    console.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="plumbline-") as name, chromium() as browser:
        page = Path(name) / "terminal.html"
        console.save_html(str(page), theme=DIMMED_MONOKAI, inline_styles=True)
        opened = _open(browser, page, TERMINAL, "dark")
        opened.screenshot(path=HERE / "run.png", full_page=True)
    return 0


def _wide(browser: Browser, report: Path) -> None:
    page = _open(browser, report, WIDE, "light")
    page.screenshot(path=HERE / "report.png")
    _picture(page.locator("section:has(> #matrix)"), "report-matrix")
    _picture(page.locator("article.topology").first, "report-topology")
    # The telling one by itself: unfolded, with its evidence.
    violated = page.locator(VIOLATED)
    entry = violated.first if violated.count() else page.locator("details.check").first
    entry.locator("summary").first.click()
    if (inner := entry.locator("ul.evidence summary")).count():
        inner.first.click()
    _picture(entry.locator("xpath=ancestor::article"), "report-claim")
    if (measured := page.locator(MEASURED)).count():
        measured.first.locator("summary").first.click()
        _picture(measured.first.locator(".plots"), "report-plots")
    page.context.close()


def _phone(browser: Browser, report: Path) -> None:
    page = _open(browser, report, PHONE, "dark")
    page.screenshot(path=HERE / "report-phone.png")
    page.context.close()


def _open(
    browser: Browser, report: Path, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> Page:
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.goto(report.as_uri())
    return page


def _picture(part: Locator, name: str) -> None:
    part.scroll_into_view_if_needed()
    page, box = part.page, part.bounding_box()
    if box is None:
        raise LookupError(f"{name}: this run's report has no such part")
    left, top = page.evaluate("[scrollX, scrollY]")
    clip: FloatRect = {
        "x": max(box["x"] + left - EDGE, 0),
        "y": max(box["y"] + top - EDGE, 0),
        "width": box["width"] + 2 * EDGE,
        "height": box["height"] + 2 * EDGE,
    }
    page.screenshot(path=HERE / f"{name}.png", clip=clip, full_page=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
