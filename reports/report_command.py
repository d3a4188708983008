# SPDX-License-Identifier: GPL-2.0-or-later
"""What `./plumbline report` was asked for, done.

The launcher has parsed the command line, and `launcher.venv_main` calls `main` in the virtual
environment.
"""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from contracts import language
from contracts.exit_codes import EXIT_CONFORMS, EXIT_USAGE
from contracts.run_files import JUNIT, PAGE
from reports.bundle import bundle_writer as bundle
from reports.bundle import verification
from reports.evidence_integrity import inspect
from reports.exports import allure, junit
from reports.exports.verdict_counts import counts_line
from reports.record import RunRecord, load
from reports.redaction.redaction_report import RedactionReport
from reports.report_error import ReportError
from reports.report_file import put, require_elsewhere
from reports.run_verdict import run_verdict
from reports.waiver import Waiver
from reports.waivers import judged, today, with_waivers
from reports.wording import harmless

Format = Literal["html", "md", "junit", "allure"]
_OF_PROGRAMS: tuple[Format, ...] = ("junit", "allure")
STANDARD_OUTPUT = "-"
_FILES: dict[Format, str] = {"html": PAGE, "md": "report.md", "junit": JUNIT}


class ReportOrder(BaseModel):
    """The options of the subcommand; `./plumbline report --help` explains them.

    Attributes:
        run: the run.json; None only with `verify`.
        waivers: further ones, beside those of the run.
        lang: the language of its reader.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Path | None
    format: Format | None
    output: str | None
    bundle: Path | None
    sign: Path | None
    redact: bool
    redact_also: list[str]
    verify: Path | None
    allowed_signers: Path | None
    signer: str | None
    waivers: list[Waiver]
    lang: str = language.ENGLISH


def main(argv: Sequence[str]) -> int:
    """Do it; what stops a report is one message and the exit code of usage and data errors."""
    order = ReportOrder.model_validate_json(argv[0])
    language.speak(order.lang)
    try:
        if order.verify is not None:
            for line in verification.verify(order.verify, order.allowed_signers, order.signer):
                print(harmless(line))
        elif order.run is not None:
            _report(order, order.run)
    except ReportError as error:
        sys.stdout.flush()
        print(f"plumbline: {error}", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_CONFORMS


def _report(order: ReportOrder, record_file: Path) -> None:
    record, folder = load(record_file), record_file.parent
    form = order.format or (None if order.bundle and order.output is None else "html")
    if order.sign is not None and not order.sign.is_file():
        raise ReportError(f"--sign {order.sign}: there is no such file", "name an SSH key")
    place = _place(order, form, folder) if form else None
    faults = _faults(order, form, record, folder)
    with _as_asked(order, record, folder) as (seen, folder, findings):
        record = judged(seen, today())
        if order.bundle is not None:
            require_elsewhere(order.bundle, record_file.parent)
            bundle.write(order.bundle, record, folder, findings, order.sign)
            _say(f"bundle: {order.bundle}{', signed' if order.sign else ''}")
        # What a program reads is judged in English, too.
        with language.spoken(language.ENGLISH if form in _OF_PROGRAMS else order.lang):
            shown = judged(seen, today())
            if form == "allure" and place is not None:
                allure.write(shown, folder, place)
            elif form is not None:
                put(_RENDER[form](shown, folder, faults), place)
    if place is not None:
        _say(f"{form}: {place}")
    _say(f"{run_verdict(record).says}: {counts_line(record)}")


def _faults(order: ReportOrder, form: Format | None, record: RunRecord, folder: Path) -> list[str]:
    """Return the faults of the evidence, for reports that list them.

    Raises:
        ReportError: something is, and what was asked for is made from the files themselves.
    """
    found = inspect(record, folder)
    if order.bundle is not None or order.redact or form == "allure":
        found.require(folder)
    for path in found.grown:
        _say(f"{path}: grew after it was recorded; the run was not finished")
    faults = [what for what, _ in found.faults]
    for what, hint in found.faults:
        _say(f"{folder}: {what}\n  {hint}")
    return faults


@contextlib.contextmanager
def _as_asked(
    order: ReportOrder, record: RunRecord, folder: Path
) -> Iterator[tuple[RunRecord, Path, RedactionReport | None]]:
    """Yield the run to report on: as it is, or a redacted copy for as long as it is needed.

    It has the order's waivers beside its own. The record in a bundle is the file's, without them.
    """
    if not order.redact:
        yield with_waivers(record, order.waivers), folder, None
        return
    # Imported here: reading captures needs scapy, which takes longer to load than all of the rest.
    from reports.redaction.redacted_copy import redact

    with tempfile.TemporaryDirectory(prefix="plumbline-report-") as copy:
        redacted, findings = redact(record, folder, Path(copy), order.redact_also, order.waivers)
        for line in findings.lines():
            _say(line)
        yield redacted, Path(copy), findings


def _html(record: RunRecord, folder: Path, _: Sequence[str]) -> str:
    # The page finds faults of the evidence itself, file by file.
    # Imported here: templates and drawings are for this one alone.
    from reports.html.report_page import render

    return render(record, folder)


def _markdown(record: RunRecord, _: Path, faults: Sequence[str]) -> str:
    # Imported here: templates are for the pages alone.
    from reports.exports.job_summary import render

    return render(record, faults=faults)


_RENDER: dict[Format, Callable[[RunRecord, Path, Sequence[str]], str]] = {
    "html": _html,
    "md": _markdown,
    "junit": lambda record, _, faults: junit.render(record, faults),
}


def _place(order: ReportOrder, form: Format, folder: Path) -> Path | None:
    """Return where a report goes; None is standard output.

    Raises:
        ReportError: nothing can be written there, or something else would be overwritten.
    """
    if order.output == STANDARD_OUTPUT:
        if form == "allure":
            raise ReportError("--output -: Allure results are a folder", "name one")
        return None
    mark = "-redacted" if order.redact else ""
    if form == "allure":
        place = Path(order.output) if order.output else folder / f"allure{mark}"
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise ReportError(f"{place}: not a new or empty folder", "name another with --output")
    else:
        name = Path(_FILES[form])
        place = folder / f"{name.stem}{mark}{name.suffix}"
        place = Path(order.output) if order.output else place
    require_elsewhere(place, folder)
    return place


def _say(line: str) -> None:
    """Print a message on standard error, apart from a report on standard output."""
    print(harmless(line), file=sys.stderr)
