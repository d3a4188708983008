# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names a network's DNS server asks of other servers, as seen beyond the uplink."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import pytest

from fixtures.errors import Inconclusive
from fixtures.probe.evidence import Evidence
from fixtures.probe.name_lookup import PROTOCOLS, Lookup, look_up
from fixtures.probe.upstream_questions import upstream_questions
from fixtures.testbed.forwarders import require_beyond
from fixtures.testbed.name_server import ZONE, require_resolver
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.uplink_links import HOST_PORT
from topologies.dns import Forwarder

# Of names without a dot.
NO_DOMAIN = ""


@dataclass(frozen=True)
class Asked:
    """One question of a guest, and what became of it.

    Attributes:
        who: the guest and how it asked, as in `kvm1 by udp`.
        domain: the domain of the name.
        name: the name.
        answer: the answer of the network's server.
        servers: the servers beyond the uplink that were asked for it.
    """

    who: str
    domain: str
    name: str
    answer: Lookup
    servers: Sequence[str]

    def __str__(self) -> str:
        asked = f"asked of {', '.join(self.servers) or 'none'}"
        return f"{self.who}: {self.name}: {asked}, {self.answer}"


def _ask(testbed: Testbed, evidence: Evidence, domains: Sequence[str]) -> list[Asked]:
    """Ask at the bridge's address for new names, with a look at what is asked beyond the uplink.

    Each guest asks by UDP and by TCP, and for a name of its own of each domain: no server has it in
    its cache, nor any entry.

    Args:
        testbed: the topology.
        evidence: keeps what was seen.
        domains: those of the names; the last is one for which a server beyond is asked.
    """
    answers: list[tuple[str, str, str, Lookup]] = []
    with upstream_questions(evidence, testbed.lan, HOST_PORT) as upstream:
        for guest, proto in product(testbed.guests, PROTOCOLS):
            near = testbed.guest_end(guest)
            for domain in domains:
                name = f"n{secrets.token_hex(6)}.{domain}".rstrip(".")
                answer = look_up(near, testbed.host_address, name, proto)
                answers.append((f"{guest.name} by {proto}", domain, name, answer))
        servers = upstream.servers_asked([name for _, _, name, _ in answers])
    seen = [Asked(*each, servers.get(each[2], ())) for each in answers]
    evidence.text("asked.txt", "\n".join(map(str, seen)))
    evidence.reason = "; ".join(map(str, seen))
    return seen


def _require_asked(seen: Sequence[Asked]) -> None:
    """Raise `Inconclusive` unless a server beyond was asked for each name of the control."""
    if unasked := [str(each) for each in seen if each.domain == ZONE and not each.servers]:
        raise Inconclusive(f"control failed: {'; '.join(unasked)}")


def _require_kept(seen: Sequence[Asked], domain: str) -> None:
    """Assert that the names of a domain were denied, and asked of no server beyond."""
    own = [each for each in seen if each.domain == domain]
    left = [str(each) for each in own if each.servers]
    assert not left, f"expected to be asked of none: {'; '.join(left)}"
    _require_asked(seen)
    open_ = [str(each) for each in own if not each.answer.is_denied]
    assert not open_, f"expected an answer that there is no such name: {'; '.join(open_)}"


def _forwarders(testbed: Testbed) -> Sequence[Forwarder]:
    dns = testbed.topology.network.dns
    return () if dns is None else dns.forwarders


def _servers(testbed: Testbed, forwarders: Sequence[Forwarder]) -> set[str]:
    """Return the addresses of forwarders: of one without, that of the host's resolver.

    Raises:
        NotTestable: one of them, or the server that the host's resolver asks, is nowhere that the
            run can look.
    """
    resolver = testbed.own_router
    require_beyond(testbed.topology, forwarders)
    if any(each.address is None for each in forwarders):
        require_resolver(testbed.host, resolver)
    return {str(each.address or resolver) for each in forwarders}


def _others(testbed: Testbed) -> set[str]:
    """Return the servers that are asked for names of no forwarder's domain; see `_servers`."""
    general = [each for each in _forwarders(testbed) if each.domain is None]
    return _servers(testbed, general or [Forwarder()])


@pytest.mark.claims("DN-02")
def test_names_of_the_domain_stay(testbed: Testbed, evidence: Evidence) -> None:
    """With `localOnly` an unknown name of the domain is not asked upstream; other names are.

    Source: libvirt, "Network XML format", `<domain>`; dnsmasq(8), `--local`.

    Preconditions:
        - the network has a domain
        - the host's resolver asks a name server on the physical network
    Steps:
        1. Ask at the bridge's address from each guest, by UDP and TCP, for a new name of the
           domain, then for one of another domain, with a capture beyond the uplink.
    Verify:
        - with `localOnly` each name of the domain is denied, and asked of no server beyond
        - without it, each is asked of a server beyond
        - control: each name of the other domain is asked of a server beyond; else the check is
          inconclusive
    """
    domain = testbed.topology.network.domain
    if domain is None:
        raise testbed.without("a domain", "networks[0].domain is null")
    _others(testbed)
    seen = _ask(testbed, evidence, [domain.name, ZONE])
    if domain.local_only:
        _require_kept(seen, domain.name)
        return
    _require_asked(seen)
    kept = [str(each) for each in seen if not each.servers]
    assert not kept, f"the domain is not local, and is asked of none: {'; '.join(kept)}"


@pytest.mark.claims("DN-07")
def test_plain_names_stay(testbed: Testbed, evidence: Evidence) -> None:
    """With `forwardPlainNames='no'` a name without a dot is asked of no server beyond.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--domain-needed`.

    Preconditions:
        - the network's `forward_plain_names` is false
    Steps:
        1. Ask at the bridge's address from each guest, by UDP and TCP, for a new name without a
           dot, then for one with dots, with a capture beyond the uplink.
    Verify:
        - each name without a dot is denied, and asked of no server beyond
        - control: each other name is asked of a server beyond; else the check is inconclusive
    """
    _others(testbed)
    _require_kept(_ask(testbed, evidence, [NO_DOMAIN, ZONE]), NO_DOMAIN)


@pytest.mark.claims("DN-06")
def test_forwarders(testbed: Testbed, evidence: Evidence) -> None:
    """A forwarder is asked for the names of its domain, and no other server is.

    Source: libvirt, "Network XML format", `<forwarder>`; dnsmasq(8), `--server`.

    Preconditions:
        - the network has a forwarder, which answers beyond the uplink
    Steps:
        1. Ask at the bridge's address from each guest, by UDP and TCP, for a new name of each
           forwarder's domain, then for one of a domain that is no forwarder's, with a capture
           beyond the uplink.
    Verify:
        - each name of a forwarder's domain is asked of that forwarder alone; of one without an
          address, of the host's resolver
        - each name of another domain is asked of the forwarders without a domain, where there are
          any, and else of the host's resolver; of no other
    """
    given = _forwarders(testbed)
    wanted = {
        domain: _servers(testbed, [each for each in given if each.domain == domain])
        for domain in (each.domain for each in given)
        if domain is not None
    }
    wanted[ZONE] = _others(testbed)
    wrong = [
        f"{each}; expected {', '.join(sorted(wanted[each.domain]))}"
        for each in _ask(testbed, evidence, list(wanted))
        if not each.servers or not set(each.servers) <= wanted[each.domain]
    ]
    assert not wrong, "; ".join(wrong)
