# SPDX-License-Identifier: GPL-2.0-or-later
"""Static IPv6 addresses of guests: where the host gives the prefix, and free there."""

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Final

from topologies.network_types import find_type
from topologies.network_types.network_type import NetworkType
from topologies.rules.draft import Draft, Problem
from topologies.rules.used_once import addresses_twice
from topologies.schema import Guest, Network
from topologies.yaml_reader import FieldPath


def _on_planned(draft: Draft) -> Iterator[tuple[FieldPath, Guest, Network, NetworkType]]:
    """Give each guest on a network that the file plans, with the place of its address."""
    planned = list(draft.planned.values())
    for index, guest in draft.guests.items():
        network = draft.network_of(guest)
        if network is None or network not in planned:
            continue
        if (type_ := find_type(network)) is not None:
            yield ("guests", index, "address6"), guest, network, type_


def guests_have_one_where_nothing_is_advertised(draft: Draft) -> Iterator[Problem]:
    """A guest has a static address where no router gives it one, and never by one of the site's."""
    for path, guest, network, type_ in _on_planned(draft):
        if guest.address6 is None:
            if network.address6 is not None and not type_.gives_ipv6:
                yield Problem(
                    path,
                    f"null on network {network.name}, where nothing advertises the prefix "
                    f"{network.address6.network}; expected an address of it",
                    "write one, or leave the address6 of the network out",
                )
        elif network.address6 is None:
            yield Problem(
                path,
                f"{guest.address6} on network {network.name}, on which the host has no IPv6; "
                "expected null",
                "leave it out, or give the network an address6",
            )
        elif type_.gives_ipv6 and not type_.host_advertises:
            yield Problem(
                path,
                f"{guest.address6} on network {network.name}, whose guests take an address that "
                "the physical network's router advertises; expected null",
                "leave it out",
            )


def none_is_on_an_existing_network(draft: Draft) -> Iterator[Problem]:
    """On a network that exists no static address is set aside for a guest."""
    planned = list(draft.planned.values())
    for index, guest in draft.guests.items():
        network = draft.network_of(guest)
        if guest.address6 is None or network is None or network in planned:
            continue
        yield Problem(
            ("guests", index, "address6"),
            f"{guest.address6} on network {network.name}, which exists; expected null",
            "leave it out: the guest takes what the network gives",
        )


def they_are_outside_dhcp6(draft: Draft) -> Iterator[Problem]:
    """A static address is none of the DHCPv6 server's: it leases its own without looking."""
    for path, guest, network, _ in _on_planned(draft):
        if guest.address6 is None or (dhcp := network.dhcp6) is None:
            continue
        address, served = guest.address6.ip, dhcp.range
        if (served and address in served) or address in [each.ip for each in dhcp.hosts]:
            yield Problem(
                path,
                f"{address} is in the range of dhcp6, or kept for a client there; expected one "
                "outside the range and the reservations",
                "choose another address, or leave it out",
            )


def they_are_inside(draft: Draft) -> Iterator[Problem]:
    """A static address is of the bridge's prefix, not its first one, and has its length."""
    for path, guest, network, _ in _on_planned(draft):
        if guest.address6 is None or network.address6 is None:
            continue
        prefix, own = network.address6.network, guest.address6
        if own.ip not in prefix:
            what = f"{own.ip} is outside its network {prefix}"
        elif own.ip == prefix.network_address:
            # RFC 4291, 2.6.1
            what = f"{own.ip} is that of every router on {prefix}"
        elif own.network != prefix:
            what = f"{own} has another prefix length than its network {prefix}"
        else:
            continue
        yield Problem(
            path,
            f"{what}; expected an address of {prefix} with /{prefix.prefixlen}",
            "choose another address",
        )


def they_are_used_once(draft: Draft) -> Iterator[Problem]:
    """Two interfaces have two addresses."""
    used: list[tuple[FieldPath, IPv6Address]] = [
        (("networks", index, "address6"), network.address6.ip)
        for index, network in draft.networks.items()
        if network.address6 is not None and not network.is_on_physical_network
    ]
    used += [
        (path, guest.address6.ip)
        for path, guest, _, _ in _on_planned(draft)
        if guest.address6 is not None
    ]
    yield from addresses_twice(used)


RULES: Final = (
    guests_have_one_where_nothing_is_advertised,
    none_is_on_an_existing_network,
    they_are_inside,
    they_are_used_once,
    they_are_outside_dhcp6,
)
