# SPDX-License-Identifier: GPL-2.0-or-later
"""A unified diff that is read: of a long line that changed, only the words about the change.

`ip -details` prints a link's settings on one line of a thousand characters.
"""

import difflib
from collections.abc import Iterator, Sequence

CONTEXT_LINES = 3
CONTEXT_WORDS = 4
LONG = 120
LEFT_OUT = "…"


def hunks(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """Yield a unified diff without the two lines that name files."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT_LINES):
        (_, first, _, other, _), (_, _, last, _, end) = group[0], group[-1]
        yield f"@@ -{first + 1},{last - first} +{other + 1},{end - other} @@"
        for what, i1, i2, j1, j2 in group:
            was, now = list(before[i1:i2]), list(after[j1:j2])
            if what == "equal":
                yield from (f" {_shortened(line)}" for line in was)
                continue
            if len(was) == len(now):
                pairs = [_about_the_change(*pair) for pair in zip(was, now, strict=True)]
                was, now = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            yield from (f"-{line}" for line in was)
            yield from (f"+{line}" for line in now)


def _shortened(line: str) -> str:
    """Return a line that is there for its place only."""
    return line if len(line) <= LONG else f"{line[:LONG]}{LEFT_OUT}"


def _about_the_change(was: str, now: str) -> tuple[str, str]:
    """Return two lines, of long ones only the words that differ and some about them."""
    if max(len(was), len(now)) <= LONG:
        return was, now
    earlier, later = was.split(" "), now.split(" ")
    groups = list(
        difflib.SequenceMatcher(None, earlier, later, autojunk=False).get_grouped_opcodes(
            CONTEXT_WORDS
        )
    )
    return (
        _parts(earlier, [(group[0][1], group[-1][2]) for group in groups]),
        _parts(later, [(group[0][3], group[-1][4]) for group in groups]),
    )


def _parts(words: Sequence[str], spans: Sequence[tuple[int, int]]) -> str:
    """Return these parts of a line of words, and signs for what is left out."""
    kept: list[str] = []
    reached = 0
    for begin, end in spans:
        kept += [LEFT_OUT, *words[begin:end]] if begin > reached else words[begin:end]
        reached = end
    return " ".join([*kept, LEFT_OUT] if reached < len(words) else kept)
