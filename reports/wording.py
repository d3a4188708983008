# SPDX-License-Identifier: GPL-2.0-or-later
"""How verdicts, durations, lists and long texts are put for a reader of the terminal."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from contracts.language import ENGLISH, language, pgettext
from contracts.verdicts import Verdict

STYLES = {
    Verdict.CONFORMS: "green",
    Verdict.VIOLATES: "bold red",
    Verdict.ERROR: "magenta",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_TESTABLE: "cyan",
    Verdict.WAIVED: "blue",
}

# Beside the word or the count of each verdict, so that none is recognised by its colour alone.
SIGNS = {
    Verdict.CONFORMS: "✓",
    Verdict.VIOLATES: "✗",
    Verdict.ERROR: "!",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_TESTABLE: "–",
    Verdict.WAIVED: "~",
}

# How a reason begins when it was not the harness that broke but a command of its user's.
OWN_COMMAND = "--after-build"

ELLIPSIS = "…"
SEPARATOR = " · "

# Output of a host or a guest may hold anything. A control character is shown by the picture that
# Unicode has of it, so that no terminal obeys it; the length stays.
_PICTURES = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    # Marks that turn the direction of a text show another text than there is.
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD),
}

_TENTHS_BELOW_S = 10
_MINUTE_S = 60


def duration(seconds: float | None) -> str:
    """Return `0.3 s`, `12 s`, `3 min 41 s`; nothing for None."""
    if seconds is None:
        return ""
    if round(seconds, 1) < _TENTHS_BELOW_S:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def count(number: int | str, verdict: Verdict) -> str:
    """Return a count and behind it the sign of its verdict: `2✗`; `12` of what conforms."""
    return str(number) if verdict is Verdict.CONFORMS else f"{number}{SIGNS[verdict]}"


def counted(number: int, noun: str) -> str:
    """Return `1 check`, `2 checks`; the catalogue has a noun with its measure word."""
    shown = pgettext("counted", noun)
    ending = "s" if number != 1 and language() == ENGLISH else ""
    return f"{number} {shown}{ending}"


def harmless(text: str) -> str:
    """Return text with control characters, but for tabs and ends of lines, as pictures."""
    return text.translate(_PICTURES)


def one_line(text: str, width: int | None = None) -> str:
    """Return text without line breaks, shortened to `width` columns unless that is None."""
    flat = " ".join(text.split())
    if width is None or cell_len(flat) <= width:
        return flat
    return set_cell_size(flat, max(width - 1, 0)).rstrip() + ELLIPSIS


def padded(text: str, width: int) -> str:
    """Return text with blanks behind it to fill `width` columns; a Chinese character takes two."""
    return text + " " * max(0, width - cell_len(text))


def both_ends(text: str, width: int) -> str:
    """Return text in `width` columns; a parametrised id needs its end as much as its start."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return text[: width - 1 - tail] + ELLIPSIS + text[len(text) - tail :]


def few(ids: Sequence[str], width: int) -> str:
    """Return the ids, or the first and how many more, in at most `width` columns."""
    whole = " ".join(ids)
    if len(whole) <= width or len(ids) <= 1:
        return whole
    return f"{ids[0]} +{len(ids) - 1}"
