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
from contracts.verdicts import NOT_DECIDED, REPORTED_ORDER, Verdict
from reports.fault_outcomes import BAD_OUTCOMES, changes_counted, outcomes_of
from reports.record import Check, RunRecord
from reports.standard import standard_facts
from reports.verdict_comparison import comparison, exit_code
from reports.waivers import exit_code_twins, run_out
from reports.wording import SEPARATOR, counted, duration, one_line

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
            "This run did not finish, or goes on: "
            f"{counted(undecided, 'check')} of {len(record.checks)} never began or never ended."
        )
        if found.verdict in _GOOD:
            says = "Not finished: all decided checks conform so far"
            found = RunVerdict(Verdict.INCONCLUSIVE, "not finished", says, found.warnings)
    elif undecided:
        found.warnings.append(f"The run ended before {counted(undecided, 'check')} could be made.")
    if (how := ending(record)) is not None:
        found.warnings.append(how)
        if found.verdict in _GOOD:
            says = "What was decided conforms, and that is not all"
            found = RunVerdict(Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, says, found.warnings)
    found.warnings.extend(_beside_the_expected(record))
    found.warnings.extend(run_out(record))
    if record.tool.dirty:
        found.warnings.append("Plumbline's own files differed from the commit named below.")
    return found


def ending(record: RunRecord) -> str | None:
    """Return what was not well with a run beyond its checks; None: nothing, or it is not known."""
    if record.lacking:
        return f"Expected of this host, which lacks it: {', '.join(record.lacking)}."
    # The waivers that were in force then are perhaps others than today's.
    possible = {exit_code(each) for each in (record, *exit_code_twins(record))}
    if record.ended_with is None or record.ended_with in possible:
        return None
    meaning = EXIT_MEANINGS.get(record.ended_with or 0, "no code of a run")
    return f"The run ended with {record.ended_with}: {meaning}."


def exit_meaning(record: RunRecord, code: int) -> str:
    """Return the meaning of a run's exit code."""
    if record.expected is not None and code in EXPECTED_EXIT_MEANINGS:
        return EXPECTED_EXIT_MEANINGS[code]
    if code == EXIT_CONFORMS and Verdict.WAIVED in record.counts():
        return WAIVED_MEANING
    return EXIT_MEANINGS.get(code, "ended early")


def _beside_the_expected(record: RunRecord) -> Iterator[str]:
    """Yield the comparison with the expected verdicts: its sum, and each difference."""
    compared = comparison(record)
    if compared is None:
        return
    yield f"{compared.summary}."
    for each in compared.differences:
        yield (
            f"{each.claim} on {each.topology}: expected {each.expected}, found {each.seen}: "
            f"{each.reason}"
        )
    for foreseen in compared.foreseen:
        claims = (f"{claim} on {where}" for where, ids in foreseen.places.items() for claim in ids)
        yield f"{foreseen.verdict}, as expected: {', '.join(claims)}. {one_line(foreseen.why)}"


def _of_checks(record: RunRecord) -> RunVerdict:
    verdict, counts = _worst_of(record), record.counts()
    if verdict is Verdict.VIOLATES:
        claims = {claim.id for claim in record.claims if claim.verdict is Verdict.VIOLATES}
        said = counted(len(claims), "claim") if claims else counted(counts[verdict], "check")
        says = f"{said} violated"
    elif verdict is Verdict.ERROR:
        says = "Not everything was decided: something broke"
    elif not record.checks:
        says = "Nothing was checked: this run shows nothing"
    elif verdict is Verdict.WAIVED:
        waived = {claim.id for claim in record.claims if claim.verdict is Verdict.WAIVED}
        says = f"Nothing else is violated: {counted(len(waived), 'violated claim')} waived"
    elif not counts[Verdict.CONFORMS]:
        says = "Nothing was decided: this run shows nothing"
    elif verdict is Verdict.INCONCLUSIVE:
        says = "Nothing is violated, but not everything was decided"
    elif counts[Verdict.NOT_TESTABLE]:
        says = "Everything that this host can show conforms"
    else:
        says = "Everything that was checked conforms"
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
        said = [f"{outcomes[each]} {each}" for each in BAD_OUTCOMES if outcomes[each]]
        word = next(each for each in BAD_OUTCOMES if outcomes[each])
        says = f"Of {changes_counted(record)}: {', '.join(said)}"
        return RunVerdict(Verdict.VIOLATES, word, says)
    says = _sentence(PROVE_EXIT_MEANINGS[EXIT_UNDECIDED])
    return RunVerdict(Verdict.INCONCLUSIVE, "not decided", says)


def _sentence(meaning: str) -> str:
    return meaning[:1].upper() + meaning[1:]


def open_questions(record: RunRecord) -> list[OpenQuestion]:
    """Return what was not decided or could not be tested, each reason once, gravest first."""
    found: dict[tuple[Verdict, str], OpenQuestion] = {}
    for check in record.checks:
        if check.verdict not in (*_GOOD, Verdict.VIOLATES):
            reason = one_line(check.reason or "no reason was given")
            question = found.setdefault(
                (check.verdict, reason), OpenQuestion(check.verdict, reason)
            )
            question.checks.append(check)
    return sorted(found.values(), key=lambda each: REPORTED_ORDER.index(each.verdict))


def facts(record: RunRecord) -> Iterator[tuple[str, list[str]]]:
    """Give what the verdict rests on, as label and lines."""
    tool, host = record.tool, record.host
    yield "Host", [_of_host(record)]
    machine = [_fact(key, host.facts[key]) for key in MACHINE_FACTS if host.facts.get(key)]
    if machine:
        yield "Machine", [SEPARATOR.join(machine)]
    if host.accel is not None:
        yield "Guests run by", [f"{host.accel.name}: {host.accel.reason}"]
    versions = host.facts.get("versions")
    if isinstance(versions, dict):
        yield "Versions", [_version(name, value) for name, value in versions.items()]
    commit = f", commit {tool.commit}" if tool.commit else ""
    changed = " with changes" if tool.dirty else ""
    yield "Plumbline", [f"{tool.version}{commit}{changed}"]
    decided = {claim for check in record.checks for claim in check.claims}
    yield from standard_facts(record.standard, decided)
    yield "Record", [str(record.id)]


def settings(record: RunRecord, topology: str) -> Iterator[tuple[str, str]]:
    """Yield the host's facts about a topology: firewall backend, datapath, sysctls."""
    known = record.host.facts.get("topologies")
    found = known.get(topology) if isinstance(known, dict) else None
    for name, value in found.items() if isinstance(found, dict) else ():
        if isinstance(value, dict):
            yield from ((inner, str(each)) for inner, each in value.items())
        else:
            yield name, "none" if value is None else str(value)


def took(record: RunRecord) -> str:
    """Return how long a run took; "" while it is not finished."""
    if record.finished is None:
        return ""
    return duration((record.finished - record.started).total_seconds())


def _of_host(record: RunRecord) -> str:
    host = record.host
    if not host.kind:
        return "none was up"
    return f"{host.kind}, {host.release or 'release unknown'}"


def _version(name: str, value: JsonValue) -> str:
    said = one_line(str(value)) if value is not None else "not there"
    return said if name.lower() in said.lower() else f"{name} {said}"


def _fact(key: str, value: JsonValue) -> str:
    if key == "cpu" and isinstance(value, dict):
        return f"{value.get('count')} × {value.get('model')}"
    if key == "memory_mib":
        return f"{value} MiB of memory"
    return f"Linux {one_line(str(value))}"
