# SPDX-License-Identifier: GPL-2.0-or-later
"""The English words that a page shows beside those of its record: none, in another language.

What is data is taken out phrase by phrase, not word by word: "host" in a reason is no excuse for
"Host" as a label.
"""

import functools
import re
from collections.abc import Iterable, Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

from contracts.language import CHINESE
from reports.record import RunRecord
from tests.messages import kept

_WORD = re.compile(r"[A-Za-z]{2,}")
# An option, a command, a placeholder: none of them is a word of a sentence.
_CODE = re.compile(r"--\w+|\./\w+ \w+|\w+\.json|<[^>]+>|\{\w+\}|%\(\w+\)s|`[^`]+`")
DATA = ("claims", "faults", "procedures", "remedies", "topologies")
# What a record has in English, and a page in Chinese.
SHIPPED = ("faults", "procedures")
# Commands and evidence are shown as they are; an option is the name of a topology or a property.
_AS_IT_IS = {"style", "script", "pre", "code", "option"}
_ATTRIBUTES = (
    "aria-label",
    "title",
    "placeholder",
    "data-label",
    "data-all",
    "data-some",
    "data-shown",
)
# Units, names and what the page's script fills in: the same in every language.
SAME = frozenset({"Plumbline", "min", "KiB", "MiB", "UTC", "Debian", "Linux", "ICMP", "TCP", "UDP"})
_VOID = {"meta", "input", "br", "link", "circle", "line", "path", "rect", "polyline"}


class _Texts(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self._open.append(tag)
        self.texts += [value for name, value in attrs if name in _ATTRIBUTES and value]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content: a line of a drawing."""

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not _AS_IT_IS & set(self._open):
            self.texts.append(data)


def of_page(html: str) -> list[str]:
    """Return the texts of an HTML page, and those of its attributes for a reader."""
    return _Texts(html).texts


def of_markdown(text: str) -> list[str]:
    """Return the lines of a page in Markdown, without code and escapes."""
    plain = re.sub(r"(?s)`````.*?`````", " ", text)
    # An escaped one begins no code.
    plain = re.sub(r"(?<!\\)`[^`]*`|</?(?:details|summary)>|\u200b", " ", plain)
    return unescape(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", plain)).splitlines()


def english(texts: Iterable[str], *records: RunRecord, also: Iterable[str] = ()) -> set[str]:
    """Return the words that are neither of the records nor of a translation.

    Args:
        texts: what a reader sees.
        records: whose texts are data.
        also: further phrases that are data.
    """
    data = {*also, *(each for record in records for each in _phrases(record))}
    data |= {each for name in DATA for each in _translations(name)}
    # A verdict is a value in a record, and a word for a reader.
    data -= {str(each.id) for each in kept(CHINESE, "interface") if each.context == "word"}
    data -= {str(each.id) for name in SHIPPED for each in kept(CHINESE, name) if each.id}
    phrases = sorted(data, key=len, reverse=True)
    names = SAME | {word for each in _translations("interface") for word in _words(each)}
    found: set[str] = set()
    for text in {" ".join(each.split()) for each in texts}:
        rest = text
        for phrase in phrases:
            rest = rest.replace(phrase, " ")
        found |= _words(rest) - names
    return found


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_CODE.sub(" ", text)))


@functools.cache
def _translations(catalogue: str) -> tuple[str, ...]:
    """Return what is Chinese: names in the interface's (JSON) are names in a page, too."""
    strings = [message.string for message in kept(CHINESE, catalogue) if message.id]
    texts = [[each] if isinstance(each, str) else each or [] for each in strings]
    return tuple(text for each in texts for text in each)


def _phrases(record: RunRecord) -> Iterator[str]:
    for check in record.checks:
        yield check.label
        yield check.property
    yield from _keys_of(record.host.facts)
    yield from (fault.topology.partition("+")[0] for fault in record.faults)
    for phrase in _texts_of(record.model_dump(mode="json")):
        flat = " ".join(phrase.split())
        if len(flat) > 1:
            yield flat


def _keys_of(facts: Any) -> Iterator[str]:
    for key, value in facts.items() if isinstance(facts, dict) else ():
        yield key
        yield from _keys_of(value)


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        # Names of topologies, settings and files are keys; a key of the schema is no phrase.
        yield from (key for key in value if not key.isidentifier())
        for each in value.values():
            yield from _texts_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts_of(each)
    elif isinstance(value, str):
        yield value
