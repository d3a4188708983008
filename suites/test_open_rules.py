# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks that reach the outside, or that it reaches: by every port, in the rules as a whole."""

import pytest

from contracts.address_family import IPV4, AddressFamily
from fixtures.errors import Inconclusive, NotTestable
from fixtures.packet_filter.host_rules import read_rules
from fixtures.packet_filter.questions import dropped_by, inwards_connections, outwards_connections
from fixtures.probe.evidence import Evidence
from fixtures.testbed.testbed import Testbed
from suites.rules_as_a_whole import Followed, require_none


@pytest.mark.claims("NT-10", "RT-02", "OP-03")
def test_rules_drop_nothing_outwards(testbed: Testbed, evidence: Evidence) -> None:
    """The host's rules as a whole drop no new connection of a guest to the outside.

    Preconditions:
        - the host has an uplink, or of an existing network a default route
    Steps:
        1. Read the rules of iptables, of either variant, and of nftables.
        2. Part the TCP and UDP packets of the subnet to where the uplink leads into classes by
           every address and port that a rule looks at, and follow the first packet of a connection
           of each class through the hooks prerouting, forward and postrouting.
    Verify:
        - no class is dropped or rejected
        - a class that a rule drops by a condition that is not understood is in the reason, and the
          wire decides; without an outside the check is inconclusive
        - an existing open network is not judged: which classes pass is its administrator's choice
    """
    _drop_nothing(testbed, evidence, IPV4, outwards_connections)


@pytest.mark.claims("RT-03", "OP-04")
def test_rules_drop_nothing_inwards(testbed: Testbed, evidence: Evidence) -> None:
    """The host's rules as a whole drop no new connection of the outside to a guest.

    Preconditions:
        - the host has an uplink, or of an existing network a default route
    Steps:
        1. Read the rules of iptables, of either variant, and of nftables.
        2. Part the TCP and UDP packets to guests' addresses that may come in by the uplink into
           classes by every address and port that a rule looks at, and follow the first packet of a
           connection of each class through the hooks prerouting, forward and postrouting.
    Verify:
        - no class is dropped or rejected
        - a class that a rule drops by a condition that is not understood is in the reason, and the
          wire decides; without an outside the check is inconclusive
        - an existing open network is not judged: which classes pass is its administrator's choice
    """
    _drop_nothing(testbed, evidence, IPV4, inwards_connections)


def _drop_nothing(
    testbed: Testbed, evidence: Evidence, family: AddressFamily, follow: Followed
) -> None:
    """Assert that no class of a family's packets is dropped.

    Raises:
        Inconclusive: a class may be dropped, and there is no outside.
        NotTestable: no rule of libvirt's is for the network, and the others are the site's.
    """
    topology = testbed.topology
    if topology.type.own_rules_decide and not topology.origin.is_the_runs:
        raise NotTestable(
            "an open network of the run's",
            f"on {topology.network.name} the administrator's own rules decide what passes",
        )
    # What a port of another machine's filters is no matter of the guests' (libvirt's nwfilter).
    taps = [guest.tap for guest in testbed.guests]
    rules = read_rules(testbed.host, family, {testbed.switch.name: taps})
    try:
        require_none(testbed, evidence, rules, follow, dropped_by, "is dropped")
    except Inconclusive as doubt:
        # Rules against floods and scans are such: within their limits nothing is lost.
        if testbed.lacks_outside(family):
            raise
        evidence.reason = f"no class is dropped for certain, and the wire decides; {doubt}"
