# SPDX-License-Identifier: GPL-2.0-or-later
"""Find and read topologies: the shipped ones by name, a user's own by path."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from topologies.cli_names import SHIPPED, SUFFIXES, file_of
from topologies.data_error import DataError, gathered
from topologies.rules import broken, draft_of
from topologies.schema_errors import refusals
from topologies.topology import SCHEMA, Shape, Topology
from topologies.yaml_reader import Document, read

__all__ = ["SHIPPED", "SUFFIXES", "load", "load_all", "names"]


def names() -> list[str]:
    """Return the names of all shipped topologies, in the order in which they are documented."""
    return list(SHIPPED)


def load(name_or_path: str) -> Topology:
    """Read a topology.

    Args:
        name_or_path: A shipped name, or the path of a .yaml or .yml file.

    Raises:
        DataError: There is no such topology, or its file has errors; all of them.
    """
    return _read(file_of(name_or_path))


def load_all(names_or_paths: Iterable[str]) -> tuple[Topology, ...]:
    """Read several topologies for one run, each once.

    Raises:
        DataError: Any of them cannot be read, or two files have the same name; all errors.
    """
    found: dict[str, Topology] = {}
    errors: list[DataError] = []
    for name_or_path in names_or_paths:
        try:
            topology = load(name_or_path)
        except DataError as error:
            errors.append(error)
            continue
        other = found.setdefault(topology.name, topology)
        if other.canonical() != topology.canonical():
            errors.append(
                DataError(
                    f'"{topology.name}" is also the name of {other.canonical()}, in the same run; '
                    "expected different names",
                    file=topology.source_path,
                    field="name",
                    hint="rename your own topology",
                )
            )
    if errors:
        raise gathered(errors)
    return tuple(found.values())


def _read(file: Path) -> Topology:
    document = read(file)
    _require_schema(document)
    errors: list[DataError] = []
    try:
        Shape.model_validate(document.data)
    except ValidationError as error:
        errors += refusals(error, document, Shape)
    errors += [document.error(p.path, p.what, p.hint) for p in broken(draft_of(document.data))]
    if errors:
        raise gathered(errors)
    return Topology.model_validate(document.data).read_from(file)


def _require_schema(document: Document) -> None:
    # A file of another version or kind has an error in every line: report only the schema.
    written = document.data.get("schema")
    if written != SCHEMA:
        found = "the key is missing" if written is None else f'found "{written}"'
        raise document.error(
            ("schema",), f"{found}; expected {SCHEMA}", f"start the file with schema: {SCHEMA}"
        )
