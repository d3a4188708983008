# SPDX-License-Identifier: GPL-2.0-or-later
"""Portgroups with VLANs: of XML and of topology files, what is refused, and where frames go."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.guest.domain_xml import Nic, interface_xml
from fixtures.switch.libvirt_network import definition
from tests.changed_topologies import changed
from topologies import library
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.network_import.element_table import RULES
from topologies.network_import.libvirt_xml import imported, without_host
from topologies.network_import.topology_file import topology_yaml
from topologies.network_import.xml_reader import read_xml
from topologies.portgroups import NicClass, Portgroup, PortVlan, default_class, nic_classes

TOPOLOGY = Path(__file__).resolve().parent / "topologies" / "bridged-ovs-portgroups.yaml"
XML = """\
<network>
  <name>groups</name>
  <forward mode='bridge'/>
  <bridge name='br7'/>
  <virtualport type='openvswitch'/>
  %s
</network>
"""


DEFAULT = "<portgroup name='g h' default='yes'><vlan><tag id='7'/></vlan></portgroup>"


def of_xml(groups: str) -> tuple[Portgroup, ...]:
    return imported(read_xml(XML % groups), without_host, built=True).network.portgroups


def group(vlan: str) -> str:
    return f"<portgroup name='g'>{vlan}</portgroup>"


@pytest.mark.parametrize(
    ("vlan", "read"),
    [
        ("", None),
        ("<vlan><tag id='7'/></vlan>", PortVlan(tags=(7,))),
        ("<vlan trunk='yes'><tag id='7'/></vlan>", PortVlan(tags=(7,), trunk=True)),
        ("<vlan><tag id='7'/><tag id='8'/></vlan>", PortVlan(tags=(7, 8), trunk=True)),
        (
            "<vlan><tag id='7' nativeMode='untagged'/></vlan>",
            PortVlan(tags=(7,), trunk=True, native=7),
        ),
        (
            "<vlan trunk='yes'><tag id='7'/><tag id='8' nativeMode='tagged'/></vlan>",
            PortVlan(tags=(7, 8), trunk=True, native=8, native_tagged=True),
        ),
    ],
)
def test_a_portgroup_of_xml_is_read(vlan: str, read: PortVlan | None) -> None:
    assert of_xml(group(vlan)) == (Portgroup(name="g", vlan=read),)


@pytest.mark.parametrize(
    "vlan",
    [
        "<vlan><tag id='0'/></vlan>",
        "<vlan><tag id='4095'/></vlan>",
        "<vlan><tag id='x'/></vlan>",
        "<vlan/>",
        "<vlan trunk='no'><tag id='7'/><tag id='8'/></vlan>",
    ],
)
def test_one_that_the_model_cannot_have_is_listed(vlan: str) -> None:
    found = imported(read_xml(XML % group(vlan)), without_host, built=True)
    assert found.network.portgroups == ()
    assert "network/portgroup" in {each.element for each in found.reading.not_looked_at}


def test_guests_are_not_in_the_vlans_of_the_default_one() -> None:
    found = imported(read_xml(XML % DEFAULT), without_host, built=True)
    assert found.network.portgroups == (
        Portgroup(name="g h", default=True, vlan=PortVlan(tags=(7,))),
    )
    assert found.attach == "bridge"
    # On the host that has the network guests are where its others are.
    existing = imported(read_xml(XML % DEFAULT), without_host)
    assert existing.network.portgroups == ()
    assert existing.attach == "network"
    assert "network/portgroup" in {each.element for each in existing.reading.not_looked_at}


VLAN = "<vlan trunk='yes'><tag id='7' nativeMode='untagged'/><tag id='8'/></vlan>"


def test_the_vlan_of_the_network_itself_is_read() -> None:
    found = imported(read_xml(XML % VLAN), without_host, built=True)
    assert found.network.vlan == PortVlan(tags=(7, 8), trunk=True, native=7)
    # Guests would be in it.
    assert found.attach == "bridge"
    assert found.reading.not_looked_at == ()
    existing = imported(read_xml(XML % VLAN), without_host)
    assert existing.network.vlan is None
    assert existing.attach == "network"
    assert "network/vlan" in {each.element for each in existing.reading.not_looked_at}


@pytest.mark.parametrize("vlan", ["<vlan><tag id='0'/></vlan>", "<vlan/>"])
def test_one_of_the_network_that_the_model_cannot_have_is_listed(vlan: str) -> None:
    found = imported(read_xml(XML % vlan), without_host, built=True)
    assert found.network.vlan is None
    assert "network/vlan" in {each.element for each in found.reading.not_looked_at}


def test_a_groups_own_vlans_go_before_those_of_the_network() -> None:
    own, other = PortVlan(tags=(7,)), PortVlan(tags=(8,))
    plain, tagged = Portgroup(name="plain"), Portgroup(name="tagged", vlan=other)
    assert nic_classes([plain, tagged], own) == (
        NicClass("plain", False, own),
        NicClass("tagged", False, other),
        NicClass(None, True, own),
    )
    assert nic_classes([plain, tagged], None) == (NicClass("tagged", False, other),)
    # NICs that name none are of the default group.
    default = Portgroup(name="default", default=True)
    assert nic_classes([default], own) == (NicClass("default", True, own),)
    assert default_class([default, tagged], None) is None


def test_the_definition_has_the_vlan_of_the_network() -> None:
    topology = library.load(str(TOPOLOGY.with_name("bridged-ovs-vlan.yaml")))
    read = imported(read_xml(definition(topology.network)), without_host, built=True)
    assert read.network.vlan == topology.network.vlan == PortVlan(tags=(150,))
    assert topology.applies(claims()["OV-19"])


def test_over_a_linux_bridge_they_are_not_looked_at() -> None:
    xml = (XML % group("<vlan><tag id='7'/></vlan>")).replace(
        "<virtualport type='openvswitch'/>", ""
    )
    found = imported(read_xml(xml), without_host, built=True)
    assert found.network.portgroups == ()
    assert "network/portgroup" in {each.element for each in found.reading.not_looked_at}


def test_the_definition_of_a_topology_is_read_as_the_same() -> None:
    topology = library.load(str(TOPOLOGY))
    root = ET.fromstring(definition(topology.network))
    assert [each.get("name") for each in root.iterfind("portgroup")] == [
        "staff",
        "voice",
        "servers",
    ]
    xml = ET.tostring(root, encoding="unicode")
    read = imported(read_xml(xml), without_host, built=True)
    assert read.network.portgroups == topology.network.portgroups
    assert topology.applies(claims()["OV-19"])


def test_an_import_has_them(tmp_path: Path) -> None:
    groups = VLAN + group("<vlan><tag id='7'/><tag id='8' nativeMode='tagged'/></vlan>")
    found = imported(read_xml(XML % groups), without_host, built=True)
    file = tmp_path / "mine.yaml"
    file.write_text(topology_yaml(found, "a host"), encoding="utf-8")
    again = library.load(str(file)).network
    assert (again.vlan, again.portgroups) == (found.network.vlan, found.network.portgroups)


def test_each_part_of_a_portgroup_in_the_model_is_used() -> None:
    used = {place for place, rule in RULES.items() if rule.treatment == "used"}
    below = {f"network/portgroup/vlan{each}" for each in ("", "@trunk", "/tag", "/tag@id")}
    assert below | {"network/portgroup/vlan/tag@nativeMode"} <= used


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("tags: [120]", "tags: [0]", "portgroups[1].vlan.tags[0]"),
        ("tags: [120]", "tags: [120, 121]", "expected trunk: true"),
        ("tags: [120]", "tags: [120, 120], trunk: true", "expected each once"),
        ("native: 130", "native: 131", "native 131 is none of the tags"),
        (", native: 130", ", native_tagged: true", "native_tagged without native"),
        ("name: voice", "name: staff", "expected each name once"),
        ("name: voice", "name: voice, default: true", "expected each name once"),
        ("default: true", "default: true, vlan: {tags: [9]}", "guests[1].attach: network: its def"),
        (
            "libvirt_name: br",
            "vlan: {tags: [9]}\n    libvirt_name: br",
            "portgroup, staff, has VLANs",
        ),
        ("switch: ovs", "switch: linux", "portgroups: a Linux bridge's ports"),
        (
            "made_by: host",
            "made_by: libvirt",
            "does not make the bridge of a network in bridge mode",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(DataError) as refused:
        changed(TOPOLOGY, tmp_path, (before, after))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "before"),
    [("nat", "    forward: nat "), ("passthrough", "    forward: hostdev ")],
)
def test_a_network_without_a_bridge_of_the_hosts_has_none(
    tmp_path: Path, name: str, before: str
) -> None:
    source = library.load(name).source_path
    assert source is not None
    with pytest.raises(DataError, match=r"networks\[0\].portgroups: .*expected n"):
        changed(source, tmp_path, (before, f"    portgroups: [{{name: a}}]\n{before}"))


def test_without_a_libvirt_network_they_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a libvirt_name"):
        changed(
            TOPOLOGY,
            tmp_path,
            ("libvirt_name: bridged_net", "libvirt_name: null"),
            ("attach: network", "attach: bridge"),
        )


ACCESS = PortVlan(tags=(7,))
TRUNK = PortVlan(tags=(7, 8), trunk=True)
NATIVE = PortVlan(tags=(7, 8), trunk=True, native=8)
NATIVE_TAGGED = PortVlan(tags=(7, 8), trunk=True, native=8, native_tagged=True)


@pytest.mark.parametrize(
    ("vlan", "sent", "vlan_of", "arrives"),
    [
        (ACCESS, None, 7, None),
        # ovs-vswitchd.conf.db(5): an access port takes no frame with a tag, not its own either.
        (ACCESS, 7, None, None),
        (TRUNK, None, None, None),
        (TRUNK, 7, 7, 7),
        (TRUNK, 9, None, None),
        (NATIVE, None, 8, None),
        (NATIVE, 8, 8, None),
        (NATIVE_TAGGED, None, 8, 8),
    ],
)
def test_the_vlan_of_a_frame_is_that_of_its_port(
    vlan: PortVlan, sent: int | None, vlan_of: int | None, arrives: int | None
) -> None:
    assert vlan.vlan_of(sent) == vlan_of
    if vlan_of is not None:
        assert vlan.arrives_as(vlan_of) == arrives


def test_a_nic_names_its_portgroup() -> None:
    xml = interface_xml(Nic("network", "net", "52:54:00:00:00:01", "virtio", portgroup="voice"))
    source = ET.fromstring(xml).find("source")
    assert source is not None
    assert source.attrib == {"network": "net", "portgroup": "voice"}
