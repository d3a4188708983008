# SPDX-License-Identifier: GPL-2.0-or-later
"""Network types without a host: libvirt's XML, build steps, gateways, hops and promises."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from contracts.address_family import IPV4
from fixtures.host.lab import LabHost
from fixtures.switch.libvirt_network import definition
from topologies.cli_names import FOLDER, SHIPPED
from topologies.default_promises import promises_of
from topologies.library import load
from topologies.network_types import NETWORK_TYPES, type_of
from topologies.network_types.build_steps import HostBridge, LibvirtNetwork, VirtualFunctions
from topologies.network_types.network_type import CELLS

FORWARD_MODES = {"nat": "nat", "isolated": None, "routed": "route", "open": "open"}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_network_is_of_the_type_that_its_kind_names(name: str) -> None:
    topology = load(name)
    assert type_of(topology.network) is topology.type is NETWORK_TYPES[topology.kind]
    assert not list(topology.type.breaches(topology.network))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_file_may_leave_its_promises_to_the_type(name: str) -> None:
    topology = load(name)
    by_type = promises_of(topology.network, topology.physical)
    assert [(p["from"], p["to"], p["reach"]) for p in by_type] == [
        (p.from_, p.to, p.reach) for p in topology.promises
    ]
    said = {claim for promise in topology.promises for claim in promise.claims}
    assert said <= {claim for promise in by_type for claim in promise["claims"]}


def test_promises_of_a_file_win(tmp_path: Path) -> None:
    text = (FOLDER / "routed.yaml").read_text(encoding="utf-8")
    file = tmp_path / "site.yaml"
    file.write_text(text + "promises:\n  - {from: guest, to: host, reach: true}\n")
    [promise] = load(str(file)).promises
    assert (promise.from_, promise.to, promise.claims) == ("guest", "host", ())


@pytest.mark.parametrize(("name", "mode"), FORWARD_MODES.items())
def test_xml_of_a_virtual_network(name: str, mode: str | None) -> None:
    network = load(name).network
    root = ET.fromstring(definition(network))
    forward, served = root.find("forward"), root.find("ip/dhcp/range")
    assert (None if forward is None else forward.get("mode")) == mode
    assert root.findtext("name") == network.name
    assert served is not None
    assert network.dhcp_range is not None
    bounds = {"start": str(network.dhcp_range.start), "end": str(network.dhcp_range.end)}
    assert served.attrib == bounds


def test_xml_of_a_network_of_functions() -> None:
    network = load("passthrough").network
    steps = type_of(network).build_steps(network)
    assert steps[0] == VirtualFunctions(network.pf, 3)
    forward = ET.fromstring(definition(network)).find("forward")
    assert forward is not None
    assert forward.attrib == {"mode": "hostdev", "managed": "yes"}


@pytest.mark.parametrize(("name", "virtualport"), [("bridged", 0), ("bridged-ovs", 1)])
def test_a_network_over_the_hosts_bridge(name: str, virtualport: int) -> None:
    network = load(name).network
    bridge, over = type_of(network).build_steps(network)
    assert bridge == HostBridge(network)
    assert isinstance(over, LibvirtNetwork)
    root = ET.fromstring(over.xml)
    assert root.find("forward[@mode='bridge']") is not None
    assert len(root.findall("virtualport")) == virtualport


def test_a_bridge_of_the_hosts_is_none_of_libvirts() -> None:
    with pytest.raises(LookupError, match="not made by libvirt"):
        definition(load("ovs").network)


@pytest.mark.parametrize(
    ("name", "gateway"),
    [
        ("nat", "10.10.10.1"),
        ("isolated", None),
        ("routed", "192.168.100.1"),
        ("open", "192.168.101.1"),
        ("ovs", None),
        ("bridged", "192.168.1.1"),
        ("passthrough", "192.168.1.1"),
    ],
)
def test_gateway_of_the_guests(name: str, gateway: str | None) -> None:
    topology = load(name)
    found = topology.gateway(topology.network)
    assert (None if found is None else str(found)) == gateway


@pytest.mark.parametrize(
    ("kind", "out", "within"),
    [
        ("nat", "tap bridge uplink outside-nic", "tap bridge"),
        ("routed", "tap bridge uplink outside-nic", "tap bridge"),
        ("bridged", "tap uplink outside-nic", "tap bridge"),
        ("passthrough", "outside-nic", "pf"),
    ],
)
def test_hops_in_the_order_of_a_request(kind: str, out: str, within: str) -> None:
    type_ = NETWORK_TYPES[kind]
    words = [hop.replace(" ", "-") for hop in type_.hops("guest", "outside")]
    assert words == out.split()
    assert list(type_.hops("outside", "guest")) == [w.replace("-", " ") for w in reversed(words)]
    assert list(type_.hops("guest", "host")) == within.split()


def test_every_type_answers_for_cells_of_the_table() -> None:
    for each in NETWORK_TYPES.values():
        assert set(each.reach) <= set(CELLS), each.name
        assert each.other_switch, each.name


def test_needs_follow_from_types_and_switches() -> None:
    assert load("nat").needs == frozenset()
    assert load("bridged-ovs").needs == {"ovs"}
    assert load("passthrough").needs == {"iommu", "sriov"}


def test_the_guests_of_a_topology_name_its_families() -> None:
    assert load("nat").families == (IPV4,)


def test_a_lab_has_floors_of_its_own() -> None:
    host = LabHost()
    try:
        bridge, nic = load("linux-bridge"), load("passthrough")
        assert bridge.throughput.guest_guest_tcp_mbit_s is None
        assert host.floors(bridge).guest_guest_tcp_mbit_s is None
        asked = bridge.throughput.model_copy(update={"guest_guest_tcp_mbit_s": 50})
        own = bridge.model_copy(update={"throughput": asked})
        assert host.floors(own).guest_guest_tcp_mbit_s == 1
        assert host.floors(nic).guest_host_tcp_mbit_s == 1
        assert host.floors(nic).udp_loss_max_percent == nic.throughput.udp_loss_max_percent
    finally:
        host.close()
