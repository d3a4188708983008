# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal of `./plumbline prove`: a line for each fault, and what got through at the end."""

from collections import Counter
from pathlib import Path

import pytest
from rich.text import Text

from contracts.exit_codes import EXIT_USAGE, PROVE_EXIT_MEANINGS
from contracts.language import gettext, gettext_noop, word
from contracts.run_files import RECORD
from contracts.verdicts import Verdict
from reports.fault_outcomes import (
    BAD_OUTCOMES,
    GOOD_OUTCOMES,
    OUTCOME_VERDICTS,
    changes_counted,
    lacking_for,
)
from reports.record import Check, FaultResult, RunRecord, TopologyRecord
from reports.terminal.progress_lines import check_line
from reports.terminal.run_terminal import Terminal, from_here, heading
from reports.wording import SEPARATOR, counted, duration, one_line, padded
from reports.wording import STYLES as VERDICT_STYLES

STYLES = {outcome: VERDICT_STYLES[verdict] for outcome, verdict in OUTCOME_VERDICTS.items()}
_OUTCOME = max(len(outcome) for outcome in STYLES)


class ProofTerminal(Terminal):
    """Prints what came of each fault as soon as its topology's checks are made."""

    def pytest_plumbline_planned(self, record: RunRecord, output: Path) -> None:
        """Say what is going to be changed."""
        self._running.progress = (0, len(record.checks))
        self._done = 0
        self._broken: set[str] = set()
        self._unlike: set[str] = set()
        self._name = max((len(fault.topology) for fault in record.faults), default=1)
        self._planned = len(record.faults)
        shown = heading(record, output, self._config)
        shown = [entry for entry in shown if entry[0] != gettext("topologies")]
        shown.insert(2, (gettext("changes"), changes_counted(record)))
        for label, value in shown:
            self._screen.print(
                Text(padded(label, 12), style="dim").append(value, "default not dim")
            )
        self._screen.print()

    def pytest_plumbline_begins(self, nodeid: str, topology: str, check_id: str) -> None:
        """Only the status line has it."""
        self._running.begins(nodeid, topology, check_id)

    def pytest_plumbline_topology(self, topology: TopologyRecord) -> None:
        """Say why a topology could not be built, or not be broken."""
        self._running.is_up(topology.name)
        if topology.reason is not None and topology.name not in self._broken:
            self._broken.add(topology.name)
            self._screen.print(Text(f"{topology.name}: {topology.reason}", style="magenta"))
        if topology.undone is False and topology.name not in self._unlike:
            self._unlike.add(topology.name)
            said = gettext(
                "undone, but not as it was built: taken down (its evidence has the difference)"
            )
            self._screen.print(Text(f"{topology.name}: {said}", style="dim"))

    def pytest_plumbline_fault(self, fault: FaultResult) -> None:
        """Print the line of a fault or harmless change and, unless it is good, why."""
        self._done += 1
        width = len(str(self._planned))
        line = Text(f"[{self._done:>{width}}/{self._planned}] ", style="dim")
        outcome = padded(word(fault.outcome), _OUTCOME)
        line.append(f"{outcome}  ", style=f"{STYLES[fault.outcome]} not dim")
        line.append(f"{fault.topology:<{self._name}}  ", style="default not dim")
        caught = [entry for entry in fault.caught_by if entry not in fault.missed]
        line.append(" ".join(caught), style="default not dim")
        self._screen.print(line)
        for text in _shortcomings(fault):
            self._say(text, STYLES[fault.outcome])

    def pytest_plumbline_check(
        self, check: Check, report: pytest.TestReport, progress: tuple[int, int]
    ) -> None:
        """Count it; print it with -v, or if the harness broke in it alone."""
        self._running.progress = progress
        broke = check.verdict is Verdict.ERROR and check.topology not in self._broken
        if self._verbosity > 0 or broke:
            self._screen.print(check_line(check, progress, self._columns))
            self._say(check.reason or "", "dim")
            if report.failed:
                self._traceback(report)

    def pytest_plumbline_finished(self, record: RunRecord, output: Path, exit_code: int) -> None:
        """Print what was not caught, and the closing line."""
        self._screen.end_status()
        if exit_code == EXIT_USAGE:
            return
        outcomes = Counter(fault.outcome for fault in record.faults)
        self._screen.print()
        for fault in record.faults:
            if fault.outcome in BAD_OUTCOMES:
                self._screen.print(Text(f"✗ {fault.topology}", STYLES[fault.outcome]))
                self._screen.print(f"  {gettext(fault.title)}")
                for text in _shortcomings(fault):
                    self._screen.print(f"  {one_line(text)}")
        if outcomes["not testable"]:
            self._screen.print(gettext("Could not be tested"))
            for reason, ids in _untestable(record).items():
                self._screen.print(Text(f"– {one_line(reason)}", STYLES["not testable"]))
                self._screen.print(f"  {', '.join(ids)}")
            self._screen.print()
        took = ((record.finished or record.started) - record.started).total_seconds()
        good = _good(record)
        others = [f"{word(name)} {n}" for name, n in outcomes.items() if name not in GOOD_OUTCOMES]
        undone = Counter(topology.undone for topology in record.topologies)
        if undone[True]:
            said = gettext("undone and found as it was built {number}")
            others.append(said.format(number=undone[True]))
        where = str(from_here(output) / RECORD)
        meaning = PROVE_EXIT_MEANINGS.get(exit_code, gettext_noop("ended early"))
        end = gettext("exit {code}: {meaning}").format(code=exit_code, meaning=gettext(meaning))
        self._screen.print(SEPARATOR.join([*good, *others, duration(took), where, end]))


def _shortcomings(fault: FaultResult) -> list[str]:
    """Return what is wrong with a fault's outcome, a line each."""
    if fault.outcome == "not testable":
        # Missing capabilities are listed once, at the end.
        return []
    not_caught = gettext("not caught by {claim}: {verdict}")
    missed = [
        not_caught.format(claim=entry, verdict=word(verdict))
        for entry, verdict in fault.missed.items()
    ]
    alarm = gettext("harmless, and noticed") if fault.is_harmless else gettext("red without reason")
    alarms = [f"{alarm}: {check}: {why}" for check, why in fault.unexplained.items()]
    return missed + alarms


def _good(record: RunRecord) -> list[str]:
    """Return how many faults were caught, and how many harmless changes went unnoticed."""
    said = []
    for outcome, noun, harmless in (
        ("caught", "fault", False),
        ("unnoticed", "harmless change", True),
    ):
        these = [fault for fault in record.faults if fault.is_harmless is harmless]
        if these:
            good = sum(fault.outcome == outcome for fault in these)
            of_all = gettext("{outcome} {number} of {all}")
            said.append(
                of_all.format(outcome=word(outcome), number=good, all=counted(len(these), noun))
            )
    return said


def _untestable(record: RunRecord) -> dict[str, list[str]]:
    """Return what the host lacks to show a fault, with the probe → the faults."""
    found: dict[str, list[str]] = {}
    for fault in record.faults:
        if fault.outcome == "not testable":
            checks = [check for check in record.checks if check.topology == fault.topology]
            for reason in lacking_for(fault, checks):
                found.setdefault(reason, []).append(fault.id)
    return found
