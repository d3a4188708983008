# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses: inside their network, not its first or last, and used once."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from topologies.dhcp import DhcpRange
from topologies.rules.draft import Draft, Problem
from topologies.rules.used_once import addresses_twice
from topologies.schema import Guest, Network
from topologies.yaml_reader import FieldPath, field_name

# A bridge, two guests and the two addresses that no host may have.
PREFIX_MAX = 29


def _outside_of(path: FieldPath, address: IPv4Address, subnet: IPv4Network) -> Iterator[Problem]:
    usable = f"{subnet.network_address + 1} to {subnet.broadcast_address - 1}"
    if address not in subnet:
        what = f"{address} is outside its network {subnet}"
    elif address == subnet.network_address:
        what = f"{address} is the address of the network {subnet} itself"
    elif address == subnet.broadcast_address:
        what = f"{address} is the broadcast address of {subnet}"
    else:
        return
    yield Problem(path, f"{what}; expected one from {usable}", "choose another address")


def _subnets(draft: Draft) -> Iterator[tuple[FieldPath, IPv4Network]]:
    if draft.physical is not None:
        yield ("physical", "subnet"), draft.physical.subnet
    for index, network in draft.planned.items():
        if network.subnet is not None and not network.is_on_physical_network:
            yield ("networks", index, "address"), network.subnet
            for number, address in enumerate(network.further_addresses):
                yield ("networks", index, "further_addresses", number), address.network


def subnets_are_large_enough(draft: Draft) -> Iterator[Problem]:
    """A network has room for its bridge and two guests."""
    for path, subnet in _subnets(draft):
        if subnet.prefixlen > PREFIX_MAX and "further_addresses" not in path:
            yield Problem(
                path,
                f"/{subnet.prefixlen} has no room for a bridge and two guests; expected a prefix "
                f"length of {PREFIX_MAX} or less",
                "widen the network",
            )


def subnets_are_apart(draft: Draft) -> Iterator[Problem]:
    """Two networks share no address: the host routes by the address."""
    seen: list[tuple[FieldPath, IPv4Network]] = []
    for path, subnet in _subnets(draft):
        for other_path, other in seen:
            if subnet.overlaps(other):
                yield Problem(
                    path,
                    f"{subnet} overlaps {other} of {field_name(other_path)}; expected networks "
                    "that share no address",
                    "move one of the two",
                )
        seen.append((path, subnet))


def addresses_are_inside(draft: Draft) -> Iterator[Problem]:
    """Every address is a host's address in its network."""
    for index, network in draft.planned.items():
        if network.address is not None and network.address.network.prefixlen <= PREFIX_MAX:
            path = ("networks", index, "address")
            yield from _outside_of(path, network.address.ip, network.address.network)
    if draft.physical is not None and draft.physical.subnet.prefixlen <= PREFIX_MAX:
        for key in ("router", "host", "outside"):
            address: IPv4Address = getattr(draft.physical, key)
            yield from _outside_of(("physical", key), address, draft.physical.subnet)


def guests_are_inside(draft: Draft) -> Iterator[Problem]:
    """A guest's static address lies in its network, with the network's prefix length."""
    for index, guest in draft.guests.items():
        network, static = draft.network_of(guest), guest.static_address
        subnet = draft.subnet_of(network) if network else None
        if static is None or subnet is None or subnet.prefixlen > PREFIX_MAX:
            continue
        path = ("guests", index, "address")
        outside = list(_outside_of(path, static.ip, subnet))
        yield from outside
        if not outside and static.network != subnet:
            yield Problem(
                path,
                f"{static} has another prefix length than its network {subnet}; expected "
                f"/{subnet.prefixlen}",
                f"write {static.ip}/{subnet.prefixlen}",
            )


def routes_lead_out(draft: Draft) -> Iterator[Problem]:
    """A static route leads to addresses of no network here, by way of a guest's address."""
    for index, network in draft.planned.items():
        for number, route in enumerate(network.routes):
            path: FieldPath = ("networks", index, "routes", number)
            if network.subnet is not None and network.subnet.prefixlen <= PREFIX_MAX:
                yield from _outside_of((*path, "gateway"), route.gateway, network.subnet)
            for other_path, other in _subnets(draft):
                if route.to.overlaps(other):
                    yield Problem(
                        (*path, "to"),
                        f"{route.to} overlaps {other} of {field_name(other_path)}; expected "
                        "addresses that are beyond the gateway alone",
                        "choose another network",
                    )


def addresses_are_used_once(draft: Draft) -> Iterator[Problem]:
    """Two interfaces have two addresses."""
    used: list[tuple[FieldPath, IPv4Address]] = []
    if draft.physical is not None:
        keys = ("router", "host", "outside")
        used += [(("physical", key), getattr(draft.physical, key)) for key in keys]
    used += [
        (("networks", i, "address"), n.address.ip)
        for i, n in draft.networks.items()
        if n.address is not None and not n.is_on_physical_network
    ]
    used += [
        (("networks", i, "further_addresses", number), address.ip)
        for i, n in draft.networks.items()
        for number, address in enumerate(n.further_addresses)
    ]
    used += [
        (("guests", i, "address"), g.static_address.ip)
        for i, g in draft.guests.items()
        if g.static_address is not None
    ]
    yield from addresses_twice(used)


def bridge_with_uplink_holds_the_hosts_address(draft: Draft) -> Iterator[Problem]:
    """Where the NIC is a port, the host's address on the physical network is the bridge's."""
    for index, network in draft.planned.items():
        if not network.is_on_physical_network or draft.physical is None:
            continue
        expected = draft.physical.host_interface
        if network.address != expected:
            yield Problem(
                ("networks", index, "address"),
                f"{network.address or 'null'} is not the host's address on the physical network; "
                f"expected {expected}, as {network.uplink} is the NIC on it",
                f"write {expected}, or change physical.host",
            )


def _range(path: FieldPath, dhcp: DhcpRange, subnet: IPv4Network | None) -> Iterator[Problem]:
    if dhcp.start > dhcp.end:
        yield Problem(
            (*path, "start"),
            f"{dhcp.start} comes after the end of the range, {dhcp.end}; expected start before end",
            "swap them",
        )
    if subnet is not None and subnet.prefixlen <= PREFIX_MAX:
        yield from _outside_of((*path, "start"), dhcp.start, subnet)
        yield from _outside_of((*path, "end"), dhcp.end, subnet)


def ranges(draft: Draft) -> Iterator[Problem]:
    """A DHCP range lies in its network and runs forward; the physical one holds none that is taken.

    libvirt takes a range with addresses in use: `ranges_in_use` warns of it.
    """
    for index, network in draft.planned.items():
        if (served := network.dhcp_range) is not None:
            yield from _range(("networks", index, "dhcp"), served, network.subnet)
    if draft.physical is not None:
        path, served = ("physical", "dhcp"), draft.physical.dhcp
        yield from _range(path, served, draft.physical.subnet)
        taken = _guests(draft) | {
            f"the {key}'s own address": getattr(draft.physical, key)
            for key in ("router", "host", "outside")
        }
        yield from _holding(path, served, taken)


def ranges_in_use(draft: Draft) -> Iterator[Problem]:
    """Libvirt's range holds an address that is in use: its server offers it to no client."""
    for index, network in draft.planned.items():
        if (served := network.dhcp_range) is not None:
            taken = _guests(draft)
            if network.address is not None:
                taken["the bridge's own address"] = network.address.ip
            yield from _holding(("networks", index, "dhcp"), served, taken)


def _guests(draft: Draft) -> dict[str, IPv4Address]:
    """Return the static addresses of guests, each with its place in words."""
    return {
        f"the address of {field_name(('guests', i, 'address'))}": g.static_address.ip
        for i, g in draft.guests.items()
        if g.static_address is not None
    }


def _holding(
    path: FieldPath, dhcp: DhcpRange, taken: Mapping[str, IPv4Address]
) -> Iterator[Problem]:
    for owner, address in taken.items():
        if address in dhcp:
            yield Problem(
                (*path, "start"),
                f"the range {dhcp.start} to {dhcp.end} holds {address}, {owner}; expected a range "
                "of free addresses",
                "shorten the range, or move the address out of it",
            )


def dhcp_guests_have_a_server(draft: Draft) -> Iterator[Problem]:
    """A guest with `address: dhcp` is on a network with a DHCP server.

    Who serves an existing network is found out by asking there.
    """
    planned = list(draft.planned.values())
    for index, guest in draft.guests.items():
        network = draft.network_of(guest)
        if guest.asks_by_dhcp and network in planned:
            if network.is_on_physical_network or _serves(network, guest):
                continue
            yield Problem(
                ("guests", index, "address"),
                f"network {network.name} has no DHCP server with an address for it; expected a "
                "static address",
                "write an address with its prefix length, or give the network a dhcp range, or a "
                "host with the guest's MAC under dhcp.hosts",
            )


def _serves(network: Network, guest: Guest) -> bool:
    """Whether a network's DHCP server has an address for a guest."""
    if (dhcp := network.dhcp) is None:
        return False
    if dhcp.range is None and not dhcp.hosts:
        # Another rule refuses it.
        return True
    return dhcp.range is not None or dhcp.reservation(guest.mac, guest.name) is not None


RULES: Final = (
    subnets_are_large_enough,
    subnets_are_apart,
    addresses_are_inside,
    guests_are_inside,
    routes_lead_out,
    addresses_are_used_once,
    bridge_with_uplink_holds_the_hosts_address,
    ranges,
    dhcp_guests_have_a_server,
)
