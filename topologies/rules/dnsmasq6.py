# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's DHCPv6 server: ranges and reservations that it can serve."""

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Final

from topologies.dhcp6 import Dhcp6, duid_of
from topologies.rules.dhcp_servers import range_or_hosts, short_leases, used_twice
from topologies.rules.draft import Draft, Problem
from topologies.schema import Network
from topologies.yaml_reader import FieldPath, field_name

# libvirt refuses a range of more: its two ends differ in the last 16 bits alone.
RANGE_BITS: Final = 16


def dhcp6_is_whole(draft: Draft) -> Iterator[Problem]:
    """A DHCPv6 server has a range with both ends, or reservations, and times that it can keep."""
    for path, _, dhcp in _servers(draft):
        yield from range_or_hosts(path, dhcp)
        yield from short_leases(path, dhcp)


def addresses_of_dhcp6(draft: Draft) -> Iterator[Problem]:
    """What is handed out by DHCPv6 is the network's, and each kept address is one client's."""
    for path, network, dhcp in _servers(draft):
        served = dhcp.range
        for key, end in (("start", dhcp.start), ("end", dhcp.end)):
            if end is not None:
                yield from _outside((*path, key), end, network)
        if served is not None and served.start > served.end:
            yield Problem(
                (*path, "start"),
                f"{served.start} comes after the end of the range, {served.end}; expected start "
                "before end",
                "swap them",
            )
        elif served is not None and int(served.start) >> RANGE_BITS != int(served.end) >> (
            RANGE_BITS
        ):
            yield Problem(
                (*path, "end"),
                f"{served.end} differs from {served.start} in more than its last {RANGE_BITS} "
                "bits; expected a range that libvirt takes",
                "choose a nearer end",
            )
        yield from used_twice(path, dhcp, ("duid", "name", "ip"))
        for index, host in enumerate(dhcp.hosts):
            yield from _outside((*path, "hosts", index, "ip"), host.ip, network)


def guests_of_dhcp6(draft: Draft) -> Iterator[Problem]:
    """Each guest is a client that the DHCPv6 server of its network has an address for."""
    for path, network, dhcp in _servers(draft):
        for index, guest in draft.guests.items():
            if guest.network != network.name or dhcp.start is not None:
                continue
            if guest.address6 is not None:
                continue
            if dhcp.reservation(duid_of(guest.mac)) is None:
                yield Problem(
                    ("guests", index, "mac"),
                    f"{field_name(path)} has no range, and keeps no address for the guest's DUID, "
                    f"{duid_of(guest.mac)}; expected one of both",
                    f"add a range, or a host with that duid, to {field_name(path)}",
                )


def _outside(path: FieldPath, address: IPv6Address, network: Network) -> Iterator[Problem]:
    held = network.address6
    if held is None:
        return
    if address not in held.network or address in (held.ip, held.network.network_address):
        what = "the bridge's own address" if address == held.ip else f"no host's in {held.network}"
        yield Problem(
            path,
            f"{address} is {what}; expected one that a client can have",
            "choose another address",
        )


def _servers(draft: Draft) -> Iterator[tuple[FieldPath, Network, Dhcp6]]:
    for index, network in draft.planned.items():
        if network.dhcp6 is not None:
            yield ("networks", index, "dhcp6"), network, network.dhcp6


RULES: Final = (dhcp6_is_whole, addresses_of_dhcp6, guests_of_dhcp6)
