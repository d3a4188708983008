# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's XML of one network as a topology: the user's own definition, and what a run adds.

What the XML says nothing of is its type's: guests, the physical network, who reaches whom. A
topology file with the key `network_xml` replaces any of that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from topologies.data_error import DataError, gathered
from topologies.given_xml import GivenXml
from topologies.network_import.elements import unknown
from topologies.network_import.imported import Imported
from topologies.network_import.libvirt_xml import imported, without_host
from topologies.network_import.places import place_in, place_of
from topologies.network_import.planned import (
    NoRoom,
    physical_of,
    planned,
    planned_guests,
)
from topologies.network_import.portgroup_elements import own_vlan
from topologies.network_import.reading import Reading
from topologies.network_import.xml_reader import Element, read_file, text_of
from topologies.uplink_links import TAG_MAX, TAG_MIN
from topologies.yaml_reader import Document, FieldPath, Value

KEY = "network_xml"
# They follow from the XML, or are in it.
NOT_BESIDE = ("kind", "networks")
# Of networks[0].dhcp.start it is dhcp.
KEY_AT = 2


@dataclass(frozen=True)
class XmlDocument(Document):
    """The values of a topology, partly of an XML file, partly of a topology file over it.

    Attributes:
        file: as `Document`: the topology file, or the XML file alone.
        xml: the XML file.
        root: its element `<network>`.
        reading: everything that was read of it.
        places: the elements that entries of its keys were read from, by the keys' paths.
        written: the keys of the topology file.
    """

    xml: Path = field(kw_only=True)
    root: Element = field(kw_only=True)
    reading: Reading = field(kw_only=True)
    places: Mapping[FieldPath, Element] = field(kw_only=True)
    written: frozenset[str] = field(kw_only=True, default=frozenset())

    def error(self, path: FieldPath, message: str, hint: str) -> DataError:
        """Return an error about a value: with the line of the file that has it."""
        if path and path[0] in self.written:
            return super().error(path, message, hint)
        # networks[0].dhcp.start
        below = path[KEY_AT:] if path[:1] == ("networks",) else ()
        place = place_in(self.root, self.places, below)
        return DataError(message, file=self.xml, line=place.line, field=place.path, hint=hint)


def read_network(file: Path, over: Document | None = None) -> XmlDocument:
    """Read a network's XML as the values of a topology.

    Args:
        file: the XML.
        over: a topology file whose keys replace what a run adds.

    Raises:
        DataError: it is no network's XML, or the model cannot have it; all errors.
    """
    root, text = read_file(file), text_of(file)
    if errors := list(_obstacles(root, file)):
        raise gathered(errors)
    found = imported(root, without_host, file, built=True)
    try:
        data = _data(found, GivenXml(text, file))
    except NoRoom as error:
        place = place_of(root, "address")
        raise DataError(
            str(error),
            file=file,
            line=place.line,
            field=place.path,
            hint="describe the network in a topology file: docs/topologies.md",
        ) from error
    written = {} if over is None else {k: v for k, v in over.data.items() if k != KEY}
    return XmlDocument(
        file=file if over is None else over.file,
        data={**data, **written},
        lines={} if over is None else over.lines,
        xml=file,
        root=root,
        reading=found.reading,
        places=found.places,
        written=frozenset(written),
    )


def _data(found: Imported, given: GivenXml) -> dict[str, Value]:
    physical = physical_of(found)
    network = planned(found, physical).given_by(given)
    guests = planned_guests(found, network)
    data = found.data(
        macs=guests.macs, names=guests.names, addresses=guests.addresses, physical=physical
    )
    return {**data, "networks": [network], "title": f"The network {found.reading.name}"}


def _obstacles(root: Element, file: Path) -> Iterator[DataError]:
    """Give what changes who reaches whom in a way that the model cannot have."""
    for element, name in unknown(root):
        yield DataError(
            "this release does not know it, and it may change who reaches whom; expected what "
            "docs/topologies.md lists",
            file=file,
            line=element.line,
            field=name,
            hint="remove it, or describe the network in a topology file",
        )
    is_ovs = root.get("virtualport", "type") == "openvswitch"
    for element in root.find("vlan"):
        if is_ovs and own_vlan(root, built=True) is not None:
            continue
        yield DataError(
            "guests' frames get VLAN tags, which the model cannot have; expected tags from "
            f"{TAG_MIN} to {TAG_MAX}, over Open vSwitch, or none",
            file=file,
            line=element.line,
            field=element.path,
            hint="remove it from a copy, or describe the network in a topology file",
        )
    port = root.first("virtualport")
    if port is not None and port.attributes.get("type", "openvswitch") != "openvswitch":
        yield DataError(
            f"type {port.attributes['type']} is a switch that Plumbline does not know; expected "
            "openvswitch",
            file=file,
            line=port.line,
            field=port.path,
            hint="leave this network out",
        )
