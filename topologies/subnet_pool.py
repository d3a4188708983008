# SPDX-License-Identifier: GPL-2.0-or-later
"""The networks that placed topologies get their subnets from."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from itertools import chain

from topologies.data_error import DataError, shown

OPTION = "--subnets"
# Private addresses (RFC 1918), from the middle of 10/8 on: sites begin at 0 or 1, VPNs at 8,
# Docker at 172.17, home networks are in 192.168.
_FIRST = 213
_CANDIDATES = (
    *IPv4Network("10.0.0.0/8").subnets(new_prefix=16),
    *IPv4Network("172.16.0.0/12").subnets(new_prefix=16),
)
POOL_PREFIX_MAX = 24


def pool_in(word: str) -> IPv4Network:
    """Return the network that `--subnets` names.

    Raises:
        DataError: it names none, or one without room for two subnets of 254 hosts.
    """
    try:
        pool = IPv4Network(word)
    except ValueError as error:
        raise DataError(
            f"{shown(word)}: {error}; expected an IPv4 network with its prefix length",
            field=OPTION,
            hint="write it as in 10.213.0.0/16",
        ) from error
    if pool.prefixlen >= POOL_PREFIX_MAX:
        raise DataError(
            f"{pool} has no room for two subnets of 254 hosts; expected a prefix length below "
            f"{POOL_PREFIX_MAX}",
            field=OPTION,
            hint="name a larger network that your site does not use",
        )
    return pool


def free_pool(taken: Sequence[IPv4Network]) -> IPv4Network:
    """Return the first private network of 65534 hosts that overlaps no network of the host.

    Raises:
        DataError: each overlaps one.
    """
    order = chain(_CANDIDATES[_FIRST:], _CANDIDATES[:_FIRST])
    for candidate in order:
        if not any(candidate.overlaps(each) for each in taken):
            return candidate
    raise DataError(
        "this host has routes, addresses or networks of libvirt's in every private network",
        field=OPTION,
        hint="name a network that your site does not use, as in 10.213.0.0/16",
    )


def free_subnets(
    pool: IPv4Network, taken: Sequence[IPv4Network], prefixes: Sequence[int]
) -> Iterator[IPv4Network]:
    """Give a free subnet of a pool for each prefix length, none of which overlap.

    Raises:
        DataError: the pool has no room left.
    """
    used = list(taken)
    for prefix in prefixes:
        found = None
        if prefix >= pool.prefixlen:
            found = next(
                (
                    each
                    for each in pool.subnets(new_prefix=prefix)
                    if not any(each.overlaps(other) for other in used)
                ),
                None,
            )
        if found is None:
            lengths = ", ".join(f"/{each}" for each in prefixes)
            raise DataError(
                f"{pool} has no free subnets {lengths} for a topology",
                field=OPTION,
                hint="name a larger network that your site does not use",
            )
        used.append(found)
        yield found
