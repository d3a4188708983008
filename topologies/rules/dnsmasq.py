# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's dnsmasq: ranges, reservations and entries that it can serve."""

from collections.abc import Iterator
from typing import Final

from topologies.dhcp import LEASE_MIN_S, Dhcp, LeaseTime
from topologies.rules.draft import Draft, Problem
from topologies.schema import Network
from topologies.yaml_reader import FieldPath, field_name


def dhcp_is_whole(draft: Draft) -> Iterator[Problem]:
    """A DHCP server has a range with both ends, or reservations."""
    for path, dhcp in _servers(draft):
        ends = {"start": dhcp.start, "end": dhcp.end}
        missing = [key for key, value in ends.items() if value is None]
        if len(missing) == 1:
            yield Problem(
                (*path, *missing),
                "the range has one end; expected both, or neither",
                f"add {missing[0]}, or leave both out",
            )
        elif missing and not dhcp.hosts:
            yield Problem(
                path,
                "a DHCP server with nothing to hand out; expected a range, or hosts",
                "add start and end, or hosts; or leave dhcp out",
            )
        elif missing and dhcp.lease is not None:
            yield Problem(
                (*path, "lease"),
                "a lease time of a range that is not there; expected a range",
                "write the lease time below each of the hosts",
            )


def lease_times(draft: Draft) -> Iterator[Problem]:
    """A lease takes as long as dnsmasq can have it."""
    for path, dhcp in _servers(draft):
        times: list[tuple[FieldPath, LeaseTime | None]] = [((*path, "lease"), dhcp.lease)]
        times += [((*path, "hosts", i, "lease"), h.lease) for i, h in enumerate(dhcp.hosts)]
        for place, lease in times:
            if lease is not None and lease.seconds < LEASE_MIN_S:
                yield Problem(
                    (*place, "expiry"),
                    f"{lease.expiry} {lease.unit} are too short; expected at least {LEASE_MIN_S} "
                    "seconds, or 0 for a lease without end",
                    "raise it",
                )


def reservations(draft: Draft) -> Iterator[Problem]:
    """An address is kept for one client, and each kept address is one of the network's."""
    for path, dhcp in _servers(draft):
        network = draft.networks[int(path[1])]
        used: dict[object, FieldPath] = {}
        for index, host in enumerate(dhcp.hosts):
            place = (*path, "hosts", index)
            if host.mac is None and host.name is None:
                yield Problem(
                    place,
                    "a reservation for no client; expected its mac, its name, or both",
                    "add the client's mac",
                )
            for key in ("mac", "name", "ip"):
                value = getattr(host, key)
                if value is None:
                    continue
                if value in used:
                    yield Problem(
                        (*place, key),
                        f"{value} is already that of {field_name(used[value])}; expected one that "
                        "is used once",
                        "correct one of the two",
                    )
                used.setdefault(value, (*place, key))
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
