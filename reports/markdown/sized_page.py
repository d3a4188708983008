# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages in Markdown from the templates of this folder, each below the size that GitHub takes.

A summary above 1 MiB is refused whole by GitHub ("Workflow commands", job summaries). So a template
hands lists of any length to `room.fit`, which leaves out whole entries, the last first, and counts
them.
"""

import functools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import markupsafe
from jinja2 import Environment
from markupsafe import Markup

from contracts.language import gettext
from reports import spoken_templates
from reports.markdown.escaping import code_span, escaped
from reports.wording import count, counted, harmless, one_line

SIZE_MAX = 1 << 20
# One reason is one paragraph; a guest's output in it may be of any length.
REASON_MAX = 1500
# So that no line of evidence ends its own block.
FENCE = "`````"

T = TypeVar("T")


class Room:
    """What is left of a page's size.

    Attributes:
        left_out: the entries that did not fit: how many of how many, by kind.
    """

    def __init__(self, octets: int) -> None:
        self._octets = octets
        self.left_out: dict[str, tuple[int, int]] = {}

    def fit(self, items: Iterable[T], entry: Callable[[T], str], what: str) -> Markup:
        """Return the entries that fit, in order, up to the first that does not.

        Args:
            items: the objects of the entries.
            entry: a macro that makes an entry of one.
            what: a noun for an entry.
        """
        every = list(items)
        taken: list[str] = []
        for item in every:
            made = entry(item)
            size = len(made.encode())
            if size > self._octets:
                break
            self._octets -= size
            taken.append(made)
        if left := len(every) - len(taken):
            before = self.left_out.get(what, (0, 0))
            self.left_out[what] = (before[0] + left, before[1] + len(every))
        return Markup().join(Markup(each) for each in taken)  # noqa: S704 - a macro escaped it


def page(template: str, size_max: int = SIZE_MAX, **context: object) -> str:
    """Return a page of at most `size_max` octets of UTF-8, as long as its fixed parts fit.

    Args:
        template: a file of this folder; it may ask `room`.
        size_max: for all of the page.
        context: the template's variables.
    """
    made = _environment().get_template(template)
    fixed = len(_tidy(made.render(room=Room(0), **context)).encode())
    return _tidy(made.render(room=Room(size_max - fixed), **context))


@functools.cache
def _environment() -> Environment:
    """Return the environment: text is escaped for Markdown, an unknown name is an error.

    Filters: `code` and `code_cell` (a code span, in a table), `reason` (shortened), `summary` (in
    HTML's `summary`), `verbatim` (a line in a fenced block), `number` (`3|number("check")`),
    `count` (a number with the sign of a verdict); and those of `reports.spoken_templates`, which
    has the messages.
    """
    made = spoken_templates.environment(Path(__file__).parent, _shown)
    made.globals["FENCE"] = _own(FENCE)
    made.filters |= {
        "code": lambda text: _own(code_span(text)),
        "code_cell": lambda text: _own(code_span(text, in_table=True)),
        "reason": lambda text: one_line(text or gettext("no reason given"), REASON_MAX),
        "summary": lambda text: markupsafe.escape(harmless(one_line(text))),
        "verbatim": lambda line: _own(harmless(line).replace(FENCE, "'''''")),
        "number": counted,
        "count": lambda number, verdict: _own(count(number, verdict)),
    }
    return made


def _own(text: str) -> Markup:
    return Markup(text)  # noqa: S704 - escaped by its caller


def _shown(value: object) -> object:
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return _own(escaped(str(value))) if is_text else value


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"
