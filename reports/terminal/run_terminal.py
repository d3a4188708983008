# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal of `./plumbline run`: topologies being built, checks as decided, and the end."""

import warnings
from pathlib import Path

import pytest
from rich.text import Text

from contracts.exit_codes import EXIT_USAGE
from contracts.language import gettext
from contracts.plan import HOST
from contracts.run_settings import settings_of
from contracts.verdicts import Verdict
from reports.record import Check, HostRecord, RunRecord, TopologyRecord
from reports.recording.full_disk import no_room
from reports.recording.longrepr import last_lines, whole_traceback
from reports.recording.recorded_settings import waivers
from reports.terminal.expected_verdicts import print_comparison
from reports.terminal.matrix_table import print_matrix
from reports.terminal.progress_lines import (
    Columns,
    RunningChecks,
    check_line,
    columns,
    topology_line,
    topology_news,
)
from reports.terminal.screen import Screen
from reports.terminal.summary import print_closing, print_findings
from reports.verdict_comparison import comparison
from reports.waivers import judged, judged_check, today
from reports.wording import STYLES, counted, one_line, padded

# Enough to see where the harness broke; with -v all of it is shown.
_TRACEBACK_LINES = 6


class Terminal:
    """Prints the run as it goes and, at its end, what it found."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._running = RunningChecks()
        self._columns = Columns()
        self._warnings: dict[str, int] = {}
        self._waivers = waivers(settings_of(config))
        self._printed: set[tuple[str, Verdict, str | None]] = set()
        self._screen = Screen(
            color=config.option.color,
            # With -s the checks write to the terminal themselves: no line stays the last one.
            status=None if config.option.capture == "no" else self._running.line,
        )

    @property
    def _verbosity(self) -> int:
        return self._config.get_verbosity()

    def pytest_plumbline_planned(self, record: RunRecord, output: Path) -> None:
        """Say what this run is about."""
        screen = self._screen
        self._columns = columns(record, screen.console.width, whole=not screen.is_terminal)
        self._running.progress = (0, len(record.checks))
        for label, value in heading(record, output, self._config):
            self._screen.print(
                Text(padded(label, 12), style="dim").append(value, "default not dim")
            )
        self._screen.print()

    def pytest_plumbline_begins(self, nodeid: str, topology: str, check_id: str) -> None:
        """Say once that a topology is being built; the status line has the rest."""
        if self._running.begins(nodeid, topology, check_id):
            self._screen.print(topology_line(topology, gettext("being built"), self._columns))

    def pytest_plumbline_host(self, host: HostRecord) -> None:
        """Say what kind of host it turned out to be."""
        accel = f"{host.accel.name} ({host.accel.reason})" if host.accel else None
        known = ", ".join(part for part in (host.release, accel) if part)
        kind = host.kind or gettext("unknown")
        self._say(
            gettext("host: {host}").format(host=", ".join(filter(None, (kind, known)))), "dim"
        )

    def pytest_plumbline_topology(self, topology: TopologyRecord) -> None:
        """Say that a topology is up, failed, or was taken down."""
        news = topology_news(topology, first=self._running.is_up(topology.name))
        if news is not None:
            what, style = news
            room = self._room(len(self._columns.indent) + self._columns.topology + 2)
            shown = what if self._verbosity > 0 else one_line(what, room)
            self._screen.print(topology_line(topology.name, shown, self._columns, style))

    def pytest_plumbline_check(
        self, check: Check, report: pytest.TestReport, progress: tuple[int, int]
    ) -> None:
        """Print a check's line and, unless it conforms, why."""
        check = judged_check(check, self._waivers, today())
        self._running.progress = progress
        self._running.is_up(check.topology)
        conforms = check.verdict is Verdict.CONFORMS
        if not conforms or self._verbosity >= 0:
            self._screen.print(check_line(check, progress, self._columns))
        reason = (check.topology, check.verdict, check.reason)
        if check.reason and (self._verbosity > 0 or not (conforms or reason in self._printed)):
            self._say(check.reason, STYLES[check.verdict])
        if check.verdict in (Verdict.NOT_TESTABLE, Verdict.INCONCLUSIVE):
            # A host that lacks something, or refuses it, does so for many checks.
            self._printed.add(reason)
        if report.failed and (check.verdict is Verdict.ERROR or self._verbosity > 0):
            self._traceback(report, check.reason)

    def pytest_plumbline_unexplained(self, report: pytest.TestReport) -> None:
        """Show a failure without a verdict, whole."""
        failed = gettext("{check}: {phase} failed").format(check=report.nodeid, phase=report.when)
        self._block(failed, report.longreprtext)

    def pytest_plumbline_finished(self, record: RunRecord, output: Path, exit_code: int) -> None:
        """Print the matrix, what was found, and the closing line."""
        self._screen.end_status()
        for text, times in self._warnings.items():
            said = gettext("warning, {number} times").format(number=times)
            self._block(gettext("warning") if times == 1 else said, text)
        if exit_code == EXIT_USAGE:
            # pytest prints what was wrong; there is no result to sum up.
            return
        settings = settings_of(self._config)
        record = judged(record, (record.finished or record.started).date())
        shown = from_here(output)
        self._screen.print()
        print_matrix(record, self._screen.console)
        whole = self._verbosity > 0
        print_findings(record, settings.statements, self._screen.console, shown, whole=whole)
        if (compared := comparison(record)) is not None:
            print_comparison(compared, self._screen.console, whole=whole)
        print_closing(record, self._screen.console, shown, exit_code, settings.missing)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Forget the check of a worker that died: no other hook reports its end."""
        if report.when not in ("setup", "call", "teardown"):
            self._running.ends(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Take a check off the status line."""
        self._running.ends(nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Show in full why a suite can't be collected."""
        if report.failed:
            title = gettext("cannot collect {suite}").format(
                suite=report.nodeid or gettext("the suites")
            )
            self._block(title, report.longreprtext)

    def pytest_internalerror(
        self, excrepr: object, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> bool:
        """Show in full where pytest or a plugin broke; of a full disk the recorder speaks."""
        if no_room(excinfo.value) is None:
            self._block(gettext("internal error"), str(excrepr))
        return True

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Say that the end comes early, and why if that is known."""
        said = str(excinfo.value)
        self._screen.print(
            Text(
                gettext("ending early: {reason}").format(reason=said)
                if said
                else gettext("interrupted"),
                style="bold yellow",
            )
        )

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, nodeid: str
    ) -> None:
        """Keep a warning for the end, once however often it comes."""
        file = warning_message.filename
        # The class is of use to who reads the code; a file of data is read by its user.
        kind = f"{warning_message.category.__name__}: " if nodeid or file.endswith(".py") else ""
        text = f"{nodeid or f'{file}:{warning_message.lineno}'}: {kind}{warning_message.message}"
        self._warnings[text] = self._warnings.get(text, 0) + 1

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        """Say that a worker died; xdist starts another in its place."""
        if error:
            gateway = getattr(node, "gateway", None)
            said = gettext("worker {worker} died: {error}")
            worker = getattr(gateway, "id", "?")
            self._say(said.format(worker=worker, error=error), "magenta")

    def pytest_unconfigure(self) -> None:
        """Leave the terminal as it was."""
        self._screen.close()

    def _say(self, text: str, style: str) -> None:
        """Print a line below the one it belongs to, shortened on a terminal unless with -v."""
        indent = self._columns.indent
        self._screen.print(Text(f"{indent}{one_line(text, self._room(len(indent)))}", style=style))

    def _room(self, taken: int) -> int | None:
        return None if self._verbosity > 0 else self._screen.room(taken)

    def _traceback(self, report: pytest.TestReport, reason: str | None = None) -> None:
        whole = self._verbosity > 0
        lines = whole_traceback(report) if whole else last_lines(report, _TRACEBACK_LINES)
        room = self._room(len(self._columns.indent) + 2)
        # A check that gave its failure as a sentence begins with the reason, printed just before.
        for line in lines[1:] if lines[:1] == [reason] else lines:
            shown = line if room is None else one_line(line, room)
            self._screen.print(Text(f"{self._columns.indent}│ {shown}", style="dim"))

    def _block(self, title: str, text: str) -> None:
        self._screen.print()
        self._screen.print(Text(title, style="bold magenta"))
        for line in text.rstrip().splitlines():
            self._screen.print(Text(f"  {line}"))
        self._screen.print()


def _of_the_catalogue(deciding: int, config: pytest.Config) -> str:
    """Return the number of claims that a run decides, and of how many: the others are not green."""
    known = settings_of(config).statements
    if not known:
        return counted(deciding, "claim")
    said = gettext("{claims} of the catalogue's {number}")
    return said.format(claims=counted(deciding, "claim"), number=len(known))


def heading(record: RunRecord, output: Path, config: pytest.Config) -> list[tuple[str, str]]:
    """Return what a run is about, as labels and values."""
    tool = record.tool
    changed = gettext(", changed") if tool.dirty else ""
    commit = f" ({tool.commit[:10]}{changed})" if tool.commit else ""
    claims = {claim for check in record.checks for claim in check.claims}
    workers = getattr(config.option, "numprocesses", None) or 1
    return [
        ("Plumbline", f"{tool.version}{commit}"),
        (gettext("host"), record.host.kind or settings_of(config).host),
        (gettext("topologies"), ", ".join(_built_names(record)) or gettext("none")),
        (
            gettext("checks"),
            gettext("{number}, deciding {claims}").format(
                number=len(record.checks), claims=_of_the_catalogue(len(claims), config)
            ),
        ),
        (gettext("workers"), str(workers)),
        (gettext("output"), str(from_here(output))),
    ]


def _built_names(record: RunRecord) -> list[str]:
    return [topology.name for topology in record.topologies if topology.name != HOST]


def from_here(path: Path) -> Path:
    """Return the path as one would type it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
