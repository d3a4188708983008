# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses of a range that are in use: the bridge's, a guest's static one, a stranger's."""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive, NotTestable
from fixtures.probe.dhcp import clients, new_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, station
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed


@pytest.mark.claims("DH-05")
@pytest.mark.changes_network("takes an address of the range without a lease")
def test_address_in_use_is_not_offered(testbed: Testbed, evidence: Evidence) -> None:
    """An address of the range that somebody uses without a lease is offered to no client.

    dnsmasq asks for an address by ICMP before it offers it; with more than six new clients within
    30 s it no longer does.

    Source: RFC 2131, 2.2; dnsmasq(8), `--no-ping`.

    Preconditions:
        - the network has a DHCP range with a free address
    Steps:
        1. Give a free address of the range to a station, without a lease.
        2. Have a client ask for that address, and for each address of the range that the bridge or
           a guest holds.
        3. Take the address from the station, and have the client ask for it again.
    Verify:
        - none of these addresses is offered while it is in use
        - control: an offer comes each time, and the freed address is offered; else the check is
          inconclusive
    """
    listed = libvirt_network.leases(testbed.libvirt_network, IPV4)
    leased = {IPv4Address(lease["ipaddr"]) for lease in listed}
    held = [address for address in _held(testbed) if address not in leased]
    own = _free(testbed, {*leased, *held})
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients(port, frames) as asking,
    ):
        mac, offered = new_mac(), {}
        with port.holding(f"{own}/{testbed.subnet.prefixlen}"):
            for address in (own, *held):
                offered[address] = asking.offer(mac, address)
        freed = asking.offer(mac, own)
    said = {str(asked): offer and str(offer.address) for asked, offer in offered.items()}
    evidence.json("offered.json", said)
    evidence.reason = "; ".join(f"{asked} in use, {given} offered" for asked, given in said.items())
    wrong = [asked for asked, given in said.items() if given in said]
    assert not wrong, f"asked for {', '.join(wrong)}, in use, the server offers {said[wrong[0]]}"
    if None in said.values() or freed is None or freed.address != own:
        given = freed and freed.address
        raise Inconclusive(f"control failed: {own} is free again, and {given} is offered")


def _held(testbed: Testbed) -> Iterator[IPv4Address]:
    """Give the addresses of the range that the bridge and the guests hold."""
    for text in (testbed.host_address, *(guest.address for guest in testbed.guests)):
        if IPv4Address(text) in testbed.dhcp:
            yield IPv4Address(text)


def _free(testbed: Testbed, taken: set[IPv4Address]) -> IPv4Address:
    """Return an address of the range that nobody has, nor has reserved."""
    served, dhcp = testbed.dhcp, testbed.topology.network.dhcp
    kept = {host.ip for host in (dhcp.hosts if dhcp is not None else ())}
    for number in reversed(range(served.size)):
        address = served.start + number
        if address not in taken | kept:
            return address
    raise NotTestable("a free address in the range", f"all {served.size} of it are taken")
