# SPDX-License-Identifier: GPL-2.0-or-later
"""A network of libvirt's, read from its XML into Plumbline's model.

Source: libvirt, "Network XML format". The live XML says what is there; a definition what is to be.
"""

from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Interface, NetmaskValueError
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from topologies.data_error import DataError
from topologies.network_import.bridge_facts import BridgeFacts
from topologies.network_import.elements import settings
from topologies.network_import.imported import NETWORK, Imported
from topologies.network_import.reading import Reading
from topologies.network_import.xml_reader import Element
from topologies.network_types import NETWORK_TYPES
from topologies.schema import Network

# libvirt counts bandwidth in kilobytes (1024 octets) a second.
KILOBYTE_MBIT = 1024 * 8 / 1_000_000
# Virtual functions of a definition, which lists none: one for each guest and a spare one.
FUNCTIONS_DEFAULT = 3
ROUTED = ("nat", "route", "open")
Facts = Callable[[str], BridgeFacts | None]
"""Gives what the host says of a bridge; None: there is no host to ask."""


def without_host(bridge: str) -> BridgeFacts | None:
    """Know no bridge: for XML of another machine."""
    del bridge
    return None


def imported(root: Element, facts: Facts, file: Path | None = None) -> Imported:
    """Return a libvirt network as Plumbline's model has it.

    Args:
        root: its element `<network>`.
        facts: what is known of the bridge of a network in bridge mode.
        file: where it was read from, for errors.

    Raises:
        DataError: it is of a type that Plumbline does not know, or has what the model cannot have.
    """
    name = _name(root, file)
    read = _Read(root, name, facts, file)
    try:
        network, bridge = read.network()
    except ValidationError as error:
        said = "; ".join(str(each["msg"]) for each in error.errors(include_url=False))
        raise read.error(root, said, "write a topology file by hand: docs/topologies.md") from error
    found = [*settings(root, f"network {name}"), *(bridge.settings if bridge else ())]
    return Imported(
        network,
        "network",
        Reading(NETWORK, name, tuple(found)),
        isolated_ports=root.get("port", "isolated") == "yes",
        limit_mbit_s=_limit(root),
        router=None if bridge is None else bridge.router,
    )


def makes_its_bridge(root: Element, bridge: str) -> bool:
    """Whether libvirt makes a bridge of that name for a network."""
    mode = None if (forward := root.first("forward")) is None else _mode(forward)
    return root.get("bridge", "name") == bridge and mode in (None, *ROUTED)


def _mode(forward: Element) -> str:
    """Return a network's forward mode; libvirt takes nat where the attribute is missing."""
    return forward.attributes.get("mode", "nat")


class _Read:
    """One network's XML, read by its forward mode."""

    def __init__(self, root: Element, name: str, facts: Facts, file: Path | None) -> None:
        self._root = root
        self._name = name
        self._facts = facts
        self._file = file

    def error(self, element: Element, what: str, hint: str) -> DataError:
        """Return an error about an element."""
        return DataError(
            f"network {self._name}: {what}",
            file=self._file,
            line=element.line,
            field=element.path,
            hint=hint,
        )

    def network(self) -> tuple[Network, BridgeFacts | None]:
        """Return the network, and the facts of a bridge that libvirt did not make."""
        forward = self._root.first("forward")
        # Without the element the network is isolated.
        mode = None if forward is None else _mode(forward)
        reader = READERS.get(mode)
        if forward is not None and reader is None:
            raise self._unknown(forward, f"<forward mode='{mode}'>")
        return _Read._bridge_of_libvirt(self) if reader is None else reader(self)

    def _unknown(self, element: Element, what: str) -> DataError:
        known = ", ".join(dict.fromkeys(each.forward for each in NETWORK_TYPES.values()))
        return self.error(
            element,
            f"{what} is a type of network that Plumbline does not know; expected one of the "
            f"forward modes {known}, or a bridge",
            "leave this network out",
        )

    def _common(self) -> dict[str, Any]:
        uuid = self._root.first("uuid")
        return {
            "name": self._name,
            "origin": "existing",
            "uuid": None if uuid is None else uuid.text,
        }

    def _bridge_of_libvirt(self) -> tuple[Network, BridgeFacts | None]:
        root, forward = self._root, self._root.first("forward")
        mode = "none" if forward is None else _mode(forward)
        bridge, stp = root.get("bridge", "name"), root.get("bridge", "stp")
        if bridge is None:
            raise self.error(
                root,
                "the XML names no bridge; libvirt fills one in when it defines the network",
                "take the XML from virsh net-dumpxml",
            )
        delay = root.get("bridge", "delay")
        data = self._common() | {
            "made_by": "libvirt",
            "bridge": bridge,
            "switch": "linux",
            "forward": mode,
            "address": self._address(),
            "stp": None if stp is None else stp == "on",
            "forward_delay_s": None if delay is None else int(delay),
            "mac": root.get("mac", "address"),
            "dhcp": self._range(),
        }
        return Network.model_validate(data), None

    def _bridge_of_host(self) -> tuple[Network, BridgeFacts | None]:
        root, forward = self._root, self._root.first("forward")
        bridge = root.get("bridge", "name")
        if bridge is None:
            # Guests on a NIC itself, by macvtap.
            raise self._unknown(forward or root, "<forward mode='bridge'> without <bridge>")
        known = self._facts(bridge)
        if known is None:
            is_ovs = root.get("virtualport", "type") == "openvswitch"
            known = BridgeFacts(
                name=bridge,
                switch="ovs" if is_ovs else "linux",
                address=None,
                stp=False,
                forward_delay_s=None,
                uplinks=("eth1",),
                ports=("eth1",),
            )
        return known.network(self._name), known

    def _functions(self) -> tuple[Network, BridgeFacts | None]:
        forward = self._root.first("forward") or self._root
        if (pf := forward.get("pf", "dev")) is None:
            raise self._unknown(forward, "<forward mode='hostdev'> without <pf>")
        listed = len(list(forward.find("address")))
        data = self._common() | {
            "made_by": "libvirt",
            "switch": "nic",
            "forward": "hostdev",
            "uplink": pf,
            "vfs": listed or FUNCTIONS_DEFAULT,
        }
        return Network.model_validate(data), None

    def _ip(self) -> Element | None:
        """Return the first element of an IPv4 address."""
        every = self._root.find("ip")
        return next((e for e in every if e.attributes.get("family", "ipv4") == "ipv4"), None)

    def _address(self) -> IPv4Interface | None:
        if (ip := self._ip()) is None or (address := ip.attributes.get("address")) is None:
            return None
        size = ip.attributes.get("prefix") or ip.attributes.get("netmask")
        try:
            # libvirt takes the class of an address for its size where none is given.
            return IPv4Interface(f"{address}/{size or _classful(address)}")
        except (AddressValueError, NetmaskValueError) as error:
            raise self.error(ip, str(error), "take the XML from virsh net-dumpxml") from error

    def _range(self) -> dict[str, str | None] | None:
        ip = self._ip()
        served = None if ip is None else ip.first("dhcp")
        first = None if served is None else served.first("range")
        if first is None:
            return None
        return {key: first.attributes.get(key) for key in ("start", "end")}


READERS: Final[Mapping[str | None, Callable[[_Read], tuple[Network, BridgeFacts | None]]]] = (
    MappingProxyType(
        {
            **dict.fromkeys((None, *ROUTED), _Read._bridge_of_libvirt),
            "bridge": _Read._bridge_of_host,
            "hostdev": _Read._functions,
        }
    )
)


def _name(root: Element, file: Path | None) -> str:
    name = root.first("name")
    if name is None or not name.text:
        raise DataError(
            "a network without a name; expected <name>",
            file=file,
            line=root.line,
            field="network",
            hint="virsh net-dumpxml NAME prints a whole one",
        )
    return name.text


def _classful(address: str) -> int:
    first = int(address.partition(".")[0])
    return 8 if first < 128 else 16 if first < 192 else 24  # noqa: PLR2004 - RFC 791, 3.2


def _limit(root: Element) -> float | None:
    bandwidth = root.first("bandwidth")
    if bandwidth is None:
        return None
    rates = [bandwidth.get(way, "average") for way in ("inbound", "outbound")]
    found = [int(rate) * KILOBYTE_MBIT for rate in rates if rate is not None]
    return min(found, default=None)
