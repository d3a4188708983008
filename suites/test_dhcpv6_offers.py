# SPDX-License-Identifier: GPL-2.0-or-later
"""What the DHCPv6 server of a network offers to clients that only ask."""

from ipaddress import IPv6Address

import pytest

from contracts.address_family import IPV6
from fixtures.errors import Inconclusive
from fixtures.probe.dhcp6 import clients6, new_duid
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, station
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed
from suites.dhcpv6_server import ELSEWHERE, Wish, dhcp6_of, range6_of

# Of the addresses that others have leased so many are asked for.
LISTED_MAX = 4


@pytest.mark.claims("V6-19")
def test_offers_are_of_the_range(testbed: Testbed, evidence: Evidence) -> None:
    """Clients of DHCPv6 that only ask are offered free addresses of the range.

    None of them takes a lease, so a network of others stays as it is.

    Source: libvirt, "Network XML format", `<range>` of `<dhcp>`; RFC 8415, 18.3.1.

    Preconditions:
        - the network's `dhcp6` has a range
        - by libvirt's list of leases an address of the range is free
    Steps:
        1. Have new clients ask (SOLICIT): for any address, for ones beside the range, of another
           prefix, of the bridge, for each that libvirt lists as leased, and for reserved ones
           outside the range.
        2. Read libvirt's list of the network's leases again.
    Verify:
        - each is offered an address of the range that neither the bridge nor anybody by that list
          has, and that is not reserved
        - that list has none of these clients
        - control: the server answers each of them; else the check is inconclusive
    """
    served, kept = range6_of(testbed), [each.ip for each in dhcp6_of(testbed).hosts]
    listed = libvirt_network.leases(testbed.libvirt_network, IPV6)
    held = [IPv6Address(each["ipaddr"]) for each in listed]
    bridge = IPv6Address(testbed.host_address_of(IPV6))
    gone = {*kept, *held, bridge}
    if served.size <= sum(each in served for each in gone):
        raise testbed.without("a free address in the range of DHCPv6", f"{served} is taken")
    wishes: list[Wish] = [None, served.start - 1, served.end + 1, ELSEWHERE, bridge]
    wishes += [*held[:LISTED_MAX], *(each for each in kept if each not in served)]
    asked: dict[str, str] = {}
    wrong = []
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients6(port, frames) as asking,
    ):
        for wish in wishes:
            duid = new_duid()
            offer = asking.offer(duid, wish)
            if offer is None:
                raise Inconclusive("control failed: the server does not answer a client that asks")
            given = offer.address
            asked[duid] = f"asking for {wish or 'any'}: {given or 'no address'}"
            if given is None or given not in served or given in gone:
                wrong.append(asked[duid])
    evidence.reason = f"of {served}: {'; '.join(asked.values())}"
    assert not wrong, f"not a free address of {served}: {'; '.join(wrong)}"
    after = libvirt_network.leases(testbed.libvirt_network, IPV6)
    leased = [each["ipaddr"] for each in after if each["clientid"] in asked]
    assert not leased, f"clients that only asked are listed with {', '.join(leased)}"
