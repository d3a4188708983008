# SPDX-License-Identifier: GPL-2.0-or-later
"""Read `/etc/network/interfaces` into stanzas that know their lines.

Source: interfaces(5) of ifupdown, interfaces(5) of ifupdown2.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from topologies.cli_names import text_in_utf8
from topologies.data_error import DataError
from topologies.host_files import PIPED, begins_a_stanza

SOURCES: Final = ("source", "source-directory")
# Sourced files of a directory: interfaces(5), "INCLUDING OTHER FILES".
NAMED_PLAINLY: Final = re.compile(r"[A-Za-z0-9_-]+")
# Of files that source files; a deeper nest is a circle.
DEPTH_MAX: Final = 8
HINT: Final = "interfaces(5) describes the format; docs/topologies.md has what of it is looked at"
A_LINE: Final = "auto NAME, or iface NAME inet static"


@dataclass(frozen=True)
class Option:
    """One line of a stanza.

    Attributes:
        word: its first word as written, as in `bridge_ports`.
        value: the rest of it, with single blanks.
        line: counted from 1.
    """

    word: str
    value: str
    line: int

    @property
    def key(self) -> str:
        """Its word in one spelling: ifupdown has `bridge_ports`, ifupdown2 `bridge-ports`."""
        return self.word.lower().replace("_", "-")


@dataclass
class Stanza:
    """One stanza.

    Attributes:
        file: where it is.
        line: its first line, counted from 1.
        kind: the word that it begins with, as in `iface`.
        words: the words after it.
        options: its further lines.
        text: its lines as written, comments and blank lines included.
    """

    file: Path
    line: int
    kind: str
    words: tuple[str, ...]
    options: list[Option] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    @property
    def interface(self) -> str:
        """The interface that an `iface` stanza is about."""
        return self.words[0]

    def value(self, *keys: str) -> Option | None:
        """Return its first option that has one of these keys."""
        return next((each for each in self.options if each.key in keys), None)


def read_interfaces(file: Path) -> list[Stanza]:
    """Read a file, and the files that it sources.

    Raises:
        DataError: it is missing, or not of this form; with the line.
    """
    return list(_of_file(file, source_folder(file), (file.resolve(),)))


def source_folder(file: Path) -> Path | None:
    """Return the folder of a file's relative patterns; None: it was on standard input.

    Then no file is sourced: those of this machine may not be those of the stanzas' host.
    """
    return None if file.suffix == PIPED else file.parent


def _of_file(file: Path, folder: Path | None, around: Sequence[Path]) -> Iterator[Stanza]:
    for stanza in _parsed(text_in_utf8(file, "a text file"), file):
        yield stanza
        if stanza.kind in SOURCES:
            for sourced in sourced_files(stanza, folder):
                if sourced.resolve() in around or len(around) > DEPTH_MAX:
                    raise DataError(
                        f"{sourced} is read within itself; expected a file of its own",
                        file=file,
                        line=stanza.line,
                        field=stanza.kind,
                        hint="remove the line",
                    )
                yield from _of_file(sourced, folder, (*around, sourced.resolve()))


def sourced_files(stanza: Stanza, folder: Path | None) -> list[Path]:
    """Return the files that a `source` or `source-directory` line reads; none: none match.

    Args:
        stanza: the line.
        folder: that of the outermost file, from which relative paths are taken; None: no file is
            sourced.

    Raises:
        DataError: a word is no pattern.
    """
    found: list[Path] = []
    if folder is None:
        return found
    for word in stanza.words:
        # An absolute pattern is below the root of the file system.
        place = Path(word)
        root, pattern = (Path("/"), word.lstrip("/")) if place.is_absolute() else (folder, word)
        try:
            matching = sorted(root.glob(pattern)) if pattern else []
        except (IndexError, ValueError) as error:
            # '**foo', and a lone '.'
            raise DataError(
                f'"{word}" is no pattern of files; expected one as in interfaces.d/*',
                file=stanza.file,
                line=stanza.line,
                field=stanza.kind,
                hint="write one * for any characters of a name",
            ) from error
        if stanza.kind == "source":
            found += [each for each in matching if each.is_file()]
        else:
            inner = (
                each for place in matching if place.is_dir() for each in sorted(place.iterdir())
            )
            found += [e for e in inner if e.is_file() and NAMED_PLAINLY.fullmatch(e.name)]
    return found


def _parsed(text: str, file: Path) -> Iterator[Stanza]:
    stanza: Stanza | None = None
    for number, raw, line in _lines(text):
        words = line.split()
        if not words:
            # Comments and blank lines belong to the stanza that they are in.
            if stanza is not None:
                stanza.text += raw
        elif begins_a_stanza(words[0]):
            if stanza is not None:
                yield stanza
            stanza = Stanza(file, number, words[0], tuple(words[1:]), text=list(raw))
            _require_words(stanza)
        elif stanza is None or stanza.kind not in ("iface", "mapping", "template"):
            raise DataError(
                f'"{words[0]}" is in no stanza; expected {A_LINE} before it',
                file=file,
                line=number,
                hint=HINT,
            )
        else:
            stanza.options.append(Option(words[0], " ".join(words[1:]), number))
            stanza.text += raw
    if stanza is None:
        raise DataError("the file has no stanza; expected " + A_LINE, file=file, hint=HINT)
    yield stanza


def _require_words(stanza: Stanza) -> None:
    if not stanza.words:
        raise DataError(
            f"{stanza.kind} without a name; expected {A_LINE}",
            file=stanza.file,
            line=stanza.line,
            field=stanza.kind,
            hint=HINT,
        )


def _lines(text: str) -> Iterator[tuple[int, list[str], str]]:
    """Give each line with its number, as it is written, and with its continuations joined.

    A comment is an empty line here.
    """
    raw: list[str] = []
    first = 0
    for number, written in enumerate(text.splitlines(), 1):
        is_comment = not raw and written.lstrip().startswith("#")
        first = first if raw else number
        raw.append(written)
        if written.endswith("\\") and not is_comment:
            continue
        line = "" if is_comment else " ".join(each.removesuffix("\\") for each in raw)
        yield first, raw, line
        raw = []
    if raw:
        yield first, raw, " ".join(each.removesuffix("\\") for each in raw)
