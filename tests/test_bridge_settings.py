# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of a host's bridge: what files say of them, what is refused, what the kernel has."""

from pathlib import Path

import pytest

from fixtures.host.sandbox import sandbox
from fixtures.switch.asked_settings import asked_settings
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.learning_bridge import learns
from topologies import library
from topologies.bridge_settings import BridgeSettings
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.topology import Topology

SETTINGS = Path(__file__).resolve().parent / "topologies" / "bridged-settings.yaml"
STANZA = "iface br0 inet static\n address 198.51.100.2/24\n bridge_ports eth0\n"
NETPLAN = (
    "network:\n  ethernets: {eth0: {}}\n"
    "  bridges:\n    br0: {interfaces: [eth0], parameters: {%s}}\n"
)


def loaded(folder: Path, text: str) -> Topology:
    file = folder / ("site.yaml" if text.startswith("network:") else "interfaces")
    file.write_text(text, encoding="utf-8")
    return library.load(str(file))


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (STANZA, None),
        (f"{STANZA} bridge_ageing 100\n", BridgeSettings(ageing_s=100)),
        (
            f"{STANZA} bridge_hello 1.0\n bridge_maxage 9\n",
            BridgeSettings(hello_s=1, max_age_s=9),
        ),
        (f"{STANZA} bridge-bridgeprio 4096\n", BridgeSettings(priority=4096)),
        (f"{STANZA} bridge-vlan-aware yes\n", BridgeSettings(vlan_aware=True)),
        (f"{STANZA} bridge-vlan-aware no\n", BridgeSettings(vlan_aware=False)),
        (
            "iface br0\n address 198.51.100.2/24\n bridge-ports eth0\n bridge-vlan-aware 1\n",
            BridgeSettings(vlan_aware=True),
        ),
        (f"{STANZA} bridge_hello 1.5\n bridge_maxage 9\n", BridgeSettings(max_age_s=9)),
        (f"{STANZA} bridge_pathcost eth0 50\n", BridgeSettings(uplink_cost=50)),
        (f"{STANZA} bridge_portprio eth0 16\n", BridgeSettings(uplink_priority=16)),
        # Of another port, beyond the kernel's range, and in ifupdown2's form, which ifup ignores.
        (f"{STANZA} bridge_pathcost eth9 50\n", None),
        (f"{STANZA} bridge_portprio eth0 64\n", None),
        (f"{STANZA} bridge-pathcosts eth0=50\n", None),
        (
            "iface br0\n address 198.51.100.2/24\n bridge-ports eth0\n"
            " bridge-pathcosts eth9=5 eth0=50\n bridge-portprios eth0=8\n",
            BridgeSettings(uplink_cost=50, uplink_priority=8),
        ),
        (NETPLAN % "path-cost: {eth0: 50}", BridgeSettings(uplink_cost=50)),
        (NETPLAN % "port-priority: {eth0: 16}", BridgeSettings(uplink_priority=16)),
        (NETPLAN % "path-cost: {eth9: 50}", None),
        (NETPLAN % "stp: no", None),
        (NETPLAN % "ageing-time: 100s, max-age: 9", BridgeSettings(ageing_s=100, max_age_s=9)),
        (NETPLAN % "aging-time: 50, priority: 0", BridgeSettings(ageing_s=50, priority=0)),
        (NETPLAN % "hello-time: 1", BridgeSettings(hello_s=1)),
    ],
)
def test_what_a_file_asks_for(text: str, settings: BridgeSettings | None, tmp_path: Path) -> None:
    topology = loaded(tmp_path, text)
    assert topology.network.bridge_settings == settings
    assert topology.applies(claims()["LB-14"]) == (settings is not None)


@pytest.mark.parametrize(
    ("text", "line", "value", "undecided"),
    [
        (f"{STANZA} bridge_ageing long\n", 4, "long", ("LB-08", "LB-09", "LB-10", "LB-11")),
        (f"{STANZA} bridge_hello 1.5\n", 4, "1.5", ("LB-06",)),
        (f"{STANZA} bridge_hello 20\n", 4, "20", ()),
        (f"{STANZA} bridge-vlan-aware maybe\n", 4, "maybe", ()),
        # ifup hands it to the script of bridge-utils, for which it is no yes.
        (f"{STANZA} bridge-vlan-aware on\n", 4, "on", ()),
        (f"{STANZA} bridge-vlan-aware 1\n", 4, "1", ()),
        (f"{STANZA} bridge_bridgeprio 65536\n", 4, "65536", ()),
        (NETPLAN % "hello-time: soon", 4, "soon", ("LB-06",)),
        (NETPLAN % "ageing-time: 5min", 4, "5min", ("LB-08", "LB-09", "LB-10", "LB-11")),
    ],
)
def test_a_value_that_the_model_has_not_is_not_looked_at(
    text: str, line: int, value: str, undecided: tuple[str, ...], tmp_path: Path
) -> None:
    topology = loaded(tmp_path, text)
    assert topology.network.bridge_settings is None
    assert topology.reading is not None
    [found] = [each for each in topology.reading.not_looked_at if each.value == value]
    assert (found.line, found.undecides) == (line, undecided)


def test_of_other_ports_they_are_not_looked_at(tmp_path: Path) -> None:
    topology = loaded(tmp_path, NETPLAN % "path-cost: {eth0: 50, eth9: 60}")
    assert topology.network.bridge_settings == BridgeSettings(uplink_cost=50)
    assert topology.reading is not None
    assert [
        each.value for each in topology.reading.not_looked_at if "path-cost" in each.element
    ] == ["60"]


@pytest.mark.parametrize(
    ("name", "before", "what"),
    [
        ("nat", "    forward: nat", "libvirt's bridge has those of its <bridge> alone"),
        ("ovs", "    forward: none", "they are those of a Linux bridge"),
    ],
)
def test_a_bridge_of_another_kind_has_none(
    name: str, before: str, what: str, tmp_path: Path
) -> None:
    source = library.load(name).source_path
    assert source is not None
    text = source.read_text(encoding="utf-8")
    assert before in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(before, f"    bridge_settings: {{ageing_s: 9}}\n{before}", 1))
    with pytest.raises(DataError) as caught:
        library.load(str(file))
    assert f"networks[0].bridge_settings: {what}" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "iface br0 inet manual\n ovs_type OVSBridge\n ovs_ports eth0\n bridge_ageing 100\n",
        NETPLAN.replace("{interfaces", "{openvswitch: {}, interfaces") % "ageing-time: 100",
    ],
)
def test_those_of_open_vswitch_are_not_looked_at(text: str, tmp_path: Path) -> None:
    topology = loaded(tmp_path, text)
    assert topology.network.bridge_settings is None
    assert topology.reading is not None
    assert "100" in [each.value for each in topology.reading.not_looked_at]


@pytest.mark.parametrize(
    ("root", "undecided"),
    [
        (None, []),
        (
            "1000.020000000001",
            ["forward_delay_s", "bridge_settings.hello_s", "bridge_settings.max_age_s"],
        ),
    ],
)
def test_times_of_another_root_are_undecided(root: str | None, undecided: list[str]) -> None:
    network = library.load(str(SETTINGS)).network
    asked = asked_settings(network, root=root)
    assert {each.name: each.value for each in asked} == {
        "stp": False,
        "forward_delay_s": 4,
        "bridge_settings.ageing_s": 100,
        "bridge_settings.priority": 4096,
        "bridge_settings.hello_s": 1,
        "bridge_settings.max_age_s": 10,
        "bridge_settings.uplink_cost": 50,
        "bridge_settings.uplink_priority": 16,
    }
    assert [each.name for each in asked if each.undecided] == undecided
    assert all(str(root) in each.undecided for each in asked if each.undecided)


@pytest.mark.parametrize(("path", "undecided"), [(None, []), ("eth1", ["mac"])])
def test_the_mac_is_undecided_with_a_path(path: str | None, undecided: list[str]) -> None:
    network = library.load(str(SETTINGS)).network.model_copy(update={"mac": "52:54:00:0a:0b:0c"})
    asked = asked_settings(network, root=None, path=path)
    assert "mac" in [each.name for each in asked]
    assert [each.name for each in asked if each.undecided] == undecided


@pytest.mark.parametrize(
    ("stp", "asked_s", "wanted_s"), [(True, 0, 2), (True, 4, 4), (False, 0, 0), (None, 0, 0)]
)
def test_the_kernel_raises_a_forward_delay(stp: bool | None, asked_s: int, wanted_s: int) -> None:
    network = library.load(str(SETTINGS)).network
    network = network.model_copy(update={"stp": stp, "forward_delay_s": asked_s})
    wanted = {each.name: each.value for each in asked_settings(network, root=None)}
    assert wanted["forward_delay_s"] == wanted_s


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("hello_s: 1", "hello_s: 0", "expected at least 1"),
        ("hello_s: 1", "hello_s: 11", "expected at most 10"),
        ("max_age_s: 10", "max_age_s: 5", "expected at least 6"),
        ("max_age_s: 10", "max_age_s: 41", "expected at most 40"),
        ("ageing_s: 100", "ageing_s: 42949673", "expected at most 42949672"),
        ("uplink_cost: 50", "uplink_cost: 0", "expected at least 1"),
        ("uplink_cost: 50", "uplink_cost: 65536", "expected at most 65535"),
        ("uplink_priority: 16", "uplink_priority: 64", "expected at most 63"),
    ],
)
def test_what_the_kernel_refuses_is_refused(
    before: str, after: str, said: str, tmp_path: Path
) -> None:
    text = SETTINGS.read_text(encoding="utf-8")
    assert before in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        library.load(str(file))
    assert f"networks[0].bridge_settings.{after.partition(':')[0]}" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "learnt"),
    [
        (None, True),
        (BridgeSettings(), True),
        (BridgeSettings(ageing_s=1), True),
        (BridgeSettings(ageing_s=0), False),
    ],
)
def test_a_bridge_without_ageing_learns_nothing(
    settings: BridgeSettings | None, learnt: bool
) -> None:
    network = library.load(str(SETTINGS)).network
    assert learns(network.model_copy(update={"bridge_settings": settings})) == learnt


@pytest.mark.host
def test_the_kernel_has_them() -> None:
    network = library.load(str(SETTINGS)).network
    with sandbox() as host, LinuxBridge.made(host, network) as bridge:
        host.run(["ip", "link", "add", "eth1", "type", "veth", "peer", "name", "wire"])
        for _ in range(2):
            # Also when it comes back.
            bridge.attach("eth1")
            found = LinuxBridge(host, network.bridge).settings("eth1")
            bridge.detach("eth1")
    assert network.bridge_settings is not None
    assert found == network.bridge_settings.model_copy(update={"vlan_aware": False})


@pytest.mark.host
@pytest.mark.parametrize("delay_s", [0, 4])
def test_the_kernel_has_the_forward_delay_with_stp_on(delay_s: int) -> None:
    network = library.load(str(SETTINGS)).network
    network = network.model_copy(update={"stp": True, "forward_delay_s": delay_s})
    with sandbox() as host, LinuxBridge.made(host, network):
        bridge = LinuxBridge(host, network.bridge)
        found = {"stp": bridge.stp(), "forward_delay_s": bridge.forward_delay_s()}
    wanted = {each.name: each.value for each in asked_settings(network, root=None)}
    assert found == {key: wanted[key] for key in found}
