# SPDX-License-Identifier: GPL-2.0-or-later
"""JUnit XML of a run, as Jenkins, GitLab and Azure Pipelines read it.

It is made from the record, since pytest's own file knows exceptions and no verdicts.
Elements and attributes are those that the schema of Jenkins' xunit plugin (junit-10.xsd) knows:
above all a test case has no properties there, so claims and reruns are in its texts. A
violation is a `failure`; what broke or could not be decided is an `error`; what the host cannot
test is `skipped`, and so is a violation that is waived.
"""

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from contracts.language import ENGLISH, spoken
from contracts.verdicts import Verdict
from reports.exports.report_cases import ReportCase, cases
from reports.exports.verdict_counts import counts_line
from reports.record import RunRecord
from reports.run_verdict import run_verdict
from reports.standard import Standard
from reports.waivers import waiver_line

# How a test case ends, by verdict; one that conforms has no such element.
_ELEMENTS = {
    Verdict.VIOLATES: "failure",
    Verdict.ERROR: "error",
    Verdict.INCONCLUSIVE: "error",
    Verdict.NOT_TESTABLE: "skipped",
    Verdict.WAIVED: "skipped",
}
# Written here: ElementTree would name the locale's encoding.
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
# Not characters of XML 1.0 (section 2.2), however they are written.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


# A program reads it.
@spoken(ENGLISH)
def render(record: RunRecord, faults: Sequence[str] = ()) -> str:
    """Return the run as JUnit XML; each suite names the evidence's faults among its properties.

    A run that was not finished, or in which nothing conforms, has an `error` with that message.
    """
    by_suite: dict[str, list[ReportCase]] = {}
    for case in cases(record):
        by_suite.setdefault(case.suite, []).append(case)
    everything = [case for of_suite in by_suite.values() for case in of_suite]
    root = Element("testsuites", {"name": "plumbline", **_totals(everything)})
    if record.finished is not None:
        root.set("time", _seconds((record.finished - record.started).total_seconds()))
    for name, of_suite in by_suite.items():
        root.append(_suite(name, of_suite, record, faults))
    ElementTree.indent(root, " ")
    return f"{_DECLARATION}\n{ElementTree.tostring(root, encoding='unicode')}\n"


def _suite(
    name: str, of_suite: Sequence[ReportCase], record: RunRecord, faults: Sequence[str]
) -> Element:
    took = sum(case.seconds or 0 for case in of_suite)
    suite = Element("testsuite", {"name": _text(name), **_totals(of_suite)})
    suite.set("skipped", str(_number(of_suite, "skipped")))
    suite.set("time", _seconds(took))
    suite.set("timestamp", f"{record.started:%Y-%m-%dT%H:%M:%S}")
    properties = SubElement(suite, "properties")
    for key, value in _facts(record, name).items():
        SubElement(properties, "property", {"name": key, "value": _text(value)})
    for fault in faults:
        SubElement(properties, "property", {"name": "fault", "value": _text(fault)})
    for waiver in record.waivers:
        line = _text(waiver_line(waiver))
        SubElement(properties, "property", {"name": "waiver", "value": line})
    for case in of_suite:
        suite.append(_element(case))
    return suite


def _element(case: ReportCase) -> Element:
    element = Element("testcase", {"name": _text(case.name)})
    element.set("classname", _text(f"{case.suite}.{case.group}"))
    if case.seconds is not None:
        element.set("time", _seconds(case.seconds))
    lines = [f"{case.verdict}: {case.reason}", *_details(case)]
    text = _text("\n".join(lines))
    if kind := _ELEMENTS.get(case.verdict):
        # Some servers show the message alone, others the text alone.
        ending = SubElement(element, kind, {"message": _text(lines[0])})
        ending.set("type", str(case.verdict))
        ending.text = text
    else:
        SubElement(element, "system-out").text = text
    return element


def _details(case: ReportCase) -> Iterator[str]:
    if case.rerun is not None:
        yield f"again: {case.rerun}"
    for claim, known in case.claims.items():
        yield f"{claim}: {known.statement} ({known.source})" if known else claim
    if (how := case.procedure) is not None:
        yield from (f"precondition: {each}" for each in how.preconditions)
        yield from (f"step {number}: {each}" for number, each in enumerate(how.steps, 1))
        yield from (f"verify: {each}" for each in how.verify)
    yield from case.more
    for each in case.measurements:
        yield f"{each.name}: {' '.join(map(str, each.samples))} {each.unit}"
    for file in case.evidence:
        yield f"evidence: {file.path}"


def _standard(standard: Standard) -> Iterator[str]:
    """Yield the catalogue's format, its edition if it has one, and its digest."""
    yield standard.catalogue
    if standard.edition is not None:
        yield f"edition {standard.edition}"
    yield standard.sha256


def _facts(record: RunRecord, suite: str) -> dict[str, str]:
    """Return what the verdicts of a suite rest on."""
    facts = {"run": str(record.id), "said": run_verdict(record).says, "counts": counts_line(record)}
    title = next((t.title for t in record.topologies if t.name == suite and t.title), None)
    if record.standard is not None:
        facts["standard"] = " ".join(_standard(record.standard))
    known = {
        "title": title,
        "host": record.host.kind,
        "release": record.host.release,
        "accelerator": record.host.accel.name if record.host.accel else None,
        "commit": record.tool.commit,
    }
    facts |= {key: value for key, value in known.items() if value is not None}
    return facts | ({"redacted": "yes"} if record.redacted else {})


def _totals(of_suite: Sequence[ReportCase]) -> dict[str, str]:
    return {
        "tests": str(len(of_suite)),
        "failures": str(_number(of_suite, "failure")),
        "errors": str(_number(of_suite, "error")),
    }


def _number(of_suite: Sequence[ReportCase], kind: str) -> int:
    return sum(1 for case in of_suite if _ELEMENTS.get(case.verdict) == kind)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _text(text: str) -> str:
    r"""Return text with what no XML document may hold written out, as `\x1b`."""
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
