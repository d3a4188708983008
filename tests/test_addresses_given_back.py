# SPDX-License-Identifier: GPL-2.0-or-later
"""A NIC that was a port for a while, or a link without its address, has all that it had before."""

import contextlib
from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface

import pytest

from fixtures.host.dhcp_client import without_address
from fixtures.host.host import Host
from fixtures.host.links import cable, namespace_machine
from fixtures.host.sandbox import sandbox
from fixtures.host.snapshot.host_snapshot import differences, host_snapshot
from fixtures.testbed.build_network import built_network
from fixtures.waiting import poll
from topologies.library import load

pytestmark = pytest.mark.host

SETTLED_DEADLINE_S = 10.0
SITE = """\
ip address add 192.0.2.1/24 broadcast 192.0.2.255 label nic0:site dev nic0
ip address add 192.0.2.9/24 dev nic0
ip address add 203.0.113.1/24 dev nic0 noprefixroute
ip address add 169.254.7.7/16 scope link dev nic0
ip -6 address add 2001:db8::1/64 dev nic0 nodad
ip route add default via 192.0.2.2 metric 70 src 192.0.2.9
ip route add default via 192.0.2.3 metric 90
ip route add 198.51.100.0/24 via 192.0.2.3 mtu 1400
ip route add 198.51.100.0/25 via 192.0.2.3 table 77
ip route add 10.9.0.0/16 dev nic0 scope link
ip -6 route add default via 2001:db8::2 dev nic0 metric 80
ip -6 route add 2001:db8:7::/48 via 2001:db8::3
ip -6 route add 2001:db8:8::/64 dev nic0 expires 9999
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with (
        sandbox() as made,
        namespace_machine(made, "peer") as peer,
        cable(made, "nic0", peer, "eth0"),
    ):
        made.run(["sh", "-ec", SITE])
        yield made


@contextlib.contextmanager
def _port_of_a_bridge(host: Host) -> Iterator[None]:
    own = {"uplink": "nic0", "address": IPv4Interface("192.0.2.77/24")}
    network = load("bridged").network.model_copy(update=own)
    with built_network(host, network):
        yield


@contextlib.contextmanager
def _without_its_address(host: Host) -> Iterator[None]:
    with without_address(host, "nic0"):
        yield


@pytest.mark.parametrize("change", [_port_of_a_bridge, _without_its_address])
def test_addresses_and_routes_are_those_of_before(
    host: Host, change: Callable[[Host], contextlib.AbstractContextManager[None]]
) -> None:
    before, own = host_snapshot(host), _link_local(host)
    assert own != ""
    with change(host):
        assert differences(before, host_snapshot(host)) != []
    left = poll(
        lambda: differences(before, host_snapshot(host)),
        lambda seen: not seen,
        deadline_s=SETTLED_DEADLINE_S,
    )
    assert left == []
    assert _link_local(host) == own


def _link_local(host: Host) -> str:
    shown = host.run(["ip", "-6", "-oneline", "address", "show", "nic0", "scope", "link"]).stdout
    return " ".join(shown.split()[:4])
