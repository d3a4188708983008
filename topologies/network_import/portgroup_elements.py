# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's `<portgroup>` and `<vlan>` of a network over an Open vSwitch bridge, for the model.

Source: libvirt, "Network XML format", "Portgroups" and "Setting VLAN tag".
"""

from typing import Any

from pydantic import ValidationError

from topologies.network_import.xml_reader import Element
from topologies.portgroups import Portgroup, PortVlan, default_class


def portgroups(root: Element, *, built: bool) -> dict[Portgroup, Element]:
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
