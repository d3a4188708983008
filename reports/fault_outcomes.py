# SPDX-License-Identifier: GPL-2.0-or-later
"""The outcome of each deliberate change: checks that noticed, missed, or failed beside it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from contracts.verdicts import NOT_DECIDED, Verdict, worst
from reports.record import Check, FaultOutcome, FaultResult, RunRecord, TopologyRecord
from reports.wording import counted

NOT_RUN = "not run"
OUTCOME_VERDICTS: dict[FaultOutcome, Verdict] = {
    "caught": Verdict.CONFORMS,
    "unnoticed": Verdict.CONFORMS,
    "got through": Verdict.VIOLATES,
    "false alarm": Verdict.VIOLATES,
    "not decided": Verdict.INCONCLUSIVE,
    "not testable": Verdict.NOT_TESTABLE,
}
"""Each outcome of a fault, and the verdict that looks like it."""
GOOD_OUTCOMES: tuple[FaultOutcome, ...] = ("caught", "unnoticed")
BAD_OUTCOMES: tuple[FaultOutcome, ...] = ("got through", "false alarm")


def outcomes_of(record: RunRecord) -> dict[FaultOutcome, int]:
    """Return how many faults have each outcome, also where that is none."""
    found = Counter(fault.outcome for fault in record.faults)
    return {outcome: found[outcome] for outcome in OUTCOME_VERDICTS}


def changes_counted(record: RunRecord) -> str:
    """Return how many faults and harmless changes there are: `12 faults, 3 harmless changes`."""
    harmless = sum(fault.is_harmless for fault in record.faults)
    faults = len(record.faults) - harmless
    said = ((faults, counted(faults, "fault")), (harmless, counted(harmless, "harmless change")))
    return ", ".join(each for number, each in said if number)


def results(
    faults: Iterable[FaultResult], checks: Sequence[Check], topologies: Iterable[TopologyRecord]
) -> list[FaultResult]:
    """Return the faults with what the checks of a run made of them."""
    of: dict[str, list[Check]] = {}
    for check in checks:
        of.setdefault(check.topology, []).append(check)
    ended = {topology.name: topology for topology in topologies if topology.reason is not None}
    return [
        _result(
            fault,
            of.get(fault.topology, []),
            was_built=_was_built_with(fault, ended.get(fault.topology)),
        )
        for fault in faults
    ]


def _was_built_with(fault: FaultResult, ended: TopologyRecord | None) -> bool:
    """Whether a fault's topology was up, or kept from it by the fault, of which it then shows all.

    Args:
        fault: the fault.
        ended: its topology, if it could not be built or ended early.
    """
    came_first = fault.before is not None or fault.before_build is not None
    return ended is None or (came_first and ended.refused)


def is_named(entry: str, check: Check) -> bool:
    """Whether an entry of `caught_by` or `also` means this check."""
    return check.id.startswith(entry) if "." in entry else entry in check.claims


def _is_among(entries: Iterable[str], check: Check) -> bool:
    return any(is_named(entry, check) for entry in entries)


def lacking_for(fault: FaultResult, checks: Iterable[Check]) -> list[str]:
    """Return what the host lacks to show a change, by the checks that decide it.

    Those are the checks that must notice a fault, and all that are made beside a harmless change.
    """
    return sorted(
        {
            check.reason or "no reason given"
            for check in checks
            if check.verdict is Verdict.NOT_TESTABLE
            and (fault.is_harmless or _is_among(fault.missed, check))
        }
    )


def _result(fault: FaultResult, checks: Sequence[Check], *, was_built: bool) -> FaultResult:
    if fault.is_harmless:
        return _of_harmless(fault, checks, was_built=was_built)
    seen = {
        entry: [check.verdict for check in checks if is_named(entry, check)]
        for entry in fault.caught_by
    }
    missed = {
        entry: str(worst(verdicts)) if verdicts else NOT_RUN
        for entry, verdicts in seen.items()
        if Verdict.VIOLATES not in verdicts
    }
    named = [*fault.caught_by, *fault.also]
    rest = [check for check in checks if not any(is_named(entry, check) for entry in named)]
    unexplained = {
        check.id: check.reason or "no reason given"
        for check in rest
        if check.verdict is Verdict.VIOLATES
    }
    open_ones = any(check.reason == NOT_DECIDED for check in checks)
    broke = any(check.verdict is Verdict.ERROR for check in rest)
    is_whole = was_built and not open_ones and not broke
    outcome = _outcome(fault, missed, unexplained, is_whole=is_whole)
    return fault.model_copy(
        update={"outcome": outcome, "missed": missed, "unexplained": unexplained}
    )


def _of_harmless(fault: FaultResult, checks: Sequence[Check], *, was_built: bool) -> FaultResult:
    """Return a harmless change's outcome: a check that it hinders is as wrong as a red one."""
    open_ones = [check for check in checks if check.reason == NOT_DECIDED]
    turned = {
        check.id: f"{check.verdict}: {check.reason or 'no reason given'}"
        for check in checks
        if check not in open_ones
        and check.verdict not in (Verdict.CONFORMS, Verdict.NOT_TESTABLE)
        and not (check.verdict is Verdict.VIOLATES and _is_among(fault.also, check))
    }
    outcome: FaultOutcome
    if not was_built or (open_ones and not turned):
        outcome = "not decided"
    elif turned:
        outcome = "false alarm"
    elif any(check.verdict is Verdict.CONFORMS for check in checks):
        outcome = "unnoticed"
    else:
        outcome = "not testable" if checks else "not decided"
    return fault.model_copy(update={"outcome": outcome, "unexplained": turned if was_built else {}})


def _outcome(
    fault: FaultResult,
    missed: Mapping[str, str],
    unexplained: Mapping[str, str],
    *,
    is_whole: bool,
) -> FaultOutcome:
    if not is_whole:
        return "not decided"
    untestable = {entry for entry, verdict in missed.items() if verdict == Verdict.NOT_TESTABLE}
    if set(missed) - untestable:
        return "got through"
    if unexplained:
        return "false alarm"
    return "not testable" if len(untestable) == len(fault.caught_by) else "caught"
