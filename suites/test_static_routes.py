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

DISCARD_PORT = 9  # RFC 863
TOKEN_OCTETS = 16


def _carries(packet: Packet, token: bytes) -> bool:
    return IP in packet and token in bytes(packet[IP])


@pytest.mark.claims("NT-25")
def test_static_routes(testbed: Testbed, evidence: Evidence) -> None:
    """Each `<route>` of the network is in the host's table, and the host sends by it.

    Source: libvirt, "Network XML format", "Static Routes".

    Preconditions:
        - the network has a static route, by way of an address that no guest holds
    Steps:
        1. Read the host's route to an address of each.
        2. Give the gateway's address to a station, and send a datagram from the host to the address
           beyond it, with a capture at the station.
    Verify:
        - the host's route leads by way of the gateway over the bridge
        - the datagram arrives at the gateway, with the host's address on the bridge as source
    """
    network = testbed.topology.network
    held = {guest.address for guest in testbed.guests}
    seen = []
    with station(testbed.host, testbed.switch, "st1") as port:
        for route in network.routes:
            if str(route.gateway) in held:
                raise testbed.without("a gateway that is no guest", f"a guest has {route.gateway}")
            # Of a route to one host it is that.
            beyond = str(route.to[min(1, route.to.num_addresses - 1)])
            told = testbed.host.run(["ip", "route", "get", beyond]).stdout.split("\n")[0]
            way = f"via {route.gateway} dev {network.bridge} "
            assert way in told, f"the host's route to {beyond} is {told.strip()}; expected {way}"
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
