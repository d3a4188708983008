# SPDX-License-Identifier: GPL-2.0-or-later
"""Static IPv6 addresses of guests on networks of libvirt's as data: their place, their errors."""

from ipaddress import IPv6Interface
from pathlib import Path

import pytest

from contracts.address_family import IPV4, IPV6
from tests.changed_topologies import changed
from topologies.data_error import DataError
from topologies.library import load
from topologies.network_types import type_of
from topologies.placement import Placement, Taken
from topologies.topology import Topology

FOLDER = Path(__file__).resolve().parent
STATIC = FOLDER / "topologies" / "ipv6-static.yaml"
OWN = "address6: fd00:10:20:72::20/64"
DUAL = FOLDER.parent / "topologies" / "isolated-dual-stack.yaml"


def written(folder: Path, *changes: tuple[str, str], base: Path = STATIC) -> Topology:
    """Return a topology with some of its text replaced."""
    return changed(base, folder, *changes)


def with_static(folder: Path, base: Path, address: str) -> Topology:
    """Return a topology whose first guest has a static IPv6 address."""
    text = base.read_text(encoding="utf-8")
    guests = text[text.index("\nguests:") :]
    line = next(each for each in guests.splitlines() if each.startswith("    mac: "))
    return written(folder, (line, f'{line}\n    address6: "{address}"'), base=base)


def test_a_guest_has_a_static_address_and_the_other_none() -> None:
    topology = load(str(STATIC))
    assert topology.families == (IPV6,)
    held = [guest.address6 for guest in topology.guests]
    assert held == [None, IPv6Interface("fd00:10:20:72::20/64")]


def test_a_guest_of_both_families_has_it_beside_its_lease(tmp_path: Path) -> None:
    network = load("isolated-dual-stack").network
    assert network.address6 is not None
    own = IPv6Interface((network.address6.ip + 0x50, 64))
    topology = with_static(tmp_path, DUAL, str(own))
    assert topology.families == (IPV4, IPV6)
    assert topology.guests[0].address6 == own
    assert topology.guests[0].address == "dhcp"


def test_its_router_is_the_bridge_where_libvirt_routes() -> None:
    network = load(str(STATIC)).network
    assert network.address6 is not None
    assert type_of(network).gateway6(network) == network.address6.ip
    alone = load("isolated-dual-stack").network
    assert type_of(alone).gateway6(alone) is None


def test_a_placed_one_keeps_the_place_of_its_address() -> None:
    placed = Placement.beside(Taken(), "plumb", None).place(load(str(STATIC)))
    assert placed.network.address6 is not None
    prefix = placed.network.address6.network
    assert placed.guests[1].address6 == IPv6Interface((prefix.network_address + 0x20, 64))


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("address6: fd00:10:20:73::20/64", "is outside its network"),
        ("address6: fd00:10:20:72::20/48", "has another prefix length"),
        ("address6: fd00:10:20:72::1/64", "is already that of networks[0].address6"),
        ('address6: "fd00:10:20:72::/64"', "of every router"),
        ("address6: fd00:10:20:72::105/64", "expected one outside the range and the reservations"),
        ("address6: fd00:10:20:72::20", "prefix"),
    ],
)
def test_what_is_no_free_address_of_the_network_is_an_error(
    tmp_path: Path, after: str, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        written(tmp_path, (OWN, after))
    assert said in str(caught.value)
    assert "guests[1].address6" in str(caught.value)


def test_an_address_is_used_once(tmp_path: Path) -> None:
    first = 'mac: "52:54:00:aa:72:01", address: null'
    with pytest.raises(DataError, match=r"is already that of guests\[0\].address6"):
        written(tmp_path, (first, f'{first}, address6: "fd00:10:20:72::20/64"'))


@pytest.mark.parametrize("name", ["nat", "linux-bridge"])
def test_a_network_without_ipv6_has_none(tmp_path: Path, name: str) -> None:
    base = FOLDER.parent / "topologies" / f"{name}.yaml"
    with pytest.raises(DataError, match="on which the host has no IPv6"):
        with_static(tmp_path, base, "fd00::5/64")


def test_an_existing_network_has_none(tmp_path: Path) -> None:
    text = DUAL.read_text(encoding="utf-8")
    physical = text[text.index("\nphysical:") : text.index("\nguests:")]
    base = tmp_path / "existing.yaml"
    existing = text.replace(physical, "").replace(
        "    made_by: libvirt", "    origin: existing\n    made_by: libvirt"
    )
    base.write_text(existing, encoding="utf-8")
    with pytest.raises(DataError, match="which exists; expected null"):
        with_static(tmp_path, base, "fd00::5/64")
