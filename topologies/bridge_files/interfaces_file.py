# SPDX-License-Identifier: GPL-2.0-or-later
"""The bridges of `/etc/network/interfaces`, in ifupdown's and ifupdown2's spelling.

Source: interfaces(5), bridge-utils-interfaces(5), openvswitch-switch's README.Debian.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, NetmaskValueError
from pathlib import Path
from typing import Final, Literal

from topologies.bridge_files.declared import (
    BY_HAND,
    DeclaredBridge,
    Place,
    Port,
    PortLinks,
    require_mtu,
    way_out,
)
from topologies.bridge_files.interfaces_settings import BridgeLines, source_of
from topologies.bridge_files.kernel_settings import OF_STANZAS, settings_of
from topologies.bridge_files.keywords import BRIDGE, COMMANDS, DECIDES_REACH
from topologies.bridge_files.stanza_links import links_of
from topologies.bridge_files.stanzas import Option, Stanza, read_interfaces
from topologies.data_error import DataError, near_miss
from topologies.given_stanza import GivenStanza, StanzaCommand
from topologies.network_import.reading import Setting, Treatment

IPV4: Final = "inet"
ON_OFF: Final = {"on": True, "yes": True, "off": False, "no": False}
# Links that lead to no other machine: guests' and those that keep a bridge up.
INNER: Final = re.compile(r"(tap|vnet|veth|dummy|fwpr|fwln)[\w.-]*")
MAC: Final = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")  # 52:54:00:0a:0b:0c
BY_PATTERN: Final = ("all", "regex", "noregex", "glob")
DELAY_MAX_S: Final = 30
INHERITS: Final = "inherits"
# NAME FAMILY METHOD
WORDS_MIN: Final = 3


def interfaces_bridges(file: Path) -> list[DeclaredBridge]:
    """Return the bridges of a file, and of the files that it sources.

    Raises:
        DataError: it is no such file, has no bridge, or one that the model cannot have.
    """
    stanzas = read_interfaces(file)
    by_name: dict[str, list[Stanza]] = {}
    for each in stanzas:
        if each.kind == "iface":
            by_name.setdefault(each.interface, []).append(each)
    names = [name for name, own in by_name.items() if any(map(_is_bridge, own))]
    if not names:
        ifaces = ", ".join(by_name) or "none"
        raise DataError(
            f"no bridge in it, of the interfaces {ifaces}; expected bridge_ports in an iface "
            "stanza",
            file=file,
            hint="name the file with the bridge; write bridge_ports none for one without ports",
        )
    return [_Bridge(file, name, names, by_name, stanzas).declared() for name in names]


def _is_bridge(stanza: Stanza) -> bool:
    of_ovs = stanza.value("ovs-type")
    return stanza.value("bridge-ports", "bridge-vlan-aware") is not None or (
        of_ovs is not None and of_ovs.value.lower() == "ovsbridge"
    )


class _Bridge:
    """One bridge, read from its stanzas.

    Args:
        file: the file that was named.
        name: the bridge's.
        bridges: the names of all bridges of the file.
        by_name: the `iface` stanzas of each interface.
        stanzas: every stanza, in order.
    """

    def __init__(
        self,
        file: Path,
        name: str,
        bridges: Sequence[str],
        by_name: Mapping[str, Sequence[Stanza]],
        stanzas: Sequence[Stanza],
    ) -> None:
        self._file = file
        self._name = name
        self._others = frozenset(bridges) - {name}
        self._by_name = by_name
        self._stanzas = stanzas
        self._own = by_name[name]
        self._main = next(filter(_is_bridge, self._own))
        self._options = [(each, option) for each in self._own for option in each.options]
        self._places: dict[str, Place] = {}

    def declared(self) -> DeclaredBridge:
        """Return it."""
        self._refuse_what_changes_reach()
        switch: Literal["linux", "ovs"] = "linux" if self._find("ovs-type") is None else "ovs"
        ports = list(self._ports("ovs-ports" if switch == "ovs" else "bridge-ports"))
        links = links_of(way_out(ports), self._by_name)
        given = None if switch == "ovs" or self._is_of_ifupdown2() else self._stanza()
        made = given is not None
        lines = BridgeLines(self._file, self._name, ports, links, self._others, self._stanzas, made)
        uplink = way_out(ports)
        port = None if uplink is None else uplink.name
        kernel = settings_of(OF_STANZAS, self._written, port, by_ifup=made)
        return DeclaredBridge(
            name=self._name,
            place=Place(self._main.file, self._main.line, f"iface {self._name}"),
            switch=switch,
            ports=ports,
            address=self._address(),
            router=self._router(),
            stp=self._stp(),
            forward_delay_s=self._delay(),
            mac=self._mac(),
            mtu=self._mtu(ports),
            settings=(
                self._made_by(given),
                *self._port_made_by(way_out(ports), links, by_ifup=made),
                *lines.settings(),
            ),
            places=self._places,
            stanza=given,
            links=links,
            kernel=kernel if switch == "linux" else None,
        )

    def _is_of_ifupdown2(self) -> bool:
        """Whether ifupdown takes its stanzas for wrong: they have no family and method."""
        return any(len(each.words) < WORDS_MIN for each in self._own) or (
            self._find("bridge-ports") is None
        )

    def _made_by(self, given: GivenStanza | None) -> Setting:
        source, line = source_of(self._main), self._main.line
        if given is not None:
            return Setting(source, "made by", None, line, "ifup, of its own lines", "used")
        what = "ip: ifupdown takes no iface line without family and method"
        if self._find("ovs-type") is not None:
            what = "ovs-vsctl: the ifupdown script of Open vSwitch needs its service"
        return Setting(source, "made by", None, line, what, "not looked at")

    def _port_made_by(
        self, port: Port | None, links: PortLinks, *, by_ifup: bool
    ) -> Iterator[Setting]:
        """Give the maker of a port that is no NIC."""
        if port is None or links == PortLinks():
            return
        what = "ip: ifupdown makes a bond by scripts of ifenslave"
        used: Treatment = "not looked at"
        if links.vlan is not None:
            what = "ip: bridge-utils makes a VLAN of the name NIC.NUMBER alone"
            if by_ifup and port.name == links.vlan.usual_name:
                what, used = "ifup, by the scripts of bridge-utils", "used"
        source = source_of(self._main)
        yield Setting(source, f"{port.name} made by", None, port.place.line, what, used)

    def _find(self, *keys: str) -> Option | None:
        """Return the first option of the bridge's stanzas with one of these keys."""
        return next((option for _, option in self._options if option.key in keys), None)

    def _written(self, key: str) -> tuple[str, Place] | None:
        return None if (found := self._find(key)) is None else (found.value, self._place(found))

    def _place(self, option: Option) -> Place:
        file = next(stanza.file for stanza, each in self._options if each is option)
        return Place(file, option.line, f"iface {self._name} {option.word}")

    def _refuse_what_changes_reach(self) -> None:
        for stanza in self._own:
            if INHERITS in stanza.words:
                raise Place(stanza.file, stanza.line, f"iface {self._name}").error(
                    f"it inherits lines of {stanza.words[-1]}; expected all of its lines in it",
                    "copy them into the stanza",
                )
        for _, option in self._options:
            if option.key.startswith(DECIDES_REACH) and option.key not in BRIDGE:
                known = near_miss(option.key, BRIDGE) or "remove it"
                raise self._place(option).error(
                    "this release does not know it, and it may change who reaches whom; expected "
                    "what docs/topologies.md lists",
                    known,
                )
            if option.key == "bridge-pvid" and option.value != "1":
                raise self._place(option).error(
                    f"frames without a tag are of VLAN {option.value} on its ports, and of VLAN 1 "
                    "on a guest's; expected 1",
                    BY_HAND,
                )

    def _ports(self, key: str) -> Iterator[Port]:
        claims = [option for _, option in self._options if option.key == key]
        for option in claims:
            place = self._place(option)
            if option.value.split() != claims[0].value.split():
                first = self._place(claims[0])
                raise place.error(
                    f"{self._name} is also the bridge of {first.file}:{first.line}, with other "
                    "ports; expected one bridge of a name",
                    "rename one, or remove it",
                )
        if not claims:
            return
        place, words = self._place(claims[0]), claims[0].value.split()
        if not words:
            raise place.error("no port; expected a NIC, or none", f"write {claims[0].word} none")
        self._places["uplink"] = place
        if words == ["none"]:
            return
        for word in words:
            if word in BY_PATTERN or any(sign in word for sign in "*?[("):
                raise place.error(
                    f'"{word}" is a pattern: its NICs are the host\'s, and not in the file; '
                    "expected the names of NICs",
                    "write the names out",
                )
            yield Port(word, place, leads_out=self._leads_out(word))

    def _leads_out(self, port: str) -> bool:
        inner = any(
            (found := stanza.value("ovs-type")) is not None and found.value == "OVSIntPort"
            for stanza in self._by_name.get(port, ())
        )
        return not inner and INNER.fullmatch(port) is None

    def _address(self) -> IPv4Interface | None:
        for stanza in self._own:
            option = stanza.value("address")
            if option is None or ":" in option.value:
                continue
            place = self._places["address"] = self._place(option)
            mask = stanza.value("netmask")
            size = "" if "/" in option.value or mask is None else f"/{mask.value}"
            if "/" not in option.value and mask is None:
                raise place.error(
                    f"{option.value} without a netmask is a network of one address; expected one "
                    "with room for guests",
                    f"write {option.value}/24, or a netmask",
                )
            try:
                return IPv4Interface(f"{option.value}{size}")
            except (AddressValueError, NetmaskValueError, ValueError) as error:
                raise place.error(
                    f"{error}; expected an IPv4 address", "write it as in 192.168.1.2/24"
                ) from error
        return None

    def _router(self) -> IPv4Address | None:
        # An inet6 stanza of the bridge has one of IPv6.
        every = (each for _, each in self._options if each.key == "gateway")
        if (option := next((each for each in every if ":" not in each.value), None)) is None:
            return None
        place = self._places["router"] = self._place(option)
        try:
            return IPv4Address(option.value)
        except AddressValueError as error:
            raise place.error(
                f"{error}; expected an IPv4 address", "write it as in 192.168.1.1"
            ) from error

    def _stp(self) -> bool:
        if (option := self._find("bridge-stp")) is None:
            return False
        place = self._places["stp"] = self._place(option)
        if (found := ON_OFF.get(option.value.lower())) is None:
            raise place.error(f'"{option.value}"; expected on or off', "write off, or leave it out")
        return found

    def _delay(self) -> int | None:
        if (option := self._find("bridge-fd")) is None:
            return None
        place = self._places["forward_delay_s"] = self._place(option)
        seconds = option.value.removesuffix(".0")
        if not seconds.isdecimal() or int(seconds) > DELAY_MAX_S:
            raise place.error(
                f'"{option.value}"; expected 0 to {DELAY_MAX_S}, a number of seconds',
                "correct it, or leave it out",
            )
        return int(seconds)

    def _mac(self) -> str | None:
        if (option := self._find("hwaddress", "bridge-hw")) is None:
            return None
        place = self._places["mac"] = self._place(option)
        written = option.value.removeprefix("ether ")
        if MAC.fullmatch(written):
            return written.lower()
        if option.key == "bridge-hw" and written in self._port_words():
            # A bridge has the MAC of its uplink, which is lower than any TAP's.
            return None
        raise place.error(
            f'"{option.value}"; expected a MAC, or a port of the bridge', "correct it"
        )

    def _port_words(self) -> list[str]:
        found = self._find("bridge-ports")
        return [] if found is None else found.value.split()

    def _mtu(self, ports: Sequence[Port]) -> int | None:
        if (option := self._find("mtu", "ovs-mtu")) is None:
            return None
        place = self._places["mtu"] = self._place(option)
        if not option.value.isdecimal():
            raise place.error(f'"{option.value}"; expected a number of octets', "correct it")
        require_mtu(int(option.value), place)
        return int(option.value) if any(each.leads_out for each in ports) else None

    def _stanza(self) -> GivenStanza:
        """Return the bridge's stanzas as ifup is given them."""
        lines: list[str] = []
        for stanza in self._own:
            head, *rest = stanza.text
            # The run has no lease for the host: it gives the bridge its address.
            head = re.sub(r"(\sinet6?\s+)(dhcp|auto)\b", r"\1manual", head)
            lines += [head, *rest]
        commands = tuple(
            StanzaCommand(option.key, option.value, stanza.file, option.line)
            for stanza, option in self._options
            if option.key in COMMANDS
        )
        text = "\n".join(lines) + "\n"
        return GivenStanza(text, self._main.file, self._address() is not None, commands)
