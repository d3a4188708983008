# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdict of a whole run, and what it rests on."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from reports.proof import is_named
from reports.record import Check, FaultResult, Outcome, RunRecord
from reports.verdict import (
    EXIT_CONFORMS,
    EXIT_VIOLATES,
    NOT_DECIDED,
    Verdict,
)
from reports.wording import counted, duration, one_line

# What held, then what did not, the gravest first; everything that counts checks keeps this order.
IN_ORDER = (
    Verdict.CONFORMS,
    Verdict.VIOLATES,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_TESTABLE,
)
OUTCOMES: dict[Outcome, Verdict] = {
    "caught": Verdict.CONFORMS,
    "got through": Verdict.VIOLATES,
    "false alarm": Verdict.VIOLATES,
    "not decided": Verdict.INCONCLUSIVE,
    "not testable": Verdict.NOT_TESTABLE,
}
"""Each outcome of a fault, and the verdict that looks like it."""


@dataclass(frozen=True)
class Whole:
    """What is said of a run before anything else.

    Attributes:
        verdict: never `conforms` for a run that is not finished, or in which nothing conforms.
        says: one sentence.
        warnings: what the reader must know beside it.
    """

    verdict: Verdict
    says: str
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class OpenQuestion:
    """One reason why checks did not come to `conforms` or `violates`.

    Attributes:
        verdict: theirs.
        reason: what the host lacks with the probe, or what could not be decided.
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


def whole(record: RunRecord) -> Whole:
    """Return the verdict of a run; see `Whole.verdict` for what is never green."""
    verdict, says = _of_faults(record) if record.faults else _of_checks(record)
    warnings = []
    undecided = sum(check.reason == NOT_DECIDED for check in record.checks)
    if record.finished is None:
        warnings.append(
            "This run did not finish, or goes on: "
            f"{counted(undecided, 'check')} of {len(record.checks)} never began or never ended."
        )
        if verdict is Verdict.CONFORMS:
            verdict, says = Verdict.INCONCLUSIVE, "Not finished: what was decided conforms so far"
    elif undecided:
        warnings.append(f"The run ended before {counted(undecided, 'check')} could be made.")
    if record.tool.dirty:
        warnings.append("Plumbline's own files differed from the commit named below.")
    return Whole(verdict, says, warnings)


def _of_checks(record: RunRecord) -> tuple[Verdict, str]:
    counts, code = record.counts(), record.exit_code()
    if code == EXIT_CONFORMS:
        if counts[Verdict.NOT_TESTABLE]:
            return Verdict.CONFORMS, "Everything that this host can show conforms"
        return Verdict.CONFORMS, "Everything that was checked conforms"
    if code == EXIT_VIOLATES:
        claims = {claim.id for claim in record.claims if claim.verdict is Verdict.VIOLATES}
        if claims:
            return Verdict.VIOLATES, f"{counted(len(claims), 'claim')} violated"
        return Verdict.VIOLATES, f"{counted(counts[Verdict.VIOLATES], 'check')} violated"
    if not record.checks:
        return Verdict.INCONCLUSIVE, "Nothing was checked: this run shows nothing"
    if counts[Verdict.ERROR] or any(each.verdict is Verdict.ERROR for each in record.topologies):
        return Verdict.ERROR, "Not everything was decided: something broke"
    if not counts[Verdict.CONFORMS]:
        return Verdict.INCONCLUSIVE, "Nothing was decided: this run shows nothing"
    return Verdict.INCONCLUSIVE, "Nothing is violated, but not everything was decided"


def _of_faults(record: RunRecord) -> tuple[Verdict, str]:
    code, outcomes = record.exit_code(), outcomes_of(record)
    if code == EXIT_CONFORMS:
        return Verdict.CONFORMS, "Every fault that this host can show was caught, and nothing else"
    if code == EXIT_VIOLATES:
        said = [
            f"{outcomes[each]} {each}" for each in ("got through", "false alarm") if outcomes[each]
        ]
        return Verdict.VIOLATES, f"Of {counted(len(record.faults), 'fault')}: {', '.join(said)}"
    return Verdict.INCONCLUSIVE, "Not every fault was decided"


def outcomes_of(record: RunRecord) -> Counter[Outcome]:
    """Return how many faults have each outcome."""
    return Counter(fault.outcome for fault in record.faults)


def open_questions(record: RunRecord) -> list[OpenQuestion]:
    """Return what was not decided or could not be tested, each reason once, gravest first."""
    found: dict[tuple[Verdict, str], OpenQuestion] = {}
    for check in record.checks:
        if check.verdict not in (Verdict.CONFORMS, Verdict.VIOLATES):
            reason = one_line(check.reason or "no reason was given")
            question = found.setdefault(
                (check.verdict, reason), OpenQuestion(check.verdict, reason)
            )
            question.checks.append(check)
    return sorted(found.values(), key=lambda each: IN_ORDER.index(each.verdict))


def why_untestable(record: RunRecord, fault: FaultResult) -> list[str]:
    """Return what the host lacks to show a fault, with the probes."""
    return sorted(
        {
            check.reason or "no reason was given"
            for check in record.checks
            if check.topology == fault.topology
            and check.verdict is Verdict.NOT_TESTABLE
            and any(is_named(entry, check) for entry in fault.missed)
        }
    )


def facts(record: RunRecord) -> Iterator[tuple[str, list[str]]]:
    """Give what the verdict rests on, as label and lines."""
    tool, host = record.tool, record.host
    yield "Host", [_of_host(record)]
    for label, key in (("Kernel", "kernel"), ("Processor", "cpu"), ("Memory", "memory_mib")):
        if (value := host.facts.get(key)) is not None:
            yield label, [_fact(key, value)]
    if host.accel is not None:
        yield "Guests run by", [f"{host.accel.name}: {host.accel.reason}"]
    versions = host.facts.get("versions")
    if isinstance(versions, dict):
        yield "Versions", [_version(name, value) for name, value in versions.items()]
    commit = f", commit {tool.commit}" if tool.commit else ""
    changed = " with changes" if tool.dirty else ""
    yield "Plumbline", [f"{tool.version}{commit}{changed}"]
    yield "Record", [str(record.id)]


def took(record: RunRecord) -> str:
    """Return how long a run took; "" while it is not finished."""
    if record.finished is None:
        return ""
    return duration((record.finished - record.started).total_seconds())


def _of_host(record: RunRecord) -> str:
    host = record.host
    if host.kind is None:
        return "none was up"
    return f"{host.kind}, {host.release or 'release unknown'}"


def _version(name: str, value: JsonValue) -> str:
    said = one_line(str(value)) if value is not None else "not there"
    return said if name.lower() in said.lower() else f"{name} {said}"


def _fact(key: str, value: JsonValue) -> str:
    if key == "cpu" and isinstance(value, dict):
        return f"{value.get('count')} × {value.get('model')}"
    if key == "memory_mib":
        return f"{value} MiB"
    return one_line(str(value))
