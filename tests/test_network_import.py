# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's XML and a host's bridges, read into topologies: type, figures, what is left over."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path

import pytest

from contracts.address_family import IPV4, IPV6
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.library import load
from topologies.network_import.bridge_facts import BridgeFacts
from topologies.network_import.imported import Imported, macs_for, topology_name
from topologies.network_import.libvirt_xml import imported, without_host
from topologies.network_import.reading import Setting
from topologies.network_import.topology_file import topology_yaml
from topologies.network_import.xml_reader import read_file, read_xml
from topologies.network_types import type_of

CELL_INWARDS = ("outside", "guest")
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
# The host's default route over it leads nowhere.
WITHOUT_UPLINK = replace(OVS, uplinks=(), ports=("vnet3",), router_is_silent=True)
# A guest is the host's router.
BEHIND_A_GUEST = replace(WITHOUT_UPLINK, router_is_silent=False)


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


DUAL = NAT.replace("<nat>", "<nat ipv6='yes'>").replace(
    "</network>", "  <ip family='ipv6' address='fd00:122::1' prefix='64'/>\n</network>"
)


def test_ipv6_of_libvirts_network_is_read() -> None:
    found = read(DUAL)
    topology = found.topology(macs=MACS)
    assert topology.network.address6 == IPv6Interface("fd00:122::1/64")
    assert topology.network.nat6
    assert topology.families == (IPV4, IPV6)
    assert not found.reading.not_looked_at
    # Each cell is promised by both families.
    assert {promise.family for promise in topology.promises} == {None}
    asked = {claim for promise in topology.promises for claim in promise.claims}
    assert {"NT-12", "V6-03", "V6-04", "V6-05"} <= asked
    plain = read(DUAL.replace("<nat ipv6='yes'>", "<nat>")).topology(macs=MACS)
    outside = {p.family: p.reach for p in plain.promises if (p.from_, p.to) == CELL_INWARDS}
    assert outside == {"ipv4": False, "ipv6": True}


def test_an_existing_network_with_dhcpv6_is_listed_and_its_ipv4_read() -> None:
    served = "prefix='64'><dhcp><range start='fd00:122::100' end='fd00:122::1ff'/></dhcp></ip>"
    found = read(DUAL.replace("prefix='64'/>", served))
    topology = found.topology(macs=MACS)
    assert (topology.network.address6, topology.network.dhcp6) == (None, None)
    assert topology.families == (IPV4,)
    assert "network/ip/dhcp/range" in {each.element for each in found.reading.not_looked_at}


def test_ipv6_of_a_hosts_bridge_is_read() -> None:
    facts = replace(OVS, address6=IPv6Interface("2001:db8:1::2/64"))
    topology = facts.imported().topology(macs=MACS)
    assert topology.families == (IPV4, IPV6)
    asked = {claim for promise in topology.promises for claim in promise.claims}
    assert "V6-03" in asked
    assert topology.applies(claims()["V6-31"])
    assert not OVS.imported().topology(macs=MACS).applies(claims()["V6-31"])


def test_a_file_has_the_ipv6_that_a_sandbox_can_build(tmp_path: Path) -> None:
    file = tmp_path / "network.yaml"
    file.write_text(topology_yaml(read(DUAL), "a host"))
    written = load(str(file))
    assert (str(written.network.address6), written.network.nat6) == ("fd00:122::1/64", True)
    assert written.physical is not None
    assert written.physical.ipv6 is not None
    # What libvirt did not make has nobody who advertises its prefix.
    facts = replace(OVS, address6=IPv6Interface("2001:db8:1::2/64"))
    file.write_text(topology_yaml(facts.imported(), "a host"))
    assert load(str(file)).network.address6 is None
    assert "#   bridge br-ex, address = 2001:db8:1::2/64" in file.read_text().splitlines()


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


def test_a_bridge_with_the_default_route_that_lost_its_uplink_is_still_a_bridged_one() -> None:
    topology = WITHOUT_UPLINK.imported().topology(macs=MACS)
    assert topology.kind == "bridged"
    lost = type_of(topology.network).lost(topology.network)
    assert lost is not None
    assert "none of its ports leads to other machines" in lost
    for whole in (OVS, LINUX, BEHIND_A_GUEST):
        network = whole.network()
        assert type_of(network).lost(network) is None
    assert BEHIND_A_GUEST.imported().topology(macs=MACS).kind == "ovs"


@pytest.mark.parametrize(
    ("element", "place", "claims"),
    [
        ("<dns><host ip='fd00::9'><hostname>a</hostname></host></dns>", "network/dns/host", set()),
        ("<dns><txt name='a.test'/></dns>", "network/dns/txt@name", {"DN-04"}),
        ("<dns><srv service='a' protocol='tcp'/></dns>", "network/dns/srv", {"DN-04"}),
        (
            "<dns><forwarder addr='fd00::53'/></dns>",
            "network/dns/forwarder@addr",
            {"NT-21", "DN-02", "DN-06", "DN-07"},
        ),
        ("<domain name='two words'/>", "network/domain@name", {"DN-08"}),
        ("<domain name='site.test' register='yes'/>", "network/domain@register", set()),
        (
            "<route family='ipv6' address='fd00:9::' prefix='64' gateway='fd00::9'/>",
            "network/route",
            set(),
        ),
        ("<route address='10.9.0.1' prefix='16' gateway='10.9.0.1'/>", "network/route", {"NT-25"}),
        ("<newer than='this'/>", "network/newer", set()),
        ("<ip family='ipv6' address='fd00::1' prefix='48'/>", "network/ip@address", {"NT-04"}),
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


SERVED = """\
<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>served</name>
  <forward mode='nat'/>
  <bridge name='virbr8'/>
  <domain name='Lab.Example' localOnly='yes'/>
  <dns forwardPlainNames='no'>
    <forwarder domain='corp.example' addr='192.0.2.53'/>
    <forwarder addr='192.0.2.54'/>
    <txt name='note.lab.example' value='v=1; all of it: #1'/>
    <srv service='ldap' protocol='tcp' target='api.lab.example' port='389' weight='5'/>
    <host ip='10.10.20.5'><hostname>api.lab.example</hostname><hostname>registry</hostname></host>
  </dns>
  <ip address='10.10.20.1' netmask='255.255.255.0'>
    <tftp root='/srv/tftp'/>
    <dhcp>
      <range start='10.10.20.100' end='10.10.20.119'><lease expiry='10'/></range>
      <host mac='52:54:00:55:9B:E0' ip='10.10.20.105'><lease expiry='1' unit='hours'/></host>
      <host name='kvm1.lab.example' ip='10.10.20.21'/>
      <bootp file='pxelinux.0' server='192.0.2.4'/>
    </dhcp>
  </ip>
  <route address='198.51.100.0' prefix='24' gateway='10.10.20.6'/>
  <route address='203.0.113.64' netmask='255.255.255.192' gateway='10.10.20.6' metric='2'/>
  <dnsmasq:options>
    <dnsmasq:option value='dhcp-option=42,10.10.20.1'/>
  </dnsmasq:options>
</network>
"""


def test_what_its_dnsmasq_serves_is_read_whole(tmp_path: Path) -> None:
    found = read(SERVED)
    assert not found.reading.not_looked_at
    served = found.network.model_dump(mode="json", exclude_defaults=True)
    assert {key: served[key] for key in ("domain", "dns", "dhcp", "tftp", "routes")} == {
        "domain": {"name": "lab.example", "local_only": True},
        "dns": {
            "forward_plain_names": False,
            "forwarders": [
                {"address": "192.0.2.53", "domain": "corp.example"},
                {"address": "192.0.2.54"},
            ],
            "hosts": [{"ip": "10.10.20.5", "names": ["api.lab.example", "registry"]}],
            "txt": [{"name": "note.lab.example", "value": "v=1; all of it: #1"}],
            "srv": [
                {
                    "service": "ldap",
                    "protocol": "tcp",
                    "target": "api.lab.example",
                    "port": 389,
                    "weight": 5,
                }
            ],
        },
        "dhcp": {
            "start": "10.10.20.100",
            "end": "10.10.20.119",
            "lease": {"expiry": 10},
            "hosts": [
                {
                    "mac": "52:54:00:55:9b:e0",
                    "ip": "10.10.20.105",
                    "lease": {"expiry": 1, "unit": "hours"},
                },
                {"name": "kvm1.lab.example", "ip": "10.10.20.21"},
            ],
            "bootp": {"file": "pxelinux.0", "server": "192.0.2.4"},
        },
        "tftp": {"root": "/srv/tftp"},
        "routes": [
            {"to": "198.51.100.0/24", "gateway": "10.10.20.6"},
            {"to": "203.0.113.64/26", "gateway": "10.10.20.6", "metric": 2},
        ],
    }
    assert found.network.dnsmasq_options == ("dhcp-option=42,10.10.20.1",)
    file = tmp_path / f"{found.name}.yaml"
    file.write_text(topology_yaml(found, "a host"))
    topology = load(str(file))
    filled_in = {"origin"}
    assert topology.network.model_dump(exclude=filled_in) == found.network.model_dump(
        exclude=filled_in
    )
    # dnsmasq gives what is kept for a name to whoever has that.
    assert [guest.name for guest in topology.guests] == ["kvm2", "kvm3"]


def test_entries_that_the_model_cannot_have_leave_the_others() -> None:
    other = "<host ip='fd00::9'><hostname>six</hostname></host><host ip='10.10.20.5'>"
    found = read(SERVED.replace("<host ip='10.10.20.5'>", other))
    assert found.network.dns is not None
    assert [str(host.ip) for host in found.network.dns.hosts] == ["10.10.20.5"]
    assert {setting.line for setting in found.reading.not_looked_at} == {11}
    assert found.reading.obstacle(["DN-03"]) is None
    without = SERVED.replace("ip='10.10.20.105'", "ip='10.10.21.105'")
    found = read(without)
    assert found.network.dhcp is not None
    assert [host.name for host in found.network.dhcp.hosts] == ["kvm1.lab.example"]
    assert found.reading.obstacle(["DH-01"]) is not None
    assert found.reading.obstacle(["DH-03"]) is None


def test_an_id_is_listed_and_its_reservation_read() -> None:
    found = read(SERVED.replace("ip='10.10.20.105'", "ip='10.10.20.105' id='ff:01'"))
    assert found.network.dhcp is not None
    assert len(found.network.dhcp.hosts) == 2
    assert [each.attribute for each in found.reading.not_looked_at] == ["id"]


def test_a_network_without_an_address_has_no_dnsmasq() -> None:
    text = "<domain name='a.test'/><dns><txt name='a' value='b'/></dns>"
    found = read(ISOLATED.replace("<ip address='10.77.0.1' prefix='16'/>", text))
    assert (found.network.domain, found.network.dns) == (None, None)
    assert {each.element for each in found.reading.not_looked_at} == {
        *("network/domain", "network/dns", "network/dns/txt")
    }


@pytest.mark.parametrize(
    ("option", "undecided", "decided"),
    [
        ("dhcp-option=3,10.10.20.9", {"NT-05", "NT-10", "NT-06"}, {"DN-01", "NT-12", "DH-07"}),
        ("dhcp-option=option:dns-server,10.10.20.9", {"NT-05", "DN-05"}, {"NT-10", "DN-01"}),
        ("dhcp-option=tag:a,option:router,10.10.20.9", {"NT-05"}, {"DN-01"}),
        ("dhcp-option=42,10.10.20.9", set(), {"NT-05", "DH-07"}),
        ("dhcp-option=51,600", {"DH-03"}, {"NT-05"}),
        ("address=/apps.example/10.10.20.9", {"DN-02"}, {"NT-21", "DN-03"}),
        ("address=/#/10.10.20.9", {"NT-21"}, {"NT-05"}),
        ("server=192.0.2.1", {"NT-21", "DN-06"}, {"DN-03"}),
        ("log-queries", set(), {"NT-05", "NT-21", "DN-01", "DH-01"}),
        ("no-such-option", {"NT-05", "NT-21", "DN-03", "DH-07"}, {"NT-08"}),
    ],
)
def test_an_option_takes_the_ground_from_what_it_changes(
    option: str, undecided: set[str], decided: set[str], tmp_path: Path
) -> None:
    found = read(SERVED.replace("dhcp-option=42,10.10.20.1", option))
    file = tmp_path / "served.yaml"
    file.write_text(topology_yaml(found, "a host"))
    # In XML and in a topology file alike.
    for topology in (found.topology(macs=MACS), load(str(file))):
        assert {claim for claim in undecided if topology.obstacle([claim])} == undecided
        assert not {claim for claim in decided if topology.obstacle([claim])}


def test_further_addresses_are_read_and_the_guests_are_where_leases_are(tmp_path: Path) -> None:
    first = "<ip address='10.9.9.1' netmask='255.255.255.0'><tftp root='/srv/tftp'/></ip>\n  "
    last = "<ip address='10.10.20.2' prefix='24'/>\n  <ip address='172.30.0.1' prefix='32'/>\n"
    text = SERVED.replace("<ip ", f"{first}<ip ").replace("  <route", f"  {last}  <route", 1)
    found = read(text)
    assert found.network.address == IPv4Interface("10.10.20.1/24")
    assert found.network.further_addresses == (
        IPv4Interface("10.9.9.1/24"),
        IPv4Interface("172.30.0.1/32"),
    )
    listed = {(each.element, each.value) for each in found.reading.not_looked_at}
    # Of one subnet's two addresses the guests' is read.
    assert listed == {
        ("network/ip/tftp", ""),
        ("network/ip/tftp", "/srv/tftp"),
        ("network/ip", ""),
        ("network/ip", "10.10.20.2"),
        ("network/ip", "24"),
    }
    assert found.reading.obstacle(["NT-03"]) is not None
    file = tmp_path / f"{found.name}.yaml"
    file.write_text(topology_yaml(found, "a host"))
    written = load(str(file)).network
    assert written.further_addresses == found.network.further_addresses


RESERVED = """\
<network>
  <name>known</name>
  <bridge name='virbr9'/>
  <ip address='10.10.30.1' prefix='24'>
    <dhcp>
      <host mac='52:54:00:00:30:01' name='Alpha' ip='10.10.30.11'/>
      <host mac='52:54:00:00:30:02' name='beta' ip='10.10.30.12'/>
      <host mac='52:54:00:00:30:03' ip='10.10.30.13'/>
    </dhcp>
  </ip>
</network>
"""
RANGE = "<range start='10.10.30.11' end='10.10.30.14'/>"


def test_guests_are_clients_of_reservations_where_there_is_no_other_address(
    tmp_path: Path,
) -> None:
    for xml in (RESERVED, RESERVED.replace("<dhcp>", f"<dhcp>{RANGE}")):
        file = tmp_path / "known.xml"
        file.write_text(xml)
        guests = load(str(file)).guests
        # A guest cannot have the first one's name.
        assert [(guest.name, guest.mac, guest.address) for guest in guests] == [
            ("beta", "52:54:00:00:30:02", "dhcp"),
            ("kvm1", "52:54:00:00:30:03", "dhcp"),
        ]
    file.write_text(RESERVED.replace("<dhcp>", f"<dhcp>{RANGE.replace('.14', '.15')}"))
    assert not {guest.mac for guest in load(str(file)).guests} & {"52:54:00:00:30:02"}
    # With one client alone the guests have static addresses, that it is not given.
    file.write_text(RESERVED.replace("mac='52:54:00:00:30:02' ", ""))
    assert {str(guest.address) for guest in load(str(file)).guests} == {
        "10.10.30.2/24", "10.10.30.3/24",
    }  # fmt: skip


def test_an_entry_that_clashes_is_an_error_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "known.xml"
    file.write_text(RESERVED.replace("10.10.30.13", "10.10.30.12"))
    with pytest.raises(DataError) as refused:
        load(str(file))
    assert f"{file}:8: network/ip/dhcp/host: 10.10.30.12 is already that of" in str(refused.value)


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


@pytest.mark.parametrize(
    "facts", [LINUX, OVS, WITHOUT_UPLINK], ids=["linux", "ovs", "without uplink"]
)
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
