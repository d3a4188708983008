# SPDX-License-Identifier: GPL-2.0-or-later
"""Catalogues of messages: none missing, none left over, and read as Babel reads them."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from contracts import language
from contracts.language import CHINESE, ENGLISH, LANGUAGES, LOCALE, chosen, spoken
from contracts.message_catalogue import entries, read_catalogues
from tests.messages import (
    CATALOGUES,
    KEYWORDS,
    PYTHON,
    ROOT,
    WITHOUT_CHINESE,
    extracted,
    is_translated,
    kept,
)
from tests.messages import main as update

TRANSLATED = [each for each in LANGUAGES if each != ENGLISH]
every_catalogue = pytest.mark.parametrize("name", CATALOGUES)
every_language = pytest.mark.parametrize("spoken_one", TRANSLATED)
# %(name)s of the templates; {name} of the rest is read by the standard library.
_PERCENT = re.compile(r"%\(\w+\)s")
_FIGURES = re.compile(r"\d+(?:\.\d+)*")


def texts(message: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [message] if isinstance(message, str) else list(message or [])


def placeholders(text: str) -> set[str]:
    found = set(_PERCENT.findall(text))
    return found | {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def messages(spoken_one: str, name: str) -> list[Message]:
    return [each for each in kept(spoken_one, name) if each.id]


@pytest.fixture(scope="module")
def every_message() -> dict[str, set[tuple[str | None, str]]]:
    return {
        name: {(each.context, texts(each.id)[0]) for each in found if each.id}
        for name, found in extracted().items()
    }


@every_language
@every_catalogue
def test_no_message_is_missing_or_left_over(
    spoken_one: str, name: str, every_message: dict[str, set[tuple[str | None, str]]]
) -> None:
    there = {(each.context, texts(each.id)[0]) for each in messages(spoken_one, name)}
    hint = "python -m tests.messages brings the catalogues up to date"
    assert there == every_message[name], hint
    assert not kept(spoken_one, name).obsolete, hint


def test_the_catalogues_are_those_that_are_kept() -> None:
    assert set(extracted()) == set(CATALOGUES)
    for each in TRANSLATED:
        assert {file.stem for file in (LOCALE / each).iterdir()} == set(CATALOGUES)


@every_language
@every_catalogue
def test_each_message_is_translated(spoken_one: str, name: str) -> None:
    found = messages(spoken_one, name)
    assert found
    assert not [each.id for each in found if not is_translated(each)]
    assert not [each.id for each in found if each.fuzzy]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, False),
        ("", False),
        ("the bridge has a port", False),
        ("网桥有一个端口", True),
        (("一个端口", "ports"), False),
    ],
)
def test_a_text_without_a_chinese_character_is_no_translation(
    text: str | tuple[str, ...] | None, *, expected: bool
) -> None:
    english = ("the bridge has a port", "the bridge has ports")
    message = Message(english if isinstance(text, tuple) else english[0], text)
    assert is_translated(message) is expected


def test_what_needs_no_chinese_is_a_message_without_any() -> None:
    every = {each.id: each for name in CATALOGUES for each in messages(CHINESE, name)}
    assert set(every) >= WITHOUT_CHINESE
    for id_ in WITHOUT_CHINESE:
        assert not re.search(r"[\u4e00-\u9fff]", "".join(texts(every[id_].string))), id_


@every_language
@every_catalogue
def test_a_translation_has_the_placeholders_of_its_message(spoken_one: str, name: str) -> None:
    if name == "interface":
        for each in messages(spoken_one, name):
            needed = set.union(*(placeholders(text) for text in texts(each.id)))
            for text in texts(each.string):
                assert placeholders(text) == needed, each.id


@every_language
@pytest.mark.parametrize("name", ["claims", "faults", "procedures", "remedies"])
def test_a_translation_has_the_figures_of_its_statement(spoken_one: str, name: str) -> None:
    """A rate, a port or an address that a translator mistyped would be another statement."""
    for each in messages(spoken_one, name):
        english, other = texts(each.id)[0], texts(each.string)[0]
        assert sorted(set(_FIGURES.findall(english))) == sorted(set(_FIGURES.findall(other)))


@every_language
@every_catalogue
def test_what_is_code_in_a_statement_stays_as_it_is(spoken_one: str, name: str) -> None:
    for each in messages(spoken_one, name):
        english, other = texts(each.id)[0], texts(each.string)[0]
        for code in re.findall(r"`[^`]+`|<[^>]+>", english):
            assert code in other, each.id


@every_language
def test_a_message_of_two_catalogues_has_one_translation(spoken_one: str) -> None:
    known: dict[tuple[str | None, str], str] = {}
    for name in CATALOGUES:
        for each in messages(spoken_one, name):
            key = each.context, texts(each.id)[0]
            assert known.setdefault(key, texts(each.string)[0]) == texts(each.string)[0]


@every_language
def test_an_update_of_whole_catalogues_changes_nothing(
    spoken_one: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: (LOCALE / spoken_one / f"{name}.po").read_bytes() for name in CATALOGUES}
    assert update() == 0
    after = {name: (LOCALE / spoken_one / f"{name}.po").read_bytes() for name in CATALOGUES}
    assert before == after
    assert capsys.readouterr().out.count(" 0 to translate") == len(CATALOGUES) * len(TRANSLATED)


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in KEYWORDS:
                yield node


def test_no_message_is_marked_where_babel_does_not_see_it() -> None:
    """Babel reads tokens, and an f-string is one."""
    for folder in PYTHON:
        for file in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            inside = [each for each in ast.walk(tree) if isinstance(each, ast.JoinedStr)]
            hidden = [
                f"{file}:{call.lineno}"
                for each in inside
                for call in calls(each)
                if any(isinstance(arg, ast.Constant) for arg in call.args)
            ]
            assert not hidden
            # A text put together by hand is in no catalogue.
            made = [
                c.lineno for c in calls(tree) if any(isinstance(a, ast.JoinedStr) for a in c.args)
            ]
            assert not made, file


@every_language
@every_catalogue
def test_a_catalogue_is_read_as_babel_reads_it(spoken_one: str, name: str) -> None:
    file = LOCALE / spoken_one / f"{name}.po"
    with file.open("rb") as content:
        expected = {
            (each.context, tuple(texts(each.id))): tuple(texts(each.string))
            for each in read_po(content, locale=spoken_one)
            if each.id
        }
    found = {
        (
            each.get("msgctxt"),
            tuple(each[w] for w in ("msgid", "msgid_plural") if w in each),
        ): tuple(text for word, text in sorted(each.items()) if word.startswith("msgstr"))
        for each in entries(file)
        if each["msgid"]
    }
    assert found == expected


TRICKY = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

# a comment
#: a/place.py
msgid "a \"word\"\n"
"and\ta tab \\"
msgstr "ein \"Wort\"\n"
"und\tein Tabulator \\"

#, fuzzy
msgid "guessed"
msgstr "geraten"
msgid "open"
msgstr ""

msgctxt "a place"
msgid "same"
msgstr "dort"

msgid "same"
msgstr "gleich"

#, python-format
msgid "%(num)s bridge"
msgid_plural "%(num)s bridges"
msgstr[0] "%(num)s Netzbrücke"
msgstr[1] "%(num)s Netzbrücken"

#~ msgid "gone"
#~ msgstr "weg"
"""


def test_the_reader_knows_contexts_plurals_escapes_and_what_is_not_to_be_used(
    tmp_path: Path,
) -> None:
    file = tmp_path / "one.po"
    file.write_text(TRICKY, encoding="utf-8")
    made = read_catalogues([file])
    assert made.gettext('a "word"\nand\ta tab \\') == 'ein "Wort"\nund\tein Tabulator \\'
    assert made.gettext("guessed") == "guessed"
    assert made.gettext("open") == "open"
    assert made.gettext("gone") == "gone"
    assert made.gettext("same") == "gleich"
    assert made.pgettext("a place", "same") == "dort"
    forms = [made.ngettext("%(num)s bridge", "%(num)s bridges", number) for number in (1, 2)]
    assert forms == ["%(num)s Netzbrücke", "%(num)s Netzbrücken"]


def test_a_damaged_catalogue_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "one.po"
    file.write_text('msgid "a"\nmsgstr b\n', encoding="utf-8")
    with pytest.raises(ValueError, match=rf"^{re.escape(str(file))}:2: expected"):
        list(entries(file))


@pytest.mark.parametrize(
    ("asked", "environment", "expected"),
    [
        (None, {}, ENGLISH),
        (None, {"LANG": "zh_CN.UTF-8"}, CHINESE),
        (None, {"LANG": "zh"}, CHINESE),
        (None, {"LANG": "zh-Hans"}, CHINESE),
        (None, {"LANG": "zh_CN.GB18030@pinyin"}, CHINESE),
        (None, {"LANG": "C.UTF-8"}, ENGLISH),
        (None, {"LANG": "de_DE.UTF-8"}, ENGLISH),
        (None, {"LANG": "zha_XX"}, ENGLISH),
        (None, {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, CHINESE),
        (None, {"LC_MESSAGES": "zh_CN.UTF-8", "LC_ALL": "C"}, ENGLISH),
        (None, {"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, CHINESE),
        (None, {"LC_CTYPE": "zh_CN.UTF-8"}, ENGLISH),
        (ENGLISH, {"LC_ALL": "zh_CN.UTF-8"}, ENGLISH),
        (CHINESE, {"LC_ALL": "C"}, CHINESE),
    ],
)
def test_the_option_decides_and_then_the_locale(
    asked: str | None, environment: dict[str, str], expected: str
) -> None:
    assert chosen(asked, environment) == expected


def test_a_language_is_spoken_as_long_as_it_is_asked_for() -> None:
    assert language.gettext("Findings") == "Findings"
    with spoken(CHINESE):
        assert language.gettext("Findings") == "发现"
        assert language.word("conforms") == "符合"
        with spoken(ENGLISH):
            assert language.word("conforms") == "conforms"
        assert language.tag() == "zh-CN"
    assert language.gettext("Findings") == "Findings"


def test_what_no_catalogue_has_is_shown_as_it_is() -> None:
    with spoken(CHINESE):
        assert language.gettext("A statement of another catalogue") == (
            "A statement of another catalogue"
        )
        assert language.gettext("") == ""
        assert language.word("br0") == "br0"
