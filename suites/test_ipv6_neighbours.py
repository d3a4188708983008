# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 on the link: who answers neighbour discovery, between link-local addresses."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import Answer, ping
from fixtures.testbed.testbed import Testbed
from suites.neighbours import ANSWER_S, ECHOES, asked_by, neighbours_of


@pytest.mark.claims("GN-09")
def test_neighbours_answer(testbed: Testbed, evidence: Evidence) -> None:
    """Guests, host and outside hear each other's neighbour solicitations, each from each.

    The host is asked where it has IPv6 at all, on its own bridges: libvirt turns IPv6 off on a
    bridge without an IPv6 address, whose guests have each other alone. The outside is on the link
    where the guests are on the physical network.

    Source: RFC 4861, 7.2; libvirt, "Network XML format", `ipv6`.

    Preconditions:
        - the guests' kernels have IPv6
    Steps:
        1. Read the link-local address of each machine on the link.
        2. For one machine after the other: have it forget the others, and ping the link-local
           addresses of all others from it.
    Verify:
        - each machine has a link-local address, and no other machine has the same one
        - every ping is answered
        - control: where guests have IPv4, only where the other machine's IPv4 address answers does
          silence count; where none of the silent ones does, the check is inconclusive
    """
    neighbours = neighbours_of(testbed)
    for each in neighbours:
        assert each.address, f"{each.name} has no link-local address on {each.link}{each.flags}"
    seen = {near.name: asked_by(near, neighbours) for near in neighbours}
    evidence.json(
        "answers.json",
        {near: {far: str(answer) for far, answer in said.items()} for near, said in seen.items()},
    )
    silent = [
        (near, far, answer)
        for near, said in seen.items()
        for far, answer in said.items()
        if not answer.all_answered
    ]
    has_ipv4 = IPV4 in testbed.topology.families
    by_ipv4 = _by_ipv4(testbed, [each[:2] for each in silent]) if has_ipv4 else {}
    deaf = [each for each in silent if not has_ipv4 or by_ipv4[each[:2]].all_answered]
    if silent and not deaf:
        said = "; ".join(f"{near} → {far}: {answer}" for (near, far), answer in by_ipv4.items())
        raise Inconclusive(f"control failed: by IPv4 as by IPv6, {said}")
    listed = "; ".join(f"{near} → {far}: {answer}" for near, far, answer in deaf)
    assert not deaf, f"link-local addresses do not answer: {listed}"
    evidence.reason = "each from each: " + ", ".join(f"{n.name} {n.address}" for n in neighbours)


def _by_ipv4(testbed: Testbed, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], Answer]:
    """Ping the IPv4 address of the second of each pair from the first, by their names, at once."""
    if not pairs:
        return {}
    ends = {end.name: end for end in testbed.ends("guest")}
    if any(testbed.host.name in pair for pair in pairs):
        ends |= {end.name: end for end in testbed.ends("host")}
    if testbed.topology.network.is_on_physical_network and testbed.has_outside:
        ends |= {end.name: end for end in testbed.ends("outside")}

    def asked(pair: tuple[str, str]) -> Answer:
        return ping(ends[pair[0]], ends[pair[1]].address, count=ECHOES, wait_s=ANSWER_S)

    with ThreadPoolExecutor(len(pairs)) as pool:
        return dict(zip(pairs, pool.map(asked, pairs), strict=True))
