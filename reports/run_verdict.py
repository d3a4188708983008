# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdict of a whole run, and what it rests on."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from contracts.exit_codes import (
    EXIT_CONFORMS,
    EXIT_MEANINGS,
    EXIT_UNDECIDED,
    EXIT_VIOLATES,
    EXPECTED_EXIT_MEANINGS,
    PROVE_EXIT_MEANINGS,
    WAIVED_MEANING,
)
from contracts.language import gettext, gettext_noop, word
from contracts.verdicts import NOT_DECIDED, REPORTED_ORDER, Verdict
from reports.fault_outcomes import BAD_OUTCOMES, changes_counted, outcomes_of
from reports.record import Check, RunRecord
from reports.standard_facts import standard_facts
from reports.verdict_comparison import comparison, exit_code
from reports.waivers import exit_code_twins, run_out
from reports.wording import SEPARATOR, counted, duration, one_line

NOT_FINISHED = "not finished"
# The verdicts of a run that ends with 0.
_GOOD = (Verdict.CONFORMS, Verdict.WAIVED)
MACHINE_FACTS = ("kernel", "cpu", "memory_mib")


@dataclass(frozen=True)
class RunVerdict:
    """The answer at the top of every report.

    Attributes:
        verdict: never `conforms` for a run that is not finished, or in which nothing conforms.
        word: how it is called: the verdict, or the outcome of faults.
        says: one sentence.
        warnings: notes that the reader needs beside it.
    """

    verdict: Verdict
    word: str
    says: str
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class OpenQuestion:
    """One reason why checks did not come to `conforms` or `violates`.

    Attributes:
        verdict: theirs.
        reason: the missing capability with its probe, or the open question.
        checks: those with this reason.
    """

    verdict: Verdict
    reason: str
    checks: list[Check] = field(default_factory=list)

    @property
    def places(self) -> dict[str, list[str]]:
        """By topology the claims, or the ids of checks without one."""
        found: dict[str, dict[str, None]] = {}
        for check in self.checks:
            names = check.claims or [check.id]
            found.setdefault(check.topology, {}).update(dict.fromkeys(names))
        return {topology: list(names) for topology, names in found.items()}


def run_verdict(record: RunRecord) -> RunVerdict:
    """Return the verdict of a run; see `Whole.verdict` for what is never green."""
    found = _of_faults(record) if record.faults else _of_checks(record)
    undecided = sum(check.reason == NOT_DECIDED for check in record.checks)
    if record.finished is None:
        found.warnings.append(
            gettext(
                "This run did not finish, or goes on: {undecided} of {checks} never began or never "
                "ended."
            ).format(undecided=counted(undecided, "check"), checks=len(record.checks))
        )
        if found.verdict in _GOOD:
            says = gettext("Not finished: all decided checks conform so far")
            found = RunVerdict(Verdict.INCONCLUSIVE, NOT_FINISHED, says, found.warnings)
    elif undecided:
        said = gettext("The run ended before {checks} could be made.")
        found.warnings.append(said.format(checks=counted(undecided, "check")))
    if (how := ending(record)) is not None:
        found.warnings.append(how)
        if found.verdict in _GOOD:
            says = gettext("What was decided conforms, and that is not all")
            found = RunVerdict(Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, says, found.warnings)
    found.warnings.extend(_beside_the_expected(record))
    found.warnings.extend(run_out(record))
    if record.tool.dirty:
        found.warnings.append(
            gettext("Plumbline's own files differed from the commit named below.")
        )
    return found


def ending(record: RunRecord) -> str | None:
    """Return what was not well with a run beyond its checks; None: nothing, or it is not known."""
    if record.lacking:
        said = gettext("Expected of this host, which lacks it: {capabilities}.")
        return said.format(capabilities=", ".join(record.lacking))
    # The waivers that were in force then are perhaps others than today's.
    possible = {exit_code(each) for each in (record, *exit_code_twins(record))}
    if record.ended_with is None or record.ended_with in possible:
        return None
    meaning = EXIT_MEANINGS.get(record.ended_with or 0, gettext_noop("no code of a run"))
    said = gettext("The run ended with {code}: {meaning}.")
    return said.format(code=record.ended_with, meaning=gettext(meaning))


def exit_meaning(record: RunRecord, code: int) -> str:
    """Return the meaning of a run's exit code."""
    compared = comparison(record)
    # Where there was nothing to compare with, the verdicts count as in any run.
    was_compared = compared is not None and bool(compared.as_expected or compared.differences)
    if was_compared and code in EXPECTED_EXIT_MEANINGS:
        return gettext(EXPECTED_EXIT_MEANINGS[code])
    if code == EXIT_CONFORMS and Verdict.WAIVED in record.counts():
        return gettext(WAIVED_MEANING)
    return gettext(EXIT_MEANINGS.get(code, gettext_noop("ended early")))


def _beside_the_expected(record: RunRecord) -> Iterator[str]:
    """Yield the comparison with the expected verdicts: its sum, and each difference."""
    compared = comparison(record)
    if compared is None:
        return
    yield f"{compared.summary}."
    for each in compared.differences:
        yield gettext("{claim} on {topology}: expected {expected}, found {seen}: {reason}").format(
            claim=each.claim,
            topology=each.topology,
            expected=word(each.expected),
            seen=word(each.seen),
            reason=each.reason,
        )
    for foreseen in compared.foreseen:
        place = gettext("{claim} on {topology}")
        claims = (
            place.format(claim=claim, topology=where)
            for where, ids in foreseen.places.items()
            for claim in ids
        )
        yield gettext("{verdict}, as expected: {claims}. {why}").format(
            verdict=word(foreseen.verdict), claims=", ".join(claims), why=one_line(foreseen.why)
        )


def _of_checks(record: RunRecord) -> RunVerdict:
    verdict, counts = _worst_of(record), record.counts()
    if verdict is Verdict.VIOLATES:
        claims = {claim.id for claim in record.claims if claim.verdict is Verdict.VIOLATES}
        said = counted(len(claims), "claim") if claims else counted(counts[verdict], "check")
        says = gettext("{claims} violated").format(claims=said)
    elif verdict is Verdict.ERROR:
        says = gettext("Not everything was decided: something broke")
    elif not record.checks:
        says = gettext("Nothing was checked: this run shows nothing")
    elif verdict is Verdict.WAIVED:
        waived = {claim.id for claim in record.claims if claim.verdict is Verdict.WAIVED}
        says = gettext("Nothing else is violated: {claims} waived").format(
            claims=counted(len(waived), "violated claim")
        )
    elif not counts[Verdict.CONFORMS]:
        says = gettext("Nothing was decided: this run shows nothing")
    elif verdict is Verdict.INCONCLUSIVE:
        says = gettext("Nothing is violated, but not everything was decided")
    elif counts[Verdict.NOT_TESTABLE]:
        says = gettext("Everything that this host can show conforms")
    else:
        says = gettext("Everything that was checked conforms")
    return RunVerdict(verdict, verdict, says)


def _worst_of(record: RunRecord) -> Verdict:
    """Return the verdict that a run's exit code means."""
    code = record.exit_code()
    if code == EXIT_CONFORMS:
        is_waived = Verdict.WAIVED in record.counts()
        return Verdict.WAIVED if is_waived else Verdict.CONFORMS
    if code == EXIT_VIOLATES:
        return Verdict.VIOLATES
    seen = {check.verdict for check in record.checks}
    seen |= {topology.verdict for topology in record.topologies}
    return Verdict.ERROR if Verdict.ERROR in seen else Verdict.INCONCLUSIVE


def _of_faults(record: RunRecord) -> RunVerdict:
    code, outcomes = record.exit_code(), outcomes_of(record)
    if code == EXIT_CONFORMS:
        return RunVerdict(Verdict.CONFORMS, "caught", _sentence(PROVE_EXIT_MEANINGS[code]))
    if code == EXIT_VIOLATES:
        said = [f"{outcomes[each]} {word(each)}" for each in BAD_OUTCOMES if outcomes[each]]
        gravest = next(each for each in BAD_OUTCOMES if outcomes[each])
        says = gettext("Of {changes}: {outcomes}").format(
            changes=changes_counted(record), outcomes=", ".join(said)
        )
        return RunVerdict(Verdict.VIOLATES, gravest, says)
    says = _sentence(PROVE_EXIT_MEANINGS[EXIT_UNDECIDED])
    return RunVerdict(Verdict.INCONCLUSIVE, "not decided", says)


def _sentence(meaning: str) -> str:
    said = gettext(meaning)
    return said[:1].upper() + said[1:]


def open_questions(record: RunRecord) -> list[OpenQuestion]:
    """Return what was not decided or could not be tested, each reason once, gravest first."""
    found: dict[tuple[Verdict, str], OpenQuestion] = {}
    for check in record.checks:
        if check.verdict not in (*_GOOD, Verdict.VIOLATES):
            reason = one_line(check.reason or gettext("no reason was given"))
            question = found.setdefault(
                (check.verdict, reason), OpenQuestion(check.verdict, reason)
            )
            question.checks.append(check)
    return sorted(found.values(), key=lambda each: REPORTED_ORDER.index(each.verdict))


def facts(record: RunRecord) -> Iterator[tuple[str, list[str]]]:
    """Give what the verdict rests on, as label and lines."""
    tool, host = record.tool, record.host
    yield gettext("Host"), [_of_host(record)]
    machine = [_fact(key, host.facts[key]) for key in MACHINE_FACTS if host.facts.get(key)]
    if machine:
        yield gettext("Machine"), [SEPARATOR.join(machine)]
    if host.accel is not None:
        yield gettext("Guests run by"), [f"{host.accel.name}: {host.accel.reason}"]
    versions = host.facts.get("versions")
    if isinstance(versions, dict):
        yield gettext("Versions"), [_version(name, value) for name, value in versions.items()]
    commit = gettext(", commit {commit}").format(commit=tool.commit) if tool.commit else ""
    changed = gettext(" with changes") if tool.dirty else ""
    yield "Plumbline", [f"{tool.version}{commit}{changed}"]
    yield from standard_facts(record)
    yield gettext("Record"), [str(record.id)]


def settings(record: RunRecord, topology: str) -> Iterator[tuple[str, str]]:
    """Yield the host's facts about a topology: firewall backend, datapath, sysctls."""
    known = record.host.facts.get("topologies")
    found = known.get(topology) if isinstance(known, dict) else None
    for name, value in found.items() if isinstance(found, dict) else ():
        if isinstance(value, dict):
            yield from ((inner, str(each)) for inner, each in value.items())
        else:
            yield name, gettext("none") if value is None else str(value)


def took(record: RunRecord) -> str:
    """Return how long a run took; "" while it is not finished."""
    if record.finished is None:
        return ""
    return duration((record.finished - record.started).total_seconds())


def _of_host(record: RunRecord) -> str:
    host = record.host
    if not host.kind:
        return gettext("none was up")
    release = host.release or gettext("release unknown")
    return f"{host.kind}, {release}"


def _version(name: str, value: JsonValue) -> str:
    said = one_line(str(value)) if value is not None else gettext("not there")
    return said if name.lower() in said.lower() else f"{name} {said}"


def _fact(key: str, value: JsonValue) -> str:
    if key == "cpu" and isinstance(value, dict):
        return f"{value.get('count')} × {value.get('model')}"
    if key == "memory_mib":
        return gettext("{number} MiB of memory").format(number=value)
    return f"Linux {one_line(str(value))}"
