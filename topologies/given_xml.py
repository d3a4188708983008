# SPDX-License-Identifier: GPL-2.0-or-later
"""A network's definition as its user wrote it, and as a shared host has to have it.

libvirt gets the user's own text. Only where a host has other users are its names and addresses
replaced, and what it has beside them stays.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Self
from xml.etree import ElementTree as ET

DNSMASQ = "http://libvirt.org/schemas/network/dnsmasq/1.0"
IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")  # 192.168.122.1
# 2001:db8::1; a MAC and a DUID look alike, and are no address
IPV6 = re.compile(r"(?<![\w:])[0-9A-Fa-f]*:[0-9A-Fa-f:]*(?::|[0-9A-Fa-f])(?![\w:])")

# Else ElementTree calls it ns0, which libvirt would take as well.
ET.register_namespace("dnsmasq", DNSMASQ)


@dataclass(frozen=True)
class Replacements:
    """What a shared host has in place of a definition's figures.

    Attributes:
        name: the network's name.
        bridge: its bridge's; None: it has none.
        mac: its bridge's MAC; None: libvirt makes one.
        uuid: its UUID; None: libvirt makes one.
        subnets: documented subnet → the one in its place.
        subnets6: the same, of IPv6.
        devices: documented NIC of the host's → the one in its place.
        macs: documented MAC of a guest → the one in its place.
        duids: documented DUID of a guest → the one in its place.
        guests: documented name of a guest → the one in its place.
        tftp_root: the folder of its TFTP server; None: it has none.
    """

    name: str
    bridge: str | None
    mac: str | None
    uuid: str | None
    subnets: Mapping[IPv4Network, IPv4Network] = field(default_factory=dict)
    subnets6: Mapping[IPv6Network, IPv6Network] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)
    macs: Mapping[str, str] = field(default_factory=dict)
    duids: Mapping[str, str] = field(default_factory=dict)
    guests: Mapping[str, str] = field(default_factory=dict)
    tftp_root: str | None = None


@dataclass(frozen=True)
class GivenXml:
    """A network's definition.

    Attributes:
        text: the XML.
        file: where it was read from; None: it was not a file.
    """

    text: str
    file: Path | None = None

    @property
    def uuid(self) -> str | None:
        """The UUID that it gives; None: libvirt makes one."""
        return ET.fromstring(self.text).findtext("uuid")

    def addresses6(self) -> Iterator[IPv6Address]:
        """Give the host's IPv6 addresses on the network; what is none, libvirt refuses."""
        for element in ET.fromstring(self.text).iterfind("ip"):
            try:
                yield IPv6Address(element.get("address", ""))
            except ValueError:
                continue

    def replaced(self, by: Replacements) -> Self:
        """Return the definition with the figures of a shared host."""
        root = _parsed(self.text)
        _child(root, "name").text = by.name
        for name, value in (("uuid", by.uuid), ("mac", by.mac)):
            found = root.find(name)
            if value is None:
                continue
            if name == "uuid":
                _child(root, name).text = value
            elif found is not None and found.get("address", "").lower() != value:
                found.set("address", value)
        if by.bridge is not None:
            _child(root, "bridge").set("name", by.bridge)
        for element in root.iter():
            for key, value in list(element.attrib.items()):
                element.set(key, _moved_text6(moved_text(value, by.subnets), by.subnets6))
        for device in _devices(root):
            _exchange(device, "dev", by.devices)
        for client in root.iterfind("ip/dhcp/host"):
            _exchange(client, "mac", by.macs)
            _exchange(client, "id", by.duids)
            _exchange(client, "name", by.guests)
        if by.tftp_root is not None:
            for tftp in root.iterfind("ip/tftp"):
                tftp.set("root", by.tftp_root)
        return replace(self, text=ET.tostring(root, encoding="unicode"))

    def over(self, pf: str) -> Self:
        """Return the definition with a physical function of the host; itself, if it has that."""
        root = _parsed(self.text)
        found = root.find("forward/pf")
        if found is None or found.get("dev") == pf:
            return self
        found.set("dev", pf)
        return replace(self, text=ET.tostring(root, encoding="unicode"))


def _parsed(text: str) -> ET.Element:
    """Parse a definition and keep its comments."""
    return ET.fromstring(text, ET.XMLParser(target=ET.TreeBuilder(insert_comments=True)))


def _child(root: ET.Element, name: str) -> ET.Element:
    """Return the element directly below the root; it is made where the definition has none."""
    found = root.find(name)
    if found is None:
        found = ET.SubElement(root, name)
    return found


def _exchange(element: ET.Element, key: str, others: Mapping[str, str]) -> None:
    """Set an attribute to what is in place of its value; a MAC may be in capitals."""
    value = element.get(key)
    if value is not None and (other := others.get(value, others.get(value.lower()))) is not None:
        element.set(key, other)


def _devices(root: ET.Element) -> Iterator[ET.Element]:
    """Give the elements that name a NIC which packets leave the host by."""
    for path in ("forward", "forward/interface"):
        yield from (each for each in root.findall(path) if "dev" in each.attrib)


def moved_text(value: str, subnets: Mapping[IPv4Network, IPv4Network]) -> str:
    """Return a value with each address of a documented subnet at its place in the other one."""

    def other(match: re.Match[str]) -> str:
        try:
            address = IPv4Address(match[0])
        except ValueError:
            return match[0]
        for documented, used in subnets.items():
            if address in documented:
                return str(used[int(address) - int(documented.network_address)])
        return match[0]

    return IPV4.sub(other, value)


def _moved_text6(value: str, subnets: Mapping[IPv6Network, IPv6Network]) -> str:
    """Return a value with each IPv6 address of a documented subnet at its place in the other."""

    def other(match: re.Match[str]) -> str:
        try:
            address = IPv6Address(match[0])
        except ValueError:
            return match[0]
        for documented, used in subnets.items():
            if address in documented:
                return str(used[int(address) - int(documented.network_address)])
        return match[0]

    return IPV6.sub(other, value)
