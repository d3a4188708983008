# SPDX-License-Identifier: GPL-2.0-or-later
"""The bridges of netplan's YAML.

netplan writes files for networkd or NetworkManager, which a sandbox has not: its bridges are made
by `ip` or `ovs-vsctl`, with netplan's own defaults. Source: netplan's YAML reference.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, NetmaskValueError
from pathlib import Path
from typing import Final, Literal

from topologies.bridge_files.declared import (
    BY_HAND,
    DeclaredBridge,
    Place,
    Port,
    require_mtu,
    way_out,
)
from topologies.bridge_files.interfaces_file import DELAY_MAX_S
from topologies.bridge_files.kernel_settings import OF_NETPLAN, settings_of
from topologies.bridge_files.netplan_keys import BRIDGE, DEVICES, OFF
from topologies.bridge_files.netplan_links import NetplanLinks
from topologies.bridge_files.netplan_settings import BridgeKeys, default_route
from topologies.data_error import near_miss
from topologies.yaml_reader import Document, FieldPath, Value, field_name, read

# netplan's own words.
ON_OFF: Final = {**dict.fromkeys(("true", "yes", "on", "y"), True), **dict.fromkeys(OFF, False)}
HINT: Final = "netplan generate says what netplan makes of it; docs/topologies.md what a run does"


def netplan_bridges(file: Path) -> list[DeclaredBridge]:
    """Return the bridges of a file.

    Raises:
        DataError: it is not netplan's, has no bridge, or one that the model cannot have.
    """
    document = read(file)
    network = document.data.get("network")
    if not isinstance(network, dict):
        raise document.error(
            ("network",), "it is no mapping; expected version, ethernets, bridges", HINT
        )
    if network.get("version", 2) != 2:  # noqa: PLR2004 - the only version there is
        raise document.error(
            ("network", "version"), f"version {network['version']}; expected 2", "write version: 2"
        )
    bridges = network.get("bridges")
    if not isinstance(bridges, dict) or not bridges:
        raise document.error(
            ("network",),
            "no bridge in it; expected bridges with a name below it",
            "name the file with the bridge: netplan get prints all files as one",
        )
    return [_Bridge(document, network, str(name)).declared() for name in bridges]


class _Bridge:
    """One bridge, read from its keys.

    Args:
        document: the file.
        network: the mapping below `network`.
        name: the bridge's.
    """

    def __init__(self, document: Document, network: Mapping[str, Value], name: str) -> None:
        self._document = document
        self._network = network
        self._name = name
        self._path: FieldPath = ("network", "bridges", name)
        bridges = network["bridges"]
        own = bridges[name] if isinstance(bridges, dict) else None
        self._own = {} if own is None else own
        self._places: dict[str, Place] = {}

    def declared(self) -> DeclaredBridge:
        """Return it."""
        self._refuse_what_changes_reach()
        ports = list(self._ports())
        switch: Literal["linux", "ovs"] = "ovs" if self._get("openvswitch") is not None else "linux"
        links = NetplanLinks(self._network, self._place_of, self._link_of).of(way_out(ports))
        keys = BridgeKeys(self._document, self._name, ports, links)
        return DeclaredBridge(
            name=self._name,
            place=self._place(),
            switch=switch,
            ports=ports,
            address=self._address(),
            router=self._router(),
            stp=self._stp() if switch == "linux" else False,
            forward_delay_s=self._delay(),
            mac=self._mac(),
            mtu=self._mtu(ports),
            settings=tuple(keys.settings()),
            places=self._places,
            links=links,
            kernel=self._kernel(ports) if switch == "linux" else None,
        )

    def _kernel(self, ports: Sequence[Port]) -> dict[str, int] | None:
        uplink = way_out(ports)
        port = None if uplink is None else uplink.written
        return settings_of(OF_NETPLAN, self._parameter, port)

    def _parameter(self, key: str) -> tuple[str, Place] | None:
        found = self._get("parameters", key)
        if found is None:
            return None
        of_ports = " ".join(f"{k}={v}" for k, v in found.items()) if isinstance(found, dict) else ""
        return of_ports or str(found), self._place("parameters", key)

    def _get(self, *path: str) -> Value:
        found: Value = self._own
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return found

    def _place(self, *path: str | int) -> Place:
        return self._place_of((*self._path, *path))

    def _place_of(self, whole: FieldPath) -> Place:
        name = field_name(whole) or "network"
        return Place(self._document.file, self._document.line(whole), name)

    def _refuse_what_changes_reach(self) -> None:
        if not isinstance(self._own, dict):
            raise self._place().error("it is no mapping; expected the keys of a bridge", HINT)
        for key, value in self._own.items():
            paths: list[tuple[str, ...]] = [(key,)]
            if key in ("parameters", "openvswitch") and isinstance(value, dict):
                paths += [(key, below) for below in value]
            for path in paths:
                if ".".join(path) not in BRIDGE:
                    raise self._place(*path).error(
                        "this release does not know it, and it may change who reaches whom; "
                        "expected what docs/topologies.md lists",
                        near_miss(".".join(path), BRIDGE) or "remove it",
                    )
        if self._get("openvswitch", "fail-mode") == "secure":
            raise self._place("openvswitch", "fail-mode").error(
                "secure: its switch forwards nothing without a controller; expected standalone",
                BY_HAND,
            )

    def _ports(self) -> Iterator[Port]:
        listed = self._get("interfaces")
        if listed is None:
            return
        place = self._places["uplink"] = self._place("interfaces")
        if not isinstance(listed, list):
            raise place.error(
                "it is no list; expected the names of interfaces", "write it as in [eno1]"
            )
        for number, each in enumerate(listed):
            own = self._place("interfaces", number)
            section = self._section_of(str(each))
            if section is None and str(each) not in self._patch_ports():
                known = [name for kind in DEVICES for name in self._ids(kind)]
                raise own.error(
                    f"{each} is defined nowhere in the file; expected an interface of ethernets, "
                    "bonds or vlans",
                    near_miss(str(each), known) or f"add it: ethernets: {{{each}: {{}}}}",
                )
            leads_out = section not in (None, "dummy-devices", "virtual-ethernets")
            yield Port(self._link(str(each), section), own, leads_out, str(each))

    def _ids(self, section: str) -> Sequence[str]:
        found = self._network.get(section)
        return list(found) if isinstance(found, dict) else []

    def _section_of(self, interface: str) -> str | None:
        return next((kind for kind in DEVICES if interface in self._ids(kind)), None)

    def _patch_ports(self) -> list[str]:
        switch = self._network.get("openvswitch")
        pairs = switch.get("ports") if isinstance(switch, dict) else None
        listed = pairs if isinstance(pairs, list) else []
        return [str(end) for pair in listed if isinstance(pair, list) for end in pair]

    def _link_of(self, interface: str) -> str:
        return self._link(interface, self._section_of(interface))

    def _link(self, interface: str, section: str | None) -> str:
        """Return the name of an interface on the host: a physical one may be given another."""
        devices = self._network.get(section) if section is not None else None
        own = devices.get(interface) if isinstance(devices, dict) else None
        named = own.get("set-name") if isinstance(own, dict) else None
        return interface if named is None else str(named)

    def _address(self) -> IPv4Interface | None:
        written_all = [self._written(number, each) for number, each in self._list("addresses")]
        for number, written in enumerate(written_all):
            if ":" in written:
                continue
            place = self._places["address"] = self._place("addresses", number)
            try:
                if "/" not in written:
                    raise NetmaskValueError(f"{written!r} has no prefix length")
                return IPv4Interface(written)
            except (AddressValueError, NetmaskValueError) as error:
                raise place.error(
                    f"{error}; expected an IPv4 address", "write it as in 192.168.1.2/24"
                ) from error
        return None

    def _list(self, key: str) -> Iterator[tuple[int, Value]]:
        """Give the entries of a list with their numbers; none: the key is not there, or empty."""
        listed = self._get(key)
        if listed is not None and not isinstance(listed, list):
            raise self._place(key).error("it is no list; expected one", "begin each entry with -")
        yield from enumerate(listed or [])

    def _written(self, number: int, address: Value) -> str:
        """Return an address without options: - 192.168.1.2/24: {lifetime: 0}."""
        if isinstance(address, dict) and len(address) == 1:
            return str(next(iter(address)))
        if isinstance(address, dict | list):
            raise self._place("addresses", number).error(
                "it is no address; expected one with a prefix length", "write 192.168.1.2/24"
            )
        return str(address)

    def _router(self) -> IPv4Address | None:
        found = self._get("gateway4")
        place = self._place("gateway4")
        counts = default_route(self._get("routes"))
        for number, each in self._list("routes"):
            if number == counts and isinstance(each, dict):
                found, place = each.get("via"), self._place("routes", number, "via")
        if found is None or ":" in str(found):
            return None
        self._places["router"] = place
        try:
            return IPv4Address(str(found))
        except AddressValueError as error:
            raise place.error(
                f"{error}; expected an IPv4 address", "write it as in 192.168.1.1"
            ) from error

    def _stp(self) -> bool:
        written = self._get("parameters", "stp")
        place = self._places["stp"] = self._place("parameters", "stp")
        # netplan's default, which is not the kernel's.
        found = True if written is None else ON_OFF.get(str(written).lower())
        if found is None:
            raise place.error(f'"{written}"; expected true or false', "write false")
        return found

    def _delay(self) -> int | None:
        written = self._get("parameters", "forward-delay")
        if written is None:
            return None
        place = self._places["forward_delay_s"] = self._place("parameters", "forward-delay")
        text = str(written).removesuffix("s")
        if not text.isdecimal() or int(text) > DELAY_MAX_S:
            raise place.error(
                f'"{written}"; expected 0 to {DELAY_MAX_S}, a number of seconds',
                "correct it, or leave it out",
            )
        return int(text)

    def _mac(self) -> str | None:
        written = self._get("macaddress")
        self._places["mac"] = self._place("macaddress")
        return None if written is None else str(written).lower()

    def _mtu(self, ports: Sequence[Port]) -> int | None:
        written = self._get("mtu")
        if written is None:
            return None
        place = self._places["mtu"] = self._place("mtu")
        if not isinstance(written, int):
            raise place.error(f'"{written}"; expected a number of octets', "correct it")
        require_mtu(written, place)
        return written if any(each.leads_out for each in ports) else None
