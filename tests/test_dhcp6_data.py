# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCPv6 of a network as data: its XML both ways, its place on a shared host, its errors."""

from ipaddress import IPv6Address
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.switch.libvirt_network import beside, definition
from tests.changed_topologies import changed
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.dhcp import LeaseTime
from topologies.dhcp6 import Dhcp6, duid_of
from topologies.library import load
from topologies.placement import Placement, Taken
from topologies.topology import Topology

SHIPPED = Path(__file__).resolve().parent / "topologies" / "dhcpv6.yaml"
ASKED_ALWAYS = {"V6-16", "V6-17"}
OF_A_SERVER = ASKED_ALWAYS | {"V6-18", "V6-19"}
NETWORK = """\
<network>
  <name>mine</name>
  <bridge name='virbr9'/>
  <ip address='10.9.0.1' netmask='255.255.255.0'>
    <dhcp><range start='10.9.0.100' end='10.9.0.120'/></dhcp>
  </ip>
  <ip family='ipv6' address='fd00:9::1' prefix='64'>
    <dhcp>
{served}
    </dhcp>
  </ip>
</network>
"""
RANGE = "<range start='fd00:9::100' end='fd00:9::1ff'><lease expiry='2' unit='hours'/></range>"


def written(folder: Path, *changes: tuple[str, str]) -> Topology:
    """Return the topology with some of its text replaced."""
    return changed(SHIPPED, folder, *changes)


def read(folder: Path, *served: str) -> Topology:
    """Return the topology of libvirt's XML with a DHCPv6 server."""
    file = folder / "net.xml"
    file.write_text(NETWORK.format(served="\n".join(served)), encoding="utf-8")
    return load(str(file))


def served(topology: Topology) -> Dhcp6:
    found = topology.network.dhcp6
    assert found is not None
    return found


def not_looked_at(topology: Topology) -> list[str]:
    assert topology.reading is not None
    return [str(each) for each in topology.reading.not_looked_at]


def asked(topology: Topology) -> set[str]:
    return {name for name, claim in claims().items() if topology.applies(claim)}


def test_the_xml_has_range_and_reservations() -> None:
    [dhcp] = ET.fromstring(definition(load(str(SHIPPED)).network)).findall("ip[2]/dhcp")
    [given] = dhcp.findall("range")
    assert given.attrib == {"start": "fd00:10:20:60::100", "end": "fd00:10:20:60::11f"}
    assert [each.attrib for each in given] == [{"expiry": "30", "unit": "minutes"}]
    kept = [each.attrib for each in dhcp.findall("host")]
    assert kept[0] == {
        "id": "00:03:00:01:52:54:00:aa:60:02",
        "name": "kvm2",
        "ip": "fd00:10:20:60::20",
    }
    assert set(kept[1]) == {"id", "ip"}


def test_the_claims_are_those_of_a_server_and_not_of_slaac(tmp_path: Path) -> None:
    of_all = asked(load(str(SHIPPED)))
    assert of_all >= OF_A_SERVER
    assert not {"V6-01", "V6-02"} & of_all
    assert "V6-03" in of_all
    # Without reservations, and without DHCPv6.
    text = SHIPPED.read_text(encoding="utf-8")
    hosts = text[text.index("      hosts:\n") : text.index("\nguests:")]
    assert asked(written(tmp_path, (hosts, ""))) & OF_A_SERVER == OF_A_SERVER - {"V6-18"}
    assert not asked(load("isolated-dual-stack")) & OF_A_SERVER
    slaac = {"V6-01", "V6-02"}
    assert asked(load("routed-dual-stack")) & slaac == slaac


def test_a_network_beside_it_serves_no_dhcpv6() -> None:
    network = load(str(SHIPPED)).network
    assert beside(network, "other", []).dhcp6 is None


def test_a_duid_is_read_octet_by_octet() -> None:
    host = {"duid": "0:4:7E:7d", "ip": "fd00::2"}
    [kept] = Dhcp6.model_validate({"hosts": [host]}).hosts
    assert kept.duid == "00:04:7e:7d"
    assert duid_of("52:54:00:aa:60:02") == "00:03:00:01:52:54:00:aa:60:02"


@pytest.mark.parametrize(
    "duid", ["00:03", "52-54-00-12-34-56", "00:03:00:g1", ":".join(["0"] * 131)]
)
def test_what_is_no_duid_is_refused(tmp_path: Path, duid: str) -> None:
    with pytest.raises(DataError, match="is no DUID"):
        written(tmp_path, ('"00:03:00:01:52:54:00:aa:60:02"', f'"{duid}"'))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("address6: fd00:10:20:60::1/64", "address6: null", "without an IPv6 address"),
        ("start: fd00:10:20:60::100", "start: fd00:10:20:61::100", "no host's in"),
        ("start: fd00:10:20:60::100", "start: fd00:10:20:60::200", "comes after the end"),
        ("end: fd00:10:20:60::11f", "end: fd00:10:20:60::1:11f", "last 16 bits"),
        ("      end: fd00:10:20:60::11f\n", "", "the range has one end"),
        ("{expiry: 30, unit: minutes}", "{expiry: 30, unit: seconds}", "are too short"),
        ('ip: "fd00:10:20:60::20"', 'ip: "fd00:10:20:60::1"', "the bridge's own address"),
        ('ip: "fd00:10:20:60::20"', 'ip: "fd00:10:20:60::110"', "is already that of"),
        (
            "      start: fd00:10:20:60::100\n      end: fd00:10:20:60::11f\n",
            "",
            "a lease time of a range that is not there",
        ),
        (
            "      start: fd00:10:20:60::100\n      end: fd00:10:20:60::11f\n",
            "",
            "keeps no address for the guest's DUID, 00:03:00:01:52:54:00:aa:60:01",
        ),
    ],
)
def test_what_no_server_can_serve_is_an_error(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        written(tmp_path, (before, after))
    assert said in str(caught.value)


def test_a_placed_server_keeps_the_places_of_its_addresses() -> None:
    documented = load(str(SHIPPED))
    taken = Taken(macs=frozenset({"52:54:00:aa:60:02"}))
    placed = Placement.beside(taken, "plumb", None).place(documented)
    prefix, own = placed.network.address6, served(placed)
    assert prefix is not None
    assert prefix != documented.network.address6
    first = prefix.network.network_address
    assert (own.start, own.end) == (first + 0x100, first + 0x11F)
    # The guest has another MAC, and so another DUID.
    assert placed.guests[1].mac != "52:54:00:aa:60:02"
    assert own.hosts[0].duid == duid_of(placed.guests[1].mac)
    assert own.hosts[0].name == placed.guests[1].name
    assert own.hosts[0].ip == first + 0x20
    assert own.hosts[1].duid == served(documented).hosts[1].duid


def test_libvirts_xml_is_read(tmp_path: Path) -> None:
    host = "<host id='0:4:7e:7d:f0' name='paul' ip='fd00:9::20'/>"
    topology = read(tmp_path, RANGE, host)
    found = served(topology)
    assert (found.start, found.end) == (IPv6Address("fd00:9::100"), IPv6Address("fd00:9::1ff"))
    assert found.lease == LeaseTime(expiry=2, unit="hours")
    [kept] = found.hosts
    assert (kept.duid, kept.name) == ("00:04:7e:7d:f0", "paul")
    assert not_looked_at(topology) == []
    # That of IPv4 is read as ever.
    assert topology.network.dhcp is not None


def test_what_the_model_cannot_have_is_not_looked_at(tmp_path: Path) -> None:
    topology = read(tmp_path, RANGE, "<host name='bob' ip='fd00:9::21'/>", RANGE)
    assert served(topology).hosts == ()
    said = not_looked_at(topology)
    assert [each for each in said if "host" in each]
    assert [each for each in said if "range" in each]
    # The range of the other family is the first of its own.
    assert not [each for each in said if "10.9.0" in each]
    obstacle = topology.obstacle(["V6-19"])
    assert obstacle is not None
    assert topology.obstacle(["NT-05", "IS-05"]) is None


def test_a_server_for_known_clients_alone_is_not_looked_at(tmp_path: Path) -> None:
    topology = read(tmp_path, "<host id='0:4:7e:7d:f0' ip='fd00:9::20'/>")
    assert topology.network.address6 is None
    assert [each for each in not_looked_at(topology) if "fd00:9::20" in each]
