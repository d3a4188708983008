# SPDX-License-Identifier: GPL-2.0-or-later
"""The topology file of a network or a bridge that was read: a sandbox builds it."""

from pathlib import Path

import pytest

from tests.imported_networks import (
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
from topologies.library import load
from topologies.network_import.bridge_facts import BridgeFacts
from topologies.network_import.topology_file import topology_yaml


@pytest.mark.parametrize(
    "xml",
    [
        *(NAT, ISOLATED, OVER_OVS, FUNCTIONS),
        NAT.replace("nat", "route").replace("default", "true"),
        NAT.replace("nat", "open").replace("default", "0123"),
        NAT.replace("192.168.122", "192.168.1"),
    ],
)
def test_a_file_is_a_topology_that_a_sandbox_builds(xml: str, tmp_path: Path) -> None:
    found = read(xml, OVS if xml is OVER_OVS else None)
    file = tmp_path / f"{found.name}.yaml"
    file.write_text(topology_yaml(found, "a host"))
    topology = load(str(file))
    assert topology.network.origin == "made"
    assert topology.kind == found.topology(macs=MACS).kind
    assert topology.network.dhcp == found.network.dhcp
    promised = {(p.from_, p.to): p.reach for p in topology.promises}
    assert promised == dict(topology.type.reach)


@pytest.mark.parametrize(
    "facts", [LINUX, OVS, WITHOUT_UPLINK], ids=["linux", "ovs", "without uplink"]
)
def test_a_bridges_file_is_one_too(facts: BridgeFacts, tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(topology_yaml(facts.imported(), "a host"))
    topology = load(str(file))
    assert topology.network.bridge == facts.name
    if topology.physical is not None:
        assert topology.physical.router == facts.router
        assert topology.network.address == facts.address


def test_a_file_lists_what_is_not_looked_at() -> None:
    text = topology_yaml(read(NAT.replace("1024", "20000")), "the host h1")
    assert "# Network default, read from the host h1." in text
    assert "network default, line 6: network/forward/nat/port@start = 20000" in text
    assert "NT-08, NT-09, NT-10" in text
