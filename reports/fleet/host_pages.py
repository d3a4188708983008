# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages of the hosts, which the fleet's page links to: made where one is missing or old."""

from datetime import UTC, datetime
from pathlib import Path

from contracts.run_files import PAGE, RECORD
from reports.html.report_page import render
from reports.record import load
from reports.report_file import put
from reports.waivers import judged, today


def write_host_page(folder: Path) -> bool:
    """Make the page of a host with a record, and return whether it had to be made.

    Raises:
        ReportError: it cannot be written.
    """
    record, page = folder / RECORD, folder / PAGE
    if page.exists() and page.stat().st_mtime >= record.stat().st_mtime:
        made = datetime.fromtimestamp(page.stat().st_mtime, UTC).date()
        # Which violations are waived depends on the day.
        if made == today() or not load(record).waivers:
            return False
    put(render(judged(load(record), today()), folder), page)
    return True
