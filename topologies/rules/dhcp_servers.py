# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that libvirt's DHCP servers of both families have in common."""

from collections.abc import Iterator, Sequence

from topologies.dhcp import LEASE_MIN_S, Dhcp, LeaseTime, Reservation
from topologies.dhcp6 import Dhcp6, Reservation6
from topologies.rules.draft import Problem
from topologies.yaml_reader import FieldPath, field_name


def range_or_hosts(path: FieldPath, dhcp: Dhcp | Dhcp6) -> Iterator[Problem]:
    """A server has a range with both ends, or reservations."""
    missing = [key for key in ("start", "end") if getattr(dhcp, key) is None]
    if len(missing) == 1:
        yield Problem(
            (*path, *missing),
            "the range has one end; expected both, or neither",
            f"add {missing[0]}, or leave both out",
        )
    elif missing and not dhcp.hosts:
        what = "DHCPv6" if isinstance(dhcp, Dhcp6) else "DHCP"
        yield Problem(
            path,
            f"a {what} server with nothing to hand out; expected a range, or hosts",
            f"add start and end, or hosts; or leave {path[-1]} out",
        )
    elif missing and dhcp.lease is not None:
        yield Problem(
            (*path, "lease"),
            "a lease time of a range that is not there; expected a range",
            "write the lease time below each of the hosts",
        )


def short_leases(path: FieldPath, dhcp: Dhcp | Dhcp6) -> Iterator[Problem]:
    """A lease takes as long as dnsmasq can have it."""
    times: list[tuple[FieldPath, LeaseTime | None]] = [((*path, "lease"), dhcp.lease)]
    hosts: Sequence[Reservation | Reservation6] = dhcp.hosts
    times += [((*path, "hosts", i, "lease"), host.lease) for i, host in enumerate(hosts)]
    for place, lease in times:
        if lease is not None and lease.seconds < LEASE_MIN_S:
            yield Problem(
                (*place, "expiry"),
                f"{lease.expiry} {lease.unit} are too short; expected at least {LEASE_MIN_S} "
                "seconds, or 0 for a lease without end",
                "raise it",
            )


def used_twice(path: FieldPath, dhcp: Dhcp | Dhcp6, keys: Sequence[str]) -> Iterator[Problem]:
    """What a reservation has of these keys is its own."""
    used: dict[object, FieldPath] = {}
    for index, host in enumerate(dhcp.hosts):
        for key in keys:
            if (value := getattr(host, key)) is None:
                continue
            place = (*path, "hosts", index, key)
            if value in used:
                yield Problem(
                    place,
                    f"{value} is already that of {field_name(used[value])}; expected one that "
                    "is used once",
                    "correct one of the two",
                )
            used.setdefault(value, place)
