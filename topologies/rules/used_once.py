# SPDX-License-Identifier: GPL-2.0-or-later
"""Two interfaces have two addresses, of whichever family."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

from topologies.rules.draft import Problem
from topologies.yaml_reader import FieldPath, field_name


def addresses_twice(
    used: Iterable[tuple[FieldPath, IPv4Address | IPv6Address]],
) -> Iterator[Problem]:
    """Give a problem for each address, with its place, that another place has before it."""
    first: dict[IPv4Address | IPv6Address, FieldPath] = {}
    for path, address in used:
        if address in first:
            yield Problem(
                path,
                f"{address} is already that of {field_name(first[address])}; expected an address "
                "that is used once",
                "choose another address",
            )
        first.setdefault(address, path)
