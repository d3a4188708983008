# SPDX-License-Identifier: GPL-2.0-or-later
"""The bridges of a host's file as topologies: the file is known by its content, not by its name."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from topologies.bridge_files.declared import (
    BY_HAND,
    DeclaredBridge,
    require_apart,
    require_routers_inside,
)
from topologies.bridge_files.interfaces_file import interfaces_bridges
from topologies.bridge_files.netplan_file import netplan_bridges
from topologies.cli_names import is_netplan
from topologies.data_error import DataError, gathered, near_miss
from topologies.host_files import joined, split
from topologies.network_import.imported import Imported
from topologies.network_import.planned import (
    NoRoom,
    physical_of,
    planned,
    planned_guests,
)
from topologies.network_import.reading import Reading
from topologies.yaml_reader import Document, FieldPath

# Of networks[0].stp it is stp.
KEY_AT = 2


@dataclass(frozen=True)
class BridgeDocument(Document):
    """The values of a topology of a bridge that a file declares.

    Attributes:
        bridge: the bridge.
        reading: everything that was read of it.
        one_of: how many bridges the file has.
    """

    bridge: DeclaredBridge = field(kw_only=True)
    reading: Reading = field(kw_only=True)
    one_of: int = field(kw_only=True)

    @property
    def word(self) -> Path:
        """The path that names it on a command line: of several bridges with its own name."""
        return Path(joined(self.file, self.bridge.name)) if self.one_of > 1 else self.file

    def error(self, path: FieldPath, message: str, hint: str) -> DataError:
        """Return an error about a value, with the line that it was read from."""
        keys = {("physical", "router"): "router", ("physical", "uplink"): "uplink"}
        key = keys.get((str(path[0]), str(path[1])) if len(path) > 1 else ("", ""))
        if key is None and path[:1] == ("networks",) and len(path) > KEY_AT:
            key = str(path[KEY_AT])
        place = self.bridge.place_of(key or "")
        return place.error(f"{self.bridge.name}: {message}", hint)


def declared_bridges(file: Path) -> list[DeclaredBridge]:
    """Return the bridges that a file declares.

    Raises:
        DataError: it is no such file, has no bridge, or they are at odds; with the line.
    """
    found = netplan_bridges(file) if is_netplan(file) else interfaces_bridges(file)
    require_apart(found)
    require_routers_inside(found)
    return found


def documents(word: str) -> Iterator[BridgeDocument]:
    """Give the topologies of a file, one of each bridge, or of the one that is named.

    Args:
        word: the file, or FILE#BRIDGE.

    Raises:
        DataError: it has none, not that one, or the model cannot have it.
    """
    file, name = split(word)
    bridges = declared_bridges(file)
    names = [each.name for each in bridges]
    if name is not None and name not in names:
        raise DataError(
            f'no bridge "{name}" in it; expected one of {", ".join(names)}',
            file=file,
            hint=near_miss(name, names) or f"name it as in {file}#{names[0]}",
        )
    for bridge in bridges:
        if name in (None, bridge.name):
            yield _document(file, bridge, len(bridges))


def _document(file: Path, bridge: DeclaredBridge, one_of: int) -> BridgeDocument:
    found = as_imported(bridge)
    try:
        physical = physical_of(found)
        network = planned(found, physical).given_as_stanza(bridge.stanza)
        guests = planned_guests(found, network)
    except NoRoom as error:
        place = bridge.places.get("address", bridge.place)
        raise place.error(f"{bridge.name}: {error}", BY_HAND) from error
    data = found.data(
        macs=guests.macs, names=guests.names, addresses=guests.addresses, physical=physical
    )
    more = {"networks": [network], "title": f"The bridge {bridge.name} of {file.name}"}
    return BridgeDocument(
        file=file,
        data=data | more,
        lines={},
        bridge=bridge,
        reading=found.reading,
        one_of=one_of,
    )


def as_imported(bridge: DeclaredBridge) -> Imported:
    """Return a bridge as Plumbline's model has it.

    Raises:
        DataError: the model cannot have it; with the line.
    """
    try:
        return bridge.imported()
    except ValidationError as error:
        raise gathered(
            bridge.place_of(str(each["loc"][0]) if each["loc"] else "").error(
                f"{bridge.name}: {each['msg']}", str(each.get("ctx", {}).get("hint", BY_HAND))
            )
            for each in error.errors(include_url=False)
        ) from error


def imported_of(file: Path) -> Iterator[tuple[Imported, str]]:
    """Give the bridges of a file, each with the file's name.

    Raises:
        DataError: it is no such file, has none, or one that the model cannot have.
    """
    for bridge in declared_bridges(file):
        yield as_imported(bridge), file.name
