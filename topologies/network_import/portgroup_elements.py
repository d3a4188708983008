# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's `<portgroup>` and `<vlan>` of a network over an Open vSwitch bridge, for the model.

Source: libvirt, "Network XML format", "Portgroups" and "Setting VLAN tag".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from topologies.network_import.xml_reader import Element
from topologies.portgroups import Portgroup, PortVlan, default_class


@dataclass(frozen=True)
class PortVlans:
    """The VLANs of a network's XML that the model can have.

    Attributes:
        groups: the portgroups, each with its element.
        own: the VLANs of the network itself; None: it has none.
    """

    groups: Mapping[Portgroup, Element] = field(default_factory=dict)
    own: PortVlan | None = None

    @property
    def keys(self) -> dict[str, Any]:
        """The keys of a topology's network."""
        return {"portgroups": tuple(self.groups), "vlan": self.own}

    def unread(self, root: Element) -> set[int]:
        """Return the identities of the elements that the model cannot have."""
        every = {id(each) for each in root.find("portgroup")}
        own = {id(each) for each in root.find("vlan")} if self.own is None else set()
        return every - {id(each) for each in self.groups.values()} | own


def port_vlans(root: Element, *, built: bool) -> PortVlans:
    """Return the VLANs of the XML of a network over an Open vSwitch bridge.

    Args:
        root: its element `<network>`.
        built: a run is to make it; else it exists.
    """
    return PortVlans(_portgroups(root, built=built), own_vlan(root, built=built))


def _portgroups(root: Element, *, built: bool) -> dict[Portgroup, Element]:
    """Return the portgroups of a network's XML, each with its element.

    One that the model cannot have is left out: with a tag that is none of 802.1Q's, for example.
    So is the default one with VLANs where the network exists: guests are in these as others are.
    """
    found = {}
    for element in root.find("portgroup"):
        try:
            group = Portgroup.model_validate(_data(element))
        except ValidationError:
            continue
        if built or default_class([group], None) is None:
            found[group] = element
    return found


def own_vlan(root: Element, *, built: bool) -> PortVlan | None:
    """Return the VLANs of the network itself; None: it has none, or the model cannot have them.

    Guests are in them as others are where the network exists, so there it is None, too.
    """
    element = root.first("vlan")
    if element is None or not built:
        return None
    try:
        return PortVlan.model_validate(_vlan(element))
    except ValidationError:
        return None


def _data(element: Element) -> dict[str, Any]:
    vlan = element.first("vlan")
    return {
        "name": element.attributes.get("name", ""),
        "default": element.attributes.get("default") == "yes",
        "vlan": None if vlan is None else _vlan(vlan),
    }


def _vlan(vlan: Element) -> dict[str, Any]:
    tags = list(vlan.find("tag"))
    native = next((each for each in tags if "nativeMode" in each.attributes), None)
    asked = vlan.attributes.get("trunk")
    return {
        "tags": tuple(_number(each) for each in tags),
        # libvirt takes several tags, or a native one, for a trunk.
        "trunk": asked == "yes" or (asked is None and (len(tags) > 1 or native is not None)),
        "native": None if native is None else _number(native),
        "native_tagged": native is not None and native.attributes["nativeMode"] == "tagged",
    }


def _number(tag: Element) -> int | str:
    text = tag.attributes.get("id", "")
    return int(text) if text.isdecimal() else text
