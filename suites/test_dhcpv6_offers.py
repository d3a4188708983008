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
from fixtures.waiting import poll
from suites.dhcpv6_server import ELSEWHERE, Wish, dhcp6_of, range6_of

# Of the addresses that others have leased so many are asked for.
LISTED_MAX = 4
# dnsmasq tells libvirt of its leases by a program for each: its list is behind after many.
LIST_DEADLINE_S = 20.0


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
           prefix, of the bridge, for four that libvirt lists as leased, and for reserved ones
           outside the range.
        2. Read libvirt's list of the network's leases, until none of the offered ones is in it.
    Verify:
        - each is offered an address of the range that is not the bridge's, and not reserved
        - libvirt's list has no offered one in the end as a lease that it had before, and none of
          these clients
        - control: the server answers each of them; else the check is inconclusive
    """
    served, kept = range6_of(testbed), [each.ip for each in dhcp6_of(testbed).hosts]
    bridge = IPv6Address(testbed.host_address_of(IPV6))
    gone = {*kept, bridge}

    def free() -> int:
        return served.size - sum(each in served for each in {*gone, *_leased(testbed)})

    if not poll(free, deadline_s=LIST_DEADLINE_S):
        raise testbed.without("a free address in the range of DHCPv6", f"{served} is taken")
    before = _leased(testbed)
    wishes: list[Wish] = [None, served.start - 1, served.end + 1, ELSEWHERE, bridge]
    wishes += [*list(before)[:LISTED_MAX], *(each for each in kept if each not in served)]
    asked: list[str] = []
    clients: list[str] = []
    offered: set[IPv6Address] = set()
    wrong = []
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients6(port, frames) as asking,
    ):
        for wish in wishes:
            clients.append(new_duid())
            offer = asking.offer(clients[-1], wish)
            if offer is None:
                raise Inconclusive("control failed: the server does not answer a client that asks")
            given = offer.address
            asked.append(f"asking for {wish or 'any'}: {given or 'no address'}")
            if given is None or given not in served or given in gone:
                wrong.append(asked[-1])
            else:
                offered.add(given)
    evidence.reason = f"of {served}: {'; '.join(asked)}"
    assert not wrong, f"not a free address of {served}: {'; '.join(wrong)}"

    def taken() -> dict[IPv6Address, str]:
        now = _leased(testbed).items()
        own = {each: who for each, who in now if who in clients}
        return own | {each: who for each, who in now & before.items() if each in offered}

    left = poll(taken, lambda found: not found, deadline_s=LIST_DEADLINE_S)
    said = ", ".join(f"{address} of {who}" for address, who in left.items())
    assert not left, f"libvirt lists what was offered: {said}; {evidence.reason}"


def _leased(testbed: Testbed) -> dict[IPv6Address, str]:
    """Return the leased addresses by libvirt's list, each with its client's DUID."""
    listed = libvirt_network.leases(testbed.libvirt_network, IPV6)
    return {IPv6Address(each["ipaddr"]): each["clientid"] for each in listed}
