# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a topology's data differs on the host that it was placed on."""

from collections.abc import Iterator
from typing import Any

from topologies.topology import Topology

NONE = "null"
"""What a topology file has for a part that is not there."""


def moved_fields(documented: Topology, used: Topology) -> list[dict[str, str]]:
    """Return the fields whose values differ, each with both; none for a topology as documented."""
    before, after = (dict(_fields(each.model_dump(mode="json"), "")) for each in (documented, used))
    # A part that a host cannot have is left out there.
    return [
        {"field": field, "documented": before[field], "used": after.get(field, NONE)}
        for field in before
        if before[field] != after.get(field)
    ]


def _fields(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Give each field of a topology's data by its path, as in `networks[0].dhcp.start`."""
    if isinstance(value, dict):
        for key, each in value.items():
            # The file's word for it.
            name = "bridge" if key == "bridge_name" else key
            yield from _fields(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _fields(each, f"{path}[{number}]")
    elif value is not None:
        yield path, str(value)
