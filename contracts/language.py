# SPDX-License-Identifier: GPL-2.0-or-later
"""The language that a reader is spoken to in: by `--lang`, or by the locale.

It is a setting of the reader's, one in a process. What is written into a run record is written in
English whatever it is: a record has no language, and a report of it can be made in each.

A message is marked where it is made, by the name of gettext's function, and translated there and
then; `gettext_noop` marks a constant, which is translated where it is shown. `python -m
tests.messages` brings the catalogues in `contracts/locale/` up to date with these marks.
"""

import contextlib
import functools
import gettext as catalogues
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from contracts.message_catalogue import read_catalogues

ENGLISH: Final = "en"
CHINESE: Final = "zh"
LANGUAGES: Final = (ENGLISH, CHINESE)
# As in HTML's attribute `lang` (BCP 47).
TAGS: Final = {ENGLISH: "en", CHINESE: "zh-CN"}
LANGUAGE_HELP: Final = "the language of what is shown; default: that of the locale, else English"
LOCALE: Final = Path(__file__).with_name("locale")
# In the order of POSIX (XBD 8.2): the first that has a value decides.
LOCALE_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")

_current = [ENGLISH]


def chosen(asked: str | None, environment: Mapping[str, str]) -> str:
    """Return the language to speak.

    Args:
        asked: the value of `--lang`; None: the locale decides.
        environment: the process's variables.
    """
    if asked is not None:
        return asked
    locale = next((environment[name] for name in LOCALE_VARIABLES if environment.get(name)), "")
    # zh_CN.UTF-8, zh-Hans, de_DE@euro
    word = locale.replace("-", "_").partition(".")[0].partition("@")[0].partition("_")[0].lower()
    return word if word in LANGUAGES else ENGLISH


def speak(language: str) -> None:
    """Speak a language from here on, in all threads of this process."""
    _current[0] = language


@contextlib.contextmanager
def spoken(language: str) -> Iterator[None]:
    """Speak a language as long as this lasts."""
    before = _current[0]
    speak(language)
    try:
        yield
    finally:
        speak(before)


def language() -> str:
    """Return the language that is spoken."""
    return _current[0]


def tag() -> str:
    """Return its tag, for HTML."""
    return TAGS[language()]


def gettext(message: str) -> str:
    """Return a message in the language that is spoken; one without a translation as it is."""
    # The empty message is the catalogue's own header.
    return _translations(language()).gettext(message) if message else message


def ngettext(singular: str, plural: str, number: int) -> str:
    """Return the form of a message that goes with a number."""
    return _translations(language()).ngettext(singular, plural, number)


def pgettext(context: str, message: str) -> str:
    """Return a message that has this translation in this context alone."""
    return _translations(language()).pgettext(context, message)


def gettext_noop(message: str) -> str:
    """Mark a constant as a message, and return it as it is."""
    return message


def word(term: str) -> str:
    """Return a word of a fixed vocabulary (a verdict, an outcome, a role) for a reader.

    Those words are values in a record, and classes in a page: there they stay as they are.
    """
    return pgettext("word", term)


@functools.cache
def _translations(language_: str) -> catalogues.NullTranslations:
    files = sorted((LOCALE / language_).glob("*.po"))
    return read_catalogues(files) if files else catalogues.NullTranslations()
