# SPDX-License-Identifier: GPL-2.0-or-later
"""The failure in a pytest report, in one line or in its last ones."""

import pytest

# The section of a report with the traceback of a check that gave its failure as a sentence.
TRACEBACK_SECTION = "traceback"


def crash_line(report: pytest.TestReport) -> str:
    """Return the one line with the failure, or with the reason of a skip.

    A skip is a triple `("suites/nat.py", 12, "Skipped: no reason")`; an exception knows where it
    crashed; a crashed worker is plain text.
    """
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):
        return longrepr[2]
    crash = getattr(longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].strip() if crash is not None and lines else (lines or ["no text"])[-1].strip()


def last_lines(report: pytest.TestReport, count: int) -> list[str]:
    """Return what was raised and where, in at most `count` lines.

    pytest puts `E   ` before what was raised, and ends with the place; a crashed worker has only
    text, of which the last lines count.
    """
    lines = [line.rstrip() for line in report.longreprtext.splitlines() if line.strip()]
    raised = [line[1:].strip() for line in lines if line.startswith("E ")]
    if not raised:
        return lines[-count:]
    return [*raised[: count - 1], lines[-1]]


def whole_traceback(report: pytest.TestReport) -> list[str]:
    """Return all that is known of a failure: a traceback beside the report, else the report's."""
    kept = [content for name, content in report.sections if name == TRACEBACK_SECTION]
    return (kept[-1] if kept else report.longreprtext).splitlines()
