# SPDX-License-Identifier: GPL-2.0-or-later
"""A run in GitHub-flavoured Markdown, for a pipeline's job summary.

What hosts and guests said is text and nothing else in it: it makes no link, image, table cell or
HTML of its own. A summary above 1 MiB is refused whole by GitHub ("Workflow commands", job
summaries), so what does not fit is left out, the least grave first, and the page says what.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contracts.verdicts import BY_GRAVITY, REPORTED_ORDER, Verdict
from reports.exports.counting import counts_line
from reports.fault_outcomes import OUTCOME_VERDICTS
from reports.record import Check, FaultResult, RunRecord
from reports.run_verdict import facts, open_questions, took, whole
from reports.terminal.matrix import NO_CHECK, cell, tally
from reports.wording import SIGNS, count, counted, one_line

SIZE_MAX = 1 << 20
# What must be said at the end has room in any case.
_RESERVED = 2048
# One reason is one paragraph; a guest's output in it may be of any length.
_REASON_MAX = 1500
_MARKS = {Verdict.CONFORMS: "✅", Verdict.VIOLATES: "❌"}
_OPEN_MARK = "⚠️"
NOTHING: Counter[Verdict] = Counter()
# What means something somewhere in Markdown, autolinks and emoji included.
_PUNCTUATION = re.compile(r"([-\\`*_{}\[\]<>#|~@&!:.+$=^])")
_SECTIONS = (
    (Verdict.VIOLATES, "Violated"),
    (Verdict.ERROR, "Errors"),
    (Verdict.INCONCLUSIVE, "Inconclusive"),
)


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading, as Markdown; none for what stands right below the one before.
        entries: its paragraphs or table rows, as Markdown, each whole or left out.
        what: what an entry is, for saying how many were left out.
        head: what stands before the first entry: the head of a table.
    """

    title: str
    entries: Sequence[str]
    what: str
    head: str = ""

    @property
    def is_table(self) -> bool:
        """Whether its entries are rows."""
        return bool(self.head)


def render(record: RunRecord, size_max: int = SIZE_MAX, faults: Sequence[str] = ()) -> str:
    """Return the page, at most `size_max` octets of UTF-8; it names the evidence's faults."""
    page = _Page(size_max - _RESERVED)
    for section in _sections(record, faults):
        page.add(section)
    return page.text()


class _Page:
    """Sections for as long as they fit."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._parts: list[str] = []
        self._left_out: list[str] = []

    def add(self, section: Section) -> None:
        """Add a section: the entries that fit, in order."""
        if not section.entries:
            return
        opening = "\n\n".join(filter(None, (section.title, section.head)))
        gap = "\n" if section.is_table else "\n\n"
        taken: list[str] = []
        room = self._room - _size(opening) - 2
        for entry in section.entries:
            room -= _size(entry) + len(gap)
            if room < 0:
                break
            taken.append(entry)
        if left := len(section.entries) - len(taken):
            self._left_out.append(f"{left} of {counted(len(section.entries), section.what)}")
        if taken:
            body = gap.join(taken)
            joint = "\n" if section.is_table else "\n\n"
            self._parts.append(f"{opening}{joint}{body}" if opening else body)
            self._room -= _size(self._parts[-1]) + 2

    def text(self) -> str:
        """Return the page, and what was left out of it."""
        parts = list(self._parts)
        if self._left_out:
            parts.append(
                f"**Left out for its size:** {'; '.join(self._left_out)}. All of it is in "
                "`run.json`, and on the page that `./plumbline report RUN` makes."
            )
        return "\n\n".join(parts) + "\n"


def _sections(record: RunRecord, faults: Sequence[str]) -> Iterator[Section]:
    yield Section("", [_heading(record)], "heading")
    yield Section("", [f"⚠️ {escaped(fault)}" for fault in faults], "fault of the evidence")
    yield Section("", [_rests_on(record)], "heading")
    if record.faults:
        yield _faults(record)
    else:
        yield _matrix(record)
        legend = ", ".join(f"`{count('n', each)}` {each}" for each in REPORTED_ORDER)
        yield Section("", [f"{legend}, `{NO_CHECK}` no check"], "legend")
    for verdict, title in _SECTIONS:
        yield from _of_verdict(record, verdict, title)
    yield _untestable(record)


def _heading(record: RunRecord) -> str:
    said = whole(record)
    mark = _MARKS.get(said.verdict, _OPEN_MARK)
    notes = [f"> {escaped(note)}" for note in said.warnings]
    return "\n\n".join([f"## {mark} Plumbline: {said.says}", counts_line(record), *notes])


def _rests_on(record: RunRecord) -> str:
    told = [(label, "; ".join(lines)) for label, lines in facts(record)]
    told += [("Started", f"{record.started:%Y-%m-%d %H:%M:%S} UTC")]
    told += [("Took", took(record) or "it was not finished")]
    if record.redacted:
        told += [("Redacted", "what may identify the site was replaced")]
    rows = [f"| {escaped(name)} | {escaped(said)} |" for name, said in told]
    rows.append(f"| Command | {code_span(' '.join(record.tool.command), in_table=True)} |")
    table = "\n".join(["| | |", "|---|---|", *rows])
    return f"<details><summary>What this rests on</summary>\n\n{table}\n\n</details>"


def _matrix(record: RunRecord) -> Section:
    cells = tally(record)
    names = [topology.name for topology in record.topologies]
    properties = list(dict.fromkeys(check.property for check in record.checks))
    columns = "".join(f" {escaped(name)} |" for name in names)
    rows = [
        f"| {escaped(each)} |"
        + "".join(f" {cell(cells.get((each, name), NOTHING)).plain} |" for name in names)
        for each in properties
    ]
    head = f"| |{columns}\n|---|{'---|' * len(names)}"
    return Section("### Properties and topologies", rows, "property", head)


def _of_verdict(record: RunRecord, verdict: Verdict, title: str) -> Iterator[Section]:
    if record.faults and verdict is Verdict.VIOLATES:
        # Beside a fault violations are what was asked for.
        return
    found = [check for check in record.checks if check.verdict is verdict]
    broken = [
        f"**{escaped(topology.name)}**\\\n{_reason(topology.reason)}"
        for topology in record.topologies
        if verdict is Verdict.ERROR
        and topology.reason
        and topology.verdict is not Verdict.NOT_TESTABLE
    ]
    entries = [*broken, *(_finding(check, record) for check in found)]
    yield Section(f"### {title}: {len(entries)}", entries, "finding")


def _finding(check: Check, record: RunRecord) -> str:
    claims = [
        f"{escaped(claim)}: {escaped(record.statements[claim].statement)}"
        if claim in record.statements
        else escaped(claim)
        for claim in check.claims
    ]
    lines = [
        f"**{escaped(check.label)}** on **{escaped(check.topology)}**",
        *claims,
        _reason(check.reason),
        *(f"verifies: {escaped(each)}" for each in _verified(check)),
        f"again: {code_span(check.rerun)}",
    ]
    return "\\\n".join(lines)


def _verified(check: Check) -> Sequence[str]:
    return check.procedure.verify if check.procedure is not None else ()


def _untestable(record: RunRecord) -> Section:
    found = [each for each in open_questions(record) if each.verdict is Verdict.NOT_TESTABLE]
    entries = [
        "\\\n".join(
            [
                _reason(each.reason),
                *(f"{escaped(n)}: {escaped(' '.join(c))}" for n, c in each.places.items()),
            ]
        )
        for each in found
    ]
    number = sum(len(each.checks) for each in found)
    return Section(f"### Not testable: {counted(number, 'check')}", entries, "reason")


def _faults(record: RunRecord) -> Section:
    by_outcome = sorted(
        record.faults, key=lambda fault: BY_GRAVITY.index(OUTCOME_VERDICTS[fault.outcome])
    )
    rows = [
        f"| {SIGNS[OUTCOME_VERDICTS[fault.outcome]]} {fault.outcome} | {escaped(fault.id)} "
        f"| {escaped(fault.title)} | {escaped(_noticed(fault))} |"
        for fault in by_outcome
    ]
    head = "| outcome | fault | what was broken | who noticed |\n|---|---|---|---|"
    return Section("### Faults", rows, "fault", head)


def _noticed(fault: FaultResult) -> str:
    said = [name for name in fault.caught_by if name not in fault.missed]
    parts = [" ".join(said)] if said and fault.outcome != "not decided" else []
    parts += [f"not {name} ({verdict})" for name, verdict in fault.missed.items()]
    parts += [f"also {name}: {one_line(why)}" for name, why in fault.unexplained.items()]
    return "; ".join(parts)


def _reason(reason: str | None) -> str:
    return escaped(one_line(reason or "no reason given", _REASON_MAX))


def escaped(text: str) -> str:
    """Return text that Markdown and HTML take as the characters that it is, on one line."""
    flat = _without_controls(one_line(text))
    # As a comment, a name behind an at sign would notify whoever is called so.
    return _PUNCTUATION.sub(r"\\\1", flat).replace("\\@", "\\@\u200b").replace("\\<", "&lt;")


def code_span(text: str, *, in_table: bool = False) -> str:
    """Return text as a code span, whatever backticks are in it."""
    flat = _without_controls(one_line(text))
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    if in_table:
        flat = flat.replace("|", "\\|")
    return f"{fence} {flat} {fence}" if "`" in flat else f"{fence}{flat}{fence}"


def _without_controls(text: str) -> str:
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


def _size(text: str) -> int:
    return len(text.encode())
