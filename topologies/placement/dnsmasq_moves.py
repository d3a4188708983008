# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network's dnsmasq serves, with other addresses, names and MACs of its clients."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from topologies.dhcp import Dhcp
from topologies.dns import Dns
from topologies.given_xml import moved_text

Moves = Mapping[IPv4Network, IPv4Network]
"""Documented subnet → the one in its place."""


def moved_dns(dns: Dns, moves: Moves) -> Dns:
    """Return a DNS server with the same names at other addresses.

    Args:
        dns: as documented; an address of no subnet of the topology's stays.
        moves: the subnets.
    """
    hosts = tuple(each.model_copy(update={"ip": _moved(each.ip, moves)}) for each in dns.hosts)
    forwarders = tuple(
        each.model_copy(update={"address": each.address and _moved(each.address, moves)})
        for each in dns.forwarders
    )
    txt = tuple(
        each.model_copy(update={"value": moved_text(each.value, moves)}) for each in dns.txt
    )
    return dns.model_copy(update={"hosts": hosts, "forwarders": forwarders, "txt": txt})


def moved_dhcp(dhcp: Dhcp, moves: Moves, macs: Mapping[str, str], names: Mapping[str, str]) -> Dhcp:
    """Return a DHCP server that serves the same clients at other addresses.

    Args:
        dhcp: as documented.
        moves: the subnets.
        macs: a guest's documented MAC → the one in its place.
        names: a guest's documented name → the one in its place.
    """
    hosts = tuple(
        each.model_copy(
            update={
                "mac": each.mac and macs.get(each.mac, each.mac),
                "name": each.name and names.get(each.name, each.name),
                "ip": _moved(each.ip, moves),
            }
        )
        for each in dhcp.hosts
    )
    update: dict[str, Any] = {"hosts": hosts}
    if dhcp.range is not None:
        update |= {"start": _moved(dhcp.range.start, moves), "end": _moved(dhcp.range.end, moves)}
    if dhcp.bootp is not None and dhcp.bootp.server is not None:
        server = _moved(dhcp.bootp.server, moves)
        update["bootp"] = dhcp.bootp.model_copy(update={"server": server})
    return dhcp.model_copy(update=update)


def _moved(address: IPv4Address, moves: Moves) -> IPv4Address:
    return IPv4Address(moved_text(str(address), moves))
