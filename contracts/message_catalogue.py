# SPDX-License-Identifier: GPL-2.0-or-later
"""Catalogues of messages, read as they are in the repository: no compiled file is kept.

A catalogue is a file as GNU gettext and Babel write it (`.po`). Standard library only: a lab and a
staged host have no Babel, and its own data of all languages would be most of the environment.
`tests/test_languages.py` compares this reader with Babel's, file by file.
"""

import ast
import gettext
import io
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

# msgid "…", msgstr[0] "…"
_KEYWORD = re.compile(r'(?P<word>msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)\s+(?P<text>".*")$')
# What separates a context from its message, and a singular from its plural, in a compiled file.
_CONTEXT, _PLURAL = "\x04", "\0"
_MAGIC = 0x950412DE
_HEADER_OCTETS, _ENTRY_OCTETS = 28, 8

Entry = dict[str, str]
"""The texts of a message by their keyword: `msgid`, `msgstr`, …"""


def read_catalogues(files: Iterable[Path]) -> gettext.GNUTranslations:
    """Return the translations of several files as one.

    Raises:
        OSError: a file cannot be read.
        ValueError: a line is none of a catalogue; file and number are named.
    """
    messages: dict[str, str] = {}
    for file in files:
        for entry in entries(file):
            messages.setdefault(_key(entry), _value(entry))
    return gettext.GNUTranslations(io.BytesIO(_compiled(messages)))


def entries(file: Path) -> Iterator[Entry]:
    """Yield the messages of a file that are translated and not fuzzy, its header first.

    Raises:
        OSError: it cannot be read.
        ValueError: a line is none of a catalogue; file and number are named.
    """
    entry, word, is_fuzzy = Entry(), "", False
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            if "msgstr" in entry or "msgstr[0]" in entry:
                yield from _usable(entry, is_fuzzy=is_fuzzy)
                entry, is_fuzzy = Entry(), False
            is_fuzzy |= text.startswith("#,") and "fuzzy" in text
        elif found := _KEYWORD.match(text):
            word = found["word"]
            entry[word] = ast.literal_eval(found["text"])
        elif word and text.startswith('"') and text.endswith('"'):
            entry[word] += ast.literal_eval(text)
        else:
            raise ValueError(f"{file}:{number}: expected a line of a message catalogue: {text}")
    yield from _usable(entry, is_fuzzy=is_fuzzy)


def _usable(entry: Entry, *, is_fuzzy: bool) -> Iterator[Entry]:
    if not is_fuzzy and (entry.get("msgstr") or entry.get("msgstr[0]")):
        yield entry


def _key(entry: Entry) -> str:
    context = entry["msgctxt"] + _CONTEXT if "msgctxt" in entry else ""
    plural = _PLURAL + entry["msgid_plural"] if "msgid_plural" in entry else ""
    return context + entry["msgid"] + plural


def _value(entry: Entry) -> str:
    forms = [text for word, text in sorted(entry.items()) if word.startswith("msgstr")]
    return _PLURAL.join(forms)


def _compiled(messages: dict[str, str]) -> bytes:
    """Return a catalogue as the standard library's gettext reads it (GNU gettext, MO files)."""
    pairs = sorted((key.encode(), value.encode()) for key, value in messages.items())
    texts = [key for key, _ in pairs] + [value for _, value in pairs]
    start = _HEADER_OCTETS + _ENTRY_OCTETS * len(texts)
    table, body = b"", b""
    for text in texts:
        table += struct.pack("<II", len(text), start + len(body))
        body += text + b"\0"
    values_at = _HEADER_OCTETS + _ENTRY_OCTETS * len(pairs)
    header = struct.pack("<7I", _MAGIC, 0, len(pairs), _HEADER_OCTETS, values_at, 0, start)
    return header + table + body
