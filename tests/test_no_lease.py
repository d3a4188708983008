# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest without a lease: the host's fault where its network's DHCP server is there."""

from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fixtures.errors import HarnessError, HostAtFault, KeptFromServer
from fixtures.guest.guest_address import NoLease
from fixtures.probe.evidence import Evidence
from fixtures.testbed.addressed_guests import raise_for_no_lease
from fixtures.testbed.physical_network import PhysicalNetwork
from topologies import library
from topologies.catalogue import claims

LEASE = NoLease("kvm1 got no address by DHCP", "its console")
OFFERED = IPv4Address("192.168.1.107")


def raised(folder: Path, topology: str, offered: IPv4Address | None) -> HarnessError:
    physical = cast("PhysicalNetwork", SimpleNamespace(offer=lambda _: offered))
    with pytest.raises(HarnessError) as caught:
        raise_for_no_lease(
            library.load(topology).network, physical, Evidence(folder, "topology"), LEASE
        )
    return caught.value


@pytest.mark.parametrize(
    ("topology", "offered", "said"),
    [
        ("bridged", OFFERED, f"{LEASE.message}; past the host, the outside is offered {OFFERED}"),
        ("bridged-ovs", OFFERED, "past the host"),
        ("nat", None, f"network nat_net: {LEASE.message}"),
    ],
)
def test_a_server_that_is_there_shows_the_hosts_fault(
    tmp_path: Path, topology: str, offered: IPv4Address | None, said: str
) -> None:
    error = raised(tmp_path, topology, offered)
    assert isinstance(error, KeptFromServer)
    assert said in error.message


@pytest.mark.parametrize("topology", ["bridged", "linux-bridge"])
def test_without_one_the_run_is_at_fault_itself(tmp_path: Path, topology: str) -> None:
    error = raised(tmp_path, topology, None)
    assert error is LEASE
    assert not isinstance(error, HostAtFault)


def test_each_network_whose_guests_ask_by_dhcp_has_a_claim_that_says_they_get_a_lease() -> None:
    stating = {type_ for each in claims().values() if each.leases for type_ in each.types}
    assert stating == {"nat", "isolated", "routed", "open", "bridged"}
