# SPDX-License-Identifier: GPL-2.0-or-later
"""The template environment of every HTML page, and what is inlined into a page.

A template extends `base.html.j2` and fills its blocks `title` and `main`. What else it needs of
`reports/html/` it names before its blocks:

    {% set styles = ["report.css"] %}    beside style.css, which every page has
    {% set scripts = ["script.js"] %}    none unless named

Each is inlined, and the page's Content-Security-Policy allows it by its hash and nothing else: no
script, style attribute or request that evidence could bring along. So a template uses classes and
never `style="…"`.
"""

import base64
import functools
import hashlib
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from contracts.verdicts import Verdict
from reports import spoken_templates
from reports.fault_outcomes import OUTCOME_VERDICTS
from reports.html.shown_evidence import is_command, visible
from reports.wording import SIGNS, counted, duration

FOLDER = Path(__file__).parent
_KIB = 1024


@dataclass(frozen=True)
class Inlined:
    """A file of this folder as it is in a page.

    Attributes:
        text: its content, written into the page as it is.
        source: its name in a Content-Security-Policy.
    """

    text: Markup
    source: str


@functools.cache
def inlined(name: str) -> Inlined:
    """Return a style sheet or script of this folder.

    Raises:
        OSError: there is no such file.
    """
    text = (FOLDER / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Inlined(Markup(text), f"'sha256-{digest}'")  # noqa: S704 - a file of ours, unchanged


@functools.cache
def environment() -> Environment:
    """Return the environment: everything is escaped, and an unknown name is an error.

    What a text holds that would not be seen is made visible, see `evidence.visible`.

    Filters: `duration` (seconds), `counted` (`3|counted("check")`), `moment` (to the minute, in
    UTC), `octets` (a size), `quoted` (a word of a command), `words` (of a command, quoted), `sign`
    (of a verdict), `outcome_verdict` (the verdict that a fault's outcome looks like); and those of
    `reports.spoken_templates`, which has the messages. Test: `command` (a line of a transcript).
    """
    made = spoken_templates.environment(FOLDER, _shown)
    made.globals["inlined"] = inlined
    made.filters |= {
        "duration": duration,
        "counted": counted,
        "moment": moment,
        "octets": octets,
        "quoted": shlex.quote,
        "words": words,
        "outcome_verdict": OUTCOME_VERDICTS.__getitem__,
        "sign": lambda verdict: SIGNS[Verdict(verdict)],
    }
    made.tests["command"] = is_command
    return made


def octets(size: int) -> str:
    """Return `812 B`, `3.4 KiB`, `1.2 MiB`."""
    if size < _KIB:
        return f"{size} B"
    if size < _KIB * _KIB:
        return f"{size / _KIB:.1f} KiB"
    return f"{size / _KIB / _KIB:.1f} MiB"


def words(command: str) -> list[str]:
    """Return the words of a shell command, quoted as they need it, so that no line breaks in one.

    What is no command (a quote is left open) is one word.
    """
    try:
        return [shlex.quote(word) for word in shlex.split(command)]
    except ValueError:
        return [command]


def moment(when: datetime) -> str:
    """Return `2026-03-01 12:00 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _shown(value: object) -> object:
    """Return what a template writes; what is markup already is a template's own."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
