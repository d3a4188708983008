# SPDX-License-Identifier: GPL-2.0-or-later
"""Text of hosts and guests in Markdown: it makes no link, image, table cell or HTML of its own."""

import re

from reports.wording import one_line

# Characters with a meaning in any Markdown, autolinks and emoji included.
_PUNCTUATION = re.compile(r"([-\\`*_{}\[\]<>#|~@&!:.+$=^])")


def escaped(text: str) -> str:
    """Return text that Markdown and HTML take as the characters that it is, on one line."""
    flat = _without_controls(one_line(text))
    # As a comment, a name behind an at sign would notify the user of that name.
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
