# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks and guests without IPv4: who has no address of it has one of IPv6."""

from collections.abc import Iterator
from typing import Final

from topologies.rules.draft import Draft, Problem


def guests_have_an_address(draft: Draft) -> Iterator[Problem]:
    """A guest has an address of IPv4 just where its network is not of IPv6 alone."""
    planned = list(draft.planned.values())
    for index, guest in draft.guests.items():
        network = draft.network_of(guest)
        if network is None or network not in planned:
            continue
        if guest.address is None and network.address6 is None:
            yield Problem(
                ("guests", index, "address"),
                f"null on network {network.name}, which has no IPv6 either; expected an address",
                "write dhcp, or an address as in 192.168.122.92/24",
            )
        elif guest.address is not None and network.is_ipv6_alone:
            yield Problem(
                ("guests", index, "address"),
                f"{guest.address} on network {network.name}, whose only address is of IPv6; "
                "expected null",
                "write null, or give the network an address of IPv4",
            )


RULES: Final = (guests_have_an_address,)
