# SPDX-License-Identifier: GPL-2.0-or-later
"""JUnit XML of a run, as Jenkins, GitLab and Azure Pipelines read it.

Elements and attributes are those that the schema of Jenkins' xunit plugin (junit-10.xsd) knows:
above all a test case has no properties there, so claims and reruns are told in its `system-out`.
A violation is a `failure`; what broke or could not be decided is an `error`; what the host cannot
test is `skipped`. Of a prove, a test case is a fault: the violations beside it were asked for.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from reports.record import Check, FaultResult, RunRecord, Topology
from reports.verdict import Verdict
from reports.whole import OUTCOMES, counts, sentence
from reports.wording import label

# How a test case ends, by verdict; one that conforms has no such element.
_ELEMENTS = {
    Verdict.VIOLATES: "failure",
    Verdict.ERROR: "error",
    Verdict.INCONCLUSIVE: "error",
    Verdict.NOT_TESTABLE: "skipped",
}
# The suite of what is to be said of a run as a whole.
RUN = "run"
# Not characters of XML 1.0 (section 2.2), however they are written.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Case:
    """A test case.

    Attributes:
        suite: the topology, or `run`.
        group: what it is listed under there: the property of a check.
        name: tells it from the others there, and is the same in the next run.
        verdict: how it ended.
        reason: what was seen, lacked or broke.
        more: lines for whoever opens it.
        seconds: how long it took, if that is known.
    """

    suite: str
    group: str
    name: str
    verdict: Verdict
    reason: str
    more: Sequence[str] = ()
    seconds: float | None = None


def render(record: RunRecord) -> str:
    """Return the run as JUnit XML.

    A run that was not finished, or in which nothing conforms, has an `error` that says so.
    """
    by_suite: dict[str, list[Case]] = {}
    for case in _cases(record):
        by_suite.setdefault(case.suite, []).append(case)
    everything = [case for cases in by_suite.values() for case in cases]
    root = Element("testsuites", {"name": "plumbline", **_totals(everything)})
    if record.finished is not None:
        root.set("time", _seconds((record.finished - record.started).total_seconds()))
    for name, cases in by_suite.items():
        root.append(_suite(name, cases, record))
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(record: RunRecord) -> Iterator[Case]:
    if record.faults:
        yield from (_of_fault(fault, record) for fault in record.faults)
    else:
        for check in record.checks:
            yield _of_check(check, record)
        for topology in record.topologies:
            if topology.reason is not None and topology.verdict is not Verdict.CONFORMS:
                yield _of_topology(topology)
    if record.finished is None:
        yield Case(RUN, RUN, "finished", Verdict.ERROR, sentence(record))
    good = "caught" if record.faults else Verdict.CONFORMS
    decided = [fault.outcome for fault in record.faults] or [each.verdict for each in record.checks]
    if good not in decided:
        said = f"nothing was shown to hold: {counts(record)}"
        yield Case(RUN, RUN, "decided something", Verdict.ERROR, said)


def _of_check(check: Check, record: RunRecord) -> Case:
    said = [f"rerun: {check.rerun}"]
    for claim in check.claims:
        known = record.statements.get(claim)
        said.append(f"{claim}: {known.statement} ({known.source})" if known else claim)
    said += [f"{m.name}: {' '.join(map(str, m.samples))} {m.unit}" for m in check.measurements]
    said += [f"evidence: {file.path}" for file in check.evidence]
    return Case(
        suite=check.topology,
        group=check.property,
        name=label(check).partition(".")[2] or check.id,
        verdict=check.verdict,
        reason=check.reason or "no reason given",
        more=said,
        seconds=check.duration_s,
    )


def _of_topology(topology: Topology) -> Case:
    return Case(
        suite=topology.name,
        group="topology",
        name="built and taken down",
        # Its verdict is the worst of its checks as well; that it broke is an error of its own.
        verdict=Verdict.NOT_TESTABLE if topology.verdict is Verdict.NOT_TESTABLE else Verdict.ERROR,
        reason=topology.reason or "",
        more=[f"evidence: {file.path}" for file in topology.evidence],
        seconds=topology.build_s,
    )


def _of_fault(fault: FaultResult, record: RunRecord) -> Case:
    base = fault.topology.partition("+")[0]
    violated = [
        f"violated: {check.id}: {check.reason}"
        for check in record.checks
        if check.topology == fault.topology and check.verdict is Verdict.VIOLATES
    ]
    wrong = [f"not noticed by {name}: {verdict}" for name, verdict in fault.missed.items()]
    wrong += [f"turned red too: {name}: {reason}" for name, reason in fault.unexplained.items()]
    return Case(
        suite=base,
        group="faults",
        name=fault.id,
        verdict=OUTCOMES[fault.outcome],
        reason="; ".join([f"{fault.outcome}: {fault.title}", *wrong]),
        more=[
            f"rerun: ./plumbline prove --fault {fault.id}",
            f"on {fault.on}: {fault.apply}",
            f"to be caught by: {' '.join(fault.caught_by)}",
            *violated,
        ],
    )


def _suite(name: str, cases: Sequence[Case], record: RunRecord) -> Element:
    took = sum(case.seconds or 0 for case in cases)
    suite = Element("testsuite", {"name": _text(name), **_totals(cases)})
    suite.set("skipped", str(_number(cases, "skipped")))
    suite.set("time", _seconds(took))
    suite.set("timestamp", f"{record.started:%Y-%m-%dT%H:%M:%S}")
    properties = SubElement(suite, "properties")
    for key, value in _facts(record, name).items():
        SubElement(properties, "property", {"name": key, "value": _text(value)})
    for case in cases:
        suite.append(_element(case, name))
    return suite


def _element(case: Case, suite: str) -> Element:
    element = Element("testcase", {"name": _text(case.name)})
    element.set("classname", _text(f"{suite}.{case.group}"))
    if case.seconds is not None:
        element.set("time", _seconds(case.seconds))
    if kind := _ELEMENTS.get(case.verdict):
        # Some servers show the message alone, others the text alone.
        ending = SubElement(element, kind, {"message": _text(f"{case.verdict}: {case.reason}")})
        ending.set("type", str(case.verdict))
        ending.text = _text("\n".join([f"{case.verdict}: {case.reason}", *case.more]))
    else:
        lines = [f"{case.verdict}: {case.reason}", *case.more]
        SubElement(element, "system-out").text = _text("\n".join(lines))
    return element


def _facts(record: RunRecord, suite: str) -> dict[str, str]:
    """Return what the verdicts of a suite rest on."""
    facts = {"run": str(record.id), "said": sentence(record), "counts": counts(record)}
    title = next((t.title for t in record.topologies if t.name == suite and t.title), None)
    known = {
        "title": title,
        "host": record.host.kind,
        "release": record.host.release,
        "accelerator": record.host.accel.name if record.host.accel else None,
        "commit": record.tool.commit,
    }
    facts |= {key: value for key, value in known.items() if value is not None}
    return facts | ({"redacted": "yes"} if record.redacted else {})


def _totals(cases: Sequence[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(_number(cases, "failure")),
        "errors": str(_number(cases, "error")),
    }


def _number(cases: Sequence[Case], kind: str) -> int:
    return sum(1 for case in cases if _ELEMENTS.get(case.verdict) == kind)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _text(text: str) -> str:
    """Return text with what no XML document may hold written out, as `\\x1b`."""
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
