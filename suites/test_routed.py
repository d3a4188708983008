# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks that the host routes without translation: guests keep their own address outside."""

from xml.etree import ElementTree as ET

import libvirt
import pytest

from contracts.address_family import IPV4
from fixtures.probe.evidence import Evidence
from fixtures.testbed.testbed import Testbed
from suites.plain_routing import require_route, require_untranslated


@pytest.mark.claims("RT-01", "OP-01")
def test_xml_says_so(testbed: Testbed, evidence: Evidence) -> None:
    """The live XML has the network's forward mode, and so has its definition.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the live XML and the definition that libvirt starts the network from next.
    Verify:
        - the network is active: else it has no live XML
        - The mode of `<forward>` in each is the topology's.
    """
    wanted, network = testbed.topology.network.forward, testbed.libvirt_network
    assert network.isActive(), f"{network.name()} is not active: it has no live XML"
    for name, flags in (("live", 0), ("inactive", libvirt.VIR_NETWORK_XML_INACTIVE)):
        xml = network.XMLDesc(flags)
        evidence.text(f"network-{name}.xml", xml, "application/xml")
        forward = ET.fromstring(xml).find("forward")
        mode = None if forward is None else forward.get("mode")
        assert mode == wanted, f"the {name} XML has forward mode {mode}, not {wanted}"
    evidence.reason = f"forward mode {wanted} in the live XML and in the definition"


@pytest.mark.claims("RT-05", "OP-02")
def test_nothing_is_translated(testbed: Testbed, evidence: Evidence) -> None:
    """No rule translates the subnet, and no packet's source address or port changes.

    Preconditions:
        - The outside has a route to the guests' subnet.
    Steps:
        1. Read the rules of all tables, of either backend, and follow every class of packets of
           the subnet to anywhere else through them, out of the uplink.
        2. Capture outside; each guest sends ICMP, and TCP and UDP from port 777.
    Verify:
        - By the rules no class of packets gets another source.
        - Each packet arrives outside with the guest's own address and source port; of an existing
          network without an outside the rules decide.
    """
    require_untranslated(testbed, evidence, IPV4)


@pytest.mark.claims("RT-04")
def test_outside_needs_a_route(testbed: Testbed, evidence: Evidence) -> None:
    """Without a route to the guests' subnet the outside does not reach a guest.

    Preconditions:
        - The outside has a route to the guests' subnet, by the host, and its default route by the
          physical network's router.
    Steps:
        1. The outside sends ICMP, TCP and UDP to each guest.
        2. Take the outside's route to the subnet away, and send again.
        3. Put the route back, and send again.
    Verify:
        - Answered, not answered, answered.
        - The capture at the guest's TAP shows the requests of 1 and 3, and none of 2.
    """
    require_route(testbed, evidence, IPV4)
