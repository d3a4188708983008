# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdicts of a run beside those that were expected of its host."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from contracts.exit_code_decision import exit_code_of_comparison
from contracts.language import gettext
from contracts.plan import HOST
from contracts.verdicts import BY_GRAVITY, Verdict, worst
from reports.record import Check, RunRecord
from reports.record_types import ExpectedException, ExpectedVerdicts
from reports.wording import counted, one_line

Place = tuple[str, str]
"""Topology, and id of a claim on it; of a check that decides no claim, its own."""


@dataclass(frozen=True)
class VerdictDifference:
    """A verdict that is not the expected one.

    Attributes:
        topology: where.
        claim: the claim, or the check without one.
        expected: the verdict of the file.
        seen: the verdict of the run.
        why: why another verdict than `conforms` was expected; None: it was not.
        reason: that of the verdict.
    """

    topology: str
    claim: str
    expected: Verdict
    seen: Verdict
    why: str | None
    reason: str


@dataclass(frozen=True)
class ForeseenException:
    """Claims that do not conform, as expected.

    Attributes:
        verdict: theirs.
        why: why that is right.
        places: the claims by topology, or checks without one.
    """

    verdict: Verdict
    why: str
    places: dict[str, list[str]]


@dataclass(frozen=True)
class VerdictComparison:
    """What became of the expected verdicts; each is that of a claim on a topology.

    Attributes:
        file: the name of the file that has them.
        as_expected: the places whose verdict is the expected one.
        foreseen: those of them that do not conform, each reason once.
        differences: the verdicts that are not the expected ones, the gravest first.
        without: the claims that have no expectation, or checks without one, by topology.
    """

    file: str
    as_expected: list[Place] = field(default_factory=list)
    foreseen: list[ForeseenException] = field(default_factory=list)
    differences: list[VerdictDifference] = field(default_factory=list)
    without: dict[str, list[str]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The comparison in a sentence."""
        met, missed = len(self.as_expected), len({(d.topology, d.claim) for d in self.differences})
        other = sum(len(claims) for each in self.foreseen for claims in each.places.values())
        said = gettext("{met} of {verdicts} as expected by {file}").format(
            met=met, verdicts=counted(met + missed, "verdict"), file=self.file
        )
        if other:
            said += gettext(", {number} of them other than conforms").format(number=other)
        if unseen := sum(map(len, self.without.values())):
            said += gettext("; no expectation for {number} more").format(number=unseen)
        return said


def comparison(record: RunRecord) -> VerdictComparison | None:
    """Compare a run's verdicts with the expected ones; None: none were."""
    if record.expected is None or record.faults:
        return None
    found = VerdictComparison(record.expected.file)
    foreseen: dict[tuple[Verdict, str], dict[str, list[str]]] = {}
    for (topology, claim), checks in _by_place(record.checks).items():
        if not _is_seen(record.expected, topology, claim):
            found.without.setdefault(topology, []).append(claim)
            continue
        differs = False
        for exception, part in _parts(record.expected, topology, claim, checks):
            expected = Verdict.CONFORMS if exception is None else exception.verdict
            if worst(check.verdict for check in part) is not expected:
                differs = True
                found.differences.append(_difference(topology, claim, exception, part))
            elif exception is not None:
                places = foreseen.setdefault((exception.verdict, exception.why), {})
                places.setdefault(topology, []).append(claim)
        if not differs:
            found.as_expected.append((topology, claim))
    found.differences.sort(key=lambda each: BY_GRAVITY.index(each.seen))
    found.foreseen.extend(
        ForeseenException(verdict, why, places) for (verdict, why), places in foreseen.items()
    )
    return found


def exit_code(record: RunRecord, missing: Sequence[str] = ()) -> int:
    """Return the exit code of a run: by its verdicts, or beside the expected ones.

    Args:
        record: the run.
        missing: the expected capabilities that the host lacks.
    """
    found = comparison(record)
    if found is None:
        return record.exit_code(missing)
    return exit_code_of_comparison(
        [each.seen for each in found.differences],
        list(_others(record, found)),
        # That the host is as it was says nothing of a network.
        compared=sum(topology != HOST for topology, _ in found.as_expected),
        missing=missing,
    )


def _others(record: RunRecord, found: VerdictComparison) -> Iterator[Verdict]:
    """Yield the verdicts that have no expectation."""
    for check in record.checks:
        without = set(_names(check)) & set(found.without.get(check.topology, ()))
        if without and (check.topology, check.verdict) != (HOST, Verdict.CONFORMS):
            yield check.verdict
    for topology in record.topologies:
        # Of its building and its end: what its checks have is counted already.
        if topology.verdict not in {
            c.verdict for c in record.checks if c.topology == topology.name
        }:
            yield topology.verdict


def _names(check: Check) -> list[str]:
    """Return the claims of a check, else its own id without the topology."""
    return check.claims or [check.label]


def _is_seen(expected: ExpectedVerdicts, topology: str, name: str) -> bool:
    seen = expected.seen.get(topology, ())
    # The beginning of a check's id has a dot, a claim's id has none.
    if "." not in name:
        return name in seen
    is_unseen = name.startswith(tuple(expected.unseen.get(topology, ())))
    return not is_unseen and name.startswith(tuple(each for each in seen if "." in each))


def _by_place(checks: Iterable[Check]) -> dict[Place, list[Check]]:
    found: dict[Place, list[Check]] = {}
    for check in checks:
        for claim in _names(check):
            found.setdefault((check.topology, claim), []).append(check)
    return found


def _parts(
    expected: ExpectedVerdicts, topology: str, claim: str, checks: Sequence[Check]
) -> Iterator[tuple[ExpectedException | None, list[Check]]]:
    """Divide the checks of a claim by the exception that they are expected to be; None: none."""
    rest, whole = list(checks), None
    for exception in expected.exceptions:
        is_check = "." in claim and not exception.claims
        if topology not in exception.topologies or not (claim in exception.claims or is_check):
            continue
        if not exception.checks:
            whole = exception
            continue
        meant = [check for check in rest if check.label.startswith(tuple(exception.checks))]
        if meant:
            rest = [check for check in rest if check not in meant]
            yield exception, meant
    if rest:
        yield whole, rest


def _difference(
    topology: str, claim: str, exception: ExpectedException | None, part: Sequence[Check]
) -> VerdictDifference:
    seen = worst(check.verdict for check in part)
    reasons = [check.reason for check in part if check.verdict is seen and check.reason]
    return VerdictDifference(
        topology=topology,
        claim=claim,
        expected=Verdict.CONFORMS if exception is None else exception.verdict,
        seen=seen,
        why=None if exception is None else exception.why,
        reason=one_line(reasons[0]) if reasons else gettext("no reason given"),
    )
