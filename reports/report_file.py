# SPDX-License-Identifier: GPL-2.0-or-later
"""Writing a report: whole or not at all, and never over the run that it is made from."""

import sys
from pathlib import Path

from contracts.run_files import EVIDENCE, RECORD
from reports.report_error import ReportError


def require_elsewhere(place: Path, folder: Path) -> None:
    """Refuse to write over what a report is made from.

    Args:
        place: where the report is to be.
        folder: that of a run.

    Raises:
        ReportError: that is the run's record or its evidence.
    """
    there, kept = place.resolve(), folder.resolve()
    if there == kept / RECORD or (kept / EVIDENCE) in (there, *there.parents):
        raise ReportError(f"{place}: this belongs to the run itself", "name another file")


def put(text: str, place: Path | None) -> None:
    """Write a report; None is standard output.

    Raises:
        ReportError: it cannot be written.
    """
    if place is None:
        sys.stdout.write(text)
        return
    draft = place.with_name(f".{place.name}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(place)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ReportError(
            f"{place}: cannot be written: {error.strerror}", "name another with --output"
        ) from error
