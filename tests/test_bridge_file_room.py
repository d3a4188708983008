# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of bridge hosts with small and large subnets: room for what a run adds, or one error."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from tests.test_bridge_file_errors import NETPLAN, PORTS, written
from topologies import library
from topologies.data_error import DataError

ALONE = "iface br0 inet static\n address {address}\n bridge_ports none\n"
BESIDE_NETPLAN = f"{NETPLAN}    br0: {{interfaces: [eth0], addresses: [198.51.100.2/%s]}}\n"
LARGE = "10.20.0.2/8"


@pytest.mark.parametrize("length", [30, 31, 32])
def test_a_subnet_without_room_is_one_message_with_its_line(length: int, tmp_path: Path) -> None:
    small = f"198.51.100.2/{length}"
    texts = {
        PORTS.replace("198.51.100.2/24", small): ":2: iface br0 address: br0: ",
        ALONE.format(address=small): ":2: iface br0 address: br0: ",
        BESIDE_NETPLAN % length: ":5: network.bridges.br0.addresses[0]: br0: ",
    }
    for text, place in texts.items():
        file = written(tmp_path, text)
        with pytest.raises(DataError) as refused:
            library.load_all([str(file)])
        said = str(refused.value)
        assert said.startswith(f"{file}{place}{IPv4Interface(small).network} has not enough ")
        assert "\n" not in said


def test_a_small_subnet_with_room_and_a_large_one_are_taken(tmp_path: Path) -> None:
    for address, router in (("198.51.100.2/29", "198.51.100.1"), (LARGE, "10.0.0.1")):
        text = PORTS.replace("198.51.100.2/24", address)
        physical = library.load(str(written(tmp_path, text))).physical
        assert physical is not None
        assert (str(physical.host_interface), str(physical.router)) == (address, router)
        assert physical.dhcp is not None
        assert physical.dhcp.size >= 2


def test_of_a_large_subnet_few_addresses_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[IPv4Address] = []
    hosts = IPv4Network.hosts

    def counted(subnet: IPv4Network) -> Iterator[IPv4Address]:
        for each in hosts(subnet):
            seen.append(each)
            assert len(seen) < 10_000
            yield each

    monkeypatch.setattr(IPv4Network, "hosts", counted)
    library.load(str(written(tmp_path, PORTS.replace("198.51.100.2/24", LARGE))))
    assert seen
