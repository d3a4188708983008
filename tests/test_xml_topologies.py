# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's XML as a topology: alone, in a folder, under a topology file, on a shared host."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from fixtures.switch.libvirt_network import beside, definition
from topologies import library
from topologies.cli_names import expanded
from topologies.data_error import DataError
from topologies.dhcp6 import duid_of
from topologies.network_import.xml_reader import read_xml
from topologies.placement import Placement, Taken
from topologies.schema import OF_LIBVIRT
from topologies.topology import Topology

FIELD = Path(__file__).resolve().parent / "networks"
NAT = """\
<network>
  <name>lab</name>
  <uuid>7bd40d1f-3c0f-4c26-9cb2-6f0a9e3b2c55</uuid>
  <!-- The laboratory's. -->
  <forward mode='nat' dev='eno1'/>
  <bridge name='virbr7'/>
  <mac address='52:54:00:0A:0B:0C'/>
  <dns><host ip='192.168.77.9'><hostname>time</hostname></host></dns>
  <ip address='192.168.77.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.77.50' end='192.168.77.99'/>
    </dhcp>
  </ip>
</network>
"""
OVER = """\
schema: plumbline/topology/1
network_xml: net.xml
name: laboratory
guests:
  - {name: web, network: lab, attach: network, mac: "52:54:00:1a:b0:01", address: dhcp}
  - {name: old, network: lab, attach: network, mac: "52:54:00:1a:b0:02", address: dhcp}
"""


def written(folder: Path, **files: str) -> Path:
    """Write files by their names, as in `net_xml`, and return the folder."""
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def lab(tmp_path: Path) -> Topology:
    return library.load(str(written(tmp_path, net_xml=NAT) / "net.xml"))


def test_a_network_gets_guests_a_physical_network_and_its_types_promises(lab: Topology) -> None:
    assert (lab.name, lab.kind, lab.network.origin) == ("network-lab", "nat", "made")
    assert [guest.address for guest in lab.guests] == ["dhcp", "dhcp"]
    assert lab.physical is not None
    assert lab.physical.uplink == "eno1"
    assert {(p.from_, p.to): p.reach for p in lab.promises} == dict(lab.type.reach)
    assert lab.reading is not None
    assert not lab.reading.not_looked_at
    assert lab.network.dns is not None
    assert [host.names for host in lab.network.dns.hosts] == [("time",)]


def test_libvirt_is_given_the_text_itself(lab: Topology) -> None:
    assert definition(lab.network) == NAT


def test_a_check_is_made_again_by_the_files_path(lab: Topology) -> None:
    assert lab.selection == ("--topology", str(lab.source_path))


def test_a_network_beside_it_is_of_its_type_alone(lab: Topology) -> None:
    second = ET.fromstring(definition(beside(lab.network, "plumb-two", ())))
    assert [e.attrib for e in second.findall("forward")] == [{"mode": "nat"}]
    assert second.find("dns") is None


def test_a_topology_file_over_it_replaces_what_a_run_adds(tmp_path: Path) -> None:
    folder = written(tmp_path, net_xml=NAT, mine_yaml=OVER)
    topology = library.load(str(folder / "mine.yaml"))
    assert topology.name == "laboratory"
    assert [guest.name for guest in topology.guests] == ["web", "old"]
    assert topology.physical is not None
    assert definition(topology.network) == NAT
    assert topology.selection == ("--topology", str(folder / "mine.yaml"))
    # The XML is not run by itself then.
    assert [each.name for each in library.load_all([str(folder)])] == ["laboratory"]


@pytest.mark.parametrize(
    ("over", "said"),
    [
        (OVER + "kind: nat\n", "mine.yaml:7: kind: the network is that of net.xml"),
        (OVER.replace("net.xml", "net.yaml"), "mine.yaml:2: network_xml: found"),
        (OVER.replace("net.xml", "gone.xml"), "gone.xml: no such file; expected an XML file"),
        (OVER.replace("network: lab", "network: lob", 1), "mine.yaml:5: guests[0].network"),
        (OVER + "titel: x\n", "mine.yaml:7: titel: unknown key"),
    ],
)
def test_an_error_is_in_the_file_that_has_it(tmp_path: Path, over: str, said: str) -> None:
    folder = written(tmp_path, net_xml=NAT, mine_yaml=over)
    with pytest.raises(DataError) as refused:
        library.load(str(folder / "mine.yaml"))
    assert said in str(refused.value)


def test_an_error_of_the_xml_under_a_file_is_in_the_xml(tmp_path: Path) -> None:
    xml = NAT.replace("192.168.77.99", "192.168.78.99")
    folder = written(tmp_path, net_xml=xml, mine_yaml=OVER)
    with pytest.raises(DataError) as refused:
        library.load(str(folder / "mine.yaml"))
    assert str(refused.value).startswith(f"{folder / 'net.xml'}:11: network/ip/dhcp/range: ")


def test_a_folder_is_all_that_is_in_it(tmp_path: Path) -> None:
    folder = written(tmp_path, a_xml=NAT, note_txt="not a network")
    assert expanded(["nat", str(folder)]) == ["nat", str(folder / "a.xml")]


def test_a_folder_without_a_network_is_an_error(tmp_path: Path) -> None:
    written(tmp_path, note_txt="not a network")
    with pytest.raises(DataError, match="the folder has no file that ends in"):
        library.load_all([str(tmp_path)])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (NAT, "a.xml:2: network/name: lab is also that of"),
        (NAT, "a.xml:6: network/bridge: virbr7 is also that of"),
        (NAT, "a.xml:3: network/uuid: "),
        (NAT, "a.xml:7: network/mac: 52:54:00:0a:0b:0c is also that of"),
        (NAT, "a.xml:9: network/ip: 192.168.77.0/24 is also that of"),
        (NAT.replace("'255.255.255.0'", "'255.255.0.0'"), "overlaps 192.168."),
        (
            NAT.replace("192.168.77", "192.168.79").replace(
                "</network>", "<ip address='192.168.77.1' prefix='24'/></network>"
            ),
            "192.168.77.0/24 is also that of",
        ),
    ],
)
def test_networks_that_one_host_cannot_have_are_named_with_both_lines(
    tmp_path: Path, other: str, said: str
) -> None:
    folder = written(tmp_path, a_xml=other, b_xml=NAT)
    with pytest.raises(DataError) as refused:
        library.load_all([str(folder / "b.xml"), str(folder / "a.xml")])
    assert said in str(refused.value)
    assert f"{folder / 'b.xml'}:" in str(refused.value)


def test_networks_over_one_bridge_of_the_hosts_are_no_clash() -> None:
    both = [str(FIELD / f"{name}.xml") for name in ("libvirt-host-bridge", "openshift-baremetal")]
    assert len(library.load_all(both)) == 2


def placed(topology: Topology, taken: Taken) -> tuple[Topology, ET.Element]:
    used = Placement.beside(taken, "plumb", "10.99.0.0/16").place(topology)
    return used, ET.fromstring(definition(used.network))


def test_on_a_shared_host_only_what_must_change_does(lab: Topology) -> None:
    used, root = placed(lab, Taken(frozenset(), (), frozenset(), frozenset()))
    subnet = used.network.subnet
    assert subnet is not None
    assert subnet.subnet_of(IPv4Network("10.99.0.0/16"))
    before, after = read_xml(NAT), read_xml(definition(used.network))
    assert [each.path for each in after.walk()] == [each.path for each in before.walk()]
    changed = {
        (one.path, name): other.attributes[name]
        for one, other in zip(before.walk(), after.walk(), strict=True)
        for name, value in one.attributes.items()
        if other.attributes[name] != value
    }
    assert used.physical is not None
    assert changed == {
        ("network/forward", "dev"): used.physical.uplink,
        ("network/bridge", "name"): used.network.bridge,
        ("network/dns/host", "ip"): str(subnet[9]),
        ("network/ip", "address"): str(subnet[1]),
        ("network/ip/dhcp/range", "start"): str(subnet[50]),
        ("network/ip/dhcp/range", "end"): str(subnet[99]),
    }
    assert root.findtext("name") == used.network.name == "plumb1-lab"
    assert root.findtext("uuid") == "7bd40d1f-3c0f-4c26-9cb2-6f0a9e3b2c55"
    assert "<!-- The laboratory's. -->" in definition(used.network)


SERVED = """\
<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>served</name>
  <forward mode='nat'/>
  <bridge name='virbr8'/>
  <dns>
    <forwarder addr='192.0.2.53'/>
    <txt name='who.example' value='ip4:192.168.77.9'/>
  </dns>
  <ip address='192.168.77.1' prefix='24'>
    <tftp root='/srv/tftp'/>
    <dhcp>
      <host mac='52:54:00:AA:00:01' name='alpha' ip='192.168.77.11'/>
      <host mac='52:54:00:aa:00:02' ip='192.168.77.12'/>
      <host mac='52:54:00:aa:00:03' name='gamma' ip='192.168.77.13'/>
      <bootp file='pxelinux.0' server='192.0.2.4'/>
    </dhcp>
  </ip>
  <ip address='192.168.78.1' prefix='28'/>
  <route address='198.51.100.0' prefix='24' gateway='192.168.77.9'/>
  <dnsmasq:options>
    <dnsmasq:option value='dhcp-option=42,192.168.77.9,192.0.2.4'/>
  </dnsmasq:options>
</network>
"""


def test_what_is_served_there_is_the_same_in_the_xml_and_in_the_model(tmp_path: Path) -> None:
    topology = library.load(str(written(tmp_path, net_xml=SERVED) / "net.xml"))
    assert [(guest.name, guest.mac) for guest in topology.guests] == [
        ("alpha", "52:54:00:aa:00:01"),
        ("kvm1", "52:54:00:aa:00:02"),
    ]
    taken = Taken(frozenset(), (), frozenset({"52:54:00:aa:00:01"}), frozenset())
    used, _ = placed(topology, taken)
    file = written(tmp_path, placed_xml=definition(used.network)) / "placed.xml"
    read = library.load(str(file)).network
    for key in ("address", "dhcp", *OF_LIBVIRT):
        assert getattr(read, key) == getattr(used.network, key), key
    assert all(net.subnet_of(IPv4Network("10.99.0.0/16")) for net in used.network.subnets)
    assert used.network.dhcp is not None
    for guest, last in zip(used.guests, (11, 12), strict=True):
        kept = used.network.dhcp.reservation(guest.mac, guest.name)
        assert kept is not None
        assert used.network.subnet is not None
        assert kept.ip == used.network.subnet[last]
    assert used.guests[0].mac != "52:54:00:aa:00:01"
    assert read.tftp is not None
    assert read.tftp.root.startswith("/run/plumb1-")


def test_uuid_and_mac_are_others_where_the_host_has_them(lab: Topology) -> None:
    uuid, mac = "7bd40d1f-3c0f-4c26-9cb2-6f0a9e3b2c55", "52:54:00:0a:0b:0c"
    _, root = placed(lab, Taken(frozenset(), (), frozenset({mac}), frozenset({UUID(uuid)})))
    found = root.find("mac")
    assert found is not None
    assert found.get("address") == "52:54:00:0a:0b:0d"
    assert root.findtext("uuid") != uuid


def test_a_network_without_a_bridge_gets_one_of_the_runs_on_a_shared_host() -> None:
    topology = library.load(str(FIELD / "libvirt-nat-without-bridge.xml"))
    used, root = placed(topology, Taken(frozenset(), (), frozenset(), frozenset()))
    found = root.find("bridge")
    assert found is not None
    assert found.get("name") == used.network.bridge == "plumb1-virbr0"


SIX = ["libvirt-dual-stack", "openshift-ipv6-reservations", "libvirt-nat-ipv6"]


@pytest.mark.parametrize("name", SIX)
def test_ipv6_of_the_xml_is_that_of_the_model_on_a_shared_host(name: str, tmp_path: Path) -> None:
    topology = library.load(str(FIELD / f"{name}.xml"))
    taken = Taken(frozenset(), (), frozenset({"52:54:00:16:50:02"}), frozenset())
    used, _ = placed(topology, taken)
    held = topology.network.address6, used.network.address6
    assert held[0] is not None
    assert held[1] is not None
    assert held[1].ip not in held[0].network
    # The prefix of a site's own, made up for the run (RFC 4193).
    assert held[1].ip in IPv6Network("fd00::/8")
    text = definition(used.network)
    assert str(held[0].network.network_address) not in text
    read = library.load(str(written(tmp_path, placed_xml=text) / "placed.xml")).network
    for key in ("address", "address6", "nat6", "dhcp", "dhcp6"):
        assert getattr(read, key) == getattr(used.network, key), key


def test_duids_of_guests_follow_their_macs_on_a_shared_host() -> None:
    topology = library.load(str(FIELD / "openshift-ipv6-reservations.xml"))
    taken = Taken(frozenset(), (), frozenset({"52:54:00:16:50:02"}), frozenset())
    used, root = placed(topology, taken)
    assert used.network.dhcp6 is not None
    first, second, other = used.network.dhcp6.hosts
    assert [duid_of(guest.mac) for guest in used.guests] == [first.duid, second.duid]
    assert first.duid == "00:03:00:01:52:54:00:16:50:01"
    assert second.duid != "00:03:00:01:52:54:00:16:50:02"
    # Another form of a DUID, with a time in it: it is no address, and nobody's of the run.
    assert other.duid == "00:01:00:01:2a:00:00:01:52:54:00:16:50:09"
    written_ids = [each.get("id") for each in root.iterfind("ip/dhcp/host")]
    assert written_ids == [first.duid, second.duid, other.duid]


def test_a_further_ipv6_address_is_not_put_on_a_shared_host(tmp_path: Path) -> None:
    xml = (FIELD / "libvirt-dual-stack.xml").read_text(encoding="utf-8")
    more = "<ip family='ipv6' address='2001:db8:158::1' prefix='64'/>\n</network>"
    file = written(tmp_path, net_xml=xml.replace("</network>", more)) / "net.xml"
    with pytest.raises(DataError, match="2001:db8:158::1 is of no subnet that guests use"):
        placed(library.load(str(file)), Taken(frozenset(), (), frozenset(), frozenset()))


def test_another_prefix_of_dnsmasqs_namespace_is_the_same_element() -> None:
    uri = "http://libvirt.org/schemas/network/dnsmasq/1.0"
    texts = [
        f"<network xmlns:d='{uri}'><d:options><d:option value='x'/></d:options></network>",
        f"<network><options xmlns='{uri}'><option value='x'/></options></network>",
    ]
    for text in texts:
        paths = [each.path for each in read_xml(text).walk()]
        assert paths[1:] == [
            "network/dnsmasq:options",
            "network/dnsmasq:options/dnsmasq:option",
        ]


@pytest.mark.parametrize("length", [30, 31, 32])
def test_a_subnet_without_room_for_guests_is_one_message_with_its_line(
    length: int, tmp_path: Path
) -> None:
    xml = f"""\
<network>
  <name>small</name>
  <forward mode='nat'/>
  <ip address='192.168.77.1' prefix='{length}'/>
</network>
"""
    folder = written(tmp_path, net_xml=xml)
    with pytest.raises(DataError) as refused:
        library.load(str(folder / "net.xml"))
    assert str(refused.value).startswith(f"{folder / 'net.xml'}:4: network/ip: ")
    assert len(refused.value.errors) == 1
    assert refused.value.hint


def test_a_subnet_that_leaves_none_beyond_the_host_is_one_message(tmp_path: Path) -> None:
    xml = NAT.replace("netmask='255.255.255.0'", "prefix='0'")
    folder = written(tmp_path, net_xml=xml)
    with pytest.raises(DataError, match=r"net.xml:9: network/ip: 0.0.0.0/0 overlaps each of "):
        library.load(str(folder / "net.xml"))
