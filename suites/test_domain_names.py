# SPDX-License-Identifier: GPL-2.0-or-later
"""A network's domain: the names of its guests in it, and which names leave the network."""

import secrets

import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest_address import request_lease
from fixtures.probe.evidence import Evidence
from fixtures.probe.name_lookup import Lookup, look_up
from fixtures.probe.upstream_questions import upstream_questions
from fixtures.testbed.name_server import ZONE
from fixtures.testbed.physical_network import HOST_PORT
from fixtures.testbed.testbed import Testbed
from topologies.dns import Domain


def _domain(testbed: Testbed) -> Domain:
    domain = testbed.topology.network.domain
    if domain is None:
        raise testbed.without("a domain", "networks[0].domain is null")
    return domain


def _new_label() -> str:
    """Return a label that no server has in its cache, nor any entry."""
    return f"n{secrets.token_hex(6)}"


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
    leases = {guest.name: request_lease(guest) for guest in guests}
    named = {name: lease and lease.domain for name, lease in leases.items()}
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


@pytest.mark.claims("DN-02")
def test_names_of_the_domain_stay(testbed: Testbed, evidence: Evidence) -> None:
    """With `localOnly` an unknown name of the domain is not asked upstream; other names are.

    Source: libvirt, "Network XML format", `<domain>`; dnsmasq(8), `--local`.

    Preconditions:
        - the network has a domain
        - the host's resolver asks a name server on the physical network
    Steps:
        1. Ask at the bridge's address from a guest for a new name of the domain, then for one of
           another domain, with a capture beyond the uplink.
    Verify:
        - with `localOnly` the name of the domain is denied, and asked of no server beyond
        - without it, the name is asked of a server beyond
        - control: the name of the other domain is asked of the name server beyond; else the check
          is inconclusive
    """
    domain, lan = _domain(testbed), testbed.lan
    own, other = f"{_new_label()}.{domain.name}", f"{_new_label()}.{ZONE}"
    near = testbed.guest_end(testbed.guests[0])
    with upstream_questions(evidence, lan, HOST_PORT) as upstream:
        answers = {name: look_up(near, testbed.host_address, name, "udp") for name in (own, other)}
        asked = upstream.servers_asked([own, other])
    evidence.json("answers.json", {name: str(answer) for name, answer in answers.items()})
    evidence.json("asked.json", asked)
    if other not in asked:
        raise Inconclusive(f"control failed: no server beyond was asked for {other}")
    evidence.reason = f"asked upstream: {asked}; {own}: {answers[own]}"
    if domain.local_only:
        assert own not in asked, f"{own} of the local domain was asked of {asked.get(own)}"
        assert answers[own].is_denied, f"{own}: {answers[own]}; expected an answer that it is none"
    else:
        assert own in asked, f"{own} was asked of no server beyond, and the domain is not local"
