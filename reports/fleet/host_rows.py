# SPDX-License-Identifier: GPL-2.0-or-later
"""Each host of a folder as a row: from its record, its status, or the lack of both."""

from collections.abc import Iterator
from pathlib import Path

from contracts.language import gettext
from contracts.run_files import RECORD
from contracts.verdicts import NOT_DECIDED, Verdict, over_topologies
from reports.fleet.fleet import NO_CLAIM, ClaimOnHost, FleetHost
from reports.fleet.host_facts import facts_of, versions_of
from reports.fleet.host_status import STATE_MEANINGS, STATUS, HostState, HostStatus, load_status
from reports.html.claim_entries import anchors
from reports.record import Check, OtherSchema, RecordError, RunRecord, Statement, load
from reports.report_error import ReportError
from reports.run_verdict import run_verdict
from reports.waivers import judged, today
from reports.wording import counted, one_line

REASON_MAX = 300


def host_folders(folder: Path) -> list[Path]:
    """Return the folders of the hosts, by name.

    Raises:
        ReportError: there is no such folder, or no host in it.
    """
    hint = f"expected a folder with one a host, each with its {RECORD} or its {STATUS}"
    if not folder.is_dir():
        raise ReportError(f"{folder}: there is no such folder", hint)
    found = sorted(
        each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")
    )
    if not any((each / name).exists() for each in found for name in (RECORD, STATUS)):
        raise ReportError(f"{folder}: no folder in it is that of a host", hint)
    return found


def host_row(folder: Path) -> tuple[FleetHost, dict[str, Statement]]:
    """Return a host, and the statements of the claims in its record."""
    try:
        status = load_status(folder)
    except ReportError as error:
        return _without_record(folder, HostState.UNREADABLE, error.message, None), {}
    try:
        record = load(folder / RECORD) if (folder / RECORD).exists() else None
    except RecordError as error:
        other = isinstance(error, OtherSchema)
        state = HostState.OTHER_VERSION if other else HostState.UNREADABLE
        return _without_record(folder, state, error.message, status), {}
    if record is None:
        state = HostState(status.state) if status else HostState.NO_RECORD
        reason = status.reason if status else None
        if state is HostState.RAN:
            state, reason = (
                HostState.NO_RECORD,
                gettext("it ran, and its {file} is not there").format(file=RECORD),
            )
        return _without_record(folder, state, reason, status), {}
    if record.faults:
        reason = gettext("a record of `prove`: topologies were broken on purpose")
        return _without_record(folder, HostState.UNREADABLE, reason, status), {}
    return _with_record(folder, judged(record, today()), status), record.statements


def _without_record(
    folder: Path, state: HostState, reason: str | None, status: HostStatus | None
) -> FleetHost:
    return FleetHost(
        name=folder.name,
        state=state,
        says=one_line(reason or gettext(STATE_MEANINGS[state]), REASON_MAX),
        verdict=None,
        folder=folder.name,
        exit_code=status.exit_code if status else None,
        groups=status.groups if status else [],
    )


def _with_record(folder: Path, record: RunRecord, status: HostStatus | None) -> FleetHost:
    groups = status.groups if status else []
    facts = facts_of(record, groups)
    if status is not None and _is_later(record, status):
        status = None
    state, says = _ending(record, status)
    return FleetHost(
        name=folder.name,
        state=state,
        says=one_line(says, REASON_MAX),
        verdict=run_verdict(record).verdict,
        folder=folder.name,
        exit_code=status.exit_code if status else None,
        started=record.started,
        finished=record.finished,
        groups=groups,
        versions=versions_of(facts),
        claims=dict(_claims(record)),
        facts=facts,
    )


def _is_later(record: RunRecord, status: HostStatus) -> bool:
    """Whether a host came back after its status was written, and its record has a finished run.

    Of a run with an exit code the playbook has seen the end: its record is no later one.
    """
    if status.state == "ran" or record.finished is None:
        return False
    moment = record.finished if status.exit_code is None else record.started
    return moment > status.at


def _ending(record: RunRecord, status: HostStatus | None) -> tuple[HostState, str]:
    """Return how the run ended; the status knows of what a record cannot."""
    said = run_verdict(record).says
    if status is not None and (state := HostState(status.state)) is not HostState.RAN:
        return state, _so_far(status.reason or gettext(STATE_MEANINGS[state]), said)
    if record.finished is None:
        return HostState.DIED, _so_far(gettext(STATE_MEANINGS[HostState.DIED]), said)
    return HostState.RAN, said


def _so_far(reason: str, said: str) -> str:
    return gettext("{reason}; so far: {verdict}").format(reason=reason, verdict=said)


def _claims(record: RunRecord) -> Iterator[tuple[str, ClaimOnHost]]:
    """Yield each claim with its verdict over the topologies, and its gravest check."""
    places = anchors(record)
    of: dict[str, list[Check]] = {}
    for check in record.checks:
        # What never began is no verdict of the host.
        if check.reason == NOT_DECIDED:
            continue
        for claim in check.claims or [NO_CLAIM]:
            of.setdefault(claim, []).append(check)
    for claim, checks in of.items():
        verdict = over_topologies(check.verdict for check in checks)
        if verdict is Verdict.CONFORMS:
            yield claim, ClaimOnHost(verdict=verdict)
            continue
        # Of several checks with this verdict the first; the page has all.
        worst = next(check for check in checks if check.verdict is verdict)
        same = sum(check.verdict is verdict for check in checks)
        seen = worst.reason or gettext("no reason given")
        reason = one_line(f"{worst.topology}: {seen}", REASON_MAX)
        if same > 1:
            more = gettext("{reason} (and {checks} more)")
            reason = more.format(reason=reason, checks=counted(same - 1, "check"))
        anchor = places[worst.topology, worst.id]
        yield claim, ClaimOnHost(verdict=verdict, reason=reason, anchor=anchor)
