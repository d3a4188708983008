# SPDX-License-Identifier: GPL-2.0-or-later
"""Find and read topologies: the shipped ones by name, a user's own by path."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from topologies.bridge_files.bridge_file import BridgeDocument, documents
from topologies.cli_names import FILES, SHIPPED, SUFFIXES, XML, expanded, file_of, is_netplan
from topologies.data_error import DataError, gathered
from topologies.document_model import require_schema
from topologies.field_types import found as found_value
from topologies.host_files import joined, split
from topologies.network_import.clashes import clashes
from topologies.network_import.xml_topology import KEY, NOT_BESIDE, XmlDocument, read_network
from topologies.rules import broken, doubtful, draft_of
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
        name_or_path: A shipped name, or the path of a .yaml, .yml or .xml file.

    Raises:
        DataError: There is no such topology, or its file has errors; all of them.
    """
    [*found] = _every(name_or_path)
    if len(found) > 1:
        file, _ = split(name_or_path)
        names_ = ", ".join(each.network.bridge for each in found)
        raise DataError(
            f"{len(found)} bridges in it, {names_}; expected one",
            file=file,
            hint=f"name it as in {joined(file, found[0].network.bridge)}",
        )
    return found[0]


def load_all(names_or_paths: Iterable[str]) -> tuple[Topology, ...]:
    """Read several topologies for one run, each once; a folder is all that are in it.

    Raises:
        DataError: Any of them cannot be read, two files have the same name, or two networks of XML
            files cannot be on one host; all errors.
    """
    found: dict[str, Topology] = {}
    errors: list[DataError] = []
    for name_or_path in expanded(names_or_paths):
        try:
            each_of_it = list(_every(name_or_path))
        except DataError as error:
            errors.append(error)
            continue
        for topology in each_of_it:
            errors += _entered(topology, found)
    errors += clashes(list(found.values()))
    if errors:
        raise gathered(errors)
    return tuple(found.values())


def _entered(topology: Topology, found: dict[str, Topology]) -> Iterator[DataError]:
    """Enter a topology under its name; gives what another one of the name has against it."""
    other = found.setdefault(topology.name, topology)
    if other.canonical() == topology.canonical():
        return
    if topology.network.given is not None and other.network.given is not None:
        yield from clashes([other, topology])
    else:
        yield DataError(
            f'"{topology.name}" is also the name of {other.canonical()}, in the same run; '
            "expected different names",
            file=topology.source_path,
            field="name",
            hint="rename your own topology",
        )


def _every(name_or_path: str) -> Iterator[Topology]:
    """Give the topologies of a file: one, or of a host's file one of each bridge."""
    file = file_of(name_or_path)
    if file.suffix not in FILES or is_netplan(file):
        for document in documents(name_or_path):
            yield _of(document)
    else:
        yield _read(file)


def _read(file: Path) -> Topology:
    if file.suffix == XML:
        return _of(read_network(file))
    document = read(file)
    require_schema(document, SCHEMA)
    if KEY in document.data:
        return _of(_over_xml(document))
    return _of(document)


def _of(document: Document) -> Topology:
    """Return the topology of a document's values.

    Raises:
        DataError: They are none; all errors.
    """
    errors: list[DataError] = []
    try:
        Shape.model_validate(document.data)
    except ValidationError as error:
        errors += refusals(error, document, Shape)
    draft = draft_of(document.data)
    errors += [document.error(p.path, p.what, p.hint) for p in broken(draft)]
    if errors:
        raise gathered(errors)
    warnings = tuple(document.error(p.path, p.what, p.hint) for p in doubtful(draft))
    topology = Topology.model_validate(document.data).read_from(document.file, warnings)
    if isinstance(document, BridgeDocument):
        return topology.read_from(document.word, warnings).read_as(document.reading)
    return topology.read_as(document.reading) if isinstance(document, XmlDocument) else topology


def _over_xml(document: Document) -> XmlDocument:
    """Return the values of a topology file over libvirt's XML."""
    xml = document.data[KEY]
    if not isinstance(xml, str) or not xml.endswith(XML):
        raise document.error(
            (KEY,),
            f"found {found_value(xml)}; expected the path of an {XML} file from this folder",
            "virsh net-dumpxml NAME prints the XML of a network",
        )
    if both := [key for key in NOT_BESIDE if key in document.data]:
        raise gathered(
            document.error(
                (key,), f"the network is that of {xml}; expected no such key", "leave it out"
            )
            for key in both
        )
    return read_network(document.file.parent / xml, document)
