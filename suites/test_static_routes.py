# SPDX-License-Identifier: GPL-2.0-or-later
"""Static routes of a network: in the host's table, and used."""

import functools
import secrets
import socket

import pytest
from scapy.layers.inet import IP
from scapy.packet import Packet

from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, station
from fixtures.testbed.testbed import Testbed
from topologies.static_route import StaticRoute

DISCARD_PORT = 9  # RFC 863
TOKEN_OCTETS = 16


def _carries(packet: Packet, token: bytes) -> bool:
    return IP in packet and token in bytes(packet[IP])


def _beyond(route: StaticRoute) -> str:
    """Return an address beyond a route's gateway; of a route to one host it is that."""
    return str(route.to[min(1, route.to.num_addresses - 1)])


@pytest.mark.claims("NT-25")
def test_static_routes_in_the_table(testbed: Testbed, evidence: Evidence) -> None:
    """Each `<route>` of the network is in the host's table, by way of its gateway over the bridge.

    Source: libvirt, "Network XML format", "Static Routes".

    Preconditions:
        - the network has a static route
    Steps:
        1. Read the host's route to an address of each.
    Verify:
        - the host's route leads by way of the gateway over the bridge
    """
    network, seen, wrong = testbed.topology.network, [], []
    for route in network.routes:
        told = (
            testbed.host.run(["ip", "route", "get", _beyond(route)]).stdout.split("\n")[0].strip()
        )
        seen.append(told)
        if (way := f"via {route.gateway} dev {network.bridge} ") not in told:
            wrong.append(f"the host's route to {_beyond(route)} is {told}; expected {way}")
    evidence.reason = "; ".join(seen)
    assert not wrong, "; ".join(wrong)


@pytest.mark.claims("NT-25")
@pytest.mark.changes_network("takes the address of a route's gateway")
def test_static_routes_are_used(testbed: Testbed, evidence: Evidence) -> None:
    """The host sends by each `<route>` of the network.

    Source: libvirt, "Network XML format", "Static Routes".

    Preconditions:
        - the network has a static route, by way of an address that no guest holds
    Steps:
        1. Give the gateway's address to a station, and send a datagram from the host to the address
           beyond it, with a capture at the station.
    Verify:
        - the datagram arrives at the gateway, with the host's address on the bridge as source
    """
    held = {guest.address for guest in testbed.guests}
    seen = []
    with station(testbed.host, testbed.switch, "st1") as port:
        for route in testbed.topology.network.routes:
            if str(route.gateway) in held:
                raise testbed.without("a gateway that is no guest", f"a guest has {route.gateway}")
            beyond = _beyond(route)
            with (
                port.holding(f"{route.gateway}/{testbed.subnet.prefixlen}"),
                evidence.capture(port.machine, NIC) as frames,
            ):
                token = secrets.token_bytes(TOKEN_OCTETS)
                with testbed.host.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                    out.sendto(token, (beyond, DISCARD_PORT))
                arrived = frames.collect(functools.partial(_carries, token=token))
                assert arrived, frames.missing(f"a datagram from the host to {beyond}")
            source = arrived[0].packet[IP].src
            assert source == testbed.host_address, f"it comes from {source}"
            seen.append(f"{beyond} by way of {route.gateway}")
    evidence.reason = "; ".join(seen)
