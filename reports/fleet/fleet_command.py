# SPDX-License-Identifier: GPL-2.0-or-later
"""What `./plumbline report FOLDER --fleet` was asked for, done.

The launcher has parsed the command line, and `launcher.venv_main` calls `main` in the virtual
environment.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from contracts import language
from contracts.exit_codes import EXIT_CONFORMS, EXIT_USAGE
from contracts.run_files import PAGE
from reports.fleet.fleet import Fleet
from reports.fleet.fleet_of_folder import fleet_of
from reports.fleet.fleet_wording import headline
from reports.report_error import ReportError
from reports.report_file import put, require_elsewhere
from reports.wording import counted, harmless

Format = Literal["html", "md", "json", "openmetrics"]
_OF_PROGRAMS: tuple[Format, ...] = ("json", "openmetrics")
STANDARD_OUTPUT = "-"
# The collector reads the files that end in .prom.
FILES: dict[Format, str] = {
    "html": "fleet.html",
    "md": "fleet.md",
    "json": "fleet.json",
    "openmetrics": "fleet.prom",
}


class FleetOrder(BaseModel):
    """The options of the subcommand; `./plumbline report --help` explains them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    format: Format | None
    output: str | None
    lang: str = language.ENGLISH


def main(argv: Sequence[str]) -> int:
    """Do it; what stops a report is one message and the exit code of usage and data errors."""
    order = FleetOrder.model_validate_json(argv[0])
    try:
        _report(order)
    except ReportError as error:
        sys.stdout.flush()
        print(f"plumbline: {error}", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_CONFORMS


def _report(order: FleetOrder) -> None:
    form = order.format or "html"
    # What a program reads is English.
    language.speak(language.ENGLISH if form in _OF_PROGRAMS else order.lang)
    fleet = fleet_of(order.folder)
    place = None
    if order.output != STANDARD_OUTPUT:
        place = Path(order.output) if order.output else order.folder / FILES[form]
        for host in fleet.hosts:
            require_elsewhere(place, order.folder / host.folder)
    if form == "html":
        _write_host_pages(fleet, order.folder)
    put(_RENDER[form](fleet), place)
    if place is not None:
        _say(f"{form}: {place}")
    _say(headline(fleet))


def _write_host_pages(fleet: Fleet, folder: Path) -> None:
    # Imported here: templates and drawings are for the pages alone.
    from reports.fleet.host_pages import write_host_page

    with_record = [host for host in fleet.hosts if host.verdict]
    for host in with_record:
        write_host_page(folder / host.folder)
    if with_record:
        _say(f"{counted(len(with_record), 'host page')}: {folder}/*/{PAGE}")


def _html(fleet: Fleet) -> str:
    from reports.fleet.fleet_pages import fleet_html

    return fleet_html(fleet)


def _markdown(fleet: Fleet) -> str:
    from reports.fleet.fleet_pages import fleet_markdown

    return fleet_markdown(fleet)


def _metrics(fleet: Fleet) -> str:
    from reports.fleet.open_metrics import metrics_text

    return metrics_text(fleet)


_RENDER: dict[Format, Callable[[Fleet], str]] = {
    "html": _html,
    "md": _markdown,
    "json": lambda fleet: fleet.model_dump_json(indent=1) + "\n",
    "openmetrics": _metrics,
}


def _say(line: str) -> None:
    """Print a message on standard error, apart from a report on standard output."""
    print(harmless(line), file=sys.stderr)
