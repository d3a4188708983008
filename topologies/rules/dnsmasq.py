# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's dnsmasq: ranges, reservations and entries that it can serve."""

from collections.abc import Iterator
from typing import Final

from topologies.dhcp import Dhcp
from topologies.rules.dhcp_servers import range_or_hosts, short_leases, used_twice
from topologies.rules.draft import Draft, Problem
from topologies.schema import Network
from topologies.yaml_reader import FieldPath


def dhcp_is_whole(draft: Draft) -> Iterator[Problem]:
    """A DHCP server has a range with both ends, or reservations."""
    for path, dhcp in _servers(draft):
        yield from range_or_hosts(path, dhcp)


def lease_times(draft: Draft) -> Iterator[Problem]:
    """A lease takes as long as dnsmasq can have it."""
    for path, dhcp in _servers(draft):
        yield from short_leases(path, dhcp)


def reservations(draft: Draft) -> Iterator[Problem]:
    """An address is kept for one client, and each kept address is one of the network's."""
    for path, dhcp in _servers(draft):
        network = draft.networks[int(path[1])]
        yield from used_twice(path, dhcp, ("mac", "name", "ip"))
        for index, host in enumerate(dhcp.hosts):
            place = (*path, "hosts", index)
            if host.mac is None and host.name is None:
                yield Problem(
                    place,
                    "a reservation for no client; expected its mac, its name, or both",
                    "add the client's mac",
                )
            yield from _kept_address(network, (*place, "ip"), index)


def _kept_address(network: Network, path: FieldPath, index: int) -> Iterator[Problem]:
    subnet = network.subnet
    if subnet is None or network.dhcp is None or network.address is None:
        return
    ip = network.dhcp.hosts[index].ip
    if ip not in subnet or ip in (subnet.network_address, subnet.broadcast_address):
        yield Problem(
            path,
            f"{ip} is no address of a host in {subnet}; expected one from "
            f"{subnet.network_address + 1} to {subnet.broadcast_address - 1}",
            "choose another address",
        )
    elif ip == network.address.ip:
        yield Problem(
            path,
            f"{ip} is the bridge's own address; expected one that a client can have",
            "choose another address",
        )


def entries_of_a_server(draft: Draft) -> Iterator[Problem]:
    """Entries are those of a DNS server that is on; libvirt refuses others."""
    for index, network in draft.planned.items():
        dns = network.dns
        if dns is None:
            continue
        for key in ("forwarders", "hosts", "txt", "srv"):
            if not dns.enable and getattr(dns, key):
                yield Problem(
                    ("networks", index, "dns", key),
                    "entries of a DNS server that is off; expected none with enable: false",
                    "leave them out, or write enable: true",
                )
        for number, forwarder in enumerate(dns.forwarders):
            if forwarder.address is None and forwarder.domain is None:
                yield Problem(
                    ("networks", index, "dns", "forwarders", number),
                    "a forwarder without address and domain; expected one of them, or both",
                    "add the address of the server",
                )
        for number, srv in enumerate(dns.srv):
            if srv.domain is None and network.domain is None:
                yield Problem(
                    ("networks", index, "dns", "srv", number, "domain"),
                    "a service without a domain, on a network without one; expected a domain",
                    "add the domain of the service, or of the network",
                )


def _servers(draft: Draft) -> Iterator[tuple[FieldPath, Dhcp]]:
    for index, network in draft.planned.items():
        if network.dhcp is not None:
            yield ("networks", index, "dhcp"), network.dhcp


RULES: Final = (dhcp_is_whole, lease_times, reservations, entries_of_a_server)
