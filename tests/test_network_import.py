# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's XML and a host's bridges, read into topologies: type, figures, what is left over."""

from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from topologies.data_error import DataError
from topologies.library import load
from topologies.network_import.bridge_facts import BridgeFacts
from topologies.network_import.imported import Imported, macs_for, topology_name
from topologies.network_import.libvirt_xml import imported, without_host
from topologies.network_import.reading import Setting
from topologies.network_import.topology_file import topology_yaml
from topologies.network_import.xml_reader import read_file, read_xml

MACS = macs_for("a host", ())
NAT = """\
<network connections='1'>
  <name>default</name>
  <uuid>ba8f3b8b-2e57-4b9d-9f3f-8a1d0a3b8d11</uuid>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='52:54:00:11:22:33'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
"""
ISOLATED = """\
<network>
  <name>closed</name>
  <bridge name='virbr7' stp='off'/>
  <ip address='10.77.0.1' prefix='16'/>
</network>
"""
OVER_OVS = """\
<network>
  <name>br-ex-net</name>
  <forward mode='bridge'/>
  <bridge name='br-ex'/>
  <virtualport type='openvswitch'>
    <parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>
  </virtualport>
  <vlan trunk='yes'>
    <tag id='42'/>
  </vlan>
</network>
"""
FUNCTIONS = """\
<network>
  <name>sriov</name>
  <forward mode='hostdev' managed='yes'>
    <pf dev='enp1s0'/>
    <address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>
    <address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x2'/>
  </forward>
</network>
"""
OVS = BridgeFacts(
    name="br-ex",
    switch="ovs",
    address=IPv4Interface("203.0.113.5/24"),
    stp=False,
    forward_delay_s=None,
    uplinks=("eno1",),
    ports=("eno1", "vnet3"),
    router=IPv4Address("203.0.113.1"),
    settings=(
        Setting("Open vSwitch bridge br-ex", "fail_mode", None, None, "secure", "not looked at"),
    ),
)
LINUX = BridgeFacts("br0", "linux", None, stp=True, forward_delay_s=15, uplinks=(), ports=())


def read(xml: str, facts: BridgeFacts | None = None) -> Imported:
    return imported(read_xml(xml), lambda _bridge: facts)


def test_a_nat_network_is_read_whole() -> None:
    found = read(NAT)
    topology = found.topology(macs=MACS)
    network = topology.network
    assert (topology.name, topology.kind, network.origin) == ("network-default", "nat", "existing")
    assert (network.name, network.bridge, network.stp, network.forward_delay_s) == (
        *("default", "virbr0"),
        *(True, 0),
    )
    assert network.address == IPv4Interface("192.168.122.1/24")
    assert network.dhcp_range is not None
    assert network.dhcp_range.size == 253
    assert [guest.address for guest in topology.guests] == ["dhcp", "dhcp"]
    assert not found.reading.not_looked_at
    assert topology.selection == ("--network", "default")
    # Nothing beyond is known, and something may be there.
    assert topology.physical is None
    promised = {(p.from_, p.to): p.reach for p in topology.promises}
    assert promised["guest", "outside"]
    assert not promised["outside", "guest"]


@pytest.mark.parametrize(
    ("forward", "kind"),
    [
        ("<forward mode='route'/>", "routed"),
        ("<forward mode='open'/>", "open"),
        ("<forward/>", "nat"),
        ("<forward mode='nat' dev='eth0'/>", "nat"),
        ("", "isolated"),
    ],
)
def test_the_forward_mode_is_the_type(forward: str, kind: str) -> None:
    found = read(ISOLATED.replace("<bridge", f"{forward}<bridge"))
    assert found.topology(macs=MACS).kind == kind
    listed = [setting.attribute for setting in found.reading.not_looked_at]
    assert listed == (["dev"] if "dev=" in forward else [])


def test_a_network_over_an_ovs_bridge_has_the_bridges_settings_too() -> None:
    found = read(OVER_OVS, OVS)
    topology = found.topology(macs=MACS)
    network = topology.network
    assert (topology.kind, network.bridge, network.switch) == ("bridged", "br-ex", "ovs")
    assert (network.libvirt_name, network.uplink) == ("br-ex-net", "eno1")
    assert {guest.attach for guest in topology.guests} == {"network"}
    listed = [(s.element, s.attribute, s.line) for s in found.reading.not_looked_at]
    assert listed == [
        ("network/virtualport/parameters", None, 6),
        ("network/virtualport/parameters", "interfaceid", 6),
        ("network/vlan", None, 8),
        ("network/vlan", "trunk", 8),
        ("network/vlan/tag", None, 9),
        ("network/vlan/tag", "id", 9),
        ("fail_mode", None, None),
    ]


def test_functions_of_a_nic_are_counted() -> None:
    network = read(FUNCTIONS).topology(macs=MACS).network
    assert (network.pf, network.vfs, network.bridge_name) == ("enp1s0", 2, None)


def test_a_bridge_is_attached_to_by_its_name() -> None:
    topology = LINUX.imported().topology(
        macs=MACS, addresses=[IPv4Interface("10.0.0.8/24"), IPv4Interface("10.0.0.9/24")]
    )
    assert (topology.name, topology.kind) == ("bridge-br0", "linux-bridge")
    assert topology.selection == ("--bridge", "br0")
    assert {guest.attach for guest in topology.guests} == {"bridge"}
    with_uplink = OVS.imported().topology(macs=MACS)
    assert (with_uplink.kind, with_uplink.network.libvirt_name) == ("bridged", None)


@pytest.mark.parametrize(
    ("element", "place", "claims"),
    [
        ("<dns enable='no'/>", "network/dns@enable", {"NT-21", "DN-08"}),
        ("<mtu size='9000'/>", "network/mtu@size", {"NT-22"}),
        ("<domain name='site.test'/>", "network/domain@name", {"DN-08"}),
        ("<route address='10.9.0.0' prefix='16' gateway='192.168.122.9'/>", "network/route", set()),
        ("<newer than='this'/>", "network/newer", set()),
        ("<ip family='ipv6' address='fd00::1' prefix='64'/>", "network/ip@address", {"NT-04"}),
        ("<bridge zone='public'/>", "network/bridge@zone", set()),
    ],
)
def test_what_is_not_looked_at_is_listed_with_its_line(
    element: str, place: str, claims: set[str]
) -> None:
    found = read(NAT.replace("</network>", f"  {element}\n</network>"))
    listed = {setting.place: set(setting.undecides) for setting in found.reading.not_looked_at}
    assert listed[f"line 16: {place}"] == claims
    assert all(key.startswith("line 16: ") for key in listed)


def test_another_range_of_ports_leaves_translation_undecided() -> None:
    found = read(NAT.replace("1024", "20000"))
    [setting] = found.reading.not_looked_at
    assert str(setting) == "network default, line 6: network/forward/nat/port@start = 20000"
    assert found.reading.obstacle(["NT-08"]) == setting
    assert found.reading.obstacle(["NT-03"]) is None


def test_a_second_range_is_not_looked_at_and_leaves_leases_undecided() -> None:
    more = "<range start='192.168.122.2' end='192.168.122.9'/>"
    found = read(NAT.replace("    </dhcp>", f"      {more}\n    </dhcp>"))
    network = found.topology(macs=MACS).network
    assert network.dhcp_range is not None
    assert str(network.dhcp_range.end) == "192.168.122.254"
    assert {s.line for s in found.reading.not_looked_at} == {14}
    assert found.reading.obstacle(["NT-06"]) is not None


def test_isolated_ports_and_bandwidth_change_what_is_promised() -> None:
    limits = "<port isolated='yes'/><bandwidth><inbound average='1000'/></bandwidth>"
    topology = read(NAT.replace("</network>", f"{limits}</network>")).topology(macs=MACS)
    between = topology.promise("guest", "guest")
    assert between is not None
    assert (between.reach, between.claims) == (False, ())
    # 1000 kilobytes a second are 8.192 Mbit/s.
    assert topology.throughput.guest_host_tcp_mbit_s == pytest.approx(4.096)
    assert topology.throughput.udp_offered_mbit_s == pytest.approx(4.096)
    assert topology.throughput.guest_host_udp_mbit_s == pytest.approx(4.096)


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("<network><name>x</name><forward mode='vepa' dev='eth0'/></network>", "mode='vepa'"),
        ("<network><name>x</name><forward mode='bridge'/></network>", "without <bridge>"),
        ("<network><name>x</name><forward mode='hostdev'/></network>", "without <pf>"),
        ("<network><name>x</name><forward mode='nat'/></network>", "names no bridge"),
        ("<network/>", "without a name"),
        ("<domain/>", "found <domain>"),
        ("<network>\n<name>x</nome></network>", "not XML"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><network/>", "document type"),
        ("", "not XML"),
    ],
)
def test_what_cannot_be_read_is_one_error_with_a_remedy(
    xml: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "net.xml"
    file.write_text(xml)
    with pytest.raises(DataError) as refused:
        imported(read_file(file), without_host, file)
    assert said in str(refused.value)
    assert refused.value.file == file
    assert refused.value.hint


def test_an_error_in_xml_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "net.xml"
    file.write_text("<network>\n  <name>x</nome>\n</network>")
    with pytest.raises(DataError) as refused:
        read_file(file)
    assert refused.value.line == 2


@pytest.mark.parametrize(
    "xml",
    [
        *(NAT, ISOLATED, OVER_OVS, FUNCTIONS),
        NAT.replace("nat", "route").replace("default", "true"),
        NAT.replace("nat", "open").replace("default", "0123"),
        NAT.replace("192.168.122", "192.168.1"),
    ],
)
def test_a_file_is_a_topology_that_a_sandbox_builds(xml: str, tmp_path: Path) -> None:
    found = read(xml, OVS if xml is OVER_OVS else None)
    file = tmp_path / f"{found.name}.yaml"
    file.write_text(topology_yaml(found, "a host"))
    topology = load(str(file))
    assert topology.network.origin == "made"
    assert topology.kind == found.topology(macs=MACS).kind
    assert topology.network.dhcp == found.network.dhcp
    promised = {(p.from_, p.to): p.reach for p in topology.promises}
    assert promised == dict(topology.type.reach)


@pytest.mark.parametrize("facts", [LINUX, OVS], ids=["linux", "ovs"])
def test_a_bridges_file_is_one_too(facts: BridgeFacts, tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(topology_yaml(facts.imported(), "a host"))
    topology = load(str(file))
    assert topology.network.bridge == facts.name
    if topology.physical is not None:
        assert topology.physical.router == facts.router
        assert topology.network.address == facts.address


def test_a_file_lists_what_is_not_looked_at() -> None:
    text = topology_yaml(read(NAT.replace("1024", "20000")), "the host h1")
    assert "# Network default, read from the host h1." in text
    assert "network default, line 6: network/forward/nat/port@start = 20000" in text
    assert "NT-08, NT-09, NT-10" in text


def test_names_that_a_topology_cannot_have_stay_apart() -> None:
    assert topology_name("--network", "default") == "network-default"
    made = {topology_name("--network", name) for name in ("A_b", "a_b", "a.b", "b" * 60)}
    assert len(made) == 4
    assert all(len(name) <= 32 for name in made)


def test_macs_are_the_same_each_time_and_no_others() -> None:
    assert macs_for("a host", ()) == MACS
    assert macs_for("another", ()) != MACS
    assert not set(macs_for("a host", MACS)) & set(MACS)
