# SPDX-License-Identifier: GPL-2.0-or-later
"""Read libvirt's XML of a network into elements that know their lines.

Python's ElementTree forgets where an element was; expat, which it is made of, knows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from topologies.cli_names import content, text_in_utf8
from topologies.data_error import DataError

ROOT = "network"
PRINTED = "virsh net-dumpxml NAME prints one"
# Namespaces of libvirt's, each with the prefix that its documentation has.
PREFIXES = {"http://libvirt.org/schemas/network/dnsmasq/1.0": "dnsmasq"}


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


def text_of(file: Path) -> str:
    """Return the text of a file with a network's definition, as libvirt takes it.

    Raises:
        DataError: it is missing, or not in UTF-8.
    """
    return text_in_utf8(file, "XML")


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
            hint=PRINTED,
        ) from error
    root = reader.root
    if root is None or root.path != ROOT:
        found = "nothing" if root is None else f"<{root.path}>"
        raise DataError(
            f"found {found}; expected <{ROOT}>",
            file=file,
            line=1 if root is None else root.line,
            hint=f"{PRINTED}; a domain's XML is no network" if found == "<domain>" else PRINTED,
        )
    return root


class _Reader:
    """Builds elements from expat's events."""

    def __init__(self, file: Path | None) -> None:
        self.root: Element | None = None
        self.parser = expat.ParserCreate()
        self._file = file
        self._open: list[Element] = []
        # Prefix → namespace, as the elements around have declared them.
        self._spaces: list[dict[str, str]] = [{}]
        self.parser.XmlDeclHandler = self._refuse_encoding
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        around = self._open[-1] if self._open else None
        declared = {
            key.partition(":")[2]: value
            for key, value in attributes.items()
            if key.partition(":")[0] == "xmlns"
        }
        self._spaces.append({**self._spaces[-1], **declared})
        name = self._documented(name)
        attributes = {self._documented_key(key): each for key, each in attributes.items()}
        path = name if around is None else f"{around.path}/{name}"
        element = Element(path, self.parser.CurrentLineNumber, attributes)
        if around is None:
            self.root = element
        else:
            around.children.append(element)
        self._open.append(element)

    def _end(self, name: str) -> None:
        del name
        self._spaces.pop()
        element = self._open.pop()
        element.text = element.text.strip()

    def _documented(self, name: str) -> str:
        """Return an element's name with the prefix that libvirt's documentation has."""
        prefix, colon, local = name.rpartition(":")
        known = PREFIXES.get(self._spaces[-1].get(prefix, ""))
        if known is None:
            return name
        return f"{known}:{local if colon else name}"

    def _documented_key(self, key: str) -> str:
        """Return the name of an attribute that declares a namespace as it is documented."""
        xmlns, _colon, prefix = key.partition(":")
        known = PREFIXES.get(self._spaces[-1].get(prefix, "")) if xmlns == "xmlns" else None
        return key if known is None else f"xmlns:{known}"

    def _text(self, text: str) -> None:
        self._open[-1].text += text

    def _refuse_encoding(self, version: str, encoding: str | None, standalone: int) -> None:
        del version, standalone
        if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii", "ascii"):
            raise DataError(
                f"XML in {encoding}; expected UTF-8, in which libvirt is given it",
                file=self._file,
                line=self.parser.CurrentLineNumber,
                hint="convert it with iconv, and change its first line",
            )

    def _refuse_doctype(self, name: str, *_rest: object) -> NoReturn:
        # libvirt's XML has none; entities that multiply are declared there.
        raise DataError(
            f"a document type, {name}; expected none, and no entities",
            file=self._file,
            line=self.parser.CurrentLineNumber,
            hint="remove <!DOCTYPE …>, and write the values out",
        )
