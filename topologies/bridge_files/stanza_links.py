# SPDX-License-Identifier: GPL-2.0-or-later
"""VLANs and bonds of `/etc/network/interfaces`: what a bridge's port is made of.

Source: interfaces(5), "VLAN interfaces"; bridge-utils-interfaces(5); ifenslave's README.Debian;
ifupdown2's addons vlan and bond.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from topologies.bridge_files.declared import (
    Place,
    Port,
    PortLinks,
    require_interval_ms,
    require_tag,
    stacked,
)
from topologies.bridge_files.stanzas import Option, Stanza
from topologies.uplink_links import UplinkBond, UplinkVlan

RAW_AND_TAG: Final = re.compile(r"(?P<raw>.+)\.(?P<tag>[0-9]{1,4})")  # eth0.20
TAG_AT_END: Final = re.compile(r"[^0-9]*(?P<tag>[0-9]{1,4})")  # vlan20
VLAN_KEYS: Final = ("vlan-raw-device", "vlan-id")
SLAVES: Final = ("bond-slaves", "slaves")
MODE, MONITOR, MASTER = "bond-mode", "bond-miimon", "bond-master"
BOND_KEYS: Final = (*SLAVES, MODE, MONITOR, MASTER)
MONITOR_UNITS: Final = {"": 1}
"""The kernel takes a number alone (bonding, `miimon`)."""
ARP_MONITOR: Final = ("bond-arp-interval", "arp-interval")
ACTIVE_BACKUP: Final = ("active-backup", "1")
NO_PORT: Final = "none"
BOND_PORTS_MIN: Final = 2

Stanzas = Mapping[str, Sequence[Stanza]]
"""The `iface` stanzas of each interface."""


def links_of(port: Port | None, stanzas: Stanzas) -> PortLinks:
    """Return what a bridge's port is made of.

    Raises:
        DataError: its VLAN has a number that there is not, or is of another VLAN, or its bond's
            interval is none; with its line.
    """
    if port is None:
        return PortLinks()
    vlan = _vlan(port, stanzas)
    bond = _bond(port.name if vlan is None else vlan.link, stanzas)
    below = (() if vlan is None else (vlan.link,)) + (() if bond is None else bond.ports)
    return PortLinks(vlan, bond, below)


def _vlan(port: Port, stanzas: Stanzas) -> UplinkVlan | None:
    raw, number = (_find(port.name, stanzas, key) for key in VLAN_KEYS)
    name = RAW_AND_TAG.fullmatch(port.name)
    if raw is None and name is None:
        return None
    link = raw[1].value if raw is not None else name["raw"] if name is not None else ""
    if RAW_AND_TAG.fullmatch(link) or _find(link, stanzas, VLAN_KEYS[0]) is not None:
        place = port.place
        if raw is not None:
            stanza, option = raw
            place = Place(stanza.file, option.line, f"iface {port.name} {option.word}")
        raise stacked(link, place)
    if number is not None and number[1].value.isdecimal():
        stanza, option = number
        place = Place(stanza.file, option.line, f"iface {port.name} {option.word}")
        return UplinkVlan.model_construct(tag=require_tag(int(option.value), place), link=link)
    digits = name or TAG_AT_END.fullmatch(port.name)
    if digits is None:
        return None
    return UplinkVlan.model_construct(tag=require_tag(int(digits["tag"]), port.place), link=link)


def _bond(name: str, stanzas: Stanzas) -> UplinkBond | None:
    """Return a bond that the model has; its ports are in its stanza or name it.

    One that asks a machine of the site by ARP whether its NICs have a link is none.
    """
    listed = _find(name, stanzas, *SLAVES)
    ports = [] if listed is None else [e for e in listed[1].value.split() if e != NO_PORT]
    ports += [each for each in _enslaved(name, stanzas) if each not in ports]
    mode, monitor = (_find(name, stanzas, key) for key in (MODE, MONITOR))
    if len(ports) < BOND_PORTS_MIN or mode is None or mode[1].value not in ACTIVE_BACKUP:
        return None
    by_arp = _find(name, stanzas, *ARP_MONITOR)
    if by_arp is not None and by_arp[1].value != "0":
        return None
    monitor_ms = None
    if monitor is not None:
        stanza, option = monitor
        place = Place(stanza.file, option.line, f"iface {stanza.interface} {option.word}")
        monitor_ms = require_interval_ms(option.value, place, MONITOR_UNITS)
    return UplinkBond.model_construct(ports=tuple(ports), monitor_ms=monitor_ms)


def _enslaved(bond: str, stanzas: Stanzas) -> Iterator[str]:
    for name in stanzas:
        found = _find(name, stanzas, MASTER)
        if found is not None and found[1].value == bond:
            yield name


def _find(name: str, stanzas: Stanzas, *keys: str) -> tuple[Stanza, Option] | None:
    for stanza in stanzas.get(name, ()):
        if (option := stanza.value(*keys)) is not None:
            return stanza, option
    return None
