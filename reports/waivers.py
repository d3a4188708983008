# SPDX-License-Identifier: GPL-2.0-or-later
"""Waivers: which violations they take out, on which day, and which of them do nothing.

A record keeps what was seen, and its waivers beside it. A report is made from a copy that is judged
on the day of the report: there a waived check has the verdict `waived`, and no other place needs to
know of waivers. After the last day of a waiver its violation is one again.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from contracts.language import gettext, word
from contracts.verdicts import Verdict, worst
from reports.record import Check, ClaimVerdict, RunRecord, TopologyRecord
from reports.report_error import ReportError
from reports.waiver import Waiver, WaiverOutcome
from reports.wording import counted

_VIOLATED = (Verdict.VIOLATES, Verdict.WAIVED)


def today() -> date:
    """Return the day by which a report judges: records are in UTC."""
    return datetime.now(UTC).date()


def with_waivers(record: RunRecord, further: Sequence[Waiver]) -> RunRecord:
    """Return a record with the waivers that a report is given beside those of the run.

    Raises:
        ReportError: its verdicts are not judged as they are.
    """
    if further and record.faults:
        raise ReportError("--waive: a record of `prove` has no waivers", "leave it out")
    if further and record.expected is not None:
        raise ReportError(
            "--waive: this run's verdicts are compared with expected ones",
            f"an exception in {record.expected.file} is the place for it",
        )
    return record.model_copy(update={"waivers": [*record.waivers, *further]})


def judged(record: RunRecord, day: date) -> RunRecord:
    """Return a copy in which waived violations have the verdict `waived`.

    Its waivers have their outcome on that day. A check is waived if each of its claims is: its
    violation is not known to be of one of them alone.
    """
    if not record.waivers:
        return record
    refused = {topology.name for topology in record.topologies if topology.refused}
    checks = [
        check if check.topology in refused else _judged_check(check, record.waivers, day)
        for check in record.checks
    ]
    waivers = [_judged_waiver(each, record, checks, refused, day) for each in record.waivers]
    return _with_checks(record, checks).model_copy(update={"waivers": waivers})


def judged_check(check: Check, waivers: Sequence[Waiver], day: date) -> Check:
    """Return one check as it is shown while the run goes on."""
    return _judged_check(check, waivers, day) if waivers else check


def exit_code_twins(record: RunRecord) -> Iterator[RunRecord]:
    """Yield a judged record with no waiver in force, and with all: a run ended by one of these."""
    if record.waivers:
        checks = [
            check.model_copy(update={"verdict": Verdict.VIOLATES})
            if check.verdict is Verdict.WAIVED
            else check
            for check in record.checks
        ]
        unwaived = _with_checks(record, checks)
        yield unwaived
        yield judged(unwaived, date.min)


def without_effect(record: RunRecord) -> list[Waiver]:
    """Return the waivers of a judged record that waive nothing: run out, or of nothing."""
    return [waiver for waiver in record.waivers if waiver.outcome != "waived"]


def waiver_line(waiver: Waiver) -> str:
    """Return a waiver in a line, with what became of it."""
    on_topology = gettext("{claim} on {topology}")
    about = on_topology.format(claim=waiver.id, topology=waiver.topology)
    given = gettext("{claim}, until {day}: {why} ({source})").format(
        claim=about if waiver.topology else waiver.id,
        day=waiver.until,
        why=waiver.why,
        source=waiver.source,
    )
    checks = counted(len(waiver.violations), "violated check")
    if waiver.outcome == "waived":
        return gettext("{waiver}: waives {checks}").format(waiver=given, checks=checks)
    if waiver.outcome == "run out":
        again = gettext("{checks} counted again").format(checks=checks)
        what = again if waiver.violations else waiver.note
        return gettext("{waiver}: run out; {what}").format(waiver=given, what=what)
    note = waiver.note or gettext("not judged yet")
    return gettext("{waiver}: waives nothing: {note}").format(waiver=given, note=note)


def run_out(record: RunRecord) -> Iterator[str]:
    """Yield a sentence for each waiver that has run out, and whose violation counts again."""
    for waiver in record.waivers:
        if waiver.outcome == "run out" and waiver.violations:
            yield gettext(
                "The waiver of {claim} ran out on {day}, and its violation counts again: {why}"
            ).format(claim=waiver.id, day=waiver.until, why=waiver.why)


def _judged_check(check: Check, waivers: Sequence[Waiver], day: date) -> Check:
    if check.verdict is not Verdict.VIOLATES or not check.claims:
        return check
    found = [_best(claim, check.topology, waivers) for claim in check.claims]
    if any(waiver is None for waiver in found):
        return check
    by = list({id(waiver): waiver for waiver in found if waiver is not None}.values())
    gone = [waiver for waiver in by if waiver.until < day]
    said = check.reason or gettext("no reason given")
    if gone:
        lasted = gettext("ran out on {day}: {why}")
        last = "; ".join(lasted.format(day=each.until, why=each.why) for each in gone)
        reason = gettext("{seen}; its waiver {last}").format(seen=said, last=last)
        return check.model_copy(update={"reason": reason})
    lasts = gettext("until {day}: {why}")
    why = "; ".join(dict.fromkeys(lasts.format(day=each.until, why=each.why) for each in by))
    reason = gettext("waived {until}; seen: {seen}").format(until=why, seen=said)
    return check.model_copy(update={"verdict": Verdict.WAIVED, "reason": reason})


def _best(claim: str, topology: str, waivers: Iterable[Waiver]) -> Waiver | None:
    """Return the waiver of a claim on a topology that lasts longest; None: there is none."""
    about = [each for each in waivers if _is_about(each, claim, topology)]
    return max(about, key=lambda each: each.until, default=None)


def _is_about(waiver: Waiver, claim: str, topology: str) -> bool:
    return waiver.id == claim and waiver.topology in (None, topology)


def _judged_waiver(
    waiver: Waiver, record: RunRecord, checks: Sequence[Check], refused: set[str], day: date
) -> Waiver:
    """Return a waiver with what became of it.

    Args:
        waiver: one of the record's.
        record: as it was seen.
        checks: its checks, judged.
        refused: the topologies that the host refused.
        day: by which they are judged.
    """
    about = [
        check
        for check in checks
        if any(_is_about(waiver, claim, check.topology) for claim in check.claims)
    ]
    violated = [check for check in about if check.verdict in _VIOLATED]
    built = [check for check in violated if check.topology not in refused]
    gone = waiver.until < day
    covered = [
        check
        for check in built
        if (_waived_until_then(check, waiver, record) if gone else check.verdict is Verdict.WAIVED)
    ]
    outcome: WaiverOutcome = "run out" if gone else "waived" if covered else "unused"
    note = None
    if built and not covered:
        note = _why_not(waiver, built, record.waivers, day)
    elif not covered:
        note = _why_nothing(about, violated)
    names = [f"{check.topology}: {check.id}" for check in covered]
    return waiver.model_copy(update={"outcome": outcome, "violations": names, "note": note})


def _waived_until_then(check: Check, waiver: Waiver, record: RunRecord) -> bool:
    """Return whether it was this waiver with whose last day a check is no longer waived."""
    if _unwaived(check, record.waivers):
        return False
    return any(_best(each, check.topology, record.waivers) is waiver for each in check.claims)


def _unwaived(check: Check, waivers: Sequence[Waiver]) -> list[str]:
    return [id_ for id_ in check.claims if _best(id_, check.topology, waivers) is None]


def _why_nothing(checks: Sequence[Check], violated: Sequence[Check]) -> str:
    """Return why there is nothing that a waiver could waive."""
    if not checks:
        return gettext("no check of this run decides it there")
    if violated:
        return gettext("the host refused to build the topology, and a waiver is of checks alone")
    found = sorted({check.verdict for check in checks})
    return gettext("nothing of it is violated, its checks are {verdicts}").format(
        verdicts=", ".join(word(each) for each in found)
    )


def _why_not(
    waiver: Waiver, violated: Sequence[Check], waivers: Sequence[Waiver], day: date
) -> str:
    """Return why a waiver does not waive these violated checks of its claim."""
    also = {each for check in violated for each in _unwaived(check, waivers)}
    if also:
        return gettext("its check decides {claims} too, and a check is waived as a whole").format(
            claims=", ".join(sorted(also))
        )
    best = [
        found
        for check in violated
        for claim in check.claims
        if (found := _best(claim, check.topology, waivers)) is not None
    ]
    if waiver.until < day:
        last = max(each.until for each in best if each.id == waiver.id)
        lasting = gettext("another waiver of {claim} is in force until {day}")
        over = gettext("another waiver of {claim} was in force until {day}")
        return (lasting if last >= day else over).format(claim=waiver.id, day=last)
    gone = min((each for each in best if each.until < day), key=lambda each: each.until)
    return gettext("its check decides {claim} too, whose waiver ran out on {day}").format(
        claim=gone.id, day=gone.until
    )


def _with_checks(record: RunRecord, checks: list[Check]) -> RunRecord:
    """Return a record with other verdicts of checks, and with what follows from them."""
    return record.model_copy(
        update={
            "checks": checks,
            "claims": [_with_claim_verdict(claim, checks) for claim in record.claims],
            "topologies": [_with_verdict(topology, checks) for topology in record.topologies],
        }
    )


def _with_claim_verdict(claim: ClaimVerdict, checks: Iterable[Check]) -> ClaimVerdict:
    verdicts = [c.verdict for c in checks if claim.id in c.claims and c.topology == claim.topology]
    return claim.model_copy(update={"verdict": worst(verdicts)}) if verdicts else claim


def _with_verdict(topology: TopologyRecord, checks: Iterable[Check]) -> TopologyRecord:
    if topology.verdict not in _VIOLATED or topology.refused:
        return topology
    verdicts = [check.verdict for check in checks if check.topology == topology.name]
    # Such as that it could not be taken down: a violation outweighs that in the record.
    verdicts += [Verdict.ERROR] if topology.reason is not None else []
    return topology.model_copy(update={"verdict": worst(verdicts)}) if verdicts else topology
