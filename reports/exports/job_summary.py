# SPDX-License-Identifier: GPL-2.0-or-later
"""A run in GitHub-flavoured Markdown, for a pipeline's job summary."""

from collections.abc import Iterable, Iterator, Sequence

from contracts.language import gettext, gettext_noop, word
from contracts.verdicts import BY_GRAVITY, Verdict, reported
from reports.exports.verdict_counts import counts_line
from reports.fault_outcomes import OUTCOME_VERDICTS
from reports.markdown.sized_page import SIZE_MAX, page
from reports.record import Check, FaultResult, Procedure, RunRecord, TopologyRecord
from reports.run_verdict import facts, open_questions, run_verdict, took
from reports.unread_settings import unread_settings
from reports.verdict_matrix import matrix
from reports.waivers import waiver_line
from reports.wording import SIGNS, one_line

_MARKS = {Verdict.CONFORMS: "✅", Verdict.VIOLATES: "❌"}
_OPEN_MARK = "⚠️"
_SECTIONS = {
    Verdict.VIOLATES: gettext_noop("Violated"),
    Verdict.ERROR: gettext_noop("Errors"),
    Verdict.INCONCLUSIVE: gettext_noop("Inconclusive"),
    Verdict.WAIVED: gettext_noop("Waived"),
}


def render(record: RunRecord, size_max: int = SIZE_MAX, faults: Sequence[str] = ()) -> str:
    """Return the page, at most `size_max` octets of UTF-8; it names the evidence's faults."""
    said = run_verdict(record)
    sections = list(_sections(record))
    return page(
        "run.md.j2",
        size_max,
        record=record,
        whole=said,
        mark=_MARKS.get(said.verdict, _OPEN_MARK),
        counts=counts_line(record),
        wrong_evidence=faults,
        rests_on=list(_rests_on(record)),
        matrix=matrix(record),
        verdicts=reported(record.counts()),
        faults=sorted(
            record.faults, key=lambda fault: BY_GRAVITY.index(OUTCOME_VERDICTS[fault.outcome])
        ),
        outcomes=OUTCOME_VERDICTS,
        signs=SIGNS,
        noticed=_noticed,
        sections=sections,
        procedures=list(_procedures(check for _, _, checks in sections for check in checks)),
        waivers=[waiver_line(waiver) for waiver in record.waivers],
        unread=list(unread_settings(record)),
        lacking=[q for q in open_questions(record) if q.verdict is Verdict.NOT_TESTABLE],
    )


def _rests_on(record: RunRecord) -> Iterator[tuple[str, str]]:
    yield from ((label, "; ".join(lines)) for label, lines in facts(record))
    yield gettext("Started"), f"{record.started:%Y-%m-%d %H:%M:%S} UTC"
    yield gettext("Took"), took(record) or gettext("it was not finished")
    if record.redacted:
        yield gettext("Redacted"), gettext("what may identify the site was replaced")


def _sections(record: RunRecord) -> Iterator[tuple[str, list[TopologyRecord], list[Check]]]:
    """Yield title, broken topologies and checks of each verdict that is not good."""
    for verdict, title in _SECTIONS.items():
        if record.faults and verdict is Verdict.VIOLATES:
            # Beside a fault violations are what was asked for.
            continue
        broken = [
            topology
            for topology in record.topologies
            if verdict is Verdict.ERROR
            and topology.reason
            and topology.verdict is not Verdict.NOT_TESTABLE
            and not topology.refused
        ]
        yield gettext(title), broken, [check for check in record.checks if check.verdict is verdict]


def _procedures(checks: Iterable[Check]) -> Iterator[tuple[str, list[str], Procedure]]:
    """Yield name, claims and procedure of each check, once for all topologies and parameters."""
    claims: dict[str, list[str]] = {}
    known: dict[str, Procedure] = {}
    for check in checks:
        if check.procedure is not None:
            name = check.id.partition("[")[0]
            known.setdefault(name, check.procedure)
            claims.setdefault(name, []).extend(check.claims)
    for name, procedure in known.items():
        yield name, list(dict.fromkeys(claims[name])), procedure


def _noticed(fault: FaultResult) -> str:
    if fault.is_harmless and fault.outcome == "unnoticed":
        return gettext("nothing, and nothing had to")
    said = [name for name in fault.caught_by if name not in fault.missed]
    parts = [" ".join(said)] if said and fault.outcome != "not decided" else []
    missed, beside = gettext("not {name} ({verdict})"), gettext("also {name}: {why}")
    parts += [
        missed.format(name=name, verdict=word(verdict)) for name, verdict in fault.missed.items()
    ]
    parts += [
        beside.format(name=name, why=one_line(why)) for name, why in fault.unexplained.items()
    ]
    return "; ".join(parts)
