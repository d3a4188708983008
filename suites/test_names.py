# SPDX-License-Identifier: GPL-2.0-or-later
"""Names: what a guest resolves at the address that its lease names as DNS server."""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Literal

import pytest

from fixtures.errors import Inconclusive, NotTestable
from fixtures.guest.guest import Guest
from fixtures.probe.evidence import Evidence
from fixtures.probe.name_lookup import Lookup, look_up
from fixtures.probe.reach import End
from fixtures.switch import libvirt_network
from fixtures.testbed.name_server import ZONE, ZONE_ADDRESS
from fixtures.testbed.testbed import Testbed

PROTOCOLS: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")


def _new_name() -> str:
    """Return a name that no server has in its cache."""
    return f"n{secrets.token_hex(6)}.{ZONE}"


def _asked(
    near: End, server: str, names: Sequence[str], proto: Literal["udp", "tcp"]
) -> dict[str, Lookup]:
    """Ask for several names, up to the first that fails: a silent server costs its whole wait."""
    seen: dict[str, Lookup] = {}
    for name in names:
        seen[name] = look_up(near, server, name, proto)
        if seen[name].failure:
            break
    return seen


@pytest.mark.claims("NT-21")
def test_guests_resolve_names(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest resolves the other guests' names and an outside name at the bridge's address.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--dhcp-fqdn` and `--resolv-file`.

    Preconditions:
        - the guests have leases, with their host names
        - the host's resolver asks a name server on the physical network, which alone knows a zone
    Steps:
        1. Ask that name server for a new name of its zone from the host, by UDP and TCP.
        2. Ask at the bridge's address from each guest, by UDP and TCP, for the names of the other
           guests and for another new name of the zone.
    Verify:
        - a guest's name gives the address of its lease, and no other
        - the name of the zone gives the address that the name server on the physical network has;
          on an isolated network, whose server asks no other, that one answers that it has none
        - control: the name server answers the host by both; else the check is inconclusive
    """
    guests, upstream = testbed.dhcp_guests, str(testbed.figures.router)
    _require_dns(testbed)
    seen = _from_the_guests(testbed, guests)
    evidence.json(
        "answers.json",
        {
            f"{guest.name} {proto}": {n: str(a) for n, a in said.items()}
            for guest, proto, said in seen
        },
    )
    rest = ZONE_ADDRESS if testbed.topology.type.names_from_outside else ""
    known = {guest.name: guest.address for guest in guests}
    wrong = [
        f"{guest.name} asks {testbed.host_address} by {proto} for {name}: {answer}; "
        f"expected {want or 'an answer that there is none'}"
        for guest, proto, said in seen
        for name, answer in said.items()
        if not _is_as(answer, want := known.get(name, rest))
    ]
    host = End(testbed.host, testbed.host_address, testbed.tool)
    control = {proto: look_up(host, upstream, _new_name(), proto) for proto in PROTOCOLS}
    if any(answer.addresses != (ZONE_ADDRESS,) for answer in control.values()):
        # Names of leases need no other server.
        wrong = [each for each in wrong if f".{ZONE}:" not in each]
        if not wrong:
            said = "; ".join(f"{proto}: {answer}" for proto, answer in control.items())
            raise Inconclusive(f"control failed: {upstream} answers the host {said}")
    assert not wrong, "; ".join(wrong)
    evidence.reason = "; ".join(
        f"{guest.name} by {proto}: " + ", ".join(f"{n} {a}" for n, a in said.items())
        for guest, proto, said in seen
    )


def _is_as(answer: Lookup, want: str) -> bool:
    """Whether an answer is one address and no other; "": that there is none."""
    return answer.addresses == (want,) if want else answer.is_denied


def _require_dns(testbed: Testbed) -> None:
    """Raise NotTestable where the network has no DNS server by its definition."""
    network = testbed.libvirt_network
    if not libvirt_network.has_dns(network):
        raise NotTestable("a DNS server on the network", f"<dns enable='no'/> of {network.name()}")


def _from_the_guests(
    testbed: Testbed, guests: Sequence[Guest]
) -> list[tuple[Guest, Literal["udp", "tcp"], dict[str, Lookup]]]:
    """Return each guest's answers by each protocol."""

    def ask(guest: Guest, proto: Literal["udp", "tcp"]) -> dict[str, Lookup]:
        others = [other.name for other in guests if other is not guest]
        names = (*others, _new_name())
        return _asked(testbed.guest_end(guest), testbed.host_address, names, proto)

    asking = list(product(guests, PROTOCOLS))
    with ThreadPoolExecutor(len(asking)) as pool:
        answers = list(pool.map(ask, *zip(*asking, strict=True)))
    return [(guest, proto, said) for (guest, proto), said in zip(asking, answers, strict=True)]
