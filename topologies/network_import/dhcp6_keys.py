# SPDX-License-Identifier: GPL-2.0-or-later
"""The DHCPv6 server of a libvirt network, read from its XML.

What the model cannot have, such as a reservation by name alone, is left unread. Source: libvirt,
"Network XML format", "Addressing".
"""

from dataclasses import dataclass, field
from ipaddress import IPv6Interface
from typing import Any

from topologies.dhcp import LeaseTime
from topologies.dhcp6 import Reservation6
from topologies.network_import.dnsmasq_keys import lease_time
from topologies.network_import.xml_reader import Element
from topologies.yaml_reader import FieldPath


@dataclass
class Dhcp6Keys:
    """The DHCPv6 server of an address.

    Attributes:
        keys: by their names in `Dhcp6`; None: there is none, or it has nothing to hand out.
        known_clients_alone: it has reservations, and no range.
        places: the element that each key was read from, by the key's path.
        unread: the elements that the model cannot have.
    """

    keys: dict[str, Any] | None = None
    known_clients_alone: bool = False
    places: dict[FieldPath, Element] = field(default_factory=dict)
    unread: list[Element] = field(default_factory=list)


def dhcp6_keys(ip: Element, address: IPv6Interface) -> Dhcp6Keys:
    """Return the DHCPv6 server of an address.

    Args:
        ip: the element `<ip>` of the address.
        address: the address.
    """
    served, found = ip.first("dhcp"), Dhcp6Keys()
    if served is None:
        return found
    found.places[()] = served
    hosts: list[Reservation6] = []
    for element in served.find("host"):
        try:
            kept = _reservation(element, address)
        # Of pydantic's too.
        except ValueError:
            found.unread.append(element)
            continue
        found.places["hosts", len(hosts)] = element
        hosts.append(kept)
    given = served.first("range")
    found.known_clients_alone = given is None and served.first("host") is not None
    if given is None and not hosts:
        return found
    ends = {key: given and given.attributes.get(key) for key in ("start", "end")}
    lease = None
    if given is not None:
        found.places |= {(key,): given for key in ends}
        if (timed := given.first("lease")) is not None:
            try:
                lease = lease_time(timed)
            except ValueError:
                found.unread.append(timed)
    # The range's ends are the model's to refuse: libvirt refuses them as well.
    found.keys = {**ends, "lease": lease, "hosts": tuple(hosts)}
    return found


def _reservation(element: Element, address: IPv6Interface) -> Reservation6:
    given = element.attributes
    lease: LeaseTime | None = None
    if (timed := element.first("lease")) is not None:
        lease = lease_time(timed)
    data = {"duid": given.get("id"), "name": given.get("name"), "ip": given.get("ip")}
    made = Reservation6.model_validate(data | {"lease": lease})
    if set(given) - {"id", "name", "ip"}:
        raise ValueError("it has more than the model has")
    if made.ip not in address.network or made.ip == address.ip:
        raise ValueError("no client here can have its address")
    return made
