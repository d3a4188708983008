# SPDX-License-Identifier: GPL-2.0-or-later
"""Read a YAML 1.2 file into plain values, remembering the line of each.

The values are taken from ruamel.yaml's nodes, which have their positions. Its round-trip loader
keeps positions too (`.lc`), but loses what the errors need: it ends at the first repeated key, or
drops it; it reads `b: &c [*c]` as a list of null, a date as a date and the key `0x10` as a number;
and a value that does not fit its tag is a bare `ValueError` or `KeyError` without a line.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from topologies.cli_names import text_in_utf8
from topologies.data_error import DataError, gathered

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
FieldPath = tuple[str | int, ...]

# The largest file here, the catalogue, has some 1,200. Aliases of aliases multiply: stop early.
VALUES_MAX = 20_000
DOCUMENTATION = "docs/topologies.md describes the format"
# YAML 1.2 core schema; what else ruamel.yaml resolves (a timestamp, `=`) stays the text it is.
CONVERTED_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))
TEXT_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "timestamp", "value", "merge")
)


def field_name(path: FieldPath) -> str | None:
    """Return a path as an error writes it, as in `networks[0].dhcp.start`; None for the whole."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or None


@dataclass(frozen=True)
class Document:
    """A file's values and the line that each was written on.

    Attributes:
        file: The file as the user named it.
        data: The whole file's mapping.
        lines: The line of each value by its path; a key's own line for what a key names.
    """

    file: Path
    data: dict[str, Value]
    lines: Mapping[FieldPath, int]

    def line(self, path: FieldPath) -> int:
        """Return the line of a value, or of the nearest value around it in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, path: FieldPath, message: str, hint: str) -> DataError:
        """Return an error about the value at a path."""
        return DataError(
            message, file=self.file, line=self.line(path), field=field_name(path), hint=hint
        )


def read(file: Path) -> Document:
    """Read a YAML file whose top is a mapping.

    Raises:
        DataError: The file is missing, unreadable, not YAML, empty, not a mapping, or has a key
            twice; with the line where there is one.
    """
    text = text_in_utf8(file, "a text file")
    try:
        return _read(file, text)
    except RecursionError as error:
        raise DataError(
            "lists or mappings are nested hundreds deep; expected a few levels",
            file=file,
            hint=f"check the brackets: {DOCUMENTATION}",
        ) from error


def _read(file: Path, text: str) -> Document:
    yaml = YAML(typ="safe", pure=True)
    root = _compose(yaml, file, text)
    if root is None:
        raise DataError(
            "the file is empty; expected a mapping",
            file=file,
            line=1,
            hint=f"start it with the key schema: {DOCUMENTATION}",
        )
    walk = _Walk(file, yaml)
    data = walk.value(root, (), frozenset())
    if not isinstance(data, dict):
        walk.refuse(
            root,
            (),
            f"the file holds {'a list' if isinstance(data, list) else 'a single value'}; "
            "expected a mapping",
            f"start it with the key schema: {DOCUMENTATION}",
        )
    if walk.errors or not isinstance(data, dict):
        raise gathered(walk.errors)
    return Document(file, data, walk.lines)


def _compose(yaml: YAML, file: Path, text: str) -> Node | None:
    try:
        with warnings.catch_warnings():
            # An anchor may be defined anew (YAML 1.2.2, section 7.1): the last one before an alias
            # counts.
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (column {mark.column + 1})" if mark else ""
        raise DataError(
            f"not YAML{where}: {error.problem or error.context}; expected YAML 1.2",
            file=file,
            line=mark.line + 1 if mark else None,
            hint=_advice(error),
        ) from error
    except ReaderError as error:
        raise DataError(
            f"not YAML: character U+{ord(text[error.position]):04X} is not allowed; "
            "expected printable text",
            file=file,
            line=text.count("\n", 0, error.position) + 1,
            hint="delete the character",
        ) from error
    except YAMLError as error:
        raise DataError(
            f"not YAML: {error}; expected YAML 1.2", file=file, hint=DOCUMENTATION
        ) from error
    return node


def _advice(error: MarkedYAMLError) -> str:
    problem = f"{error.context} {error.problem}"
    if "\\t" in problem or "tab" in problem:
        return "indent with spaces, not tabs"
    if re.search(r"document", problem):
        return "keep one document per file: remove the line ---"
    return "check the indentation, quotes and brackets there and on the line before"


class _Walk:
    """One pass over a file's nodes that collects values, lines and errors."""

    def __init__(self, file: Path, yaml: YAML) -> None:
        self.file = file
        self.lines: dict[FieldPath, int] = {}
        self.errors: list[DataError] = []
        # The reader's own: a %YAML directive may have changed the version.
        self._constructor = yaml.constructor
        self._count = 0

    def refuse(self, node: Node, path: FieldPath, message: str, hint: str) -> None:
        """Note an error at a node."""
        line = node.start_mark.line + 1
        self.errors.append(
            DataError(message, file=self.file, line=line, field=field_name(path), hint=hint)
        )

    def value(self, node: Node, path: FieldPath, above: frozenset[int]) -> Value:
        """Return a node's value; `above` holds the ids of the nodes it is part of."""
        self._count += 1
        if self._count == VALUES_MAX:
            self.refuse(
                node,
                path,
                f"more than {VALUES_MAX} values; expected a topology",
                "write values out where aliases (*name) of aliases multiply them",
            )
        if self._count >= VALUES_MAX:
            return None
        if id(node) in above:
            self.refuse(
                node, path, "the alias names a value that it is part of", "write the value out"
            )
            return None
        self.lines.setdefault(path, node.start_mark.line + 1)
        above |= {id(node)}
        if isinstance(node, MappingNode):
            return self._mapping(node, path, above)
        if isinstance(node, SequenceNode):
            return [self.value(n, (*path, i), above) for i, n in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: FieldPath, above: frozenset[int]) -> Value:
        data: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.refuse(
                    key_node,
                    path,
                    "the key is a list or a mapping; expected a word",
                    "check the brackets and colons there",
                )
                continue
            key = str(key_node.value)
            inner = (*path, key)
            if key in data:
                self.refuse(
                    key_node,
                    inner,
                    f"the key is here again, first on line {self.lines[inner]}; expected it once",
                    "remove one of the two",
                )
                continue
            self.lines[inner] = key_node.start_mark.line + 1
            data[key] = self.value(value_node, inner, above)
        return data

    def _scalar(self, node: Node, path: FieldPath) -> Value:
        if node.tag in TEXT_TAGS:
            return str(node.value)
        if node.tag in CONVERTED_TAGS:
            try:
                converted: Value = self._constructor.construct_object(node)
            except (ValueError, KeyError):  # such as `!!int abc` or `!!bool abc`
                self.refuse(
                    node,
                    path,
                    f'"{node.value}" does not fit its tag {node.tag}; expected a plain value',
                    "remove the tag",
                )
                return None
            return converted
        self.refuse(
            node,
            path,
            f"the tag {node.tag} is not used here; expected plain values",
            "remove the tag",
        )
        return None
