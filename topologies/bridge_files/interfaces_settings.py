# SPDX-License-Identifier: GPL-2.0-or-later
"""Every line of `/etc/network/interfaces`, as one bridge of it has it: nothing is left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from topologies.bridge_files.declared import Port, PortLinks, way_out
from topologies.bridge_files.kernel_settings import OF_STANZAS, VLAN_AWARE, value_of
from topologies.bridge_files.keywords import BRIDGE, Keyword
from topologies.bridge_files.stanza_links import BOND_KEYS, VLAN_KEYS
from topologies.bridge_files.stanzas import SOURCES, Option, Stanza, source_folder, sourced_files
from topologies.host_files import ALLOW
from topologies.network_import.reading import Setting, Treatment

UNKNOWN: Final = Keyword("not looked at")
# Methods of a bridge's stanza that are used as they are; by DHCP the run gives it an address.
METHODS: Final = ("static", "manual")
PORTS: Final = ("bridge-ports", "ovs-ports")
# The claim that a port holds no address.
PORT_WITHOUT_ADDRESS: Final = ("BR-02",)


@dataclass(frozen=True)
class BridgeLines:
    """The lines of a file as one bridge has them.

    Attributes:
        file: the file that was named.
        bridge: the bridge's name.
        ports: its ports.
        links: what the port that leads to other machines is made of.
        others: the other bridges of the file.
        stanzas: all of the file, and of those that it sources.
        by_ifup: ifup makes it.
    """

    file: Path
    bridge: str
    ports: Sequence[Port]
    links: PortLinks
    others: frozenset[str]
    stanzas: Sequence[Stanza]
    by_ifup: bool

    def settings(self) -> Iterator[Setting]:
        """Give every line with its treatment."""
        names = {each.name for each in self.ports}
        for stanza in self.stanzas:
            if stanza.kind != "iface":
                yield self._outside_iface(stanza)
            elif stanza.interface == self.bridge:
                yield from self._own(stanza)
            elif stanza.interface in self.others:
                # A topology of its own.
                yield _head(stanza, "used")
            elif stanza.interface in names | set(self.links.below):
                yield from self._of_port(stanza)
            else:
                yield _head(stanza, "used" if "loopback" in stanza.words else "not looked at")
                yield from (_setting(stanza, each, "not looked at") for each in stanza.options)

    def _own(self, stanza: Stanza) -> Iterator[Setting]:
        is_ipv6 = "inet6" in stanza.words
        known = not is_ipv6 and (len(stanza.words) == 1 or stanza.words[-1] in METHODS)
        yield _head(stanza, "used" if known else "not looked at")
        seen: set[str] = set()
        for option in stanza.options:
            rule = BRIDGE.get(option.key, UNKNOWN)
            # The model has one address of the host's, of IPv4.
            beyond = is_ipv6 or ":" in option.value or option.key in seen
            is_address = option.key in ("address", "netmask", "gateway")
            is_left_out = (is_address and beyond) or self._is_left_to_kernel(stanza, option)
            treatment = "not looked at" if is_left_out else rule.treatment
            yield _setting(stanza, option, treatment, rule.undecides(option.value))
            if option.key in PORTS and option.key not in seen:
                yield from self._further_ports(stanza, option)
            seen.add(option.key)

    def _is_left_to_kernel(self, stanza: Stanza, option: Option) -> bool:
        """Whether an option is a setting of the kernel's that the run's bridge does not have."""
        name = {**OF_STANZAS, VLAN_AWARE: "vlan_aware"}.get(option.key)
        if name is None:
            return False
        # Open vSwitch has none of them.
        of_ovs = stanza.value("ovs-type") is not None
        uplink = way_out(self.ports)
        port = None if uplink is None else uplink.name
        return of_ovs or value_of(name, option.value, port, by_ifup=self.by_ifup) is None

    def _further_ports(self, stanza: Stanza, option: Option) -> Iterator[Setting]:
        for port in self.ports:
            if port is not way_out(self.ports):
                one = Option(option.word, port.name, option.line)
                yield _setting(stanza, one, "not looked at")

    def _of_port(self, stanza: Stanza) -> Iterator[Setting]:
        bare = len(stanza.words) == 1 or stanza.words[-1] == "manual"
        port = way_out(self.ports)
        has_address = port is not None and port.name == stanza.interface and not bare
        claims = PORT_WITHOUT_ADDRESS if has_address else ()
        yield _head(stanza, "used" if bare else "not looked at", claims)
        keys = self._keys_of(stanza.interface)
        for each in stanza.options:
            yield _setting(stanza, each, "used" if each.key in keys else "not looked at")

    def _keys_of(self, link: str) -> tuple[str, ...]:
        """Return the keys of a link's stanza by which the run makes it."""
        port, vlan = way_out(self.ports), self.links.vlan
        top = "" if port is None else port.name
        keys = VLAN_KEYS if vlan is not None and link == top else ()
        bond = self.links.bond
        of_bond = () if bond is None else (top if vlan is None else vlan.link, *bond.ports)
        return keys + (BOND_KEYS if link in of_bond else ())

    def _outside_iface(self, stanza: Stanza) -> Setting:
        value = " ".join(stanza.words)
        treatment: Treatment = "not looked at"
        folder = source_folder(self.file)
        if stanza.kind in SOURCES and sourced_files(stanza, folder):
            treatment = "used"
        elif stanza.kind in SOURCES:
            why = "not read for standard input" if folder is None else "no such file here"
            value = f"{value} ({why})"
        elif stanza.kind == "auto" or stanza.kind.startswith(ALLOW):
            # The run brings the bridge up by its name.
            treatment = "used"
        return Setting(source_of(stanza), stanza.kind, None, stanza.line, value, treatment)


def source_of(stanza: Stanza) -> str:
    """Return whose setting a stanza's is, as in `interfaces vmbr0.conf`."""
    return f"interfaces {stanza.file.name}"


def _head(stanza: Stanza, treatment: Treatment, undecides: tuple[str, ...] = ()) -> Setting:
    value, name = " ".join(stanza.words[1:]), f"iface {stanza.interface}"
    return Setting(source_of(stanza), name, None, stanza.line, value, treatment, undecides)


def _setting(
    stanza: Stanza, option: Option, treatment: Treatment, undecides: tuple[str, ...] = ()
) -> Setting:
    source, name = source_of(stanza), f"iface {stanza.interface}"
    return Setting(source, name, option.word, option.line, option.value, treatment, undecides)
