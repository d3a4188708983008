# SPDX-License-Identifier: GPL-2.0-or-later
"""A network that exists as a topology file: to edit, to keep, and to run in a sandbox."""

import json
import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, Final

from topologies.network_import.imported import GUESTS, Imported, macs_for
from topologies.network_types import type_of
from topologies.schema import DhcpRange, Network, Physical
from topologies.topology import SCHEMA

# What a sandbox makes beyond the host where the network itself says nothing of it: private
# networks (RFC 1918), the first that does not overlap.
BEYOND: Final = tuple(IPv4Network(f"192.168.{third}.0/24") for third in (1, 2, 3))
UPLINK: Final = "eth1"
# For guests on a bridge of whose addresses the host knows none.
UNKNOWN_SUBNET: Final = IPv4Network("10.213.0.0/24")
HOST, ROUTER, OUTSIDE = 2, 1, 10
FUNCTIONS_MIN = GUESTS + 1
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")  # virbr0, 192.168.122.1/24
NUMBER = re.compile(r"0[xob]\w*|[0-9][0-9_.]*([eE][0-9]+)?")  # 12, 1.5, 1e3, 0x1f
RESERVED = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
KEYS = (
    *("name", "made_by", "bridge", "switch", "forward", "address", "stp", "forward_delay_s"),
    *("mac", "uuid", "dhcp", "uplink", "vfs", "libvirt_name"),
)


def topology_yaml(imported: Imported, found_on: str) -> str:
    """Return the topology file of a network that exists.

    Args:
        imported: the network.
        found_on: where it was read, for the file's first comment.
    """
    physical = _physical(imported)
    network = _planned(imported, physical)
    addresses = _static(network)
    data = imported.data(macs=macs_for(imported.name, ()), addresses=addresses, physical=physical)
    return "\n".join([*_head(imported, found_on), *_body(data, network, physical), ""])


def _head(imported: Imported, found_on: str) -> Iterator[str]:
    reading = imported.reading
    yield f"# {imported.attach.capitalize()} {reading.name}, read from {found_on}."
    yield "# A sandbox builds it anew; on its own host it is attached to as it is with"
    yield f"#     ./plumbline run --host local {reading.option} {reading.name}"
    if not reading.not_looked_at:
        yield "# Everything that it is asked for is in this file, or a check looks at it."
        return
    yield "#"
    yield "# It is asked for more. Plumbline does not look at:"
    for setting in reading.not_looked_at:
        yield f"#   {' '.join(str(setting).split())}"
        if setting.undecides:
            yield f"#     so these claims are not decided on it: {', '.join(setting.undecides)}"


def _body(data: dict[str, Any], network: Network, physical: Physical | None) -> Iterator[str]:
    yield f"schema: {SCHEMA}"
    yield from (f"{key}: {_scalar(data[key])}" for key in ("name", "kind", "title"))
    yield "sources:"
    yield from (f"  - {_scalar(source)}" for source in data["sources"])
    yield "\nnetworks:"
    values = network.model_dump(mode="json", by_alias=True)
    for number, key in enumerate(KEYS):
        yield f"  {'-' if number == 0 else ' '} {key}: {_scalar(values[key])}"
    if physical is None:
        yield "\nphysical: null"
    else:
        yield "\n# The network beyond it, as the sandbox makes it."
        yield "physical:"
        beyond = physical.model_dump(mode="json")
        yield from (f"  {key}: {_scalar(value)}" for key, value in beyond.items())
    yield "\nguests:"
    for guest in data["guests"]:
        for number, (key, value) in enumerate(guest.items()):
            yield f"  {'-' if number == 0 else ' '} {key}: {_scalar(value)}"
    yield "\n# Those of its type, as far as its own settings do not say otherwise."
    yield "promises:"
    for promise in data["promises"]:
        yield f"  - {_flow(promise)}"
    if data["throughput"]:
        yield "\n# Below the bandwidth that it is limited to."
        yield f"throughput: {_flow(data['throughput'])}"


def _flow(values: dict[str, Any]) -> str:
    return f"{{{', '.join(f'{key}: {_scalar(value)}' for key, value in values.items())}}}"


def _scalar(value: object) -> str:
    """Return a value as YAML 1.2 takes it: a plain word as it is, all else as JSON."""
    if isinstance(value, dict):
        return _flow(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    return text if _is_plain(text) else json.dumps(text, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    """Whether YAML takes the text for text, of version 1.1 too."""
    if PLAIN.fullmatch(text) is None or text.lower() in RESERVED:
        return False
    return NUMBER.fullmatch(text) is None


def _physical(imported: Imported) -> Physical | None:
    """Return the network beyond the host as a sandbox is to make it; None: there is none."""
    network = imported.network
    type_ = type_of(network)
    if not any("outside" in cell for cell in type_.reach):
        return None
    own, beyond = network.subnet, network.is_on_physical_network
    if beyond and network.address is not None:
        subnet, host = network.address.network, network.address.ip
        known = _inside(imported.router, subnet)
        router = known or next(address for address in subnet.hosts() if address != host)
    else:
        subnet = next(each for each in BEYOND if own is None or not each.overlaps(own))
        host, router = subnet[HOST], subnet[ROUTER]
    return _figures(network.uplink or UPLINK, subnet, host, router)


def _inside(address: IPv4Address | None, subnet: IPv4Network) -> IPv4Address | None:
    return address if address is not None and address in subnet else None


def _figures(uplink: str, subnet: IPv4Network, host: IPv4Address, router: IPv4Address) -> Physical:
    free = [a for a in list(subnet.hosts())[: 1 << 12] if a not in (host, router)]
    outside = free[min(OUTSIDE, len(free) - 1)]
    served = _longest(sorted(set(free) - {outside}))
    # The guests' own addresses, where they have static ones, are before the range.
    served = served[len(served) // 2 :]
    return Physical(
        uplink=uplink,
        subnet=subnet,
        router=router,
        dhcp=DhcpRange(start=served[0], end=served[-1]),
        host=host,
        outside=outside,
    )


def _longest(addresses: Sequence[IPv4Address]) -> Sequence[IPv4Address]:
    """Return the longest run of consecutive addresses."""
    best, begin = (0, 1), 0
    for end in range(1, len(addresses) + 1):
        if end == len(addresses) or int(addresses[end]) != int(addresses[end - 1]) + 1:
            best, begin = max(best, (begin, end), key=lambda span: span[1] - span[0]), end
    return addresses[slice(*best)]


def _planned(imported: Imported, physical: Physical | None) -> Network:
    """Return the network as one that a run makes."""
    network = imported.network
    more: dict[str, Any] = {"origin": "made"}
    if network.is_on_physical_network and physical is not None:
        more["address"] = physical.host_interface
    if network.vfs is not None:
        more["vfs"] = max(network.vfs, FUNCTIONS_MIN)
    return network.model_copy(update=more)


def _static(network: Network) -> list[IPv4Interface]:
    """Return static addresses for guests on a network without DHCP; none where it has it."""
    if network.dhcp is not None or network.is_on_physical_network:
        return []
    subnet = network.subnet or UNKNOWN_SUBNET
    own = None if network.address is None else network.address.ip
    free = (address for address in subnet.hosts() if address != own)
    return [IPv4Interface((next(free), subnet.prefixlen)) for _ in range(GUESTS)]
