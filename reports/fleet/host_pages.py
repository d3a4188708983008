# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages of the hosts, which the fleet's page links to."""

from pathlib import Path

from contracts.run_files import PAGE, RECORD
from reports.html.report_page import render
from reports.record import load
from reports.report_file import put
from reports.waivers import judged, today


def write_host_page(folder: Path) -> None:
    """Make the page of a host with a record.

    One that is there is replaced, whatever its age: it may have been made by hand, with other
    waivers or in another language, and which violations are waived depends on the day.

    Raises:
        ReportError: it cannot be written.
    """
    put(render(judged(load(folder / RECORD), today()), folder), folder / PAGE)
