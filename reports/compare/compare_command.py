# SPDX-License-Identifier: GPL-2.0-or-later
"""What `./plumbline compare` hands over to in its environment."""

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from contracts.exit_codes import EXIT_CONFORMS, EXIT_USAGE
from contracts.language import ENGLISH, speak
from reports.compare.compare_runs import compare
from reports.compare.comparison import Comparison
from reports.compare.quantities import Criteria
from reports.compare.run_folders import read, runs
from reports.compare.trend import Trend, trend_of
from reports.report_error import ReportError
from reports.report_file import put, require_elsewhere
from reports.waiver import Waiver
from reports.waivers import judged, today, with_waivers

# A log has no width: a row for each quantity fits.
WIDTH_OF_A_LOG = 124


class CompareOrder(BaseModel):
    """What is asked for; the launcher has checked and explained it.

    Attributes:
        before, after: two runs, each its folder or run.json.
        trend: instead of them, a folder of runs.
        format: of what is written.
        output: the file; None: standard output.
        topology: only these; empty: all.
        waivers: further ones, beside those of the run after.
        level: in percent, as power and relevant (`Criteria`).
        accept_few_samples: `Criteria.accept_few`.
        accept_dependent_samples: `Criteria.accept_dependent`.
        lang: the language of its reader; a program is not spoken to in Chinese.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Path | None
    after: Path | None
    trend: Path | None
    format: Literal["terminal", "md", "html", "json"]
    output: Path | None
    topology: list[str]
    level: float
    power: float
    relevant: float
    accept_few_samples: bool = False
    accept_dependent_samples: bool = False
    waivers: list[Waiver] = []
    lang: str = ENGLISH


def main(argv: Sequence[str]) -> int:
    """Compare two runs, or draw a trend of many, and return the exit code.

    Args:
        argv: one element, an `Order` as JSON.
    """
    order = CompareOrder.model_validate_json(argv[0])
    speak(ENGLISH if order.format == "json" else order.lang)
    try:
        if order.trend is not None:
            _write(_rendered(trend_of(*runs(order.trend), order.topology), order), order)
            return EXIT_CONFORMS
        found = _compared(order)
        _write(_rendered(found, order), order)
    except ReportError as error:
        print(f"plumbline: {error}", file=sys.stderr)
        return EXIT_USAGE
    return found.exit_code


def compared(
    before: Path,
    after: Path,
    criteria: Criteria | None = None,
    waivers: Sequence[Waiver] = (),
    topologies: Sequence[str] = (),
) -> Comparison:
    """Compare two runs on disk, each judged by its waivers.

    The later run has the waivers that count, and both runs are judged by the same ones: the run
    before by its own day, so that a violation counts again once its waiver has run out since.

    Args:
        before: the folder of a run, or its record.
        after: the same of the later one.
        criteria: for quantities; None: the usual ones.
        waivers: further ones, beside those of the run after.
        topologies: only these; empty: all.

    Raises:
        ReportError: a record cannot be read, or the comparison would have no meaning.
    """
    (was, its_folder), (now, folder) = read(before), read(after)
    all_waivers = with_waivers(now, waivers).waivers
    its_day = (was.finished or was.started).date()
    was = judged(was.model_copy(update={"waivers": all_waivers}), its_day)
    now = judged(now.model_copy(update={"waivers": all_waivers}), today())
    return compare((was, its_folder), (now, folder), criteria or Criteria(), topologies)


def printed(found: Comparison) -> None:
    """Print a comparison to the terminal."""
    _shown(lambda console: _show(found, console), None)


def _compared(order: CompareOrder) -> Comparison:
    if order.before is None or order.after is None:
        raise ReportError("two runs are needed", "./plumbline compare BEFORE AFTER")
    criteria = Criteria(
        level=order.level / 100,
        power=order.power / 100,
        relevant_percent=order.relevant,
        accept_few=order.accept_few_samples,
        accept_dependent=order.accept_dependent_samples,
    )
    return compared(order.before, order.after, criteria, order.waivers, order.topology)


def _rendered(found: Comparison | Trend, order: CompareOrder) -> str | None:
    """Return the text in the format that was asked for, or print to the terminal."""
    if order.format == "json":
        return found.model_dump_json(indent=1) + "\n"
    if order.format == "terminal":
        return _shown(lambda console: _show(found, console), order.output)
    from reports.compare import comparison_pages as pages

    if isinstance(found, Comparison):
        write = {"md": pages.comparison_markdown, "html": pages.comparison_html}[order.format]
        return write(found)
    draw = {"md": pages.trend_markdown, "html": pages.trend_html}[order.format]
    return draw(found)


def _show(found: Comparison | Trend, console: Console) -> None:
    if isinstance(found, Comparison):
        from reports.compare.comparison_terminal import show

        show(found, console)
    else:
        from reports.compare.trend_text import show as show_trend

        show_trend(found, console)


def _shown(draw: Callable[[Console], None], output: Path | None) -> str | None:
    """Draw on the terminal and return None; for a file, return what would be drawn as plain text.

    Text of a host or a guest is never taken for markup or an escape sequence: rich leaves control
    characters out.
    """
    on_terminal = output is None and sys.stdout.isatty()
    console = Console(
        width=None if on_terminal else WIDTH_OF_A_LOG,
        record=output is not None,
        file=io.StringIO() if output is not None else sys.stdout,
        markup=False,
        highlight=False,
        emoji=False,
    )
    draw(console)
    return console.export_text() if output is not None else None


def _write(text: str | None, order: CompareOrder) -> None:
    """Write a text where it was asked for; None was printed already."""
    if text is None:
        return
    if order.output is not None:
        for run in (order.before, order.after):
            if run is not None:
                require_elsewhere(order.output, run if run.is_dir() else run.parent)
    put(text, order.output)
