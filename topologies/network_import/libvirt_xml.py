# SPDX-License-Identifier: GPL-2.0-or-later
"""A network of libvirt's, read from its XML into Plumbline's model.

Source: libvirt, "Network XML format". The live XML says what is there; a definition what is to be.
"""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import AddressValueError, IPv4Interface, NetmaskValueError
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from topologies.data_error import DataError, gathered
from topologies.network_import.bridge_facts import BridgeFacts
from topologies.network_import.dnsmasq_keys import (
    DnsmasqKeys,
    dnsmasq_keys,
    served_by_ipv6,
    unserved,
)
from topologies.network_import.elements import settings
from topologies.network_import.imported import NETWORK, Imported
from topologies.network_import.ipv6_keys import PREFIX_BITS, ipv6_keys, of_family, unread_ipv6
from topologies.network_import.places import place_in
from topologies.network_import.portgroup_elements import PortVlans, port_vlans
from topologies.network_import.reading import Reading
from topologies.network_import.xml_figures import (
    ROUTED,
    addresses,
    addresses6,
    classful,
    device,
    limit,
)
from topologies.network_import.xml_reader import Element
from topologies.network_types import NETWORK_TYPES
from topologies.portgroups import default_class
from topologies.schema import Network
from topologies.switch_types import SWITCH_TYPES

# Virtual functions of a definition, which lists none: one for each guest and a spare one.
FUNCTIONS_DEFAULT = 3
# libvirt's own choice for the first network of a host that names no bridge.
FIRST_BRIDGE = "virbr0"
BY_HAND = "write a topology file by hand: docs/topologies.md"
Facts = Callable[[str], BridgeFacts | None]
"""Gives what the host says of a bridge; None: there is no host to ask."""


def without_host(bridge: str) -> BridgeFacts | None:
    """Know no bridge: for XML of another machine."""
    del bridge
    return None


def imported(
    root: Element,
    facts: Facts,
    file: Path | None = None,
    *,
    built: bool = False,
    reads_ipv6: bool = True,
) -> Imported:
    """Return a libvirt network as Plumbline's model has it.

    Args:
        root: its element `<network>`.
        facts: what is known of the bridge of a network in bridge mode.
        file: where it was read from, for errors.
        built: a run is to make it; else it exists.
        reads_ipv6: its IPv6 is looked at, if it has IPv4 as well.

    Raises:
        DataError: it is of a type that Plumbline does not know, or has what the model cannot have.
    """
    name = _name(root, file)
    read = _Read(root, name, facts, file, built)
    read.reads_ipv6 = reads_ipv6
    try:
        network, bridge = read.network()
    except ValidationError as error:
        raise gathered(read.refusals(error)) from error
    found = [*settings(root, f"network {name}", read.unread, built=built)]
    found += bridge.settings if bridge else ()
    return Imported(
        network,
        "bridge" if default_class(network.portgroups, network.vlan) else "network",
        Reading(NETWORK, name, tuple(found)),
        isolated_ports=root.get("port", "isolated") == "yes",
        limit_mbit_s=limit(root),
        router=None if bridge is None else bridge.router,
        device=device(root),
        spoken_for=frozenset(addresses(root)),
        spoken_for6=frozenset(addresses6(root)),
        places=read.served.places,
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

    def __init__(
        self, root: Element, name: str, facts: Facts, file: Path | None, built: bool
    ) -> None:
        self._root = root
        self._name = name
        self._facts = facts
        self._file = file
        self._built = built
        self.reads_ipv6 = True
        # As long as libvirt starts no dnsmasq.
        self.served: DnsmasqKeys = unserved(root)
        self.vlans = PortVlans()

    @property
    def unread(self) -> set[int]:
        """The identities of the elements that the model cannot have."""
        return {*self.served.unread, *self.vlans.unread(self._root)}

    def error(self, element: Element, what: str, hint: str) -> DataError:
        """Return an error about an element."""
        return DataError(
            f"network {self._name}: {what}",
            file=self._file,
            line=element.line,
            field=element.path,
            hint=hint,
        )

    def refusals(self, error: ValidationError) -> Iterator[DataError]:
        """Give an error for each value that the model refuses."""
        for each in error.errors(include_url=False):
            hint = str(each.get("ctx", {}).get("hint", BY_HAND))
            place = place_in(self._root, self.served.places, each["loc"])
            yield self.error(place, str(each["msg"]), hint)

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
        if bridge is None and not self._built:
            raise self.error(
                root,
                "the XML names no bridge; libvirt fills one in when it defines the network",
                "take the XML from virsh net-dumpxml",
            )
        address = self._address(self._ip())
        data = self._common() | {
            "made_by": "libvirt",
            "bridge": bridge or FIRST_BRIDGE,
            "switch": "linux",
            "forward": mode,
            "stp": None if stp is None else stp == "on",
            "forward_delay_s": self._number("bridge", "delay", "seconds"),
            "mac": root.get("mac", "address"),
            "mtu": self._number("mtu", "size", "octets"),
            "address": address,
        }
        if (ip := self._ip()) is not None and address is not None:
            self.served = dnsmasq_keys(root, ip, address)
            data["further_addresses"] = tuple(self._further(ip, address))
        data |= self._ipv6(alone=address is None)
        return Network.model_validate(data | self.served.keys), None

    def _ipv6(self, *, alone: bool) -> dict[str, Any]:
        """Return the keys of the network's IPv6.

        Args:
            alone: it has no address of IPv4.
        """
        held = next(of_family(self._root, "ipv6"), None)
        read = alone or self.reads_ipv6
        found = ipv6_keys(self._root, alone=alone) if read else unread_ipv6(self._root)
        if alone and held is not None:
            if "address6" not in found.keys:
                raise self.error(
                    held,
                    "a network with IPv6 alone, of which guests take no address; expected a prefix "
                    f"of {PREFIX_BITS} bits, below <dhcp> a range or reservations by id, and DNS "
                    "or DHCP: without both libvirt has nothing advertise the prefix",
                    "correct it, or give the network an IPv4 address as well",
                )
            self.served = served_by_ipv6(self._root)
        self.served.unread |= {id(each): each for each in found.unread}
        self.served.places |= found.places
        return found.keys

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
        if SWITCH_TYPES[known.switch].gives_vlans:
            self.vlans = port_vlans(root, built=self._built)
        network = known.network(self._name)
        return network.model_copy(update=self.vlans.keys), known

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

    def _number(self, element: str, attribute: str, unit: str) -> int | None:
        value = self._root.get(element, attribute)
        if value is not None and not value.isdecimal():
            raise self.error(
                self._root.first(element) or self._root,
                f'{attribute}="{value}"; expected a number of {unit}',
                "correct it, or leave it out",
            )
        return None if value is None else int(value)

    def _ip(self) -> Element | None:
        """Return the element of the guests' IPv4 address: that with a DHCP server, or the first."""
        every = list(of_family(self._root, "ipv4"))
        return next((each for each in every if each.first("dhcp")), next(iter(every), None))

    def _further(self, own: Element, address: IPv4Interface) -> Iterator[IPv4Interface]:
        """Give the other IPv4 addresses; what shares a subnet, or is below one, is left unread."""
        used = [address.network]
        for each in of_family(self._root, "ipv4"):
            held = None if each is own else self._address(each)
            if held is not None and not any(held.network.overlaps(other) for other in used):
                self.served.places["further_addresses", len(used) - 1] = each
                used.append(held.network)
                self.served.unread |= {id(below): below for below in each.children}
                yield held
            elif each is not own:
                self.served.unread[id(each)] = each

    def _address(self, ip: Element | None) -> IPv4Interface | None:
        if ip is None or (address := ip.attributes.get("address")) is None:
            return None
        size = ip.attributes.get("prefix") or ip.attributes.get("netmask")
        try:
            # libvirt takes the class of an address for its size where none is given.
            return IPv4Interface(f"{address}/{size or classful(address)}")
        except (AddressValueError, NetmaskValueError) as error:
            raise self.error(
                ip, f"{error}; expected an IPv4 address", "take the XML from virsh net-dumpxml"
            ) from error


READERS: Final[Mapping[str | None, Callable[[_Read], tuple[Network, BridgeFacts | None]]]] = (
    MappingProxyType(
        {
            **dict.fromkeys((None, "none", *ROUTED), _Read._bridge_of_libvirt),
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
