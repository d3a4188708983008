# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks that the outside does not reach: by no port and no protocol, in the rules as a whole."""

import functools

import pytest

from contracts.address_family import IPV4
from fixtures.packet_filter.questions import inwards, outwards
from fixtures.probe.evidence import Evidence
from fixtures.testbed.testbed import Testbed
from suites.closed_network import decide_by_rules, decide_on_the_wire


@pytest.mark.claims("NT-24", "IS-06")
def test_rules_let_nothing_in(testbed: Testbed, evidence: Evidence) -> None:
    """The host's rules as a whole let no new connection from the outside through to a guest.

    As `<forward mode='nat'/>` is documented: inbound connections are not possible (libvirt, Network
    XML format, Connectivity); a network without `<forward>` is isolated.

    Preconditions:
        - an outside machine is on the host's uplink
    Steps:
        1. Read the rules of iptables, of either variant, and of nftables.
        2. Part the packets that may come in by the uplink into classes by every address, port and
           protocol that a rule looks at, and follow the first packet of a connection of each class
           through the hooks prerouting, forward and postrouting; a translated destination counts.
    Verify:
        - no class whose destination is, or becomes, a guest's address is let through
        - control: no class depends on a condition that is not understood; else the check is
          inconclusive
    """
    decide_by_rules(testbed, evidence, IPV4, inwards)


@pytest.mark.claims("IS-06")
def test_rules_let_nothing_out(testbed: Testbed, evidence: Evidence) -> None:
    """The host's rules as a whole let no new connection of a guest through to the outside.

    As a network without `<forward>` is documented: isolated (libvirt, Network XML format,
    Connectivity).

    Preconditions:
        - an outside machine is on the host's uplink
    Steps:
        1. Read the rules of iptables, of either variant, and of nftables.
        2. Part the packets of the subnet to anywhere else into classes by every address, port and
           protocol that a rule looks at, and follow the first packet of a connection of each class
           through the hooks prerouting, forward and postrouting, out of the uplink.
    Verify:
        - no class is let through
        - control: no class depends on a condition that is not understood; else the check is
          inconclusive
    """
    decide_by_rules(testbed, evidence, IPV4, functools.partial(outwards, stops=True))


@pytest.mark.claims("NT-24", "IS-06")
@pytest.mark.changes_network("lifts the host's packet filter for the bridge")
def test_no_sample_comes_in(testbed: Testbed, evidence: Evidence) -> None:
    """Samples of ports and protocols from the outside do not arrive at any guest.

    Preconditions:
        - an outside machine is on the host's uplink
        - each guest has its address
    Steps:
        1. Give the outside a route to the guests' subnet, and turn on forwarding in the host's
           kernel.
        2. Send ICMP, and TCP and UDP to the ports 22, 53, 80, 443 and 49321, from the outside to
           each guest, with a capture on its TAP.
        3. Have the host's packet filter accept everything of the bridge, and send the same.
    Verify:
        - with the host's own rules none of them is seen at the TAP
        - control: with the filter lifted each of them is; else the check is inconclusive
    """
    decide_on_the_wire(testbed, evidence, IPV4, inwards=True)


@pytest.mark.claims("IS-06")
@pytest.mark.changes_network("lifts the host's packet filter for the bridge")
def test_no_sample_gets_out(testbed: Testbed, evidence: Evidence) -> None:
    """Samples of ports and protocols from a guest do not arrive outside.

    Preconditions:
        - an outside machine is on the host's uplink
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
    decide_on_the_wire(testbed, evidence, IPV4, inwards=False)
