# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin that writes the run record as the run goes.

It lives in the process that reports: the only one, or the xdist controller. The results of
checks come in the `user_properties` of their reports, which xdist carries over:

- `("plumbline.check", {…})`: a finished check, an element of the record's `checks`
- `("plumbline.topology", {…})`: news of a topology, see `ledger.TopologyReport`
- `("plumbline.host", {…})`: the host under test

The plan of checks is `.plan.json` (`contracts.plan`) in the output directory, written at the end
of collection (under xdist before its worker reports to the controller).
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from contracts.exit_codes import EXIT_CONFORMS, EXIT_INTERRUPTED, EXIT_UNDECIDED, EXIT_USAGE
from contracts.language import ENGLISH, spoken
from contracts.plan import Key, read_plan
from contracts.run_files import PLAN
from contracts.run_settings import settings_of
from contracts.verdicts import Verdict
from reports import verdict_comparison, waivers
from reports.record import Check, FaultResult, RecordError
from reports.recording import hooks, recorded_settings
from reports.recording.full_disk import no_room
from reports.recording.ledger import Ledger, entry_for, parse_check
from reports.recording.longrepr import crash_line
from reports.recording.paced_save import PacedSave
from reports.recording.provenance import tool
from reports.recording.record_files import RecordFiles
from reports.recording.report_properties import (
    for_other_readers,
    names_a_broken_topology,
    properties,
)

PLUGIN_NAME = "plumbline-recorder"
# A failed check reports one of these itself; `not-testable` is a skip.
_OWN_WORD_FOR_FAILED = {Verdict.VIOLATES, Verdict.ERROR, Verdict.INCONCLUSIVE}
_PHASES = {"setup", "call", "teardown"}


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare what other plugins may listen to."""
    pluginmanager.add_hookspecs(hooks)


# Last, after the plugin that sets the output directory in its own pytest_configure.
@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start recording, if there is an output directory and this process is the one to do it."""
    settings = settings_of(config)
    if settings.output is None or hasattr(config, "workerinput") or config.option.collectonly:
        return
    config.pluginmanager.register(Recorder(config, settings.output), PLUGIN_NAME)


class Recorder:
    """Keeps `run.json` true to what is known, from before the first check to the exit code.

    While the run goes on, a long record may lack the checks of the last seconds.
    """

    def __init__(self, config: pytest.Config, output: Path) -> None:
        self.output = output
        self._config = config
        self._settings = settings_of(config)
        described = tool(self._settings.command)
        self._ledger = Ledger(
            described,
            self._settings.faults,
            recorded_settings.statements(self._settings),
            recorded_settings.expected(self._settings),
            recorded_settings.waivers(self._settings),
            recorded_settings.standard(self._settings, described.version),
        )
        self._planned = False
        self._interrupted = False
        self._broken = False
        self._blamed: set[Key] = set()
        self._announced_faults: set[str] = set()
        self._refused: set[str] = set()
        self._exit_code: int | None = None
        self._files = RecordFiles(output)
        self._save = PacedSave(lambda: self._files.write(self._ledger.record()))

    def pytest_sessionstart(self) -> None:
        """Leave a record from the start on, and none of an earlier run's plan."""
        self.output.mkdir(parents=True, exist_ok=True)
        (self.output / PLAN).unlink(missing_ok=True)
        for network in self._settings.left_out:
            self._ledger.report_topology(network)
        self._save()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Enter what was planned in this process."""
        self._enter_plan()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Enter what a worker planned; all of them plan the same."""
        self._enter_plan()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember that a suite could not even be collected."""
        self._broken |= report.failed

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Remember that pytest or a plugin broke; a full disk is no reason for a traceback."""
        self._broken = True
        if (error := no_room(excinfo.value)) is None:
            return False
        self._files.say_unwritten(error)
        return True

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Distinguish a user's interrupt from an end that pytest or a plugin asked for.

        `-x`, and collection errors, end a session by a KeyboardInterrupt of a subclass; xdist ends
        it by such a one too when a worker was interrupted before the controller was.
        """
        cause = excinfo.value
        if isinstance(cause, pytest.exit.Exception):
            # Status 0 is nothing that an early end may claim.
            self._exit_code = cause.returncode or None
            self._interrupted = not cause.returncode
        else:
            own = type(cause) is KeyboardInterrupt
            self._interrupted = own or "received keyboard-interrupt" in str(cause)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Announce a check that begins."""
        self._enter_plan()
        for check in self._ledger.planned_for(nodeid)[:1]:
            self._config.hook.pytest_plumbline_begins(
                nodeid=nodeid, topology=check.topology, check_id=check.id
            )

    # First, so that the record is current for every other plugin.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Enter the results of a phase of a check, and pytest's own outcome of it."""
        self._enter_plan()
        news = self._enter_host(report)
        news |= self._enter_topologies(report)
        news |= self._enter_checks(report)
        news |= self._enter_what_pytest_saw(report)
        if news:
            self._save()
        report.user_properties = for_other_readers(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Close the record after everything is torn down, and set the contract's exit code."""
        try:
            return (yield)
        except Exception:  # noqa: BLE001 - shown by pytest, and kept out of the exit code
            # It would leave pytest as a traceback with status 1, which means "violates".
            self._config.notify_exception(pytest.ExceptionInfo.from_current(), self._config.option)
            return None
        finally:
            self._finish(session)

    def _enter_plan(self) -> None:
        """Read the plan once it is there; under xdist a worker may report before it has written."""
        if self._planned:
            return
        try:
            planned = read_plan(self.output)
        except FileNotFoundError:
            return
        self._planned = True
        self._ledger.plan(planned)
        self._save()
        self._config.hook.pytest_plumbline_planned(record=self._ledger.record(), output=self.output)

    def _enter_host(self, report: pytest.TestReport) -> bool:
        news = False
        for host in properties(report, "plumbline.host"):
            news |= self._ledger.report_host(host)
        if news:
            self._config.hook.pytest_plumbline_host(host=self._ledger.record().host)
        return news

    def _enter_topologies(self, report: pytest.TestReport) -> bool:
        changed = {
            str(reported["name"]): None
            for reported in properties(report, "plumbline.topology")
            if self._ledger.report_topology(reported)
        }
        for name in changed:
            topology = self._ledger.topology(name)
            self._config.hook.pytest_plumbline_topology(topology=topology)
            if topology.teardown_s is not None or topology.reason is not None:
                self._announce_faults(name, refused=topology.refused)
            if topology.refused:
                self._refused.add(name)
        return bool(changed)

    def _announce_faults(self, topology: str, *, refused: bool) -> None:
        """Announce the outcome of a topology's faults; where the host refused it, checks follow."""
        for fault in self._ledger.faults(topology):
            if not refused or fault.outcome != "not decided":
                self._announce_fault(fault)

    def _announce_fault(self, fault: FaultResult) -> None:
        """Announce the outcome of a fault, once: a topology that stays up is taken down later."""
        if fault.topology not in self._announced_faults:
            self._announced_faults.add(fault.topology)
            self._config.hook.pytest_plumbline_fault(fault=fault)

    def _enter_checks(self, report: pytest.TestReport) -> bool:
        """Enter the verdicts that a report carries; a later phase repeats an earlier one's."""
        try:
            said = [parse_check(each) for each in properties(report, "plumbline.check")]
        except RecordError as error:
            return self._blame_the_harness(report, error.message)
        last = {(check.topology, check.id): check for check in said}
        news = False
        for key, check in last.items():
            # A failure seen by pytest stays, even if the check later reports success.
            if key not in self._blamed:
                news |= self._decide(check, report)
        for topology in self._refused & {topology for topology, _ in last}:
            self._announce_faults(topology, refused=True)
        return news

    def _enter_what_pytest_saw(self, report: pytest.TestReport) -> bool:
        """Enter a failure, a skip or a silence that the check itself did not put into words."""
        planned = self._ledger.planned_for(report.nodeid)
        if not planned:
            if report.failed:
                self._show_unexplained(report)
            return False
        if report.when not in _PHASES:
            return self._blame_the_harness(report, report.longreprtext)
        if report.failed:
            return self._enter_failure(report)
        silent = not any(self._ledger.is_decided(check.key) for check in planned)
        if report.skipped and silent:
            return self._blame_the_harness(
                report, f"skipped without a verdict: {crash_line(report)}"
            )
        if report.when == "teardown" and silent:
            return self._blame_the_harness(report, "the check ended without a verdict")
        return False

    def _enter_failure(self, report: pytest.TestReport) -> bool:
        own = {
            entry.verdict
            for check in self._ledger.planned_for(report.nodeid)
            if self._ledger.is_decided(check.key) and (entry := self._ledger.entry(check.key))
        }
        if report.when != "teardown" and own & _OWN_WORD_FOR_FAILED:
            return False
        if Verdict.ERROR in own or names_a_broken_topology(report):
            return False
        if own & _OWN_WORD_FOR_FAILED:
            # The first reason stays; a failure of taking it down must still be shown.
            self._show_unexplained(report)
            return False
        return self._blame_the_harness(report, f"its {report.when} failed: {crash_line(report)}")

    def _show_unexplained(self, report: pytest.TestReport) -> None:
        self._broken = True
        self._config.hook.pytest_plumbline_unexplained(report=report)

    def _blame_the_harness(self, report: pytest.TestReport, reason: str) -> bool:
        """Make `error` of what an item was to decide; keep what it had measured until then."""
        news = False
        for planned in self._ledger.planned_for(report.nodeid):
            self._blamed.add(planned.key)
            known = self._ledger.entry(planned.key)
            blank = entry_for(planned, Verdict.ERROR, reason)
            entry = (
                known.model_copy(update={"verdict": Verdict.ERROR, "reason": reason})
                if known
                else blank
            )
            news |= self._decide(entry, report)
        return news

    def _decide(self, check: Check, report: pytest.TestReport) -> bool:
        news = self._ledger.decide(check)
        if news:
            self._config.hook.pytest_plumbline_check(
                check=check, report=report, progress=self._ledger.progress
            )
        return news

    def _finish(self, session: pytest.Session) -> None:
        record = self._ledger.record(is_finished=True)
        # What became of a waiver is in the record, whose language is not that of the terminal.
        with spoken(ENGLISH):
            judged = waivers.judged(record, (record.finished or record.started).date())
        missing = self._settings.missing
        if self._exit_code is None and session.exitstatus != pytest.ExitCode.USAGE_ERROR:
            self._exit_code = verdict_comparison.exit_code(judged, missing)
            if self._interrupted:
                self._exit_code = EXIT_INTERRUPTED
            elif self._broken and self._exit_code == EXIT_CONFORMS:
                self._exit_code = EXIT_UNDECIDED
        elif self._exit_code is None:
            self._exit_code = EXIT_USAGE
        ended: dict[str, object] = {"ended_with": self._exit_code, "lacking": list(missing)}
        ended["waivers"] = judged.waivers
        record = record.model_copy(update=ended)
        if not self._files.close(record):
            # A verdict without a record is none.
            self._exit_code = EXIT_UNDECIDED
        session.exitstatus = self._exit_code
        self._config.hook.pytest_plumbline_finished(
            record=record, output=self.output, exit_code=self._exit_code
        )
