# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold between the parts of a topology, each rule a generator of what breaks it."""

from collections.abc import Iterator

from topologies.rules import (
    address_plan,
    dnsmasq,
    dnsmasq6,
    guests_mtu,
    ipv6_alone,
    ipv6_plan,
    names,
    promises,
    static_ipv6,
    uplink_links,
    wiring,
)
from topologies.rules.draft import Draft, Problem, draft_of

__all__ = ["Draft", "Problem", "broken", "doubtful", "draft_of"]

_RULES = (
    *(*names.RULES, *wiring.RULES, *address_plan.RULES, *ipv6_plan.RULES),
    *(*dnsmasq.RULES, *dnsmasq6.RULES, *ipv6_alone.RULES, *static_ipv6.RULES),
    *(*uplink_links.RULES, *guests_mtu.RULES, *promises.RULES),
)


def broken(draft: Draft) -> Iterator[Problem]:
    """Yield every breach of every rule in a draft."""
    for rule in _RULES:
        yield from rule(draft)


def doubtful(draft: Draft) -> Iterator[Problem]:
    """Yield what libvirt takes, and its user may not have meant: warnings, no errors."""
    yield from address_plan.ranges_in_use(draft)
