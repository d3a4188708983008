# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 on the link: who answers neighbour discovery, between link-local addresses."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest import GUEST_TOOL, NIC, Guest
from fixtures.host.machine import Machine
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import Answer, End, ping
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

ECHOES = 2
# A busy guest was seen to answer after 1.3 s.
ANSWER_S = 5
# Duplicate address detection takes one second (RFC 4862, 5.1).
ADDRESS_DEADLINE_S = 5.0


@dataclass(frozen=True)
class Neighbour:
    """A machine on the link.

    Attributes:
        runner: the machine or the guest.
        link: its link there.
        tool: `plumbline-probe` there.
        address: its link-local address; "" without one that it may use.
        flags: those of its addresses, such as `dadfailed`, for the reason.
    """

    runner: Machine | Guest
    link: str
    tool: str
    address: str
    flags: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.runner.name


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
        - control: only where the other machine's IPv4 address answers does silence count; where
          none of the silent ones does, the check is inconclusive
    """
    neighbours = _neighbours(testbed)
    for each in neighbours:
        assert each.address, f"{each.name} has no link-local address on {each.link}{each.flags}"
    seen = {near.name: _asked(near, neighbours) for near in neighbours}
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
    by_ipv4 = _by_ipv4(testbed, [(near, far) for near, far, _answer in silent])
    deaf = [each for each in silent if by_ipv4[each[:2]].all_answered]
    if silent and not deaf:
        said = "; ".join(f"{near} → {far}: {answer}" for (near, far), answer in by_ipv4.items())
        raise Inconclusive(f"control failed: by IPv4 as by IPv6, {said}")
    listed = "; ".join(f"{near} → {far}: {answer}" for near, far, answer in deaf)
    assert not deaf, f"link-local addresses do not answer: {listed}"
    evidence.reason = "each from each: " + ", ".join(f"{n.name} {n.address}" for n in neighbours)


def _neighbours(testbed: Testbed) -> list[Neighbour]:
    """Return the machines on the guests' link."""
    found: list[tuple[Machine | Guest, str, str]] = [
        (guest, NIC, GUEST_TOOL) for guest in testbed.guests
    ]
    host_speaks = testbed.host.sysctl("net.ipv6.conf.default.disable_ipv6") == "0"
    network, type_ = testbed.topology.network, testbed.topology.type
    if (type_.host_end_has_ipv6 or network.address6 is not None) and host_speaks:
        found.append((testbed.host, testbed.switch.name, testbed.tool))
    if testbed.topology.network.is_on_physical_network and testbed.has_outside:
        found.append((testbed.outside, testbed.outside_nic, testbed.end("outside").tool))
    with ThreadPoolExecutor(len(found)) as pool:
        return list(pool.map(lambda place: _neighbour(*place), found))


def _neighbour(runner: Machine | Guest, link: str, tool: str) -> Neighbour:
    """Return a machine as soon as its link-local address is one that it may use."""

    def look() -> Neighbour:
        argv = ["ip", "-6", "-json", "address", "show", "dev", link, "scope", "link"]
        listed = json.loads(runner.run(argv).stdout or "[]")
        # `ip` lists an address of another scope as an empty entry.
        held = [entry for each in listed for entry in each.get("addr_info", ()) if entry]
        usable = [e for e in held if not {"tentative", "dadfailed"} & e.keys()]
        flags = ", ".join(f"{e['local']} {', '.join(sorted(e.keys()))}" for e in held)
        address = str(usable[0]["local"]) if usable else ""
        return Neighbour(runner, link, tool, address, f": {flags}" if flags else "")

    return poll(look, lambda n: n.address, deadline_s=ADDRESS_DEADLINE_S, interval_s=0.3)


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


def _asked(near: Neighbour, neighbours: list[Neighbour]) -> dict[str, Answer]:
    """Ping all others from one machine, which has to ask for their MACs first.

    One machine at a time: who is asked learns the asker's MAC from the question.
    """
    others = [each for each in neighbours if each is not near]
    for far in others:
        # Not the link's whole table: the host has other neighbours there.
        near.runner.run(["ip", "-6", "neigh", "flush", "to", far.address, "dev", near.link])
    end = End(near.runner, near.address, near.tool)

    def asked(far: Neighbour) -> Answer:
        return ping(end, f"{far.address}%{near.link}", count=ECHOES, wait_s=ANSWER_S)

    with ThreadPoolExecutor(len(others)) as pool:
        return {o.name: answer for o, answer in zip(others, pool.map(asked, others), strict=True)}
