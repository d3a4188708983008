# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 on the physical network: its keys and errors, its place on a shared host, and a real run."""

from ipaddress import IPv6Interface
from pathlib import Path

import pytest

from contracts.address_family import IPV4, IPV6
from tests.changed_topologies import changed
from tests.launched import require_conforming
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.default_promises import promises_of
from topologies.library import load
from topologies.placement import Placement, Taken
from topologies.placement.moved_fields import moved_fields
from topologies.topology import Topology

TOPOLOGIES = Path(__file__).parent / "topologies"
NAMES = ("bridged-dual-stack", "bridged-ovs-dual-stack")
DATA = {name: (TOPOLOGIES / f"{name}.yaml").read_text(encoding="utf-8") for name in NAMES}
OWN = '    address6: "2001:db8:1::2/64"'


def written(folder: Path, *changes: tuple[str, str], name: str = NAMES[0]) -> Topology:
    """Return one of the topologies with some of its text replaced."""
    return changed(TOPOLOGIES / f"{name}.yaml", folder, *changes)


@pytest.mark.parametrize("name", NAMES)
def test_a_bridge_with_uplink_has_both_families(name: str, tmp_path: Path) -> None:
    topology = written(tmp_path, name=name)
    assert topology.families == (IPV4, IPV6)
    assert topology.network.address6 == IPv6Interface("2001:db8:1::2/64")
    promised = promises_of(topology.network, topology.physical)
    assert all("family" not in each for each in promised)
    assert [p.claims for p in topology.promises] == [tuple(each["claims"]) for each in promised]


def test_the_shipped_bridges_have_ipv4_alone() -> None:
    for name in ("bridged", "bridged-ovs"):
        topology = load(name)
        assert topology.families == (IPV4,)
        asked = {i for i, claim in claims().items() if topology.applies(claim)}
        assert not {each for each in asked if each.startswith("V6-")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((OWN, ""), "networks.0..address6: null is not the host's address"),
        (
            ('address6: "2001:db8:1::2/64"', 'address6: "2001:db8:1::3/64"'),
            "expected 2001:db8:1::2/64",
        ),
        (("    advertised: true\n", ""), "of a prefix that no router advertises"),
        (('subnet: "2001:db8:1::/64"', 'subnet: "2001:db8:1::/72"'), "makes itself an address"),
        ((OWN, "    nat6: true\n" + OWN), "nothing serves or translates IPv6"),
    ],
)
def test_errors(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        written(tmp_path, change)


def test_a_prefix_that_no_bridge_hears_of_is_an_error(tmp_path: Path) -> None:
    source = load("nat-dual-stack").source_path
    assert source is not None
    text = source.read_text(encoding="utf-8")
    file = tmp_path / "mine.yaml"
    ending = 'outside: "2001:db8:1::10"}'
    assert ending in text
    file.write_text(text.replace(ending, ending[:-1] + ", advertised: true}"), encoding="utf-8")
    with pytest.raises(DataError, match="true where no bridge has a port on the physical network"):
        load(str(file))


def test_a_shared_host_gets_no_router_of_the_runs(tmp_path: Path) -> None:
    documented = written(tmp_path)
    placed = Placement.beside(Taken(), "plumb", None).place(documented)
    assert placed.families == (IPV4,)
    assert placed.physical is not None
    assert placed.physical.ipv6 is None
    moved = {each["field"]: each["used"] for each in moved_fields(documented, placed)}
    assert moved["networks[0].address6"] == moved["physical.ipv6.router"] == "null"
    [warning] = placed.warnings
    assert "the bridge has IPv4 alone there" in str(warning)


@pytest.mark.host
@pytest.mark.parametrize(
    ("name", "of_ipv6"),
    [
        (NAMES[0], ("V6-30", "V6-31", "V6-32", "V6-33")),
        # Its switch is no Linux bridge, whose snooping V6-33 is about.
        (NAMES[1], ("V6-30", "V6-31", "V6-32")),
    ],
)
def test_they_conform(name: str, of_ipv6: tuple[str, ...], tmp_path: Path) -> None:
    wanted = (*of_ipv6, "V6-03", "BR-02", "BR-03", "BR-06", "BR-07", "BR-08", "GN-09")
    require_conforming(tmp_path, TOPOLOGIES / f"{name}.yaml", wanted)
