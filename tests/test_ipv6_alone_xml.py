# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's XML of networks without IPv4: as a topology, as a topology file, on its own host."""

from pathlib import Path

import pytest

from contracts.address_family import IPV6
from fixtures.switch.libvirt_network import definition
from topologies.data_error import DataError
from topologies.dhcp6 import mac_of
from topologies.library import load, load_all
from topologies.network_import.imported import Imported
from topologies.network_import.libvirt_xml import imported, without_host
from topologies.network_import.topology_file import topology_yaml
from topologies.network_import.xml_reader import read_xml
from topologies.topology import Topology

SHIPPED = Path(__file__).resolve().parent / "topologies"
FIELD = Path(__file__).resolve().parent / "networks"
MACS = ("52:54:00:00:00:01", "52:54:00:00:00:02")
NETWORK = """\
<network>
  <name>six</name>
  <forward mode='route'/>
  <bridge name='virbr6'/>
  <ip family='ipv6' address='fd00:6::1' prefix='64'/>
</network>
"""
DHCP = "<dhcp>{}</dhcp></ip>"
RANGE = "<range start='fd00:6::100' end='fd00:6::{}'/>"
CLIENT = "<host id='00:03:00:01:52:54:00:00:06:0{0}' ip='fd00:6::{1}'/>"


def written(folder: Path, text: str, name: str = "net.xml") -> Topology:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return load(str(file))


def serving(*below: str) -> str:
    """Return the network with a DHCPv6 server."""
    return NETWORK.replace("prefix='64'/>", f"prefix='64'>{DHCP.format(''.join(below))}")


def on_its_host(text: str) -> Imported:
    return imported(read_xml(text), without_host)


@pytest.mark.parametrize("name", ["ipv6-alone", "ipv6-alone-nat"])
def test_the_xml_of_a_topology_is_the_same_model(tmp_path: Path, name: str) -> None:
    shipped = load(str(SHIPPED / f"{name}.yaml"))
    read = written(tmp_path, definition(shipped.network))
    assert read.network.model_dump() == shipped.network.model_dump()
    assert read.families == (IPV6,)
    assert [each.model_dump() for each in read.promises] == [
        each.model_dump() for each in shipped.promises
    ]
    assert [guest.address for guest in read.guests] == [None, None]
    assert read.physical is not None
    assert read.physical.ipv6 is not None
    assert read.reading is not None
    assert not list(read.reading.not_looked_at)


@pytest.mark.parametrize("forward", ["", "<forward mode='nat'/>", "<forward mode='open'/>"])
def test_a_network_of_each_forward_mode_is_read(tmp_path: Path, forward: str) -> None:
    text = NETWORK.replace("<forward mode='route'/>", forward)
    topology = written(tmp_path, text)
    assert topology.families == (IPV6,)
    assert definition(topology.network) == text


def test_guests_are_the_clients_of_reservations_where_there_is_no_range(tmp_path: Path) -> None:
    text = serving(
        "<host id='0:4:7e' ip='fd00:6::9'/>",
        CLIENT.format(1, "11").replace(" ip=", " name='db' ip="),
        CLIENT.format(2, "12"),
    )
    guests = written(tmp_path, text).guests
    assert [(guest.name, guest.mac) for guest in guests] == [
        ("db", "52:54:00:00:06:01"),
        ("kvm1", "52:54:00:00:06:02"),
    ]


def test_with_a_range_guests_are_none_of_the_reserved_clients(tmp_path: Path) -> None:
    named = CLIENT.format(1, "11").replace(" ip=", " name='kvm1' ip=")
    guests = written(tmp_path, serving(RANGE.format("1ff"), named)).guests
    assert [guest.name for guest in guests] == ["kvm2", "kvm3"]
    # The range has an address for one of them alone.
    small = serving(RANGE.format("101"), CLIENT.format(1, "100"), CLIENT.format(2, "20"))
    assert [guest.mac for guest in written(tmp_path, small).guests] == [
        "52:54:00:00:06:01",
        "52:54:00:00:06:02",
    ]


def test_an_empty_server_is_none(tmp_path: Path) -> None:
    assert written(tmp_path, serving()).network.dhcp6 is None


@pytest.mark.parametrize(
    ("element", "place", "undecided"),
    [
        ("<domain name='lab.example'/>", "network/domain", set()),
        ("<dns><host ip='fd00:6::9'><hostname>a</hostname></host></dns>", "network/dns", set()),
        ("<route address='10.9.0.0' prefix='16' gateway='10.8.0.1'/>", "network/route", set()),
        (
            "<dnsmasq:options><dnsmasq:option value='quiet-ra'/></dnsmasq:options>",
            "network/dnsmasq:options/dnsmasq:option",
            {"V6-01", "V6-02"},
        ),
        ("<ip family='ipv6' address='fd00:7::1' prefix='64'/>", "network/ip", {"V6-01"}),
    ],
)
def test_what_the_model_cannot_have_is_not_looked_at(
    tmp_path: Path, element: str, place: str, undecided: set[str]
) -> None:
    uri = "http://libvirt.org/schemas/network/dnsmasq/1.0"
    text = NETWORK.replace("<network>", f"<network xmlns:dnsmasq='{uri}'>")
    topology = written(tmp_path, text.replace("</network>", f"{element}</network>"))
    assert topology.reading is not None
    listed = {each.element for each in topology.reading.not_looked_at}
    assert place in listed
    assert all(each.startswith(place) for each in listed)
    claims = {"V6-01", "V6-02", "V6-14"}
    assert {each for each in claims if topology.obstacle([each])} == undecided


def test_the_network_beyond_has_none_of_its_prefixes(tmp_path: Path) -> None:
    more = "<ip family='ipv6' address='2001:db8:1::1' prefix='48'/></network>"
    physical = written(tmp_path, NETWORK.replace("</network>", more)).physical
    assert physical is not None
    assert physical.ipv6 is not None
    assert str(physical.ipv6.subnet) == "2001:db8:2::/64"


WITHOUT_DNS = "<dns enable='no'><txt name='a' value='b'/></dns><bridge"


def test_that_there_is_no_dns_is_read(tmp_path: Path) -> None:
    topology = written(tmp_path, serving(RANGE.format("1ff")).replace("<bridge", WITHOUT_DNS))
    assert not topology.network.has_dns
    assert topology.reading is not None
    assert {each.element for each in topology.reading.not_looked_at} == {"network/dns/txt"}


def test_without_dnsmasq_no_prefix_is_advertised(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without both libvirt has nothing advertise the prefix"):
        written(tmp_path, NETWORK.replace("<bridge", WITHOUT_DNS))
    # Beside IPv4 there is the rest to look at.
    more = "<ip address='10.9.0.1' prefix='24'/></network>"
    plain = NETWORK.replace("<bridge", "<dns enable='no'/><bridge")
    topology = written(tmp_path, plain.replace("</network>", more))
    assert topology.network.address6 is None
    shipped = (SHIPPED / "ipv6-alone.yaml").read_text(encoding="utf-8")
    held = "    address6: fd00:10:20:70::1/64\n"
    with pytest.raises(DataError, match="nothing advertises the prefix of address6"):
        written(tmp_path, shipped.replace(held, f"{held}    dns: {{enable: false}}\n"), "n.yaml")


FIRST = "<dns enable='no'/><ip family='ipv6' address='fd00:5::1' prefix='64'/><ip family='ipv6'"
IPV4 = "<ip address='10.9.0.1' prefix='24'>{}</ip></network>"
V4_RANGE = "<dhcp><range start='10.9.0.2' end='10.9.0.99'/></dhcp>"


@pytest.mark.parametrize("ipv4", ["</network>", IPV4.format("")])
def test_where_dnsmasq_is_there_for_dhcpv6_alone_that_address_is_read(
    tmp_path: Path, ipv4: str
) -> None:
    text = serving(RANGE.format("1ff")).replace("<ip family='ipv6'", FIRST)
    topology = written(tmp_path, text.replace("</network>", ipv4))
    assert str(topology.network.address6) == "fd00:6::1/64"
    assert topology.network.dhcp6 is not None
    assert topology.reading is not None
    assert ("network/ip", "fd00:5::1") in {
        (each.element, each.value) for each in topology.reading.not_looked_at
    }


@pytest.mark.parametrize(
    ("served", "held"), [("", None), (V4_RANGE, "fd00:5::1/64")], ids=["alone", "and for IPv4"]
)
def test_where_it_is_there_for_known_clients_alone(
    tmp_path: Path, served: str, held: str | None
) -> None:
    text = serving(CLIENT.format(1, "11")).replace("<ip family='ipv6'", FIRST)
    network = written(tmp_path, text.replace("</network>", IPV4.format(served))).network
    assert network.dhcp6 is None
    assert (None if network.address6 is None else str(network.address6)) == held


@pytest.mark.parametrize(
    "text",
    [
        NETWORK,
        serving(RANGE.format("1ff")).replace("<ip family='ipv6'", FIRST),
        serving(RANGE.format("1ff")).replace("<bridge", "<dns enable='no'/><bridge"),
        serving(RANGE.format("1ff").replace("/>", "><lease expiry='2' unit='hours'/></range>")),
        serving(CLIENT.format(1, "11"), CLIENT.format(2, "12")),
    ],
)
def test_an_imported_file_is_the_same_network(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, topology_yaml(on_its_host(text), "net.xml"), "net.yaml")
    read = written(tmp_path, text)
    assert file.network.model_dump() == read.network.model_dump()
    assert [each.address for each in file.guests] == [None, None]
    assert [each.mac for each in file.guests] == [each.mac for each in read.guests]
    assert file.physical == read.physical


def test_on_its_host_guests_ask_for_no_ipv4() -> None:
    topology = on_its_host(NETWORK).topology(macs=MACS)
    assert topology.network.origin == "existing"
    assert [each.address for each in topology.guests] == [None, None]
    assert topology.families == (IPV6,)


def test_two_networks_with_one_prefix_are_named_with_both_lines(tmp_path: Path) -> None:
    other = NETWORK.replace("six", "other").replace("virbr6", "virbr7")
    (tmp_path / "a.xml").write_text(NETWORK, encoding="utf-8")
    (tmp_path / "b.xml").write_text(other, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        load_all([str(tmp_path / "a.xml"), str(tmp_path / "b.xml")])
    assert f"{tmp_path / 'b.xml'}:5: network/ip: fd00:6::/64 is also that of" in str(refused.value)


@pytest.mark.parametrize(
    ("duid", "mac"),
    [
        ("00:03:00:01:52:54:00:00:06:01", "52:54:00:00:06:01"),
        # A multicast address, too few octets, an address and a time.
        ("00:03:00:01:53:54:00:00:06:01", None),
        ("00:03:00:01:52:54:00:00:06", None),
        ("00:01:00:01:2a:00:00:01:52:54:00:00:06:01", None),
    ],
)
def test_a_mac_is_read_of_a_duid_that_is_one(duid: str, mac: str | None) -> None:
    assert mac_of(duid) == mac
