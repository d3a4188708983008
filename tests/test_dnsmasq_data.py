# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network asks of its dnsmasq: as libvirt's XML, elsewhere, and with warnings."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.probe.name_lookup import reverse_name
from fixtures.switch.libvirt_network import beside, definition
from topologies.catalogue import claims
from topologies.dhcp import LeaseTime
from topologies.library import load
from topologies.part import keys_of
from topologies.placement import Placement
from topologies.placement.taken import Taken
from topologies.schema import Network

NETWORKS = Path(__file__).parent / "topologies"
OPTION = "{http://libvirt.org/schemas/network/dnsmasq/1.0}option"


def test_the_xml_has_every_key() -> None:
    root = ET.fromstring(definition(load("nat-dnsmasq").network))
    written = {
        "domain": [{"name": "lab.example", "localOnly": "yes"}],
        "dns": [{"forwardPlainNames": "no"}],
        "dns/forwarder": [{"domain": "corp.example", "addr": "192.168.1.53"}],
        "dns/txt": [{"name": "note.lab.example", "value": "v=1; all of it"}],
        "dns/host": [{"ip": "10.10.20.5"}],
        "ip/tftp": [{"root": "/var/lib/tftpboot"}],
        "ip/dhcp/range/lease": [{"expiry": "10", "unit": "minutes"}],
        "ip/dhcp/bootp": [{"file": "pxelinux.0"}],
    }
    for path, attributes in written.items():
        assert [each.attrib for each in root.findall(path)] == attributes, path
    assert [each.text for each in root.findall("dns/host/hostname")] == [
        "api.lab.example", "registry",
    ]  # fmt: skip
    [srv] = root.findall("dns/srv")
    assert srv.attrib["target"] == "api.lab.example"
    kept = [each.attrib for each in root.findall("ip/dhcp/host")]
    assert kept[0] == {"mac": "52:54:00:55:9b:d6", "name": "kvm1", "ip": "10.10.20.110"}
    assert kept[3] == {"name": "printer", "ip": "10.10.20.21"}
    assert [each.get("value") for each in root.iter(OPTION)] == ["dhcp-option=42,10.10.20.1"]


def test_a_server_that_is_off_and_reservations_alone() -> None:
    network = load(str(NETWORKS / "reservations-alone.yaml")).network
    root = ET.fromstring(definition(network))
    assert [each.attrib for each in root.findall("dns")] == [{"enable": "no"}]
    assert root.find("ip/dhcp/range") is None
    assert len(root.findall("ip/dhcp/host")) == 2
    assert (network.dhcp_range, network.has_dns) == (None, False)


def test_a_network_beside_it_serves_other_clients() -> None:
    second = beside(load("nat-dnsmasq").network, "plumb-two", [])
    for key in ("domain", "dns", "tftp", "dnsmasq_options", "dhcp.hosts"):
        assert not second.asks_for(key), key


def test_placed_it_serves_the_same_guests() -> None:
    documented = load("nat-dnsmasq")
    mac = documented.guests[0].mac
    placed = Placement.beside(Taken(macs=frozenset({mac})), "plumb", None).place(documented)
    network, guests = placed.network, placed.guests
    assert network.dhcp is not None
    assert network.dns is not None
    assert guests[0].mac != mac
    for guest, last in zip(guests, (110, 20), strict=True):
        kept = network.dhcp.reservation(guest.mac, guest.name)
        assert kept is not None
        assert network.subnet is not None
        assert kept.ip == network.subnet[last]
        assert kept.name == guest.name
    # The forwarder is on the physical network, which has moved as well.
    [forwarder] = network.dns.forwarders
    assert placed.physical is not None
    assert forwarder.address in placed.physical.subnet
    assert network.tftp is not None
    assert network.tftp.root.startswith("/run/plumb1-")


def test_a_range_with_addresses_in_use_is_taken_with_a_warning() -> None:
    found = [str(each) for each in load(str(NETWORKS / "forwarder-for-all.yaml")).warnings]
    assert len(found) == 2
    assert "forwarder-for-all.yaml:21: networks[0].dhcp.start: the range" in found[1]
    assert "holds 10.20.40.1, the bridge's own address" in found[1]
    assert "holds 10.20.40.3, the address of guests[0].address" in found[0]
    assert load("nat-dnsmasq").warnings == ()


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("domain", True),
        ("dns.forward_plain_names", True),
        ("dns.enable", False),
        ("dhcp.bootp.server", False),
        ("dhcp.hosts", True),
        ("dhcp.hosts.lease", True),
        ("dns.srv.weight", True),
        ("routes.metric", False),
        ("vfs", False),
    ],
)
def test_a_key_is_asked_for_with_another_value_than_its_default(key: str, asked: bool) -> None:
    assert load("nat-dnsmasq").network.asks_for(key) == asked
    assert not load("nat").network.asks_for(key)


def test_claims_are_about_keys_that_there_are() -> None:
    known = set(keys_of(Network))
    assert {key for claim in claims().values() for key in claim.keys} <= known
    # Of a list's entries, too.
    assert {"dhcp.hosts", "dhcp.hosts.mac", "dhcp.hosts.lease.expiry"} <= known


@pytest.mark.parametrize(
    ("expiry", "unit", "seconds"),
    [(150, "seconds", 150), (10, "minutes", 600), (2, "hours", 7200), (0, "minutes", 2**32 - 1)],
)
def test_lease_times(expiry: int, unit: str, seconds: int) -> None:
    assert LeaseTime.model_validate({"expiry": expiry, "unit": unit}).seconds == seconds


def test_the_name_of_an_address() -> None:
    assert reverse_name("10.10.20.5") == "5.20.10.10.in-addr.arpa"
