# SPDX-License-Identifier: GPL-2.0-or-later
"""The names of a network's guests, in its domain and by their addresses."""

from itertools import product

import pytest

from fixtures.guest.guest_address import request_lease
from fixtures.probe.evidence import Evidence
from fixtures.probe.name_lookup import PROTOCOLS, Lookup, look_up, reverse_name
from fixtures.testbed.testbed import Testbed
from topologies.dns import Domain


def _domain(testbed: Testbed) -> Domain:
    domain = testbed.topology.network.domain
    if domain is None:
        raise testbed.without("a domain", "networks[0].domain is null")
    return domain


@pytest.mark.claims("DN-01")
def test_guests_names_with_and_without_the_domain(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's name resolves with and without the network's domain, and its lease names that.

    Source: libvirt, "Network XML format", `<domain>`; dnsmasq(8), `--domain`, `--expand-hosts`.

    Preconditions:
        - the network has a domain, and the guests have leases with their host names
    Steps:
        1. Have each guest ask by DHCP again.
        2. Ask at the bridge's address from each guest for the name of each guest, with and without
           the domain.
    Verify:
        - the lease has the domain (option 15)
        - a guest's name gives the address of its lease, and no other, in both forms
    """
    domain, guests = _domain(testbed), testbed.dhcp_guests
    testbed.require_dns()
    leases = {guest.name: request_lease(guest) for guest in guests}
    named = {name: lease and lease.domain.lower() for name, lease in leases.items()}
    seen: dict[str, Lookup] = {}
    wrong = []
    for asking in guests:
        for guest in guests:
            for name in (guest.name, f"{guest.name}.{domain.name}"):
                near = testbed.guest_end(asking)
                answer = look_up(near, testbed.host_address, name, "udp")
                seen[f"{asking.name}: {name}"] = answer
                if answer.answers != (guest.address,):
                    wrong.append(f"{asking.name} asks for {name}: {answer}, not {guest.address}")
    evidence.json("answers.json", {question: str(answer) for question, answer in seen.items()})
    evidence.reason = "; ".join(f"{question} {answer}" for question, answer in seen.items())
    assert not wrong, "; ".join(wrong)
    other = {name: seen for name, seen in named.items() if seen != domain.name}
    assert not other, f"the domain of the leases is {other}, not {domain.name}"


@pytest.mark.claims("DN-08")
def test_addresses_resolve_to_names(testbed: Testbed, evidence: Evidence) -> None:
    """The address of each guest's lease resolves to the guest's name.

    Source: dnsmasq(8), "the DHCP server supports … the DNS"; RFC 1035, 3.5.

    Preconditions:
        - the guests have leases with their host names
        - the network has a DNS server
    Steps:
        1. Ask at the bridge's address from each guest, by UDP and TCP, for the name of each guest's
           address.
    Verify:
        - the answer is the guest's name, with the network's domain if it has one, and no other
    """
    guests, domain = testbed.dhcp_guests, testbed.topology.network.domain
    testbed.require_dns()
    wrong, seen = [], []
    for asking, proto, guest in product(guests, PROTOCOLS, guests):
        wanted = guest.name if domain is None else f"{guest.name}.{domain.name}"
        near, asked = testbed.guest_end(asking), reverse_name(guest.address)
        answer = look_up(near, testbed.host_address, asked, proto, "PTR")
        seen.append(f"{asking.name} by {proto}: {guest.address} {answer}")
        if answer.answers != (wanted,):
            wrong.append(f"{seen[-1]}, not {wanted}")
    evidence.reason = "; ".join(seen)
    assert not wrong, "; ".join(wrong)
