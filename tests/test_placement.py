# SPDX-License-Identifier: GPL-2.0-or-later
"""Placement: every shipped topology beside a host that has all of its names and addresses."""

from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

import pytest

from topologies import library
from topologies.data_error import DataError
from topologies.field_types import INTERFACE_NAME_MAX
from topologies.network_types import type_of
from topologies.placement import Placement, Taken, Wire, moved_fields
from topologies.topology import Topology

STEM = "plumb"


@pytest.fixture(params=library.names())
def topology(request: pytest.FixtureRequest) -> Topology:
    return library.load(request.param)


def names_of(topology: Topology) -> set[str]:
    found = {guest.name for guest in topology.guests}
    for network in topology.networks:
        found |= {network.name, type_of(network).libvirt_name(network) or network.name}
        found |= set(type_of(network).links(network))
    return found


def subnets_of(topology: Topology) -> list[IPv4Network]:
    found = [network.subnet for network in topology.networks if network.subnet is not None]
    return [*found, topology.physical.subnet] if topology.physical is not None else found


def taken_by(topology: Topology) -> Taken:
    """A host that has everything of a topology."""
    return Taken(
        names=frozenset(names_of(topology)),
        networks=tuple(subnets_of(topology)),
        macs=frozenset(guest.mac for guest in topology.guests),
        uuids=frozenset(network.uuid for network in topology.networks if network.uuid),
    )


def test_nothing_is_shared_with_a_host_that_has_it_all(topology: Topology) -> None:
    taken = taken_by(topology)
    used = Placement.beside(taken, STEM, None).place(topology)
    assert not names_of(used) & taken.names
    assert all(name.startswith("plumb1-") for name in names_of(used))
    assert not {guest.mac for guest in used.guests} & taken.macs
    assert not {network.uuid for network in used.networks} & taken.uuids
    for one in subnets_of(used):
        assert not any(one.overlaps(other) for other in taken.networks)


def test_it_keeps_every_rule(topology: Topology) -> None:
    used = Placement.beside(taken_by(topology), STEM, None).place(topology)
    data = used.model_dump(by_alias=True)
    assert Topology.model_validate(data).model_dump(by_alias=True) == data


def test_what_says_what_it_is_stays(topology: Topology) -> None:
    used = Placement.beside(taken_by(topology), STEM, None).place(topology)
    for what in ("name", "kind", "title", "sources", "promises", "throughput"):
        assert getattr(used, what) == getattr(topology, what)
    assert used.canonical() == topology.canonical()
    assert [guest.model for guest in used.guests] == [guest.model for guest in topology.guests]


def test_figures_keep_their_place_in_the_subnet(topology: Topology) -> None:
    used = Placement.beside(taken_by(topology), STEM, None).place(topology)
    for one, other in zip(topology.networks, used.networks, strict=True):
        if one.address is not None and other.address is not None:
            assert int(one.address.ip) & 0xFF == int(other.address.ip) & 0xFF
            assert one.address.network.prefixlen == other.address.network.prefixlen
        if one.dhcp_range is not None and other.dhcp_range is not None:
            assert one.dhcp_range.size == other.dhcp_range.size
            assert other.subnet is not None
            assert other.dhcp_range.start in other.subnet
    if topology.physical is not None and used.physical is not None:
        for name in ("router", "host", "outside"):
            before, after = (getattr(each.physical, name) for each in (topology, used))
            assert int(before) & 0xFF == int(after) & 0xFF
            assert after in used.physical.subnet


def test_a_real_uplink_keeps_its_name() -> None:
    documented = library.load("passthrough")
    used = Placement.beside(taken_by(documented), STEM, None).place(documented)
    assert used.network.pf == documented.network.pf
    bridged = library.load("bridged")
    placed = Placement.beside(Taken(), STEM, None).place(bridged)
    assert placed.physical is not None
    assert placed.network.uplink == placed.physical.uplink == "plumb1-eth1"


def test_a_named_uplink_is_that_of_all_but_passthrough(topology: Topology) -> None:
    used = Placement.beside(taken_by(topology), STEM, None, "nic7").place(topology)
    if topology.physical is not None and used.physical is not None:
        kept = topology.type.uplink_is_real
        assert used.physical.uplink == (topology.physical.uplink if kept else "nic7")
    assert used.network.uplink in (None, used.physical and used.physical.uplink)


def test_macs_and_uuids_that_are_free_stay(topology: Topology) -> None:
    used = Placement.beside(Taken(), STEM, None).place(topology)
    assert [guest.mac for guest in used.guests] == [guest.mac for guest in topology.guests]
    assert used.network.uuid == topology.network.uuid


def test_a_mac_that_a_tap_has_is_taken() -> None:
    documented = library.load("nat")
    taken = Taken(macs=frozenset({f"fe{documented.guests[0].mac[2:]}"}))
    used = Placement.beside(taken, STEM, None).place(documented)
    assert used.guests[0].mac != documented.guests[0].mac
    assert used.guests[0].mac != used.guests[1].mac == documented.guests[1].mac


def test_long_names_are_shortened_and_stay_apart() -> None:
    documented = library.load("nat")
    networks = (
        documented.network.model_copy(update={"bridge_name": "bridge-number-1"}),
        documented.network.model_copy(
            update={"name": "other", "bridge_name": "bridge-number-2", "address": None}
        ),
    )
    longer = documented.model_copy(update={"networks": networks})
    used = Placement.beside(Taken(), STEM, None).place(longer)
    bridges = [network.bridge for network in used.networks]
    assert len(set(bridges)) == 2
    assert all(len(bridge) <= INTERFACE_NAME_MAX for bridge in bridges)


def test_the_number_is_the_first_that_is_free() -> None:
    taken = Taken(names=frozenset({"plumb1-br0", "plumb3-x", "plumber"}))
    assert Placement.beside(taken, STEM, None).prefix == "plumb2-"


@pytest.mark.parametrize(
    ("networks", "pool"),
    [
        ([], "10.213.0.0/16"),
        (["10.213.7.0/24"], "10.214.0.0/16"),
        (["10.128.0.0/9"], "172.16.0.0/16"),
        (["10.208.0.0/12", "10.224.0.0/11", "172.16.0.0/12"], "10.0.0.0/16"),
    ],
)
def test_the_pool_is_a_free_private_network(networks: list[str], pool: str) -> None:
    taken = Taken(networks=tuple(map(IPv4Network, networks)))
    assert Placement.beside(taken, STEM, None).pool == IPv4Network(pool)


def test_subnets_of_a_named_pool_leave_out_what_is_taken() -> None:
    taken = Taken(networks=(IPv4Network("172.20.0.0/24"), IPv4Network("172.20.2.128/25")))
    used = Placement.beside(taken, STEM, "172.20.0.0/22").place(library.load("nat"))
    assert sorted(map(str, subnets_of(used))) == ["172.20.1.0/24", "172.20.3.0/24"]
    assert not any(one.overlaps(other) for one, other in combinations(subnets_of(used), 2))


@pytest.mark.parametrize("word", ["10.213.0.0/24", "10.213.0.1/16", "ten", "", "fd00::/64"])
def test_what_is_no_pool_is_refused(word: str) -> None:
    with pytest.raises(
        DataError, match=r"^--subnets: .*expected .*10\.213\.0\.0/16|larger"
    ) as said:
        Placement.beside(Taken(), STEM, word)
    assert "\n" not in str(said.value)


def test_a_pool_without_room_is_refused() -> None:
    taken = Taken(networks=(IPv4Network("172.20.0.0/24"),))
    placement = Placement.beside(taken, STEM, "172.20.0.0/23")
    with pytest.raises(DataError, match="no free subnets /24, /24 for a topology"):
        placement.place(library.load("nat"))


def test_a_host_without_a_free_private_network_is_refused() -> None:
    taken = Taken(networks=(IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12")))
    with pytest.raises(DataError, match="--subnets: this host has routes"):
        Placement.beside(taken, STEM, None)


def test_both_values_of_what_moved_are_listed() -> None:
    documented = library.load("nat")
    used = Placement.beside(Taken(), STEM, None).place(documented)
    fields = {
        each["field"]: (each["documented"], each["used"]) for each in moved_fields(documented, used)
    }
    assert fields["networks[0].bridge"] == ("virbr1", "plumb1-virbr1")
    assert fields["networks[0].dhcp.end"] == ("10.10.10.254", "10.213.1.254")
    assert fields["physical.router"] == ("192.168.1.1", "10.213.0.1")
    assert "networks[0].forward" not in fields
    assert moved_fields(documented, documented) == []


def wire_with(count: int) -> Wire:
    first = int(IPv4Address("198.51.100.40"))
    free = tuple(IPv4Address(first + number) for number in range(count))
    return Wire(IPv4Network("198.51.100.0/24"), IPv4Address("198.51.100.7"), free)


def test_a_network_of_the_sites_is_in_the_place_of_the_physical_one(topology: Topology) -> None:
    wire = wire_with(8)
    used = Placement.beside(taken_by(topology), STEM, None, "eth7", wire=wire).place(topology)
    on_wire = [guest for guest in used.guests if used.network_of(guest).is_on_physical_network]
    if used.physical is None or topology.type.uplink_is_real:
        assert wire.subnet not in subnets_of(used)
        return
    assert (used.physical.uplink, used.physical.subnet) == ("eth7", wire.subnet)
    assert (used.physical.host, used.physical.outside) == (wire.set_aside[0], wire.outside)
    # Its router is not the run's, so guests have none.
    assert used.physical.gateway is None
    given = [guest.static_address.ip for guest in on_wire if guest.static_address is not None]
    assert given == list(wire.set_aside[1 : 1 + len(on_wire)])
    for network in used.networks:
        if network.is_on_physical_network and network.address is not None:
            assert network.address.ip == used.physical.host
        elif network.subnet is not None:
            assert not network.subnet.overlaps(wire.subnet)


def test_too_few_addresses_of_the_sites_are_refused() -> None:
    placement = Placement.beside(Taken(), STEM, None, "eth7", wire=wire_with(2))
    placement.place(library.load("nat"))
    with pytest.raises(DataError, match="2 addresses of"):
        placement.place(library.load("bridged"))
