# SPDX-License-Identifier: GPL-2.0-or-later
"""The DHCPv6 server of a libvirt network, read from its XML.

What the model cannot have, such as a reservation by name alone, is left unread. Source: libvirt,
"Network XML format", "Addressing".
"""

from ipaddress import IPv6Interface
from typing import Any

from topologies.dhcp import LeaseTime
from topologies.dhcp6 import Reservation6
from topologies.network_import.dnsmasq_keys import lease_time
from topologies.network_import.xml_reader import Element


def dhcp6_keys(ip: Element, address: IPv6Interface) -> tuple[dict[str, Any] | None, list[Element]]:
    """Return the DHCPv6 server of an address, and the elements of it that are left unread.

    Args:
        ip: the element `<ip>` of the address.
        address: the address.

    Returns:
        The server; None: there is none, or it has nothing to hand out.
    """
    served = ip.first("dhcp")
    if served is None:
        return None, []
    unread: list[Element] = []
    hosts = []
    for element in served.find("host"):
        try:
            hosts.append(_reservation(element, address))
        # Of pydantic's too.
        except ValueError:
            unread.append(element)
    given = served.first("range")
    if given is None and not hosts:
        return None, unread
    ends = {key: given and given.attributes.get(key) for key in ("start", "end")}
    lease = None
    if given is not None and (timed := given.first("lease")) is not None:
        try:
            lease = lease_time(timed)
        except ValueError:
            unread.append(timed)
    # The range's ends are the model's to refuse: libvirt refuses them as well.
    return {**ends, "lease": lease, "hosts": tuple(hosts)}, unread


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
