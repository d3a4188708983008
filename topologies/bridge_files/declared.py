# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge as a file of its host declares it, whatever the file's form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Final, Literal

from topologies.data_error import DataError
from topologies.field_types import ETHERNET_MTU, TAP_MTU_MAX
from topologies.given_stanza import GivenStanza
from topologies.network_import.bridge_facts import BridgeFacts
from topologies.network_import.imported import Imported
from topologies.network_import.reading import Setting
from topologies.uplink_links import TAG_MAX, TAG_MIN, UplinkBond, UplinkVlan

BY_HAND: Final = "describe the network in a topology file: docs/topologies.md"


@dataclass(frozen=True)
class Place:
    """Where something is written.

    Attributes:
        file: the file.
        line: the line, counted from 1.
        name: its keyword or key, as an error names it.
    """

    file: Path
    line: int
    name: str

    def error(self, what: str, hint: str) -> DataError:
        """Return an error about it."""
        return DataError(what, file=self.file, line=self.line, field=self.name, hint=hint)


@dataclass(frozen=True)
class Port:
    """A port of a bridge.

    Attributes:
        name: its interface's name.
        place: where the bridge claims it.
        leads_out: it leads to other machines: a NIC, a bond, a VLAN.
        key: its name in the file, where that is another.
    """

    name: str
    place: Place
    leads_out: bool = True
    key: str = ""

    @property
    def written(self) -> str:
        """Its name in the file."""
        return self.key or self.name


@dataclass(frozen=True)
class PortLinks:
    """What a port is made of where it is no NIC; the model has yet to look at it.

    Attributes:
        vlan: the VLAN that it is; None: it is none.
        bond: the bond that it is, or that its VLAN is of; None: there is none, or one of a mode
            that the model has not.
        below: the names in the file of the links that are below it.
    """

    vlan: UplinkVlan | None = None
    bond: UplinkBond | None = None
    below: tuple[str, ...] = ()

    def keys(self) -> dict[str, object]:
        """Return the network's keys of a topology file that it is."""
        return {
            "uplink_vlan": None if self.vlan is None else self.vlan.model_dump(),
            "uplink_bond": None if self.bond is None else self.bond.model_dump(),
        }


def require_tag(tag: int, place: Place) -> int:
    """Return the number of a VLAN.

    Raises:
        DataError: it is none; with its line.
    """
    if TAG_MIN <= tag <= TAG_MAX:
        return tag
    raise place.error(
        f"{tag} is no VLAN; expected {TAG_MIN} to {TAG_MAX}", "correct it: IEEE 802.1Q has no other"
    )


def stacked(link: str, place: Place) -> DataError:
    """Return the error about a VLAN whose link is a VLAN, too."""
    return place.error(
        f"{link} is a VLAN itself; expected a NIC or a bond below a VLAN",
        f"{BY_HAND}, with {link} as its uplink",
    )


def require_interval_ms(written: str, place: Place, units: Mapping[str, int]) -> int:
    """Return how often a bond looks for its NICs' links, in milliseconds.

    Args:
        written: a number, with one of the units.
        place: where it is written.
        units: a suffix that its tool takes → milliseconds; "" is for a number alone.

    Raises:
        DataError: it is none; with its line.
    """
    number = written.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = units.get(written[len(number) :])
    if unit is None or not number.isdecimal():
        taken = ", ".join(each for each in units if each)
        suffix = f", or one with {taken}" if taken else ""
        raise place.error(
            f'"{written}"; expected a whole number of milliseconds{suffix}', "write 100"
        )
    return int(number) * unit


def require_mtu(octets: int, place: Place) -> None:
    """Require an MTU that guests on the bridge can have.

    Raises:
        DataError: it is not; with its line.
    """
    if octets < ETHERNET_MTU:
        raise place.error(
            f"{octets} octets: guests on the bridge do not learn of an MTU below "
            f"{ETHERNET_MTU}; expected {ETHERNET_MTU} or more",
            BY_HAND,
        )
    if octets > TAP_MTU_MAX:
        raise place.error(
            f"{octets} octets: a guest's TAP has at most {TAP_MTU_MAX}; expected no more",
            "write 9000, or leave it out",
        )


def way_out(ports: Sequence[Port]) -> Port | None:
    """Return the port that the model has: the first that leads to other machines."""
    return next((each for each in ports if each.leads_out), None)


@dataclass(frozen=True)
class DeclaredBridge:
    """One bridge.

    Attributes:
        name: its interface's name.
        place: where it is declared.
        switch: the word of its driver.
        ports: its ports.
        address: its first IPv4 address; None: none, or one by DHCP.
        router: that of its default route.
        stp: whether the spanning tree protocol is on.
        forward_delay_s: its forward delay; None: the kernel's.
        mac: its MAC; None: that of a port.
        mtu: of it and its ports; None: that of Ethernet.
        settings: everything that the file asks for, with its treatment.
        places: where keys of the model are written.
        stanza: what ifup is given; None: the bridge is made by `ip` or `ovs-vsctl`.
        links: what the port that leads to other machines is made of.
        kernel: more settings of the kernel's, in the form of a topology file; None: none.
    """

    name: str
    place: Place
    switch: Literal["linux", "ovs"]
    ports: Sequence[Port]
    address: IPv4Interface | None = None
    router: IPv4Address | None = None
    stp: bool = False
    forward_delay_s: int | None = None
    mac: str | None = None
    mtu: int | None = None
    settings: Sequence[Setting] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    stanza: GivenStanza | None = None
    links: PortLinks = PortLinks()
    kernel: Mapping[str, object] | None = None

    def place_of(self, key: str) -> Place:
        """Return where a key of the model is written; what a port is made of where the port is."""
        known = self.places.get("uplink" if key.startswith("uplink") else key)
        return self.place if known is None else known

    def imported(self) -> Imported:
        """Return it as Plumbline's model has it.

        Raises:
            ValidationError: the model cannot have it.
        """
        facts = BridgeFacts(
            name=self.name,
            switch=self.switch,
            address=self.address,
            stp=self.stp,
            forward_delay_s=self.forward_delay_s,
            uplinks=tuple(each.name for each in self.ports if each.leads_out),
            ports=tuple(each.name for each in self.ports),
            router=self.router,
            settings=tuple(self.settings),
        )
        found = facts.imported()
        network = found.network.model_validate(
            found.network.model_dump(by_alias=True)
            | {"mac": self.mac, "bridge_settings": self.kernel}
            | self.links.keys()
        )
        return replace(
            found, network=network.given_as_stanza(self.stanza), uplink_mtu=self.mtu or ETHERNET_MTU
        )


def require_routers_inside(bridges: Iterable[DeclaredBridge]) -> None:
    """Require each default route's router to be in the network of its bridge's address.

    Raises:
        DataError: one is not; with its line.
    """
    for bridge in bridges:
        subnet = None if bridge.address is None else bridge.address.network
        if bridge.router is not None and subnet is not None and bridge.router not in subnet:
            place = bridge.places.get("router", bridge.place)
            raise place.error(
                f"{bridge.router} is outside of {subnet}; expected a router on the bridge's own "
                "network",
                BY_HAND,
            )


def require_apart(bridges: Iterable[DeclaredBridge]) -> None:
    """Require that no two bridges have one name, or claim one port.

    Raises:
        DataError: they do; with the lines of both.
    """
    names: dict[str, DeclaredBridge] = {}
    ports: dict[str, tuple[DeclaredBridge, Port]] = {}
    for bridge in bridges:
        other = names.setdefault(bridge.name, bridge)
        if other is not bridge:
            raise bridge.place.error(
                f"{bridge.name} is also the bridge of {other.place.file}:{other.place.line}; "
                "expected a name for each",
                "rename one, or remove it",
            )
        for port in bridge.ports:
            first, claimed = ports.setdefault(port.name, (bridge, port))
            if first is not bridge:
                raise port.place.error(
                    f"{port.name} is also a port of {first.name}, "
                    f"{claimed.place.file}:{claimed.place.line}; expected a port of one bridge",
                    "remove it from one of both",
                )
