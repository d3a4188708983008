# SPDX-License-Identifier: GPL-2.0-or-later
"""A page in headless Chromium: how long until it is usable, and until a step in it was painted."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median

from tests.browser import chromium

# When the script has run and two frames were painted, in ms since the navigation.
USABLE = """() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(
    () => resolve(document.querySelector('output').textContent ? performance.now() : NaN))))"""
# From a step until the second frame after it, in ms.
PAINTED = """() => {{ {before} const begin = performance.now(); {step}
    return new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(
        () => resolve(performance.now() - begin)))); }}"""


def search_for(text: str) -> str:
    """Return what times the page's search for a text without quotes."""
    return PAINTED.format(
        before=f"const box = document.querySelector('[name=text]'); box.value = '{text}';",
        step="box.dispatchEvent(new Event('input', {bubbles: true}));",
    )


def click_on(selector: str) -> str:
    """Return what times a click."""
    return PAINTED.format(before="", step=f"document.querySelector('{selector}').click();")


def opened(page: Path, rounds: int, timed: Mapping[str, str]) -> dict[str, list[float]]:
    """Open a page some times, and return the seconds of each round by what took them.

    Args:
        page: its file.
        rounds: how often.
        timed: what is timed one after the other, each a function in the page that returns ms.
    """
    taken: dict[str, list[float]] = {what: [] for what in timed}
    with chromium() as browser:
        for _ in range(rounds):
            # A context of its own: nothing of the round before is kept.
            context = browser.new_context()
            shown = context.new_page()
            shown.goto(page.as_uri())
            for what, function in timed.items():
                taken[what].append(float(shown.evaluate(function)) / 1000)
            context.close()
    return taken


def table(taken: Mapping[str, list[float]], rounds: int) -> str:
    """Return the table of the seconds that something took, a row each."""
    head = f"{'seconds':20}{'min':>8}{'median':>8}{'max':>8}   ({rounds} rounds)"
    rows = [
        f"{what:20}{min(samples):8.3f}{median(samples):8.3f}{max(samples):8.3f}"
        for what, samples in taken.items()
    ]
    return "\n".join([head, *rows])
