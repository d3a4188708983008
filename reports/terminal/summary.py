# SPDX-License-Identifier: GPL-2.0-or-later
"""The findings of a run as text: violations, errors, open questions, and one closing line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.text import Text

from contracts.language import gettext, gettext_noop, word
from contracts.run_files import RECORD
from contracts.verdicts import BY_GRAVITY, NOT_DECIDED, Verdict, reported
from reports.record import Check, EvidenceFile, RunRecord, TopologyRecord
from reports.run_verdict import exit_meaning, open_questions
from reports.unread_settings import unread_settings
from reports.waivers import waiver_line, without_effect
from reports.wording import (
    OWN_COMMAND,
    SEPARATOR,
    SIGNS,
    STYLES,
    counted,
    duration,
    one_line,
)

_HEADINGS = {
    Verdict.VIOLATES: gettext_noop("Violated"),
    Verdict.ERROR: gettext_noop("Errors of the harness"),
    Verdict.INCONCLUSIVE: gettext_noop("Inconclusive"),
    Verdict.WAIVED: gettext_noop("Waived"),
    Verdict.NOT_TESTABLE: gettext_noop("Could not be tested"),
}
_HEADING_OF_OWN_COMMAND = gettext_noop("Your own command failed")
HEADING_OF_UNREAD = gettext_noop("Not looked at")
HEADING_OF_WAIVERS = gettext_noop("Waivers without effect")
_SECTIONS = (
    _HEADINGS[Verdict.VIOLATES],
    _HEADING_OF_OWN_COMMAND,
    _HEADINGS[Verdict.ERROR],
    _HEADINGS[Verdict.INCONCLUSIVE],
    _HEADINGS[Verdict.WAIVED],
    _HEADINGS[Verdict.NOT_TESTABLE],
)


@dataclass(frozen=True)
class TerminalFinding:
    """Three lines about what did not conform.

    Attributes:
        verdict: decides its section, but for `own_command`.
        subject: the claim or claims, by id.
        statement: their statement, or the number of checks that it is about.
        seen: where and what.
        where: the evidence.
        own_command: it is an error by the user's own command, not by the harness.
    """

    verdict: Verdict
    subject: str
    statement: str
    seen: str
    where: str
    own_command: bool = False

    @property
    def heading(self) -> str:
        """The title of its section."""
        return _HEADING_OF_OWN_COMMAND if self.own_command else _HEADINGS[self.verdict]


def print_findings(
    record: RunRecord,
    statements: Mapping[str, str],
    console: Console,
    output: Path,
    *,
    whole: bool = False,
) -> None:
    """Print each violation, error and open question, what can't be tested, what is not looked at.

    On a terminal a line is shortened to its width; in a log it is whole, however long.

    Args:
        record: the run.
        statements: claim id → statement, from the catalogue of claims.
        console: where to.
        output: the folder of `run.json`, for the paths of the evidence.
        whole: leave lines whole on a terminal too.
    """
    unread = list(_not_looked_at(record))
    findings = list(_findings(record, statements, output))
    for heading in _SECTIONS:
        lines = [line for each in findings if each.heading == heading for line in _lines(each)]
        if heading == _HEADINGS[Verdict.NOT_TESTABLE]:
            lines += _untestable(record)
        if not lines:
            continue
        if heading == _HEADINGS[Verdict.VIOLATES]:
            lines += _explained_by(record, statements)
        print_section(gettext(heading), lines, console, whole=whole)
    if waivers := [Text(waiver_line(each)) for each in without_effect(record)]:
        print_section(gettext(HEADING_OF_WAIVERS), waivers, console, whole=whole)
    if unread:
        print_section(gettext(HEADING_OF_UNREAD), unread, console, whole=whole)


def print_section(
    heading: str, lines: Iterable[Text], console: Console, *, whole: bool = False
) -> None:
    """Print lines below a heading.

    Args:
        heading: above them.
        lines: the lines.
        console: where to.
        whole: leave lines whole on a terminal too.
    """
    console.print()
    console.print(Text(heading, style="bold"))
    for line in lines:
        if console.is_terminal and not whole:
            line.truncate(console.width, overflow="ellipsis")
        console.print(line, soft_wrap=True)


def print_closing(
    record: RunRecord,
    console: Console,
    output: Path,
    exit_code: int | None = None,
    missing: Sequence[str] = (),
) -> None:
    """Print the closing line: how many of each verdict, how long, where the record is, exit code.

    Args:
        record: the run.
        console: where to.
        output: the folder of `run.json`.
        exit_code: the shell's exit code; None where a record is only shown again.
        missing: expected capabilities that the host lacks.
    """
    counts = record.counts()
    parts = [
        Text(f"{word(each)} {counts[each]}", STYLES[each] if counts[each] else "dim")
        for each in reversed(BY_GRAVITY)
        if each in reported(counts)
    ]
    if record.finished:
        parts.append(Text(duration((record.finished - record.started).total_seconds())))
    else:
        parts.append(Text(gettext("not finished"), style="yellow"))
    parts.append(Text(str(output / RECORD)))
    if exit_code is not None:
        meaning = exit_meaning(record, exit_code)
        if missing:
            lacking = gettext(" (expected and missing: {capabilities})")
            meaning += lacking.format(capabilities=", ".join(missing))
        said = gettext("exit {code}: {meaning}").format(code=exit_code, meaning=meaning)
        parts.append(Text(said, style="bold"))
    console.print()
    _print_parts(parts, console)


def _print_parts(parts: Sequence[Text], console: Console) -> None:
    """Print parts after each other, and break a line on a terminal only between two of them."""
    lines = [Text()]
    for part in parts:
        needed = lines[-1].cell_len + len(SEPARATOR) + part.cell_len
        if lines[-1] and console.is_terminal and needed > console.width:
            lines.append(Text())
        elif lines[-1]:
            lines[-1].append(SEPARATOR, style="dim")
        lines[-1].append_text(part)
    for line in lines:
        console.print(line, soft_wrap=True)


def _lines(finding: TerminalFinding) -> Iterator[Text]:
    style = STYLES[finding.verdict]
    first = Text(f"{SIGNS[finding.verdict]} {finding.subject}", style=style)
    if finding.statement:
        first.append(f"  {one_line(finding.statement)}", style="default not bold")
    yield first
    yield Text(f"  {one_line(finding.seen)}")
    yield Text(f"  {finding.where}", style="dim")


def _explained_by(record: RunRecord, statements: Mapping[str, str]) -> Iterator[Text]:
    """Give the command that says what usually breaks the violated claims."""
    violated = (check for check in record.checks if check.verdict is Verdict.VIOLATES)
    ids = dict.fromkeys(id_ for check in violated for id_ in check.claims if id_ in statements)
    if ids:
        said = gettext("what usually breaks that:")
        yield Text(f"{said} ./plumbline explain {' '.join(ids)}", style="dim")


def _findings(
    record: RunRecord, statements: Mapping[str, str], output: Path
) -> Iterator[TerminalFinding]:
    explained: set[int] = set()
    for topology in record.topologies:
        if topology.reason and topology.verdict not in (Verdict.NOT_TESTABLE, Verdict.CONFORMS):
            affected = [each for each in record.checks if _is_due_to(each, topology)]
            explained |= {id(each) for each in affected}
            yield _of_topology(topology, affected, output)
    rest = [check for check in record.checks if id(check) not in explained]
    open_ones = [check for check in rest if check.reason == NOT_DECIDED]
    groups: dict[object, list[Check]] = {}
    for check in rest:
        if check.verdict in (Verdict.CONFORMS, Verdict.NOT_TESTABLE) or check.reason == NOT_DECIDED:
            continue
        # Each violation has its own entry; one cause of many errors has one.
        alone = check.verdict in (Verdict.VIOLATES, Verdict.WAIVED)
        cause = id(check) if alone else (check.verdict, check.topology, check.reason)
        groups.setdefault(cause, []).append(check)
    for group in groups.values():
        yield _of_checks(group, statements, output)
    if open_ones:
        yield _of_open_ones(open_ones)


def _is_due_to(check: Check, topology: TopologyRecord) -> bool:
    """Whether a check only repeats, whole or in part, why its topology is not there."""
    known = (Verdict.VIOLATES, Verdict.INCONCLUSIVE) if topology.refused else (Verdict.ERROR,)
    if check.topology != topology.name or check.verdict not in known:
        return False
    own, cause = one_line(check.reason or ""), one_line(topology.reason or "")
    return bool(own) and (own in cause or cause in own)


def _of_topology(
    topology: TopologyRecord, affected: Sequence[Check], output: Path
) -> TerminalFinding:
    violated = [check for check in affected if check.verdict is Verdict.VIOLATES]
    names = [claim for check in violated for claim in check.claims]
    undecided = [check for check in affected if check not in violated]
    title = gettext(topology.title or gettext_noop("topology"))
    said = (
        gettext("{title}: {claims} violated, {checks} undecided")
        if names
        else gettext("{title}: {checks} undecided")
    )
    return TerminalFinding(
        verdict=Verdict.VIOLATES if topology.refused else Verdict.ERROR,
        subject=topology.name,
        statement=said.format(title=title, claims=", ".join(names), checks=_extent(undecided)),
        seen=topology.reason or "",
        where=_where(topology.evidence, output) or gettext("no evidence was stored"),
        own_command=(topology.reason or "").startswith(OWN_COMMAND),
    )


def _of_checks(
    group: Sequence[Check], statements: Mapping[str, str], output: Path
) -> TerminalFinding:
    first = group[0]
    reason = first.reason or gettext("no reason given")
    claims = list(dict.fromkeys(claim for check in group for claim in check.claims))
    said = "; ".join(gettext(statements[claim]) for claim in claims if claim in statements)
    if len(group) > 1:
        same = gettext("{checks} for the same reason")
        said = same.format(checks=counted(len(group), "check"))
    return TerminalFinding(
        verdict=first.verdict,
        subject=" ".join(claims) or first.label,
        statement=said,
        seen=f"{first.topology}: {reason}",
        where=_where([file for check in group for file in check.evidence], output)
        or gettext("no evidence was stored by {checks}").format(
            checks=", ".join(check.label for check in group)
        ),
    )


def _of_open_ones(checks: Sequence[Check]) -> TerminalFinding:
    by_topology: dict[str, int] = {}
    for check in checks:
        by_topology[check.topology] = by_topology.get(check.topology, 0) + 1
    return TerminalFinding(
        verdict=Verdict.INCONCLUSIVE,
        subject=_extent(checks),
        statement=gettext("not decided: the run ended before them"),
        seen=SEPARATOR.join(f"{name} {number}" for name, number in by_topology.items()),
        where=gettext("no evidence: they never began, or never ended"),
    )


def _untestable(record: RunRecord) -> Iterator[Text]:
    style = STYLES[Verdict.NOT_TESTABLE]
    for question in open_questions(record):
        if question.verdict is Verdict.NOT_TESTABLE:
            sign = Text(f"{SIGNS[Verdict.NOT_TESTABLE]} ", style=style)
            yield sign.append(question.reason, style="default")
            for topology, claims in question.places.items():
                yield Text(f"  {topology}: {' '.join(claims)}", style="dim")
    checked = {check.topology for check in record.checks}
    for left_out in record.topologies:
        if left_out.reason and left_out.name not in checked:
            sign = Text(f"{SIGNS[Verdict.NOT_TESTABLE]} ", style=style)
            yield sign.append(one_line(left_out.reason), style="default")
            yield Text("  " + left_out.name + ": " + gettext("left out"), style="dim")


def _not_looked_at(record: RunRecord) -> Iterator[Text]:
    for said in unread_settings(record):
        sign = Text(f"{SIGNS[Verdict.NOT_TESTABLE]} ", style=STYLES[Verdict.NOT_TESTABLE])
        yield sign.append(said, style="default")


def _extent(checks: Sequence[Check]) -> str:
    claims = {claim for check in checks for claim in check.claims}
    return gettext("{checks} of {claims}").format(
        checks=counted(len(checks), "check"), claims=counted(len(claims), "claim")
    )


def _where(evidence: Sequence[EvidenceFile], output: Path) -> str:
    """Name the file, or the folder that holds all of them; nothing where there is none."""
    paths = [PurePosixPath(path) for path in dict.fromkeys(each.path for each in evidence)]
    if not paths:
        return ""
    if len(paths) == 1:
        return gettext("evidence: {path}").format(path=output / paths[0])
    shared = set.intersection(*({path.parent, *path.parents} for path in paths))
    folder = max(shared, key=lambda each: len(each.parts))
    said = gettext("evidence: {path} ({files})")
    return said.format(path=output / folder, files=counted(len(paths), "file"))
