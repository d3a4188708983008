# SPDX-License-Identifier: GPL-2.0-or-later
"""Static IPv6 of guests on a bridge without an uplink: its keys, errors, place, and real runs.

That on a network of libvirt's is in `test_static_ipv6_data.py`.
"""

from pathlib import Path

import pytest

from contracts.address_family import IPV4, IPV6, AddressFamily
from tests.changed_topologies import changed
from tests.launched import require_conforming
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.library import load
from topologies.placement import Placement, Taken
from topologies.topology import Topology

TOPOLOGIES = Path(__file__).parent / "topologies"
DUAL, ALONE, OVS = "linux-bridge-dual-stack", "linux-bridge-ipv6-alone", "ovs-dual-stack"
OWN, GUESTS = "    address6: 2001:db8:122::1/64\n", "    address6: 2001:db8:122::93/64\n"


def shipped(name: str) -> Topology:
    return load(str(TOPOLOGIES / f"{name}.yaml"))


def written(folder: Path, *changes: tuple[str, str], name: str = DUAL) -> Topology:
    """Return one of the topologies, or a shipped one, with some of its text replaced."""
    source = TOPOLOGIES / f"{name}.yaml"
    if not source.exists():
        found = load(name).source_path
        assert found is not None
        source = found
    return changed(source, folder, *changes)


@pytest.mark.parametrize(
    ("name", "families"), [(DUAL, (IPV4, IPV6)), (ALONE, (IPV6,)), (OVS, (IPV4, IPV6))]
)
def test_it_has_the_families_of_its_guests(name: str, families: tuple[AddressFamily, ...]) -> None:
    topology = shipped(name)
    assert topology.families == families
    promised = {promise.cell for promise in topology.promises if promise.reach}
    assert promised == {"guest → guest", "guest → host", "host → guest"}
    asked = {id_ for id_, claim in claims().items() if topology.applies(claim)}
    assert {"GN-07", "GN-08", "GN-09"} <= asked


@pytest.mark.parametrize("name", [DUAL, ALONE])
def test_a_placed_one_is_on_a_prefix_of_the_run(name: str) -> None:
    topology = shipped(name)
    placed = Placement.beside(Taken(), "plumb", None).place(topology)
    bridge, before = placed.network.address6, topology.network.address6
    assert bridge is not None
    assert before is not None
    assert bridge.network != before.network
    for guest, documented in zip(placed.guests, topology.guests, strict=True):
        assert guest.address6 is not None
        assert guest.address6.network == bridge.network
        assert documented.address6 is not None
        # At the same place of it.
        assert int(guest.address6.ip) % 2**64 == int(documented.address6.ip) % 2**64


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (
            DUAL,
            (GUESTS, ""),
            "guests.1..address6: null on network virbr0, where nothing advertises",
        ),
        (DUAL, (OWN, ""), "on which the host has no IPv6; expected null"),
        (DUAL, ("122::93/64", "123::93/64"), "2001:db8:123::93 is outside its network"),
        (DUAL, ("122::93/64", "122::/64"), "is that of every router on 2001:db8:122::/64"),
        (DUAL, ("122::93/64", "122::93/80"), "has another prefix length than its network"),
        (DUAL, ("122::93/64", "122::1/64"), "already that of networks[0].address6"),
        (DUAL, ("122::93/64", "122::92/64"), "already that of guests[0].address6"),
        (DUAL, ("122::93/64", "122::93"), "guests.1..address6"),
        (DUAL, (OWN, f"{OWN}    nat6: true\n"), "nothing serves or translates IPv6"),
        (
            "bridged-dual-stack",
            ("    address: dhcp", "    address: dhcp\n    address6: 2001:db8:1::9/64"),
            "whose guests take an address that the physical network's router advertises",
        ),
    ],
)
def test_errors(tmp_path: Path, name: str, change: tuple[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said.replace("[", r"\[").replace("]", r"\]")):
        written(tmp_path, change, name=name)


@pytest.mark.host
@pytest.mark.parametrize("name", [DUAL, ALONE, OVS])
def test_host_and_guests_reach_each_other(tmp_path: Path, name: str) -> None:
    # GN-11 is about IPv4.
    asked = ["OV-05" if name == OVS else "LB-05", "GN-09", *(("GN-11",) * (name != ALONE))]
    require_conforming(tmp_path, TOPOLOGIES / f"{name}.yaml", asked)
