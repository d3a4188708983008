# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogues of messages use the documents' own terms, as `docs/languages.md` lists them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.language import CHINESE
from tests.messages import CATALOGUES, kept

PAGE = Path(__file__).resolve().parent.parent / "docs" / "languages.md"
# They are verbs, or words of the language, as well: no translation can be expected of each.
ORDINARY = frozenset(
    {
        *("define", "start", "undefine", "lease", "run", "check", "record", "caught"),
        *("error", "statement", "verdict"),
    }
)
# Where a term is none: placeholders and code, names of tables, other words that begin alike.
NO_TERM = re.compile(
    r"\{\w+\}|%\(\w+\)s|`[^`]*`|<[^>]*>"
    r"|Bridge, Port,? (?:and )?Interface|Port and (?:one in )?Interface|kind is bridge|bridge mode"
    r"|isolated, bridge,|bridges above it|virtual port|host names?|autostart folder"
)
# The place, and not the preposition.
OUTSIDE = r"(?:the|between guests and|guest and) outside"
# Other documents have other words for the same.
OTHER_WORDS = re.compile(r"客户机|(?<!宿)主机(?!名)|外网|NAT网络")
# Its commands are in the translation as they are.
COMMANDS = "remedies"

Term = tuple[str, re.Pattern[str], re.Pattern[str]]
"""A term, with what finds it in English and in Chinese."""


def terms() -> Iterator[Term]:
    """Give each term of the table."""
    table = PAGE.read_text(encoding="utf-8").partition("## Terms")[2].partition("\n## ")[0]
    for line in table.splitlines():
        cells = [each.strip() for each in line.strip("|").split("|")]
        if not line.startswith("|") or cells[0] == "English" or cells[0].startswith("---"):
            continue
        names, words = (re.split(r",\s*", cell) for cell in cells[:2])
        assert len(names) == len(words), f"a word for each term: {line}"
        for name, chinese in zip(names, words, strict=True):
            yield name, _english(name), _chinese(chinese)


def _english(name: str) -> re.Pattern[str]:
    word = OUTSIDE if name == "outside" else re.escape(name)
    return re.compile(rf"(?<![\w./-])(?i:{word})(?:s|es)?(?![\w/-])")


def _chinese(word: str) -> re.Pattern[str]:
    needed = re.sub(r"\s*\([^)]*\)\s*", "", word)
    return re.compile(re.escape(needed))


def messages(name: str) -> Iterator[tuple[str, str]]:
    """Give each message of a catalogue with its translation, the first form of each."""
    for each in kept(CHINESE, name):
        if each.id:
            yield _first(each.id), _first(each.string)


def _first(text: str | list[str] | tuple[str, ...] | None) -> str:
    return text if isinstance(text, str) else (text or [""])[0]


TERMS = [each for each in terms() if each[0] not in ORDINARY]


def test_the_table_has_its_terms() -> None:
    names = {name for name, _, _ in terms()}
    assert {"guest", "host", "outside", "uplink", "virtual function", "masquerading"} <= names
    assert names >= ORDINARY


@pytest.mark.parametrize("term", TERMS, ids=[name for name, _, _ in TERMS])
def test_each_message_with_a_term_has_its_chinese(term: Term) -> None:
    _, english, chinese = term
    wrong = []
    for name in CATALOGUES:
        for message, translated in messages(name):
            found = english.search(NO_TERM.sub(" ", message))
            is_command = name == COMMANDS and found and found[0] in translated
            if found and not is_command and not chinese.search(translated):
                wrong.append((name, message, translated))
    assert not wrong


@pytest.mark.parametrize("name", CATALOGUES)
def test_no_translation_has_the_word_of_another_document(name: str) -> None:
    assert not [text for _, text in messages(name) if OTHER_WORDS.search(text)]
