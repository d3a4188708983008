# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks without IPv4 as data: their families, promises and claims, and their errors."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from contracts.address_family import IPV6
from fixtures.switch.libvirt_network import definition
from tests.changed_topologies import changed
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.library import load
from topologies.placement import Placement, Taken
from topologies.topology import Topology

FOLDER = Path(__file__).resolve().parent / "topologies"
ALONE = ("ipv6-alone", "ipv6-alone-nat")


def shipped(name: str) -> Topology:
    return load(str(FOLDER / f"{name}.yaml"))


def written(folder: Path, *changes: tuple[str, str]) -> Topology:
    """Return the isolated topology with some of its text replaced."""
    return changed(FOLDER / "ipv6-alone.yaml", folder, *changes)


@pytest.mark.parametrize("name", ALONE)
def test_it_has_one_family_and_one_address(name: str) -> None:
    topology = shipped(name)
    assert topology.families == (IPV6,)
    root = ET.fromstring(definition(topology.network))
    assert [each.get("family") for each in root.findall("ip")] == ["ipv6"]


@pytest.mark.parametrize("name", ALONE)
def test_it_is_asked_no_claim_of_ipv4(name: str) -> None:
    topology = shipped(name)
    asked = {each.id for each in claims().values() if topology.applies(each)}
    assert "V6-03" in asked
    assert not {id_ for id_ in asked if claims()[id_].family == "ipv4"}
    assert not {"NT-05", "NT-08", "IS-05", "IS-06", "NT-21", "DN-08"} & asked
    # One with both families is asked of each.
    assert load("nat-dual-stack").applies(claims()["NT-08"])


def test_its_promises_are_those_of_ipv6() -> None:
    said = {
        each.cell: (each.reach, each.source, each.claims) for each in shipped(ALONE[1]).promises
    }
    assert said["guest → outside"] == (True, "host", ("NT-10", "V6-04"))
    assert said["outside → guest"] == (False, None, ("NT-11", "V6-05"))


def test_untranslated_it_is_routed(tmp_path: Path) -> None:
    routed = written(tmp_path, ("kind: isolated", "kind: nat"), ("forward: none", "forward: nat"))
    said = {each.cell: (each.reach, each.source) for each in routed.promises}
    assert said["guest → outside"] == (True, "self")
    assert said["outside → guest"] == (True, None)


def test_a_placed_one_has_guests_without_ipv4() -> None:
    placed = Placement.beside(Taken(), "plumb", None).place(shipped(ALONE[0]))
    assert [guest.address for guest in placed.guests] == [None, None]
    assert placed.network.address is None
    assert placed.network.address6 is not None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("address6: fd00:10:20:70::1/64", "address6: null", "which has no IPv6 either"),
        ("address: null", "address: dhcp", "whose only address is of IPv6"),
        ("address: null", "address: 10.20.70.2/24", "whose only address is of IPv6"),
    ],
)
def test_who_has_no_ipv4_has_ipv6(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        written(tmp_path, (before, after))
    assert said in str(caught.value)
