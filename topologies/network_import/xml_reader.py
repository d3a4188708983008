# SPDX-License-Identifier: GPL-2.0-or-later
"""Read libvirt's XML of a network into elements that know their lines.

Python's ElementTree forgets where an element was; expat, which it is made of, knows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from topologies.cli_names import content
from topologies.data_error import DataError

ROOT = "network"


@dataclass
class Element:
    """One element.

    Attributes:
        path: its name with those around it, as in `network/ip/dhcp`.
        line: the line of its start, counted from 1.
        attributes: by name.
        children: in their order.
        text: its text without the blanks around it.
    """

    path: str
    line: int
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def find(self, name: str) -> Iterator["Element"]:
        """Give the elements directly below it with a name."""
        return (each for each in self.children if each.path == f"{self.path}/{name}")

    def first(self, name: str) -> "Element | None":
        """Return the first of them."""
        return next(self.find(name), None)

    def get(self, name: str, attribute: str) -> str | None:
        """Return an attribute of the first element directly below it with a name."""
        found = self.first(name)
        return None if found is None else found.attributes.get(attribute)

    def walk(self) -> Iterator["Element"]:
        """Give it and everything below it, in the order of the text."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_file(file: Path) -> Element:
    """Read a network's definition from a file.

    Raises:
        DataError: it is missing, not XML, or not a network of libvirt's.
    """
    return read_xml(content(file), file)


def read_xml(text: str | bytes, file: Path | None = None) -> Element:
    """Read a network's definition.

    Args:
        text: the XML; bytes are in the encoding that it names, or UTF-8.
        file: where it was read from, for errors.

    Raises:
        DataError: it is not XML, or not a network of libvirt's.
    """
    reader = _Reader(file)
    try:
        reader.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise DataError(
            f"not XML (column {error.offset + 1}): {expat.ErrorString(error.code)}; expected a "
            "network of libvirt's",
            file=file,
            line=error.lineno,
            hint="virsh net-dumpxml NAME prints one",
        ) from error
    root = reader.root
    if root is None or root.path != ROOT:
        found = "nothing" if root is None else f"<{root.path}>"
        raise DataError(
            f"found {found}; expected <{ROOT}>",
            file=file,
            line=1 if root is None else root.line,
            hint="virsh net-dumpxml NAME prints one",
        )
    return root


class _Reader:
    """Builds elements from expat's events."""

    def __init__(self, file: Path | None) -> None:
        self.root: Element | None = None
        self.parser = expat.ParserCreate()
        self._file = file
        self._open: list[Element] = []
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        around = self._open[-1] if self._open else None
        path = name if around is None else f"{around.path}/{name}"
        element = Element(path, self.parser.CurrentLineNumber, attributes)
        if around is None:
            self.root = element
        else:
            around.children.append(element)
        self._open.append(element)

    def _end(self, name: str) -> None:
        del name
        element = self._open.pop()
        element.text = element.text.strip()

    def _text(self, text: str) -> None:
        self._open[-1].text += text

    def _refuse_doctype(self, name: str, *_rest: object) -> NoReturn:
        # libvirt's XML has none; entities that multiply are declared there.
        raise DataError(
            f"a document type, {name}; expected none",
            file=self._file,
            line=self.parser.CurrentLineNumber,
            hint="remove <!DOCTYPE …>",
        )
