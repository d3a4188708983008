# SPDX-License-Identifier: GPL-2.0-or-later
"""Definitions of networks: what is unique in them."""

from uuid import UUID
from xml.etree import ElementTree as ET

import libvirt
import pytest

from fixtures.errors import Inconclusive
from fixtures.host.host import Host
from fixtures.probe.evidence import Evidence
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed

TWIN = "plumb-twin"
# libvirt makes random ones.
OTHER_UUID = UUID("5e530000-0000-4000-8000-000000000001")
XML = "<network><name>{name}</name><uuid>{uuid}</uuid><bridge name='plumb-twin'/></network>"


@pytest.mark.claims("NT-20")
@pytest.mark.changes_network("defines networks with the network's own name and UUID")
def test_second_definition_is_refused(testbed: Testbed, evidence: Evidence) -> None:
    """A second definition with a network's name or its UUID is refused; no two files share one.

    libvirtd reads each file of its folder when it starts: of two with one UUID it takes either.

    Preconditions:
        - the host has no network and no bridge `plumb-twin`
    Steps:
        1. Define a network with the name of the one under test and another UUID.
        2. Define one with another name and its UUID.
        3. Define one with another name and another UUID.
        4. Read name and UUID from each file in libvirtd's folder of networks.
    Verify:
        - the first two are refused, with libvirt's own error
        - the definition of the network under test is the same as before
        - no two files have one name or one UUID
        - control: the third is accepted; else the check is inconclusive
    """
    host, own = testbed.host, testbed.libvirt_network
    before, name, uuid = own.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE), own.name(), own.UUIDString()
    same_name = _refusal(host, name, str(OTHER_UUID))
    same_uuid = _refusal(host, TWIN, uuid)
    after = own.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)
    if said := _refusal(host, TWIN, str(OTHER_UUID)):
        raise Inconclusive(f"a network with a name and a UUID of its own is refused, too: {said}")
    found = _in_files(host)
    evidence.json(
        "definitions.json", {"same name": same_name, "same UUID": same_uuid, "files": found}
    )
    assert same_name, f"a second network {name} was defined, with UUID {OTHER_UUID}"
    assert same_uuid, f"a second network with UUID {uuid} was defined, {TWIN}"
    assert after == before, f"the refused definitions changed {name}: {after}"
    for at, what in enumerate(("name", "UUID")):
        for file, each in found.items():
            others = [other for other, that in found.items() if that[at] == each[at]]
            assert others == [file], f"{' and '.join(others)} have one {what}, {each[at]}"
    evidence.reason = f"refused: {same_name}; {same_uuid}"


def _refusal(host: Host, name: str, uuid: str) -> str:
    """Define a network; returns libvirt's error, or "" if it accepts it, which is undone."""
    try:
        network = host.libvirt.networkDefineXML(XML.format(name=name, uuid=uuid))
    except libvirt.libvirtError as error:
        return str(error)
    network.undefine()
    return ""


def _in_files(host: Host) -> dict[str, tuple[str, str]]:
    """Return name and UUID in each file of libvirtd's folder of networks."""
    found = {}
    for file in sorted(host.seen(libvirt_network.DEFINITIONS).glob("*.xml")):
        try:
            root = ET.fromstring(file.read_text())
        except ET.ParseError:
            continue  # libvirtd cannot read it either
        found[file.name] = (root.findtext("name", ""), root.findtext("uuid", "").lower())
    return found
