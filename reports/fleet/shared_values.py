# SPDX-License-Identifier: GPL-2.0-or-later
"""What the hosts that violate a claim have in common, and those on which it conforms have not.

For each claim and each value of a fact: Fisher's exact test of the table red or green × with the
value or without, one-sided, as only what red hosts have more often is of interest (the opposite is
another value of the same fact). Claims that are violated on exactly the same hosts are one test,
and so are values that exactly the same hosts have: no number of hosts could tell them apart. All
tests together are corrected by Holm's method, and tests that so few hosts cannot decide take no
share of the level (reports/compare/multiple_testing.py).
"""

import functools
import math
from collections.abc import Mapping, Sequence

from contracts.verdicts import Verdict
from reports.compare.multiple_testing import holm, testable
from reports.fleet.fleet import FactValue, FleetHost, Shared, SharedValue

LEVEL = 0.05
# Where nothing is shown: enough to go by, and no second list of all facts.
HINTS_MAX = 20

Hosts = frozenset[int]


def shared_values(hosts: Sequence[FleetHost], level: float = LEVEL) -> Shared:
    """Return what red hosts share.

    Args:
        hosts: the hosts; those without facts take no part. One that lacks a single fact is one
            without its values: most such facts are of a thing that the host does not have.
        level: the chance of one false finding or more in all tests.
    """
    known = [host for host in hosts if host.facts]
    claims, values = _claims(known), _values(known)
    tables = [
        _table(ids, red, green, facts, having)
        for (red, green), ids in claims.items()
        for having, facts in values.items()
        # What all of these hosts have, or none, is no difference between them.
        if having & (red | green) and not having >= red | green
    ]
    least = {
        index: least_p(each.red, each.green, each.red_with + each.green_with)
        for index, each in enumerate(tables)
    }
    reaching = testable(least, level)
    adjusted = dict(zip(reaching, holm([tables[index].p for index in reaching]), strict=True))
    shown, hints = [], []
    for index, each in enumerate(tables):
        p = adjusted.get(index)
        if p is not None and p <= level:
            shown.append(each.model_copy(update={"adjusted_p": p, "shown": True}))
        elif each.red_with == each.red and not each.green_with:
            hints.append(each.model_copy(update={"adjusted_p": p}))
    shown.sort(key=lambda each: (each.adjusted_p, each.p, each.claims))
    hints.sort(key=lambda each: (each.p, each.claims))
    return Shared(
        level=level,
        tests=len(tables),
        testable=len(reaching),
        # Where something is shown, a hint that any single red host gives is no help.
        found=shown or hints[:HINTS_MAX],
    )


def fisher_p(red: int, green: int, red_with: int, green_with: int) -> float:
    """Return how likely so many red hosts with the value are, or more, if it made no difference.

    Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution.
    """
    having = red_with + green_with
    return _tail(red + green, red, having, red_with)


def least_p(red: int, green: int, having: int) -> float:
    """Return the smallest p that a table with these sums can give."""
    return _tail(red + green, red, having, min(red, having))


@functools.cache
def _tail(hosts: int, red: int, having: int, from_: int) -> float:
    ways = sum(
        math.comb(red, seen) * math.comb(hosts - red, having - seen)
        for seen in range(from_, min(red, having) + 1)
        if having - seen <= hosts - red
    )
    return ways / math.comb(hosts, having)


def _claims(hosts: Sequence[FleetHost]) -> dict[tuple[Hosts, Hosts], list[str]]:
    """Return the claims by the hosts that violate them and those on which they conform."""
    red: dict[str, set[int]] = {}
    green: dict[str, set[int]] = {}
    for place, host in enumerate(hosts):
        for id_, claim in host.claims.items():
            if claim.verdict is Verdict.VIOLATES:
                red.setdefault(id_, set()).add(place)
            elif claim.verdict is Verdict.CONFORMS:
                green.setdefault(id_, set()).add(place)
    found: dict[tuple[Hosts, Hosts], list[str]] = {}
    for id_ in sorted(red):
        if id_ in green:
            found.setdefault((frozenset(red[id_]), frozenset(green[id_])), []).append(id_)
    return found


def _values(hosts: Sequence[FleetHost]) -> Mapping[Hosts, list[FactValue]]:
    """Return the values of all facts by the hosts that have them."""
    having: dict[tuple[str, str], set[int]] = {}
    for place, host in enumerate(hosts):
        for fact, values in host.facts.items():
            for value in values:
                having.setdefault((fact, value), set()).add(place)
    found: dict[Hosts, list[FactValue]] = {}
    for (fact, value), places in sorted(having.items()):
        found.setdefault(frozenset(places), []).append(FactValue(fact=fact, value=value))
    return found


def _table(
    ids: list[str], red: Hosts, green: Hosts, facts: list[FactValue], having: Hosts
) -> SharedValue:
    red_with, green_with = len(red & having), len(green & having)
    return SharedValue(
        claims=ids,
        values=facts,
        red=len(red),
        red_with=red_with,
        green=len(green),
        green_with=green_with,
        p=fisher_p(len(red), len(green), red_with, green_with),
        adjusted_p=None,
        shown=False,
    )
