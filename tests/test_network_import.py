# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's XML and a host's bridges, read into topologies: type, figures, what is left over."""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

import pytest

from contracts.address_family import IPV4, IPV6
from tests.imported_networks import (
    BEHIND_A_GUEST,
    FUNCTIONS,
    ISOLATED,
    LINUX,
    MACS,
    NAT,
    OVER_OVS,
    OVS,
    WITHOUT_UPLINK,
    read,
)
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.library import load
from topologies.network_import.imported import macs_for, topology_name
from topologies.network_import.libvirt_xml import imported, without_host
from topologies.network_import.topology_file import topology_yaml
from topologies.network_import.xml_reader import read_file
from topologies.network_types import type_of

CELL_INWARDS = ("outside", "guest")


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


RESERVED6 = "<host id='00:03:00:01:52:54:00:00:00:09' ip='fd00:122::9'/>"


def test_dhcpv6_of_an_existing_network_is_read(tmp_path: Path) -> None:
    served = "<range start='fd00:122::100' end='fd00:122::1ff'/>"
    found = read(
        DUAL.replace("prefix='64'/>", f"prefix='64'><dhcp>{served}{RESERVED6}</dhcp></ip>")
    )
    topology = found.topology(macs=MACS)
    assert topology.families == (IPV4, IPV6)
    assert topology.network.dhcp6 is not None
    assert not found.reading.not_looked_at
    asked = {id_ for id_, claim in claims().items() if topology.applies(claim)}
    assert {"V6-16", "V6-17", "V6-18", "V6-19"} <= asked
    # So has the file that a sandbox builds it of.
    file = tmp_path / "network.yaml"
    file.write_text(topology_yaml(found, "a host"))
    assert load(str(file)).network.dhcp6 == topology.network.dhcp6


def test_an_existing_server_for_known_clients_alone_leaves_its_ipv4() -> None:
    found = read(DUAL.replace("prefix='64'/>", f"prefix='64'><dhcp>{RESERVED6}</dhcp></ip>"))
    topology = found.topology(macs=MACS)
    assert (topology.network.address6, topology.network.dhcp6) == (None, None)
    assert topology.families == (IPV4,)
    assert "network/ip/dhcp/host" in {each.element for each in found.reading.not_looked_at}


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
        (
            "<ip family='ipv6' address='fd00::1' prefix='48'/>",
            "network/ip@address",
            {"NT-04", "V6-01", "V6-06", "V6-16"},
        ),
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


def test_names_that_a_topology_cannot_have_stay_apart() -> None:
    assert topology_name("--network", "default") == "network-default"
    made = {topology_name("--network", name) for name in ("A_b", "a_b", "a.b", "b" * 60)}
    assert len(made) == 4
    assert all(len(name) <= 32 for name in made)


def test_macs_are_the_same_each_time_and_no_others() -> None:
    assert macs_for("a host", ()) == MACS
    assert macs_for("another", ()) != MACS
    assert not set(macs_for("a host", MACS)) & set(MACS)
