# SPDX-License-Identifier: GPL-2.0-or-later
"""A network that exists as a topology file: to edit, to keep, and to run in a sandbox."""

import json
import re
from collections.abc import Iterator
from typing import Any

from topologies.network_import.imported import Imported
from topologies.network_import.planned import as_buildable, physical_of, planned, planned_guests
from topologies.schema import Network, Physical
from topologies.topology import SCHEMA

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")  # virbr0, 192.168.122.1/24
NUMBER = re.compile(r"0[xob]\w*|[0-9][0-9_.]*([eE][0-9]+)?")  # 12, 1.5, 1e3, 0x1f
RESERVED = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
KEYS = (
    *("name", "made_by", "bridge", "switch", "forward", "address", "stp", "forward_delay_s"),
    *("mac", "mtu", "uuid", "uplink", "vfs", "libvirt_name"),
)
# IPv6, what the network's dnsmasq serves, routes, and an uplink that is no NIC: only what it has.
SERVED = (
    *("address6", "nat6", "guests_ipv6", "further_addresses", "domain", "dns", "dhcp", "dhcp6"),
    *("tftp", "routes", "dnsmasq_options", "uplink_vlan", "uplink_bond", "bridge_settings"),
    *("portgroups", "vlan", "guests_mtu"),
)


def topology_yaml(imported: Imported, found_on: str) -> str:
    """Return the topology file of a network that exists.

    Args:
        imported: the network.
        found_on: where it was read, for the file's first comment.
    """
    imported = as_buildable(imported)
    physical = physical_of(imported)
    network = planned(imported, physical)
    guests = planned_guests(imported, network)
    data = imported.data(
        macs=guests.macs, names=guests.names, addresses=guests.addresses, physical=physical
    )
    return "\n".join([*_head(imported, found_on), *_body(data, network, physical), ""])


def _head(imported: Imported, found_on: str) -> Iterator[str]:
    reading = imported.reading
    yield f"# {imported.what.capitalize()} {reading.name}, read from {found_on}."
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
    served = network.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for key in SERVED:
        yield from _block(key, served.get(key), "    ")
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


def _block(key: str, value: object, indent: str) -> Iterator[str]:
    """Give the lines of a key: a list with an entry a line; of a mapping that has one, its keys."""
    if value is None or value == {}:
        return
    if isinstance(value, list) and value:
        yield f"{indent}{key}:"
        yield from (f"{indent}  - {_scalar(each)}" for each in value)
    elif isinstance(value, dict) and any(isinstance(each, list | dict) for each in value.values()):
        yield f"{indent}{key}:"
        for name, each in value.items():
            yield from _block(name, each, f"{indent}  ")
    else:
        yield f"{indent}{key}: {_scalar(value)}"


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
