# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 in the host's rules as a whole: what is translated, what is kept out, what is routed."""

import functools

import pytest

from contracts.address_family import IPV6
from fixtures.packet_filter.questions import inwards, outwards
from fixtures.probe.evidence import Evidence
from fixtures.testbed.testbed import Testbed
from suites.closed_network import decide_by_rules, decide_on_the_wire
from suites.masquerading import require_masqueraded, require_no_masquerading
from suites.plain_routing import require_route, require_untranslated


@pytest.mark.claims("V6-11")
def test_prefix_is_masqueraded(testbed: Testbed, evidence: Evidence) -> None:
    """The rules masquerade the prefix to anywhere else, TCP and UDP to ports 1024–65535.

    As `<nat ipv6='yes'/>` is documented (libvirt, "Network XML format", "Connectivity").

    Preconditions:
        - the host has an IPv6 address on its uplink
    Steps:
        1. Read the rules of ip6tables, of either variant, and of nftables.
        2. Part the packets of the prefix into classes by every address, port and protocol that a
           rule looks at, and follow each class through the rules, out of the uplink.
        3. Do the same with packets to the prefix and to ff02::/16, which stay on the bridge.
    Verify:
        - every class to anywhere else is masqueraded as the uplink's address: TCP and UDP to ports
          1024–65535, the rest without a range
        - no class to the prefix or to ff02::/16 is masqueraded
        - control: no class depends on a condition that is not understood; else the check is
          inconclusive
    """
    require_masqueraded(testbed, evidence, IPV6)


@pytest.mark.claims("V6-12", "V6-13")
def test_rules_let_nothing_in(testbed: Testbed, evidence: Evidence) -> None:
    """The host's rules as a whole let no new IPv6 connection of the outside through to a guest.

    Preconditions:
        - an outside machine with IPv6 is on the host's uplink
    Steps:
        1. Read the rules of ip6tables, of either variant, and of nftables.
        2. Part the packets that may come in by the uplink into classes by every address, port and
           protocol that a rule looks at, and follow the first packet of a connection of each class
           through the hooks prerouting, forward and postrouting; a translated destination counts.
    Verify:
        - no class whose destination is, or becomes, a guest's address is let through
        - control: no class depends on a condition that is not understood; else the check is
          inconclusive
    """
    decide_by_rules(testbed, evidence, IPV6, inwards)


@pytest.mark.claims("V6-13")
def test_rules_let_nothing_out(testbed: Testbed, evidence: Evidence) -> None:
    """The host's rules as a whole let no new IPv6 connection of a guest through to the outside.

    Preconditions:
        - an outside machine with IPv6 is on the host's uplink
    Steps:
        1. Read the rules of ip6tables, of either variant, and of nftables.
        2. Part the packets of the prefix to anywhere else into classes by every address, port and
           protocol that a rule looks at, and follow the first packet of a connection of each class
           through the hooks prerouting, forward and postrouting, out of the uplink.
    Verify:
        - no class is let through
        - control: no class depends on a condition that is not understood; else the check is
          inconclusive
    """
    decide_by_rules(testbed, evidence, IPV6, functools.partial(outwards, stops=True))


@pytest.mark.claims("V6-12", "V6-13")
@pytest.mark.changes_network("lifts the host's packet filter for the bridge")
def test_no_sample_comes_in(testbed: Testbed, evidence: Evidence) -> None:
    """Samples of ports and protocols from the outside do not arrive at any guest over IPv6.

    Preconditions:
        - an outside machine with IPv6 is on the host's uplink
        - each guest has its address
    Steps:
        1. Give the outside a route to the guests' prefix, and turn on forwarding in the host's
           kernel.
        2. Send ICMP, and TCP and UDP to the ports 22, 53, 80, 443 and 49321, from the outside to
           each guest, with a capture on its TAP.
        3. Have the host's packet filter accept everything of the bridge, and send the same.
    Verify:
        - with the host's own rules none of them is seen at the TAP
        - control: with the filter lifted each of them is; else the check is inconclusive
    """
    decide_on_the_wire(testbed, evidence, IPV6, inwards=True)


@pytest.mark.claims("V6-13")
@pytest.mark.changes_network("lifts the host's packet filter for the bridge")
def test_no_sample_gets_out(testbed: Testbed, evidence: Evidence) -> None:
    """Samples of ports and protocols from a guest do not arrive outside over IPv6.

    Preconditions:
        - an outside machine with IPv6 is on the host's uplink
        - each guest has its address
    Steps:
        1. Give each guest a default route to the host, and turn on forwarding in the host's kernel.
        2. Send ICMP, and TCP and UDP to the ports 22, 53, 80, 443 and 49321, from each guest to the
           outside, with a capture there.
        3. Have the host's packet filter accept everything of the bridge, and send the same.
    Verify:
        - with the host's own rules none of them is seen outside
        - control: with the filter lifted each of them is; else the check is inconclusive
    """
    decide_on_the_wire(testbed, evidence, IPV6, inwards=False)


@pytest.mark.claims("V6-13")
def test_isolated_is_not_masqueraded(testbed: Testbed, evidence: Evidence) -> None:
    """No rule masquerades an isolated prefix; a packet let out would keep the guest's address.

    Preconditions:
        - the guests have their addresses, and an outside machine with IPv6 is on the uplink
    Steps:
        1. Read the rules of ip6tables, of either variant, and of nftables; part the packets of the
           prefix to anywhere else into classes by every address, port and protocol that a rule
           looks at, and follow each class through the rules, as if none were dropped.
        2. Give the outside a route to the prefix and each guest a default route, and let the
           packet filter accept everything of the bridge, and the kernel forward it.
        3. Send ICMP, TCP and UDP from each to the outside, with a capture there.
    Verify:
        - no class is given another source
        - outside, the requests come from each guest's own address alone
        - control: no class depends on a condition that is not understood, and let out, requests of
          each protocol arrive outside; else the check is inconclusive
    """
    require_no_masquerading(testbed, evidence, IPV6)


@pytest.mark.claims("V6-14")
def test_nothing_is_translated(testbed: Testbed, evidence: Evidence) -> None:
    """No rule translates the prefix, and no packet's source address or port changes.

    Preconditions:
        - the outside has a route to the guests' prefix
    Steps:
        1. Read the rules of all tables, of either backend, and follow every class of packets of
           the prefix to anywhere else through them, out of the uplink.
        2. Capture outside; each guest sends ICMP, and TCP and UDP from port 777.
    Verify:
        - by the rules no class of packets gets another source
        - each packet arrives outside with the guest's own address and source port; of an existing
          network without an outside the rules decide
    """
    require_untranslated(testbed, evidence, IPV6)


@pytest.mark.claims("V6-15")
def test_outside_needs_a_route(testbed: Testbed, evidence: Evidence) -> None:
    """Without a route to the guests' prefix the outside does not reach a guest.

    Preconditions:
        - the outside has a route to the guests' prefix, by the host, and its default route by the
          physical network's router
    Steps:
        1. The outside sends ICMP, TCP and UDP to each guest.
        2. Take the outside's route to the prefix away, and send again.
        3. Put the route back, and send again.
    Verify:
        - answered, not answered, answered
        - the capture at the guest's TAP shows the requests of 1 and 3, and none of 2
    """
    require_route(testbed, evidence, IPV6)
