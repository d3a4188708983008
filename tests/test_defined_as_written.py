# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt is given a network's XML as its user wrote it, and what is live is what was asked for."""

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import libvirt
import pytest

from fixtures.errors import HostAtFault
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from fixtures.switch import libvirt_network
from fixtures.testbed.build_network import built_network
from topologies import library
from topologies.network_import.as_asked import differences
from topologies.network_import.xml_reader import read_xml
from topologies.topology import Topology

pytestmark = pytest.mark.host

FOLDER = Path(__file__).resolve().parent / "networks"
# No SR-IOV NIC is in a sandbox.
FILES = sorted(each for each in FOLDER.glob("*.xml") if each.stem != "libvirt-functions")
# What libvirt says where the kernel, or the host, lacks what a network needs.
REFUSED = MappingProxyType(
    {
        "firewalld-zone": "firewalld is not active",
        "libvirt-bandwidth": "Specified qdisc kind is unknown",
        "libvirt-forwarding-table": "vlan_filtering",
    }
)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox() as made:
        made.run(["ip", "link", "add", "eth1", "type", "veth", "peer", "name", "wire"])
        yield made


@pytest.mark.parametrize("file", FILES, ids=[each.stem for each in FILES])
def test_it_is_live_as_it_was_written(host: Host, file: Path) -> None:
    topology = library.load(str(file))
    network = topology.network
    assert libvirt_network.definition(network) == file.read_text(encoding="utf-8")
    try:
        _require_live(host, topology, file)
    except HostAtFault as error:
        assert REFUSED.get(file.stem, "whatever") in error.message, error.message


def _require_live(host: Host, topology: Topology, file: Path) -> None:
    network = topology.network
    with built_network(host, network) as live:
        assert live is not None
        asked = read_xml(file.read_text(encoding="utf-8"))
        for flags in (0, libvirt.VIR_NETWORK_XML_INACTIVE):
            assert list(differences(asked, read_xml(live.XMLDesc(flags)))) == []
        assert live.name() == topology.type.libvirt_name(network)
        assert live.bridgeName() == network.bridge


def written(text: str, folder: Path) -> Topology:
    file = folder / "net.xml"
    file.write_text(text, encoding="utf-8")
    return library.load(str(file))


NAT = (FOLDER / "libvirt-default.xml").read_text(encoding="utf-8")


def test_what_libvirt_leaves_out_without_a_word_is_named(host: Host, tmp_path: Path) -> None:
    newer = NAT.replace("<mac ", "<newer than='this'/>\n  <mac ")
    topology = written(newer, tmp_path)
    with built_network(host, topology.network) as live:
        assert live is not None
        seen = list(differences(read_xml(newer), read_xml(live.XMLDesc())))
    assert seen == ['line 10: network/newer than="this" is not live']


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("mode='nat'", "mode='nat' dev='eth0'><interface dev='eth9'/></forward><forward"), 4, ""),
        (("<dhcp>", "<dhcp><host mac='01:02:03:04:05:06' ip='192.168.122.9'/>"), 12, "01:02:03"),
        (("<ip ", "<ip family='ipv6' address='2001:db8::1' prefix='200'/>\n  <ip "), 11, "200"),
        (("<bridge ", "<bridge zone='trusted' "), 9, "trusted"),
    ],
)
def test_what_libvirt_refuses_is_its_message_with_the_line(
    host: Host, tmp_path: Path, change: tuple[str, str], line: int, said: str
) -> None:
    topology = written(NAT.replace(*change, 1), tmp_path)
    with pytest.raises(HostAtFault) as caught, built_network(host, topology.network):
        pass
    assert caught.value.message.startswith(f"{tmp_path / 'net.xml'}:{line}: libvirt ")
    assert said in caught.value.message
    assert "\n" not in caught.value.message
