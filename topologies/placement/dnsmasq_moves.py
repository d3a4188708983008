# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network's dnsmasq serves, with other addresses, names and MACs of its clients."""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import Any

from topologies.dhcp import Dhcp
from topologies.dns import Dns

Move = Callable[[IPv4Address], IPv4Address]


def moved_dns(dns: Dns, move: Move) -> Dns:
    """Return a DNS server with the same names at other addresses.

    Args:
        dns: as documented.
        move: gives the address in place of a documented one; one of no subnet of the topology's
            stays.
    """
    hosts = tuple(each.model_copy(update={"ip": move(each.ip)}) for each in dns.hosts)
    forwarders = tuple(
        each.model_copy(update={"address": each.address and move(each.address)})
        for each in dns.forwarders
    )
    return dns.model_copy(update={"hosts": hosts, "forwarders": forwarders})


def moved_dhcp(dhcp: Dhcp, move: Move, macs: Mapping[str, str], names: Mapping[str, str]) -> Dhcp:
    """Return a DHCP server that serves the same clients at other addresses.

    Args:
        dhcp: as documented.
        move: gives the address in place of a documented one.
        macs: a guest's documented MAC → the one in its place.
        names: a guest's documented name → the one in its place.
    """
    hosts = tuple(
        each.model_copy(
            update={
                "mac": each.mac and macs.get(each.mac, each.mac),
                "name": each.name and names.get(each.name, each.name),
                "ip": move(each.ip),
            }
        )
        for each in dhcp.hosts
    )
    update: dict[str, Any] = {"hosts": hosts}
    if dhcp.range is not None:
        update |= {"start": move(dhcp.range.start), "end": move(dhcp.range.end)}
    if dhcp.bootp is not None and dhcp.bootp.server is not None:
        update["bootp"] = dhcp.bootp.model_copy(update={"server": move(dhcp.bootp.server)})
    return dhcp.model_copy(update=update)
