# SPDX-License-Identifier: GPL-2.0-or-later
"""A network that exists, or is defined, as one that a run makes: what a sandbox adds to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Network
from itertools import count, islice
from typing import Any, Final

from topologies.dhcp import DhcpRange
from topologies.dhcp6 import OF_A_MAC, Dhcp6, mac_of
from topologies.field_types import GUEST_PATTERN
from topologies.network_import.imported import GUEST, GUESTS, Imported, macs_for
from topologies.network_import.reading import Setting
from topologies.network_types import type_of
from topologies.physical_ipv6 import PhysicalIpv6
from topologies.schema import Network, Physical

# What a sandbox makes beyond the host where the network itself says nothing of it: private
# networks (RFC 1918), the first that does not overlap.
BEYOND: Final = tuple(
    map(IPv4Network, ("192.168.1.0/24", "192.168.2.0/24", "172.31.213.0/24", "10.214.0.0/24"))
)
# For documentation (RFC 3849).
BEYOND6: Final = tuple(map(IPv6Network, ("2001:db8:1::/64", "2001:db8:2::/64")))
UPLINK: Final = "eth1"
# For guests on a bridge of whose addresses the host knows none.
UNKNOWN_SUBNET: Final = IPv4Network("10.213.0.0/24")
HOST, ROUTER, OUTSIDE = 2, 1, 10
FUNCTIONS_MIN = GUESTS + 1
# Of a large subnet so many addresses are looked at: a /8 has 16 million.
LOOKED_AT_MAX: Final = 1 << 12


class NoRoom(ValueError):
    """A subnet has not the addresses that a run needs."""


def as_buildable(imported: Imported) -> Imported:
    """Return a network without what a run cannot give one that it makes.

    On a bridge that is not libvirt's it has nobody advertise the prefix of an IPv6 address.
    """
    network, reading = imported.network, imported.reading
    if type_of(network).host_advertises or network.address6 is None:
        return imported
    held = Setting(
        f"bridge {network.bridge}", "address", None, None, str(network.address6), "not looked at"
    )
    return replace(
        imported,
        network=network.model_copy(update={"address6": None}),
        reading=replace(reading, settings=(*reading.settings, held)),
    )


def physical_of(imported: Imported) -> Physical | None:
    """Return the network beyond the host as a sandbox is to make it; None: there is none.

    Raises:
        NoRoom: its subnet, which is the network's own, is too small.
    """
    network = imported.network
    type_ = type_of(network)
    if not any("outside" in cell for cell in type_.reach):
        return None
    own = network.subnets
    beyond = network.is_on_physical_network or type_of(network).lost(network) is not None
    if beyond and network.address is not None:
        subnet, host = network.address.network, network.address.ip
        known = _inside(imported.router, subnet)
        router = known or next((each for each in subnet.hosts() if each != host), host)
    else:
        free = (
            each
            for each in BEYOND
            if not any(each.overlaps(other) for other in own)
            and not any(address in each for address in imported.spoken_for)
        )
        if (found := next(free, None)) is None:
            raise NoRoom(
                f"{', '.join(map(str, own))} overlaps each of {', '.join(map(str, BEYOND))}; "
                "expected room for a network beyond the host"
            )
        subnet, host, router = found, found[HOST], found[ROUTER]
    uplink = network.uplink or imported.device or UPLINK
    more: dict[str, Any] = {"ipv6": _ipv6_beyond(imported)}
    if imported.uplink_mtu is not None:
        more["mtu"] = imported.uplink_mtu
    return Physical(**_figures(subnet, host, router), uplink=uplink, **more)


def _ipv6_beyond(imported: Imported) -> PhysicalIpv6 | None:
    if (held := imported.network.address6) is None:
        return None
    taken = {held.ip, *imported.spoken_for6}
    free = (each for each in BEYOND6 if not any(address in each for address in taken))
    if (subnet := next(free, None)) is None:
        raise NoRoom(
            f"it has addresses of each of {', '.join(map(str, BEYOND6))}; expected room for a "
            "network beyond the host"
        )
    return PhysicalIpv6(
        subnet=subnet, router=subnet[ROUTER], host=subnet[HOST], outside=subnet[OUTSIDE]
    )


def _inside(address: IPv4Address | None, subnet: IPv4Network) -> IPv4Address | None:
    return address if address is not None and address in subnet else None


def _figures(subnet: IPv4Network, host: IPv4Address, router: IPv4Address) -> dict[str, Any]:
    """Return the figures of a physical network.

    Raises:
        NoRoom: it is too small.
    """
    looked_at = islice(subnet.hosts(), LOOKED_AT_MAX)
    free = [each for each in looked_at if each not in (host, router)]
    if len(free) <= GUESTS or host == router:
        raise NoRoom(
            f"{subnet} has not enough addresses for a router, the host, a machine outside and "
            f"{GUESTS} guests; expected a /29 or larger"
        )
    outside = free[min(OUTSIDE, len(free) - 1)]
    served = _longest(sorted(set(free) - {outside}))
    # The guests' own addresses, where they have static ones, are before the range.
    served = served[len(served) // 2 :]
    return {
        "subnet": subnet,
        "router": router,
        "dhcp": DhcpRange(start=served[0], end=served[-1]),
        "host": host,
        "outside": outside,
    }


def _longest(addresses: Sequence[IPv4Address]) -> Sequence[IPv4Address]:
    """Return the longest run of consecutive addresses."""
    best, begin = (0, 1), 0
    for end in range(1, len(addresses) + 1):
        if end == len(addresses) or int(addresses[end]) != int(addresses[end - 1]) + 1:
            best, begin = max(best, (begin, end), key=lambda span: span[1] - span[0]), end
    return addresses[slice(*best)]


def planned(imported: Imported, physical: Physical | None) -> Network:
    """Return the network as one that a run makes."""
    network = imported.network
    more: dict[str, Any] = {"origin": "made"}
    if type_of(network).lost(network) is not None:
        more["uplink"] = UPLINK
        network = network.model_copy(update=more)
    if network.is_on_physical_network and physical is not None:
        more["address"] = physical.host_interface
    if network.vfs is not None:
        more["vfs"] = max(network.vfs, FUNCTIONS_MIN)
    return network.model_copy(update=more)


@dataclass(frozen=True)
class PlannedGuests:
    """The guests that a run adds to a network that it makes.

    Attributes:
        macs: one each.
        names: one each.
        addresses: their static addresses; none: they ask by DHCP, or have no IPv4.
    """

    macs: Sequence[str]
    names: Sequence[str]
    addresses: Sequence[IPv4Interface] = ()


def planned_guests(imported: Imported, network: Network) -> PlannedGuests:
    """Return the guests of a network that a run makes.

    Where its DHCP server has no addresses but reserved ones, they are the clients of the first two
    reservations; else with static addresses.

    Raises:
        NoRoom: its subnet has no addresses for them.
    """
    macs = macs_for(imported.name, _reserved_macs(network))
    names = list(islice(_free_names(network), GUESTS))
    if network.is_on_physical_network or _serves_strangers(network):
        return PlannedGuests(macs, names)
    if len(kept := list(islice(_clients(network), GUESTS))) == GUESTS:
        return PlannedGuests(*zip(*kept, strict=True))
    if network.is_ipv6_alone:
        raise NoRoom(
            f"the DHCPv6 server has not {GUESTS} addresses for guests; expected a range with more, "
            f"or reservations for {GUESTS} clients whose id is that of a MAC ({OF_A_MAC}…)"
        )
    return PlannedGuests(macs, names, _static_addresses(imported, network))


def _reserved_macs(network: Network) -> list[str]:
    hosts = () if network.dhcp is None else network.dhcp.hosts
    hosts6 = () if network.dhcp6 is None else network.dhcp6.hosts
    macs = (*(each.mac for each in hosts), *(mac_of(each.duid) for each in hosts6))
    return [each for each in macs if each is not None]


def _free_names(network: Network) -> Iterator[str]:
    """Give names for guests that are those of no reservation and no entry.

    dnsmasq gives a reserved address to a client with the reservation's name, whatever its MAC.
    """
    kept = [
        host for each in (network.dhcp, network.dhcp6) if each is not None for host in each.hosts
    ]
    entries = () if network.dns is None else network.dns.hosts
    names = [each.name or "" for each in kept] + [name for each in entries for name in each.names]
    taken = {name.partition(".")[0].lower() for name in names}
    return (name for number in count(1) if (name := f"{GUEST}{number}") not in taken)


def _serves_strangers(network: Network) -> bool:
    """Whether a network's DHCP server has addresses for guests without a reservation.

    With IPv6 alone that is the one of DHCPv6; without one guests make themselves addresses.
    """
    if network.is_ipv6_alone:
        return network.dhcp6 is None or _serves_strangers6(network, network.dhcp6)
    dhcp, served = network.dhcp, network.dhcp_range
    if dhcp is None or served is None:
        return False
    own = None if network.address is None else network.address.ip
    taken = {each for each in (own, *(host.ip for host in dhcp.hosts)) if each and each in served}
    return served.size - len(taken) >= GUESTS


def _serves_strangers6(network: Network, dhcp: Dhcp6) -> bool:
    if (served := dhcp.range) is None:
        return False
    own = None if network.address6 is None else network.address6.ip
    taken = {each for each in (own, *(host.ip for host in dhcp.hosts)) if each and each in served}
    return served.size - len(taken) >= GUESTS


def _clients(network: Network) -> Iterator[tuple[str, str]]:
    """Give MAC and host name of the clients that a guest may be; a reservation's name is its."""
    default = _free_names(network)
    for mac, name in _reserved(network):
        if mac is None:
            continue
        if name is None:
            yield mac, next(default)
        elif GUEST_PATTERN.fullmatch(name):
            yield mac, name


def _reserved(network: Network) -> Iterator[tuple[str | None, str | None]]:
    """Give MAC and name of each reservation, of DHCPv6 where the network has no IPv4."""
    if network.is_ipv6_alone:
        hosts6 = () if network.dhcp6 is None else network.dhcp6.hosts
        yield from ((mac_of(each.duid), each.name) for each in hosts6)
    elif network.dhcp is not None:
        yield from ((each.mac, each.name) for each in network.dhcp.hosts)


def _static_addresses(imported: Imported, network: Network) -> list[IPv4Interface]:
    subnet = network.subnet or UNKNOWN_SUBNET
    own = None if network.address is None else network.address.ip
    taken = imported.spoken_for | {own}
    free = list(islice((each for each in subnet.hosts() if each not in taken), GUESTS))
    if len(free) < GUESTS:
        raise NoRoom(
            f"{subnet} has not enough free addresses for {GUESTS} guests beside the host's own and "
            "those given to others; expected a larger subnet"
        )
    return [IPv4Interface((address, subnet.prefixlen)) for address in free]
