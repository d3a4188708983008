# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine's own Chromium, without a window, for whatever looks at a page."""

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start it for the length of a `with` block.

    Raises:
        FileNotFoundError: the machine has none.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise FileNotFoundError("there is no Chromium in PATH; install the package chromium")
    with sync_playwright() as running:
        # Nothing but files of ours is opened, and root's Chromium has no sandbox of its own.
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
