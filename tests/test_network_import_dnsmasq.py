# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network's dnsmasq serves, read from its XML: names, leases, options, what is left over."""

from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from tests.imported_networks import ISOLATED, MACS, read
from topologies.data_error import DataError
from topologies.library import load
from topologies.network_import.topology_file import topology_yaml

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
