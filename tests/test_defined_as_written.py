# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt is given a network's XML as its user wrote it, and what is live is what was asked for."""

from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from fixtures.errors import HostAtFault
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from fixtures.switch import libvirt_network
from fixtures.testbed.build_network import built_network
from tests.dumped_topologies import DUMPED
from tests.field_networks import FOLDER, expected
from tests.launched import launched
from topologies import library
from topologies.network_import.as_asked import differences
from topologies.network_import.xml_reader import read_xml
from topologies.topology import Topology

pytestmark = pytest.mark.host

# No SR-IOV NIC is in a sandbox.
FILES = sorted(each for each in FOLDER.glob("*.xml") if each.stem != "libvirt-functions")
NETWORKS = expected()


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
        # The kernel, or the host, lacks what the network asks for.
        wanted = NETWORKS[file.stem].refused
        if wanted is None or wanted not in error.message:
            raise


def _require_live(host: Host, topology: Topology, file: Path) -> None:
    network = topology.network
    with built_network(host, network) as live:
        assert live is not None
        asked = read_xml(file.read_text(encoding="utf-8"))
        for flags in (0, libvirt.VIR_NETWORK_XML_INACTIVE):
            assert list(differences(asked, read_xml(live.XMLDesc(flags)))) == []
        assert live.name() == topology.type.libvirt_name(network)
        assert live.bridgeName() == network.bridge


def dumped(host: Host, topology: Topology, folder: Path) -> Topology:
    """Return what `virsh net-dumpxml` prints of a topology's network, read as a topology."""
    with built_network(host, topology.network):
        name = str(topology.type.libvirt_name(topology.network))
        text = host.run(["virsh", "net-dumpxml", name]).stdout
    return written(text, folder)


@pytest.mark.parametrize("name", DUMPED)
def test_the_dump_of_a_shipped_network_is_the_same_model(
    host: Host, tmp_path: Path, name: str
) -> None:
    shipped = library.load(name)
    read = dumped(host, shipped, tmp_path)
    filled_in = {"stp", "forward_delay_s", "mac", "uuid", "name", "address"}
    one, other = (each.network.model_dump(exclude=filled_in) for each in (shipped, read))
    assert other == one
    assert read.kind == shipped.kind
    assert read.families == shipped.families
    assert [p.model_dump() for p in read.promises] == [p.model_dump() for p in shipped.promises]
    assert {guest.static_address is None for guest in read.guests} == {
        guest.static_address is None for guest in shipped.guests
    }
    assert read.network.address == shipped.network.address
    assert read.type.first_frame_s(read.network) == shipped.type.first_frame_s(shipped.network)
    for key in ("mac", "uuid"):
        given = getattr(shipped.network, key)
        assert given is None or getattr(read.network, key) == given
    assert read.reading is not None
    assert not list(read.reading.not_looked_at)


def test_functions_of_a_shipped_network_are_the_same_model(tmp_path: Path) -> None:
    shipped = library.load("passthrough")
    read = written(libvirt_network.definition(shipped.network), tmp_path)
    assert (read.kind, read.network.pf) == (shipped.kind, shipped.network.pf)
    assert [p.model_dump() for p in read.promises] == [p.model_dump() for p in shipped.promises]


# Checks that the dump's run cannot make, for a run adds no more than libvirt says. The dump of a
# network over the host's bridge has no guest that is attached past it.
NOT_OF_THE_DUMP = {"bridged": {"BR-13"}, "bridged-ovs": {"BR-13"}}


def test_a_run_of_the_dump_gives_the_verdicts_of_the_shipped_one(
    host: Host, tmp_path: Path, dumped_in_turn: str
) -> None:
    shipped = library.load(dumped_in_turn)
    read = dumped(host, shipped, tmp_path)
    verdicts = []
    for number, topology in enumerate((shipped, read)):
        # Without the long checks and what measures: these are of the path, not of the definition.
        words = ("--topology", topology.canonical(), "--", "-m", "not lengthy")
        done, record = launched("run", tmp_path / str(number), *words)
        assert record, done.stdout + done.stderr
        verdicts.append(
            {
                check["id"].replace(f"[{topology.name}", "[x"): (check["claims"], check["verdict"])
                for check in record["checks"]
                if not NOT_OF_THE_DUMP.get(shipped.name, set()).intersection(check["claims"])
            }
        )
    assert verdicts[0]
    assert verdicts[1] == verdicts[0]
    assert {verdict for _, verdict in verdicts[0].values()} <= {"conforms", "not-testable"}
    assert "conforms" in {verdict for _, verdict in verdicts[0].values()}


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
