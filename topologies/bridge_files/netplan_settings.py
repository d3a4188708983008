# SPDX-License-Identifier: GPL-2.0-or-later
"""Every key of netplan's YAML, as one bridge of it has it: nothing is left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from topologies.bridge_files.declared import Port, PortLinks, way_out
from topologies.bridge_files.interfaces_settings import PORT_WITHOUT_ADDRESS
from topologies.bridge_files.kernel_settings import OF_A_PORT, OF_NETPLAN, value_of
from topologies.bridge_files.keywords import Keyword
from topologies.bridge_files.netplan_keys import BRIDGE, DEVICES, NOT, OFF
from topologies.bridge_files.netplan_links import KEYS
from topologies.network_import.reading import Setting
from topologies.yaml_reader import Document, FieldPath, Value, field_name

MADE_BY: Final = "ip or ovs-vsctl: netplan needs networkd or NetworkManager, and a sandbox has none"
# Of one level: network, network.version, network.bridges; two more are an interface.
SECTION, INTERFACE = 2, 3
DEFAULT_ROUTES: Final = ("default", "0.0.0.0/0")
MAIN_TABLE: Final = 254  # RT_TABLE_MAIN, linux/rtnetlink.h
# By these a port has an address of its own.
ADDRESSES: Final = ("addresses", "dhcp4")
SWITCHES: Final = ("dhcp4", "dhcp6", "optional")
USED: Final = Keyword("used")


@dataclass(frozen=True)
class BridgeKeys:
    """The keys of a file as one bridge has them.

    Attributes:
        document: the file.
        bridge: the bridge's name.
        ports: its ports.
        links: what the port that leads to other machines is made of.
    """

    document: Document
    bridge: str
    ports: Sequence[Port]
    links: PortLinks

    def settings(self) -> Iterator[Setting]:
        """Give every key with its treatment."""
        line = self.document.line(("network",))
        yield Setting(self._source, "made by", None, line, MADE_BY, "not looked at")
        for key, value in self.document.data.items():
            yield from self._below((key,), value)

    @property
    def _source(self) -> str:
        return f"netplan {self.document.file.name}"

    def _below(self, path: FieldPath, value: Value) -> Iterator[Setting]:
        """Give a key and what is below it; a list of plain values is one setting."""
        rule = self._rule(path)
        nested = isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(each, dict | list) for each in value)
        )
        written = "" if nested else _written(value)
        name, line = field_name(path) or "", self.document.line(path)
        if path[-1] in SWITCHES and written.lower() in OFF:
            # As without it.
            rule = USED
        claims = rule.undecides(written)
        yield Setting(self._source, name, None, line, written, rule.treatment, claims)
        if self._is_another(path):
            return
        if isinstance(value, dict):
            for key, each in value.items():
                yield from self._below((*path, key), each)
        elif nested and isinstance(value, list):
            for number, each in enumerate(value):
                yield from self._below((*path, number), each)
        elif path == (*self._own, "interfaces"):
            yield from self._further_ports(path)
        if path == (*self._own, "addresses") and isinstance(value, list):
            yield from self._further_addresses(path, value)

    @property
    def _own(self) -> FieldPath:
        return "network", "bridges", self.bridge

    def _further_addresses(self, path: FieldPath, listed: list[Value]) -> Iterator[Setting]:
        """Give the addresses that the model has no place for: it has the first of IPv4."""
        written = [next(iter(each)) if isinstance(each, dict) else str(each) for each in listed]
        first = next((number for number, each in enumerate(written) if ":" not in each), None)
        for number, each in enumerate(written):
            if number != first:
                own = (*path, number)
                name, line = field_name(own) or "", self.document.line(own)
                yield Setting(self._source, name, None, line, each, "not looked at")

    def _further_ports(self, path: FieldPath) -> Iterator[Setting]:
        for number, port in enumerate(self.ports):
            if port is not way_out(self.ports):
                name = field_name((*path, number)) or ""
                line = port.place.line
                yield Setting(self._source, name, None, line, port.name, "not looked at")

    def _is_another(self, path: FieldPath) -> bool:
        """Whether a path is that of another bridge, which is a topology of its own."""
        in_bridges = len(path) == INTERFACE and path[:SECTION] == ("network", "bridges")
        return in_bridges and path[-1] != self.bridge

    def _rule(self, path: FieldPath) -> Keyword:
        if path[:1] != ("network",):
            return NOT
        if len(path) <= SECTION:
            known = path[1:] in ((), ("version",)) or path[-1] in DEVICES
            return USED if known else NOT
        if path[1] == "bridges":
            return self._rule_of_bridge(path[SECTION:])
        if path[1] not in DEVICES:
            return NOT
        return self._rule_of_other(path)

    def _rule_of_bridge(self, path: FieldPath) -> Keyword:
        if len(path) == 1:
            return USED
        if path[1] == "routes" and len(path) > SECTION:
            return USED if self._is_default_route(path) else NOT
        if path[1] == "addresses":
            return USED
        of_kernel = path[1] == "parameters" and len(path) > SECTION and path[SECTION] in OF_NETPLAN
        if of_kernel and self._value((*self._own, "openvswitch")) is not None:
            # Open vSwitch has none of the kernel's settings.
            return NOT
        rule = BRIDGE.get(".".join(map(str, path[1:])), NOT)
        return self._rule_of_kernel(path) if of_kernel else rule

    def _rule_of_kernel(self, path: FieldPath) -> Keyword:
        """Return the rule of a setting of the kernel's, or of one for a port."""
        rule = BRIDGE.get(".".join(map(str, path[1:INTERFACE])), NOT)
        name, uplink = OF_NETPLAN[str(path[SECTION])], way_out(self.ports)
        written = _written(self._value((*self._own, *map(str, path[1:]))))
        if name in OF_A_PORT:
            if len(path) == INTERFACE:
                # Of its ports each has its own line.
                return rule
            written = f"{path[-1]}={written}"
        if value_of(name, written, None if uplink is None else uplink.written) is None:
            return replace(rule, treatment="not looked at")
        return rule

    def _value(self, path: FieldPath) -> Value:
        found: Value = self.document.data
        for step in path:
            found = found.get(str(step)) if isinstance(found, dict) else None
        return found

    def _is_default_route(self, path: FieldPath) -> bool:
        """Whether a path is that of the default route, or of its `to` or `via`."""
        is_default = path[SECTION] == default_route(self._value((*self._own, "routes")))
        return is_default and path[SECTION + 1 :] in ((), ("to",), ("via",))

    def _rule_of_other(self, path: FieldPath) -> Keyword:
        """Return the rule of an interface that is no bridge: a port without more is used."""
        names = {*(each.written for each in self.ports), *self.links.below}
        if len(path) == INTERFACE:
            return USED if path[-1] in names else NOT
        port = way_out(self.ports)
        if self._makes_a_link(path):
            return USED
        is_it = port is not None and port.written == path[2]
        if is_it and path[INTERFACE] in ADDRESSES:
            return Keyword("not looked at", undecides=_address_of_port)
        if path[INTERFACE] == "set-name":
            return USED
        return NOT

    def _makes_a_link(self, path: FieldPath) -> bool:
        """Whether a path is that of a key by which the run makes the port, or what is below it."""
        port = way_out(self.ports)
        own = {*self.links.below, *(() if port is None else (port.written,))}
        made = {"vlans": self.links.vlan, "bonds": self.links.bond}.get(str(path[1]))
        return made is not None and path[2] in own and path[INTERFACE:] in KEYS[str(path[1])]


def default_route(routes: Value) -> int | None:
    """Return the place of the default route in a bridge's list: the first of IPv4; None: no such.

    A route of another table is for packets that a rule of routing-policy sends there.
    """
    for number, each in enumerate(routes if isinstance(routes, list) else []):
        if not isinstance(each, dict) or each.get("to") not in DEFAULT_ROUTES:
            continue
        if each.get("table", MAIN_TABLE) == MAIN_TABLE and ":" not in str(each.get("via")):
            return number
    return None


def _address_of_port(value: str) -> tuple[str, ...]:
    return PORT_WITHOUT_ADDRESS if value else ()


def _written(value: Value) -> str:
    if isinstance(value, list):
        return ", ".join(_written(each) for each in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or value == {} else str(value)
