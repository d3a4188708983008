# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines on the guests' link, and whether their link-local addresses answer each other."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fixtures.guest.guest import GUEST_TOOL, NIC, Guest
from fixtures.host.machine import Machine
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


def neighbours_of(testbed: Testbed) -> list[Neighbour]:
    """Return the machines on the guests' link: guests, host and outside, as far as they are."""
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


def asked_by(near: Neighbour, neighbours: list[Neighbour]) -> dict[str, Answer]:
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
