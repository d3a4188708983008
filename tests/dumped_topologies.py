# SPDX-License-Identifier: GPL-2.0-or-later
"""Topologies whose network `virsh net-dumpxml` prints, to be read and run as well."""

from collections.abc import Sequence
from pathlib import Path

from topologies import library

# Of a network with IPv6 alone there is no shipped one.
ALONE = [
    str(Path(__file__).resolve().parent / "topologies" / f"ipv6-alone{of}.yaml")
    for of in ("", "-nat")
]


def dumped_topologies() -> Sequence[str]:
    """Return the shipped ones with a libvirt network, and those with IPv6 alone.

    In a sandbox passthrough has no NIC to be made on.
    """
    every = {name: library.load(name) for name in library.names()}
    shipped = [
        name
        for name, each in every.items()
        if each.type.libvirt_name(each.network) and not each.type.uplink_is_real
    ]
    return [*shipped, *ALONE]


DUMPED = dumped_topologies()
