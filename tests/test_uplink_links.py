# SPDX-License-Identifier: GPL-2.0-or-later
"""An uplink that is a VLAN or a bond: what files say of it, what is refused, what is made of it."""

from pathlib import Path

import pytest

from fixtures.host.sandbox import sandbox
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.build_network import built_network
from fixtures.testbed.physical_network import physical_network
from fixtures.testbed.uplink_links import UplinkLinks, why_no_bond
from launcher.capabilities import CAPABILITIES, State
from launcher.finding import Finding
from topologies import library
from topologies.bridge_files.bridge_file import as_imported, declared_bridges
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.network_import.reading import Setting
from topologies.network_import.topology_file import topology_yaml
from topologies.placement import Placement, Taken
from topologies.topology import Topology
from topologies.uplink_links import UplinkBond, UplinkVlan

TOPOLOGIES = Path(__file__).resolve().parent / "topologies"
NETPLAN = """\
network:
  ethernets: {nic1: {set-name: lan1}, nic2: {}}
  bonds: {bond0: {interfaces: [nic1, nic2], parameters: {mode: %s, mii-monitor-interval: 50}}}
  vlans: {v: {id: %s, link: bond0}}
  bridges: {br0: {interfaces: [v], addresses: [198.51.100.2/24]}}
"""


def bridge_of(ports: str, *stanzas: str) -> str:
    own = f"iface br0 inet static\n address 198.51.100.2/24\n bridge_ports {ports}\n"
    return "\n".join((own, *stanzas))


def loaded(folder: Path, text: str) -> Topology:
    file = folder / ("site.yaml" if text.startswith("network:") else "interfaces")
    file.write_text(text, encoding="utf-8")
    return library.load(str(file))


def vlan(tag: int, link: str) -> UplinkVlan:
    return UplinkVlan(tag=tag, link=link)


def bond(*ports: str, monitor_ms: int | None = None) -> UplinkBond:
    return UplinkBond(ports=ports, monitor_ms=monitor_ms)


BOND = "iface bond0 inet manual\n bond-slaves eno1 eno2\n bond-mode active-backup\n"


def interval(written: str) -> str:
    return (NETPLAN % ("active-backup", 20)).replace("interval: 50", f"interval: {written}")


def link_of(name: str) -> str:
    text = NETPLAN % ("active-backup", 20)
    return text.replace("link: bond0}}", f"link: {name}}}, w: {{id: 9, link: bond0}}}}")


@pytest.mark.parametrize(
    ("text", "of_vlan", "of_bond"),
    [
        (bridge_of("eno1"), None, None),
        (bridge_of("eno1.20"), vlan(20, "eno1"), None),
        (bridge_of("eno1.0020"), vlan(20, "eno1"), None),
        (bridge_of("vlan20", "iface vlan20 inet manual\n vlan_raw_device eno1\n"), (20, "eno1"), 0),
        (bridge_of("lan", "iface lan\n vlan-raw-device eno1\n vlan-id 30\n"), (30, "eno1"), 0),
        # The stanza says more than the name.
        (bridge_of("eno1.20", "iface eno1.20\n vlan-raw-device eno2\n"), (20, "eno2"), 0),
        # A number alone makes no VLAN.
        (bridge_of("eno1", "iface eno1\n vlan-id 30\n"), None, None),
        (bridge_of("lan", "iface lan\n vlan-raw-device eno1\n"), None, None),
        (bridge_of("bond0", BOND), None, bond("eno1", "eno2")),
        (bridge_of("bond0", BOND.replace("active-backup", "1")), None, bond("eno1", "eno2")),
        (bridge_of("bond0", f"{BOND} bond-miimon 50\n"), None, bond("eno1", "eno2", monitor_ms=50)),
        (bridge_of("bond0.7", BOND), vlan(7, "bond0"), bond("eno1", "eno2")),
        (
            bridge_of(
                "bond0",
                BOND.replace("eno1 eno2", "none"),
                *(f"iface eno{n} inet manual\n bond-master bond0\n" for n in (1, 2)),
            ),
            None,
            bond("eno1", "eno2"),
        ),
        # Of these the run makes a NIC.
        (bridge_of("bond0", BOND.replace("active-backup", "802.3ad")), None, None),
        (bridge_of("bond0", BOND.replace(" bond-mode active-backup\n", "")), None, None),
        (bridge_of("bond0", BOND.replace("eno1 eno2", "eno1")), None, None),
        # Each asks a machine of the site for its NICs' links.
        (bridge_of("bond0", f"{BOND} bond-arp-interval 200\n"), None, None),
        (bridge_of("bond0.7", f"{BOND} bond_arp_interval 200\n"), vlan(7, "bond0"), None),
        (NETPLAN % ("active-backup, arp-interval: 200", 20), vlan(20, "bond0"), None),
        # 0 asks nothing.
        (bridge_of("bond0", f"{BOND} bond-arp-interval 0\n"), None, bond("eno1", "eno2")),
        (interval("1s"), vlan(20, "bond0"), bond("lan1", "nic2", monitor_ms=1000)),
        (interval("200ms"), vlan(20, "bond0"), bond("lan1", "nic2", monitor_ms=200)),
        (interval("0"), vlan(20, "bond0"), bond("lan1", "nic2", monitor_ms=0)),
        (NETPLAN % ("active-backup", 20), vlan(20, "bond0"), bond("lan1", "nic2", monitor_ms=50)),
        (NETPLAN % ("balance-rr", 20), vlan(20, "bond0"), None),
    ],
)
def test_what_a_port_is_made_of(
    text: str,
    of_vlan: UplinkVlan | tuple[int, str] | None,
    of_bond: UplinkBond | int | None,
    tmp_path: Path,
) -> None:
    network = loaded(tmp_path, text).network
    wanted = vlan(*of_vlan) if isinstance(of_vlan, tuple) else of_vlan
    assert network.uplink_vlan == wanted
    assert network.uplink_bond == (of_bond or None)


def made_by(topology: Topology) -> list[Setting]:
    assert topology.reading is not None
    return [each for each in topology.reading.settings if each.element.endswith("made by")]


@pytest.mark.parametrize(
    ("ports", "stanza", "maker", "treatment"),
    [
        ("eno1.20", "", "ifup, by the scripts of bridge-utils", "used"),
        ("vlan20", "iface vlan20 inet manual\n vlan-raw-device eno1\n", "ip: ", "not looked at"),
        ("bond0", BOND, "ip: ", "not looked at"),
        ("bond0.7", BOND, "ifup, by the scripts of bridge-utils", "used"),
    ],
)
def test_the_reading_has_the_maker_of_the_port(
    ports: str, stanza: str, maker: str, treatment: str, tmp_path: Path
) -> None:
    [_, found] = made_by(loaded(tmp_path, bridge_of(ports, stanza)))
    assert found.element == f"{ports} made by"
    assert found.value.startswith(maker)
    assert (found.treatment, found.line) == (treatment, 3)


def test_a_nic_has_no_maker(tmp_path: Path) -> None:
    [bridge] = made_by(loaded(tmp_path, bridge_of("eno1")))
    assert bridge.element == "made by"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (bridge_of("eno1.4095"), 3, "4095 is no VLAN; expected 1 to 4094"),
        (bridge_of("eno1.0"), 3, "0 is no VLAN; expected 1 to 4094"),
        (bridge_of("v", "iface v\n vlan-raw-device eno1\n vlan-id 5000\n"), 7, "5000 is no VLAN"),
        (bridge_of("v7", "iface v7\n vlan-raw-device a-name-of-17-cha\n"), 3, "at most 15"),
        (bridge_of("br0.7", "iface br0.7\n vlan-raw-device br0\n"), 3, "the name of the bridge"),
        (bridge_of("eno1.100.20"), 3, "eno1.100 is a VLAN itself; expected a NIC or a bond"),
        (
            bridge_of("v20", "iface v20\n vlan-raw-device v9\niface v9\n vlan-raw-device eno1\n"),
            6,
            "v9 is a VLAN itself",
        ),
        (link_of("w"), 4, "w is a VLAN itself"),
        (link_of("bond1"), 4, "bond1 is defined nowhere in the file"),
        (bridge_of("bond0", f"{BOND} bond-miimon 100ms\n"), 8, '"100ms"; expected a whole number'),
        (interval("1min"), 3, '"1min"; expected a whole number of milliseconds, or one with ms, s'),
        (interval("fast"), 3, '"fast"; expected a whole number of milliseconds'),
        (NETPLAN % ("active-backup", 4095), 4, "4095 is no VLAN; expected 1 to 4094"),
    ],
)
def test_one_error_with_its_line(text: str, line: int, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        loaded(tmp_path, text)
    assert said in str(caught.value)
    assert f":{line}: " in str(caught.value)


def changed(folder: Path, name: str, before: str, after: str) -> Path:
    text = (TOPOLOGIES / name).read_text(encoding="utf-8")
    assert before in text
    file = folder / name
    file.write_text(text.replace(before, after), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("bridged-vlan.yaml", "link: eth1}", "link: br0}", "br0 is already the name of the bridge"),
        ("bridged-vlan.yaml", "link: eth1}", "link: eth1.20}", "the name of the uplink"),
        ("bridged-vlan.yaml", "tag: 20", "tag: 4095", "expected at most 4094"),
        ("bridged-bond.yaml", "[eth1, eth2]", "[eth1, eth1]", "name of uplink_bond.ports.0"),
        ("bridged-bond.yaml", "[eth1, eth2]", "[eth1, bond0]", "the name of the uplink"),
        ("bridged-bond.yaml", "[eth1, eth2]", "[eth1]", "expected 2 or more"),
        ("bridged-bond.yaml", "mode: active-backup,", "mode: balance-rr,", "active-backup"),
    ],
)
def test_a_topology_file_is_refused(
    name: str, before: str, after: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="networks") as caught:
        library.load(str(changed(tmp_path, name, before, after)))
    assert said in str(caught.value)


def test_a_vlan_without_an_uplink_is_refused(tmp_path: Path) -> None:
    nat = library.load("nat").source_path
    assert nat is not None
    text = nat.read_text(encoding="utf-8")
    file = tmp_path / "mine.yaml"
    file.write_text(
        text.replace("    forward: nat", "    uplink_vlan: {tag: 20, link: eth1}\n    forward: nat")
    )
    with pytest.raises(DataError, match=r"networks\[0\]\.uplink_vlan: the network has no uplink"):
        library.load(str(file))


@pytest.mark.parametrize(("name", "claim"), [("vlan", "BR-17"), ("bond", "BR-18")])
def test_a_host_with_other_users_gets_a_nic(name: str, claim: str) -> None:
    topology = library.load(str(TOPOLOGIES / f"bridged-{name}.yaml"))
    assert topology.applies(claims()[claim])
    placed = Placement.beside(Taken(), "plumb", None).place(topology)
    assert (placed.network.uplink_vlan, placed.network.uplink_bond) == (None, None)
    assert not library.load("bridged").applies(claims()[claim])


def test_an_import_of_a_file_keeps_them(tmp_path: Path) -> None:
    file = tmp_path / "interfaces"
    file.write_text(bridge_of("bond0.7", BOND), encoding="utf-8")
    [bridge] = declared_bridges(file)
    imported = tmp_path / "site.yaml"
    imported.write_text(topology_yaml(as_imported(bridge), "interfaces"), encoding="utf-8")
    network = library.load(str(imported)).network
    assert network.uplink_vlan == vlan(7, "bond0")
    assert network.uplink_bond == bond("eno1", "eno2")


@pytest.mark.parametrize(
    ("made_of", "nics", "ports", "words"),
    [
        (UplinkLinks("eth0"), ("eth0",), ("to-host",), None),
        (
            UplinkLinks("eth0.20", vlan(20, "eth0")),
            ("eth0",),
            ("to-host.20",),
            "VLAN 20 of eth0",
        ),
        (
            UplinkLinks("bond0", None, bond("eth0", "eth1")),
            ("eth0", "eth1"),
            ("to-host", "to-host2"),
            "bond of eth0 and eth1",
        ),
        (
            UplinkLinks("v", vlan(4094, "bond0"), bond("eth0", "eth1")),
            ("eth0", "eth1"),
            ("to-host.4094", "to-host2.4094"),
            "VLAN 4094 of bond0, of eth0 and eth1",
        ),
    ],
)
def test_cables_and_ports(
    made_of: UplinkLinks, nics: tuple[str, ...], ports: tuple[str, ...], words: str | None
) -> None:
    assert made_of.nics == nics
    assert made_of.switch_ports == ports
    assert made_of.words == words


@pytest.mark.parametrize(
    ("state", "ports", "said"),
    [
        (State.NO, bridge_of("bond0.7", BOND), "the host lacks vlan (probe: no 802.1Q)"),
        (State.YES, bridge_of("bond0.7", BOND), None),
        (State.NO, bridge_of("bond0", BOND), None),
        (State.NO, bridge_of("eno1.7"), None),
    ],
)
def test_a_bond_below_a_vlan_needs_vlans(
    state: State, ports: str, said: str | None, tmp_path: Path
) -> None:
    network = loaded(tmp_path, ports).network
    why = why_no_bond(network, Finding("vlan", state, "no 802.1Q"))
    assert (None if why is None else str(why)) == said


@pytest.mark.host
@pytest.mark.parametrize(("name", "capability"), [("vlan", "vlan"), ("bond", "bonding")])
def test_the_uplink_is_made_as_far_as_the_kernel_can(name: str, capability: str) -> None:
    topology = library.load(str(TOPOLOGIES / f"bridged-{name}.yaml"))
    figures, networks = topology.physical, topology.networks
    assert figures is not None
    with (
        sandbox() as host,
        physical_network(host, figures, networks=networks) as physical,
        built_network(host, topology.network),
    ):
        able = CAPABILITIES[capability](host.probed).state is State.YES
        assert (physical.uplink.words is not None) == able
        assert figures.uplink in LinuxBridge(host, topology.network.bridge).ports()
        # Through the bridge, with the tag or by the bond where there is one.
        host.run(["ping", "-c", "1", "-W", "5", str(figures.outside)])
