# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host's rules as a whole do with every class of a network's packets."""

from collections.abc import Callable

from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.questions import Surroundings, decide, surroundings
from fixtures.packet_filter.ruleset import Ruleset
from fixtures.probe.evidence import Evidence
from fixtures.testbed.testbed import Testbed

Followed = Callable[[Ruleset, Surroundings], list[Flow]]
"""Follows classes of packets through the rules."""


def require_none(
    testbed: Testbed,
    evidence: Evidence,
    rules: Ruleset,
    follow: Followed,
    wrong: Callable[[Flow], str],
    none: str,
) -> None:
    """Assert that the host's rules do something wrong with no class of packets.

    Args:
        testbed: the network.
        evidence: gets the rules and the reason.
        rules: the host's.
        follow: which packets, and their way through the rules.
        wrong: the words for what is wrong with a class; "": it is as it should be.
        none: what becomes of none of them, for the reason.

    Raises:
        Inconclusive: whether it is wrong depends on rules that are not understood.
    """
    family = rules.family
    evidence.text("rules.txt", str(rules))
    subnet, link = testbed.subnet_of(family), testbed.way_out(family).link
    flows = follow(rules, surroundings(testbed.host, family, testbed.switch.name, subnet, link))
    found = decide(flows, rules, wrong)
    assert not found, found
    evidence.reason = (
        f"{len(list(rules))} rules of {len(rules.tables)} tables part the packets into "
        f"{len(flows)} classes; none {none}"
    )
