# SPDX-License-Identifier: GPL-2.0-or-later
"""Names: what a guest resolves at the address that its lease names as DNS server."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.probe.evidence import Evidence
from fixtures.probe.name_lookup import PROTOCOLS, Lookup, Proto, look_up
from fixtures.probe.reach import End
from fixtures.testbed.forwarders import require_beyond
from fixtures.testbed.name_server import ZONE, ZONE_ADDRESS, require_resolver
from fixtures.testbed.testbed import Testbed
from topologies.dns import Forwarder


@dataclass(frozen=True)
class Asked:
    """A guest's questions by one protocol, with what became of each."""

    guest: Guest
    proto: Proto
    said: Mapping[str, Lookup]


def _new_name() -> str:
    """Return a name that no server has in its cache."""
    return f"n{secrets.token_hex(6)}.{ZONE}"


def _asked(near: End, server: str, names: Sequence[str], proto: Proto) -> dict[str, Lookup]:
    """Ask for several names, up to the first that fails: a silent server costs its whole wait."""
    seen: dict[str, Lookup] = {}
    for name in names:
        seen[name] = look_up(near, server, name, proto)
        if seen[name].failure:
            break
    return seen


@pytest.mark.claims("NT-21")
def test_guests_resolve_each_other(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest resolves the other guests' names at the bridge's address.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--dhcp-fqdn`.

    Preconditions:
        - the guests have leases, with their host names
    Steps:
        1. Ask at the bridge's address from each guest, by UDP and TCP, for the names of the other
           guests.
    Verify:
        - a guest's name gives the address of its lease, and no other
    """
    guests = testbed.dhcp_guests
    testbed.require_dns()
    known = {guest.name: guest.address for guest in guests}
    seen = _from_the_guests(
        testbed, guests, lambda guest: [other.name for other in guests if other is not guest]
    )
    _keep(evidence, seen)
    wrong = _wrong(testbed, seen, known, "")
    assert not wrong, "; ".join(wrong)


@pytest.mark.claims("NT-21")
def test_guests_resolve_outside_names(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest resolves an outside name at the bridge's address, by way of the host's resolver.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--resolv-file`.

    Preconditions:
        - the guests have leases
        - the host's resolver asks a name server on the physical network, which alone knows a zone
    Steps:
        1. Ask that name server for a new name of its zone from the host, by UDP and TCP.
        2. Ask at the bridge's address from each guest, by UDP and TCP, for another new name of the
           zone.
    Verify:
        - the name gives the address that the name server on the physical network has; on an
          isolated network, whose server asks no other, that one answers that it has none
        - control: the name server answers the host by both; else the check is inconclusive
    """
    guests, upstream = testbed.dhcp_guests, testbed.own_router
    testbed.require_dns()
    rest = ZONE_ADDRESS if testbed.topology.type.names_from_outside else ""
    if rest:
        require_resolver(testbed.host, upstream)
        require_beyond(testbed.topology, _asked_for_all(testbed))
    seen = _from_the_guests(testbed, guests, lambda _guest: [_new_name()])
    _keep(evidence, seen)
    wrong = _wrong(testbed, seen, {}, rest)
    host = End(testbed.host, testbed.host_address, testbed.tool)
    control = {proto: look_up(host, upstream, _new_name(), proto) for proto in PROTOCOLS}
    if any(answer.answers != (ZONE_ADDRESS,) for answer in control.values()):
        said = "; ".join(f"{proto}: {answer}" for proto, answer in control.items())
        raise Inconclusive(f"control failed: {upstream} answers the host {said}")
    assert not wrong, "; ".join(wrong)


def _asked_for_all(testbed: Testbed) -> Sequence[Forwarder]:
    """Return the forwarders that the network's server asks in place of the host's resolver."""
    dns = testbed.topology.network.dns
    return [each for each in (dns.forwarders if dns is not None else ()) if each.domain is None]


def _keep(evidence: Evidence, seen: Sequence[Asked]) -> None:
    """Keep the answers, and name them in the reason."""
    evidence.json(
        "answers.json",
        {
            f"{each.guest.name} {each.proto}": {n: str(a) for n, a in each.said.items()}
            for each in seen
        },
    )
    evidence.reason = "; ".join(
        f"{each.guest.name} by {each.proto}: " + ", ".join(f"{n} {a}" for n, a in each.said.items())
        for each in seen
    )


def _wrong(
    testbed: Testbed, seen: Sequence[Asked], known: Mapping[str, str], rest: str
) -> list[str]:
    """Return the answers that are not as expected.

    Args:
        testbed: the topology.
        seen: the answers.
        known: name → the expected address.
        rest: the expected address of any other name; "": an answer that there is none.
    """
    return [
        f"{each.guest.name} asks {testbed.host_address} by {each.proto} for {name}: {answer}; "
        f"expected {want or 'an answer that there is none'}"
        for each in seen
        for name, answer in each.said.items()
        if not _is_as(answer, want := known.get(name, rest))
    ]


def _is_as(answer: Lookup, want: str) -> bool:
    """Whether an answer is one address and no other; "": that there is none."""
    return answer.answers == (want,) if want else answer.is_denied


def _from_the_guests(
    testbed: Testbed, guests: Sequence[Guest], names: Callable[[Guest], Sequence[str]]
) -> list[Asked]:
    """Return each guest's answers by each protocol, to questions for its names."""

    def ask(guest: Guest, proto: Proto) -> Asked:
        near = testbed.guest_end(guest)
        return Asked(guest, proto, _asked(near, testbed.host_address, names(guest), proto))

    asking = list(product(guests, PROTOCOLS))
    with ThreadPoolExecutor(len(asking)) as pool:
        return list(pool.map(ask, *zip(*asking, strict=True)))
