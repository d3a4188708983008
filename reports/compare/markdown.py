# SPDX-License-Identifier: GPL-2.0-or-later
"""A comparison as Markdown, for a pipeline's summary or a ticket."""

from collections.abc import Iterable, Iterator, Sequence

from reports.compare import wording
from reports.compare.model import Comparison, Difference, Effect, Flip, Quantity
from reports.exports.markdown import SIZE_MAX, escaped
from reports.wording import counted, one_line

# What is said of what did not fit.
ROOM_FOR_WORDS = 1024
# So that no line of evidence ends its own block.
FENCE = "`````"


def page(comparison: Comparison) -> str:
    """Return the page, below the size that GitHub takes: evidence that does not fit is left out."""
    lines = list(_lines(comparison))
    notes = list(_list("Evidence that was not compared", comparison.notes))
    room = SIZE_MAX - ROOM_FOR_WORDS - _size([*lines, *notes])
    left_out = 0
    if comparison.differences:
        lines += _heading("Evidence that differs, beside the verdicts that do")
    for each in comparison.differences:
        shown = list(_difference(each))
        room -= _size(shown)
        if room < 0:
            left_out += 1
        else:
            lines += shown
    if left_out:
        lines += [f"{counted(left_out, 'file')} more did not fit: --format html shows all.", ""]
    return wording.harmless("\n".join([*lines, *notes, ""]))


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"# {wording.headline(comparison)}"
    yield ""
    yield from (f"- {plain(reason)}" for reason in comparison.because)
    yield ""
    yield from table(
        ("", "run", "command"),
        [
            (name, plain(wording.run_told(run)), _code(wording.command(run)))
            for name, run in (("before", comparison.before), ("after", comparison.after))
        ],
    )
    for warning in comparison.warnings:
        yield f"> **Warning:** {plain(warning)}"
        yield ""
    yield from _flips(comparison)
    yield from _list("Only before", wording.listed(comparison.vanished))
    yield from _list("Only after", wording.listed(comparison.appeared))
    if comparison.quantities:
        yield from _quantities(comparison)
    if comparison.facts:
        yield from _heading("The host")
        rows = [(f.name, wording.fact(f.before), wording.fact(f.after)) for f in comparison.facts]
        yield from table(("fact", "before", "after"), [[plain(c) for c in row] for row in rows])


def _flips(comparison: Comparison) -> Iterator[str]:
    yield from _heading("Verdicts")
    if comparison.flips:
        yield from table(
            ("", "topology", "check or claim", "before", "after", "what was seen"),
            [
                (
                    f"**{flip.effect}**" if flip.effect is Effect.REGRESSED else flip.effect,
                    plain(flip.topology),
                    plain(_what(flip)),
                    flip.before,
                    flip.after,
                    plain(flip.reason_after or ""),
                )
                for flip in comparison.flips
            ],
        )
    yield plain(wording.kept(comparison))
    yield ""


def _what(flip: Flip) -> str:
    if flip.of == "topology":
        return "the topology itself"
    return f"{flip.id} ({', '.join(flip.claims)})" if flip.claims else flip.id


def _quantities(comparison: Comparison) -> Iterator[str]:
    yield from _heading("Quantities")
    yield from table(
        (
            *("topology", "quantity", "before", "after", "change of the median", "outcome"),
            *("would have been seen", "samples"),
        ),
        [_row(each) for each in comparison.quantities],
    )
    yield from (f"- {sentence}" for sentence in wording.method(comparison))
    yield ""


def _row(each: Quantity) -> Sequence[str]:
    outcome = f"{each.outcome}: {plain(each.note)}" if each.note else str(each.outcome)
    return (
        plain(each.topology),
        plain(f"{each.title}, {each.unit}"),
        wording.median(each, after=False),
        wording.median(each, after=True),
        wording.moved(each.change),
        outcome,
        wording.visible(each),
        wording.sizes(each),
    )


def _difference(each: Difference) -> Iterator[str]:
    title = one_line(f"{each.check or each.topology}: {each.name}")
    yield f"<details><summary>{_html(title)}</summary>"
    yield ""
    yield f"{FENCE}diff"
    yield from (line.replace(FENCE, "'''''") for line in each.lines)
    yield FENCE
    if each.left_out:
        yield f"… {each.left_out} lines more"
    yield ""
    yield "</details>"
    yield ""


def _heading(title: str) -> Iterator[str]:
    yield f"## {title}"
    yield ""


def _list(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from _heading(title)
        yield from (f"- {plain(line)}" for line in lines)
        yield ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; its cells are Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def plain(text: str) -> str:
    """Return text that Markdown takes as it is, whatever a guest or a host said."""
    return escaped(text)


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39)).replace('|', chr(92) + '|').replace(chr(10), ' ')}`"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
