# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names a network's DNS server asks of other servers, as seen beyond the uplink."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from fixtures.errors import Inconclusive
from fixtures.probe.evidence import Evidence
from fixtures.probe.name_lookup import Lookup, look_up
from fixtures.probe.upstream_questions import upstream_questions
from fixtures.testbed.name_server import ZONE, require_resolver
from fixtures.testbed.physical_network import HOST_PORT
from fixtures.testbed.testbed import Testbed
from topologies.dns import Forwarder


@dataclass(frozen=True)
class Questions:
    """What became of a guest's questions.

    Attributes:
        answers: name → the answer of the network's server.
        asked: name → the servers beyond the uplink that were asked for it.
    """

    answers: dict[str, Lookup]
    asked: dict[str, list[str]]

    def __str__(self) -> str:
        return "; ".join(
            f"{name}: {', '.join(self.asked.get(name, ())) or 'asked of none'}, {answer}"
            for name, answer in self.answers.items()
        )


def _new_label() -> str:
    """Return a label that no server has in its cache, nor any entry."""
    return f"n{secrets.token_hex(6)}"


def _new_name() -> str:
    """Return a name of a domain that is no network's, for a question that does leave."""
    return f"{_new_label()}.{ZONE}"


def _ask(testbed: Testbed, evidence: Evidence, names: Sequence[str]) -> Questions:
    """Ask at the bridge's address from a guest, with a look at what is asked beyond the uplink."""
    near = testbed.guest_end(testbed.guests[0])
    with upstream_questions(evidence, testbed.lan, HOST_PORT) as upstream:
        answers = {name: look_up(near, testbed.host_address, name, "udp") for name in names}
        seen = Questions(answers, upstream.servers_asked(names))
    evidence.json("asked.json", seen.asked)
    evidence.json("answers.json", {name: str(answer) for name, answer in answers.items()})
    evidence.reason = str(seen)
    return seen


def _forwarders(testbed: Testbed) -> Sequence[Forwarder]:
    dns = testbed.topology.network.dns
    return () if dns is None else dns.forwarders


def _servers(testbed: Testbed, forwarders: Sequence[Forwarder]) -> set[str]:
    """Return the addresses of forwarders: of one without, that of the host's resolver.

    Raises:
        NotTestable: the host's resolver asks a server that the run cannot see.
    """
    resolver = testbed.own_router
    if any(each.address is None for each in forwarders):
        require_resolver(testbed.host, resolver)
    return {str(each.address or resolver) for each in forwarders}


def _others(testbed: Testbed) -> set[str]:
    """Return the servers that are asked for names of no forwarder's domain; see `_servers`."""
    general = [each for each in _forwarders(testbed) if each.domain is None]
    return _servers(testbed, general or [Forwarder()])


def _require_asked(seen: Questions, control: str) -> None:
    """Raise `Inconclusive` unless a name was asked of a server beyond."""
    if control not in seen.asked:
        raise Inconclusive(f"control failed: no server beyond was asked for {control}")


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
    domain = testbed.topology.network.domain
    if domain is None:
        raise testbed.without("a domain", "networks[0].domain is null")
    _others(testbed)
    own, other = f"{_new_label()}.{domain.name}", _new_name()
    seen = _ask(testbed, evidence, [own, other])
    _require_asked(seen, other)
    asked, answers = seen.asked, seen.answers
    if domain.local_only:
        assert own not in asked, f"{own} of the local domain was asked of {asked.get(own)}"
        assert answers[own].is_denied, f"{own}: {answers[own]}; expected an answer that it is none"
    else:
        assert own in asked, f"{own} was asked of no server beyond, and the domain is not local"


@pytest.mark.claims("DN-07")
def test_plain_names_stay(testbed: Testbed, evidence: Evidence) -> None:
    """With `forwardPlainNames='no'` a name without a dot is asked of no server beyond.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--domain-needed`.

    Preconditions:
        - the network's `forward_plain_names` is false
    Steps:
        1. Ask at the bridge's address from a guest for a new name without a dot, then for one with
           dots, with a capture beyond the uplink.
    Verify:
        - the name without a dot is denied, and asked of no server beyond
        - control: the other name is asked of a server beyond; else the check is inconclusive
    """
    _others(testbed)
    plain, other = _new_label(), _new_name()
    seen = _ask(testbed, evidence, [plain, other])
    _require_asked(seen, other)
    assert plain not in seen.asked, f"{plain}, without a dot, was asked of {seen.asked[plain]}"
    assert seen.answers[plain].is_denied, f"{plain}: {seen.answers[plain]}; expected a denial"


@pytest.mark.claims("DN-06")
def test_forwarders(testbed: Testbed, evidence: Evidence) -> None:
    """A forwarder is asked for the names of its domain, and no other server is.

    Source: libvirt, "Network XML format", `<forwarder>`; dnsmasq(8), `--server`.

    Preconditions:
        - the network has a forwarder, which answers beyond the uplink
    Steps:
        1. Ask at the bridge's address from a guest for a new name of each forwarder's domain, then
           for one of a domain that is no forwarder's, with a capture beyond the uplink.
    Verify:
        - the name of a forwarder's domain is asked of that forwarder alone; of one without an
          address, of the host's resolver
        - the name of another domain is asked of the forwarders without a domain, where there are
          any, and else of the host's resolver; of no other
    """
    given = _forwarders(testbed)
    wanted = {_new_name(): _others(testbed)}
    for domain in dict.fromkeys(each.domain for each in given if each.domain is not None):
        of_it = [each for each in given if each.domain == domain]
        wanted[f"{_new_label()}.{domain}"] = _servers(testbed, of_it)
    seen = _ask(testbed, evidence, list(wanted))
    wrong = [
        f"{name} was asked of {', '.join(asked) or 'none'}, not of {', '.join(sorted(servers))}"
        for name, servers in wanted.items()
        if not (asked := seen.asked.get(name, [])) or not set(asked) <= servers
    ]
    assert not wrong, "; ".join(wrong)
