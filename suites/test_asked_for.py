# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's networks are what they were asked to be."""

import libvirt
import pytest

from fixtures.errors import NotInTopology
from fixtures.probe.evidence import Evidence
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed
from topologies.network_import.as_asked import differences
from topologies.network_import.xml_reader import read_xml


@pytest.mark.claims("DF-01")
def test_live_is_what_was_asked_for(testbed: Testbed, evidence: Evidence) -> None:
    """The live XML has all that the definition has, and only what libvirt fills in beside it.

    Preconditions:
        - there is a libvirt network
    Steps:
        1. Take the definition that libvirt was given; of an existing network the one that its next
           start will use.
        2. Read the network's live XML, and the XML that its next start will use.
    Verify:
        - the network is active: else it has no live XML
        - each element, attribute and text of the definition is in both, with its value
        - beside them both have only what libvirt fills in by itself
    """
    topology = testbed.topology
    if topology.type.libvirt_name(topology.network) is None:
        raise NotInTopology(topology.name, "a libvirt network", "libvirt_name: null")
    network = testbed.libvirt_network
    assert network.isActive(), f"{network.name()} is not active: it has no live XML"
    found = {
        "live": network.XMLDesc(),
        "next": network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE),
    }
    asked = found["next"]
    if topology.origin.is_the_runs:
        asked = libvirt_network.definition(topology.network)
    evidence.text("asked.xml", asked, "application/xml")
    for name, xml in found.items():
        evidence.text(f"{name}.xml", xml, "application/xml")
    definition = read_xml(asked)
    for name, xml in found.items():
        seen = list(differences(definition, read_xml(xml)))
        assert not seen, f"the {name} XML of {network.name()}: {'; '.join(seen)}"
    asked_for = sum(1 + len(each.attributes) for each in definition.walk())
    evidence.reason = f"{asked_for} elements and attributes of {network.name()} are live as asked"
