# SPDX-License-Identifier: GPL-2.0-or-later
"""Allure results of a run: `allure generate FOLDER` (Allure 3, of npm) makes its report of them.

The model of a result and the writer of its files are allure-pytest's own (allure_commons). That
plugin writes results while a run goes on; these are made from a record.
"""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from uuid import UUID, uuid5

from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Attachment, Label, Parameter, Status, StatusDetails, TestResult
from allure_commons.utils import md5

from contracts.language import ENGLISH, spoken
from contracts.verdicts import Verdict
from reports.exports.report_cases import RUN, ReportCase, cases
from reports.exports.verdict_counts import counts_line
from reports.markdown.escaping import code_span, escaped
from reports.record import RunRecord
from reports.report_error import ReportError
from reports.run_verdict import facts, run_verdict

# `broken` and `unknown` are as little green as `failed`.
_STATUSES = {
    Verdict.CONFORMS: Status.PASSED,
    Verdict.VIOLATES: Status.FAILED,
    Verdict.ERROR: Status.BROKEN,
    Verdict.INCONCLUSIVE: Status.UNKNOWN,
    Verdict.NOT_TESTABLE: Status.SKIPPED,
    Verdict.WAIVED: Status.SKIPPED,
}


# A program reads it.
@spoken(ENGLISH)
def write(record: RunRecord, folder: Path, target: Path) -> None:
    """Write the results and copies of the evidence.

    Args:
        record: the run.
        folder: where its run.json and evidence are.
        target: a folder, made if it is not there.

    Raises:
        ReportError: it cannot be written.
    """
    try:
        written = AllureFileLogger(target)
        for case in cases(record):
            written.report_result(_result(case, record, folder, written))
        (target / "environment.properties").write_text(_environment(record), encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"{target}: cannot be written: {error.strerror}", "name another folder with --output"
        ) from error


def _result(
    case: ReportCase, record: RunRecord, folder: Path, written: AllureFileLogger
) -> TestResult:
    # As allure-pytest has them: of a test, and of its case. Both are the same in every run: Allure
    # knows a case again by historyId (2), or by testCaseId and the parameters (3).
    full_name = f"{case.group}.{case.name}"
    topology = [] if case.suite == RUN else [Parameter("topology", case.suite)]
    uuid = uuid5(record.id, f"{case.suite}.{full_name}")
    result = TestResult(
        uuid=str(uuid),
        historyId=md5(full_name, *(each.value for each in topology)),
        testCaseId=md5(full_name),
        fullName=full_name,
        parameters=topology,
        name=f"{case.group}: {case.name}",
        status=_STATUSES[case.verdict],
        statusDetails=StatusDetails(
            message=f"{case.verdict}: {case.reason}", trace="\n".join(case.more)
        ),
        stage="finished",
        description=_description(case),
        labels=[Label(name, value) for name, value in _labels(case, record)],
        titlePath=[case.suite, case.group],
        attachments=list(_attachments(case, uuid, folder, written)),
    )
    if case.seconds is not None:
        # A record has no time of day for a check: all begin with the run.
        result.start = round(record.started.timestamp() * 1000)
        result.stop = result.start + round(case.seconds * 1000)
    return result


def _labels(case: ReportCase, record: RunRecord) -> list[tuple[str, str]]:
    labels = [("parentSuite", case.suite), ("suite", case.group), ("framework", "plumbline")]
    labels += [("verdict", str(case.verdict))]
    if case.suite != RUN:
        labels += [("topology", case.suite)]
    for claim, known in case.claims.items():
        labels += [("claim", claim), ("tag", claim)]
        if known is not None:
            labels += [("statement", known.statement), ("source", known.source)]
    return labels + ([("tag", "redacted")] if record.redacted else [])


def _description(case: ReportCase) -> str:
    """Return the text above a case, in Markdown, which Allure renders."""
    said = [
        f"**{escaped(claim)}** {escaped(known.statement)} ({escaped(known.source)})"
        if known
        else f"**{escaped(claim)}**"
        for claim, known in case.claims.items()
    ]
    said += [f"**{case.verdict}:** {escaped(case.reason)}"]
    said += [f"Again: {code_span(case.rerun)}"] if case.rerun is not None else []
    return "\n\n".join([*said, *_procedure(case)])


def _procedure(case: ReportCase) -> Iterator[str]:
    """Yield the lists of a case's procedure, each below its title."""
    if (known := case.procedure) is not None:
        for title, items, mark in (
            ("Preconditions", known.preconditions, "-"),
            ("Steps", known.steps, "1."),
            ("Verify", known.verify, "-"),
        ):
            if items:
                yield f"**{title}**"
                yield "\n".join(f"{mark} {escaped(item)}" for item in items)


def _attachments(
    case: ReportCase, uuid: UUID, folder: Path, written: AllureFileLogger
) -> Iterator[Attachment]:
    """Write what a case rests on beside its result, and yield how the result names it."""
    for number, file in enumerate(case.evidence):
        # Allure recognises attachments by this end of their names.
        source = f"{uuid}-{number}-attachment{PurePosixPath(file.path).suffix}"
        written.report_attached_file(folder / file.path, source)
        yield Attachment(file.name, source, file.media_type)
    if case.measurements:
        source = f"{uuid}-measurements-attachment.json"
        samples = [each.model_dump(mode="json") for each in case.measurements]
        written.report_attached_data(json.dumps(samples, indent=1), source)
        yield Attachment("measurements.json", source, "application/json")


def _environment(record: RunRecord) -> str:
    """Return the basis of the verdicts, as Java's properties."""
    said = run_verdict(record)
    shown = {"Verdict": said.says, "Checks": counts_line(record)}
    shown |= {f"Note {number}": note for number, note in enumerate(said.warnings, 1)}
    shown |= {label: "; ".join(lines) for label, lines in facts(record)}
    if record.redacted:
        shown["Redacted"] = "what may identify the site was replaced"
    # A space would end a key (java.util.Properties, load).
    lines = (
        f"{_property(name).replace(' ', '_')} = {_property(value)}" for name, value in shown.items()
    )
    return "".join(f"{line}\n" for line in lines)


def _property(text: str) -> str:
    """Return text on one line, where a backslash, `=` and `:` mean themselves."""
    flat = " ".join(text.split()).replace("\\", "\\\\")
    return flat.replace("=", "\\=").replace(":", "\\:")
