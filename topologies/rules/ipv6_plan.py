# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 on the physical network: the host's address there, and who advertises the prefix."""

from collections.abc import Iterator
from typing import Final

from topologies.rules.draft import Draft, Problem
from topologies.schema import Network

SLAAC_PREFIX = 64
"""The one prefix length that an Ethernet host makes itself an address of (RFC 2464, 4)."""


def bridge_with_uplink_holds_the_hosts_address(draft: Draft) -> Iterator[Problem]:
    """Where the NIC is a port, the bridge's IPv6 address is the host's on the physical network."""
    for index, network in draft.planned.items():
        if not _is_port(network) or draft.physical is None:
            continue
        held, beyond = network.address6, draft.physical.ipv6
        expected = None if beyond is None or not beyond.advertised else beyond.host_interface
        if held == expected:
            continue
        path = ("networks", index, "address6")
        if expected is None:
            yield Problem(
                path,
                f"{held} is of a prefix that no router advertises: guests would have no address; "
                "expected null",
                "describe physical.ipv6, with advertised: true, or leave it out",
            )
        else:
            yield Problem(
                path,
                f"{held or 'null'} is not the host's address on the physical network; expected "
                f"{expected}, as {network.uplink} is the NIC on it",
                f"write {expected}, or change physical.ipv6",
            )


def advertised_prefixes(draft: Draft) -> Iterator[Problem]:
    """An advertised prefix is one for SLAAC, and a bridge's guests hear of it."""
    if draft.physical is None or draft.physical.ipv6 is None or not draft.physical.ipv6.advertised:
        return
    beyond = draft.physical.ipv6
    if beyond.subnet.prefixlen != SLAAC_PREFIX:
        yield Problem(
            ("physical", "ipv6", "subnet"),
            f"/{beyond.subnet.prefixlen} is advertised, and no guest makes itself an address of "
            f"it; expected /{SLAAC_PREFIX}",
            f"write a /{SLAAC_PREFIX}, or advertised: false",
        )
    planned = list(draft.planned.values())
    if planned and "networks" not in draft.lacks and not any(map(_is_port, planned)):
        yield Problem(
            ("physical", "ipv6", "advertised"),
            "true where no bridge has a port on the physical network; expected false",
            "leave it out, or make the uplink a port of a bridge",
        )


def _is_port(network: Network) -> bool:
    """Whether the uplink is a port of the network's bridge, and no physical function."""
    return network.is_on_physical_network and network.bridge_name is not None


RULES: Final = (bridge_with_uplink_holds_the_hosts_address, advertised_prefixes)
