# SPDX-License-Identifier: GPL-2.0-or-later
"""The host on a bridge to the physical network, whose router advertises: what it takes of that."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any

import pytest

from contracts.address_family import IPV6
from fixtures.errors import Inconclusive
from fixtures.guest.slaac import taken_addresses
from fixtures.host.links import addresses6_by_hand, link_mac
from fixtures.host.machine import Machine
from fixtures.host.nic_state import nic_addresses
from fixtures.probe.advertisement import (
    Advertisement,
    is_advertisement,
    read_advertisement,
    solicitation,
)
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

# A router answers within half a second, and no two answers are less than 3 s apart (RFC 4861, 10).
HEARD_DEADLINE_S, SOLICITATIONS = 5.0, 3
# An address is there after duplicate address detection, a second behind a delay of up to another
# (RFC 4862, 5.1 and 5.4.2); the rest is for a busy machine.
TAKEN_DEADLINE_S, NOT_TAKEN_S = 10.0, 4.0


@dataclass(frozen=True)
class Taken:
    """What the host has on a link of its own doing, and what of advertisements.

    Attributes:
        addresses: the addresses of the prefix that its kernel made.
        routers: the gateways of the default routes that came by advertisements.
        own: whether its static address and default routes are there.
        nic: the NIC's addresses beyond the link, and its routes of advertisements.
    """

    addresses: tuple[str, ...]
    routers: tuple[str, ...]
    own: bool
    nic: tuple[str, ...]

    @property
    def is_anything(self) -> bool:
        """Whether it took an address or a router."""
        return bool(self.addresses or self.routers)

    def is_all(self, router: IPv6Address) -> bool:
        """Whether it took an address, and the one router."""
        return bool(self.addresses) and self.routers == (str(router),)

    def __str__(self) -> str:
        said = ", ".join(self.addresses) or "no address"
        return f"{said}, router {', '.join(self.routers) or 'none'}"


RA = "ra"  # the protocol of a route that came by an advertisement, as `ip` has it
# The bridge's accept_ra and forwarding → whether the host takes what is advertised
# (Documentation/networking/ip-sysctl, accept_ra).
SETTINGS = (
    ((0, 0), False),
    ((1, 0), True),
    ((1, 1), False),
    ((2, 1), True),
)


@pytest.mark.claims("V6-32")
@pytest.mark.changes_network("sets accept_ra and forwarding of the bridge")
def test_host_takes_what_it_is_set_to(testbed: Testbed, evidence: Evidence) -> None:
    """The host takes of advertisements by its bridge what `accept_ra` of the bridge says.

    `forwarding` is the bridge's own setting, which makes it a router's link: nothing is forwarded
    by it alone.

    Source: Linux, Documentation/networking/ip-sysctl, `accept_ra`.

    Preconditions:
        - the physical network has a router that advertises its prefix
        - the host has a static IPv6 address on the bridge
    Steps:
        1. Set `accept_ra` and `forwarding` of the bridge to 0 and 0, 1 and 0, 1 and 1, 2 and 1, one
           after the other. Each time take away what the host took before, have it ask for
           an advertisement, with a capture on the bridge, and read the addresses and routes of
           bridge and NIC.
        2. Set both as they were.
    Verify:
        - with 1 and 0, and with 2 and 1, the host has an address of the prefix that its kernel
          made, and the router's link-local address as a default router
        - with 0 and 0, and with 1 and 1, it has neither
        - each time its static address and its own default routes are there
        - each time the NIC has no address beyond the link, and no route by an advertisement
        - control: each time an advertisement is seen on the bridge; else the check is inconclusive
    """
    taken = {}
    with _as_it_was(testbed), evidence.capture(testbed.host, testbed.switch.name) as frames:
        for setting, wanted in SETTINGS:
            _set(testbed, *setting)
            _forget(testbed)
            heard = _heard(testbed, frames)
            taken[setting] = (heard, _read(testbed, wanted=wanted))
    evidence.json(
        "taken.json",
        {f"accept_ra {a}, forwarding {f}": str(took) for (a, f), (_, took) in taken.items()},
    )
    evidence.reason = "; ".join(
        f"accept_ra {a}, forwarding {f}: {took}" for (a, f), (_, took) in taken.items()
    )
    for setting, wanted in SETTINGS:
        heard, took = taken[setting]
        said = f"with accept_ra {setting[0]} and forwarding {setting[1]}"
        if wanted:
            assert took.is_all(heard.source), f"{said} the host takes {took}, heard: {heard}"
        else:
            assert not took.is_anything, f"{said} the host takes {took}"
        assert took.own, f"{said} the host lost its own address or default route"
        assert not took.nic, f"{said} the NIC holds {', '.join(took.nic)}"


def _routes(machine: Machine, link: str) -> list[dict[str, Any]]:
    argv = ["ip", IPV6.option, "-json", "route", "show", "dev", link]
    found: list[dict[str, Any]] = json.loads(machine.run(argv).stdout or "[]")
    return found


def _setting(testbed: Testbed, name: str) -> str:
    # With slashes, as a link's name may have dots.
    return f"net/ipv6/conf/{testbed.switch.name}/{name}"


def _set(testbed: Testbed, accept_ra: int, forwarding: int) -> None:
    # Forwarding first: turned on, it takes away what came by advertisements.
    testbed.host.set_sysctl(_setting(testbed, "forwarding"), str(forwarding))
    testbed.host.set_sysctl(_setting(testbed, "accept_ra"), str(accept_ra))


@contextlib.contextmanager
def _as_it_was(testbed: Testbed) -> Iterator[None]:
    """Put the bridge's settings back after a `with` block, and what the host had taken by them."""
    names = ("forwarding", "accept_ra")
    was = {name: str(testbed.host.sysctl(_setting(testbed, name))) for name in names}
    had = bool(_addresses(testbed))
    try:
        yield
    finally:
        for name, value in was.items():
            testbed.host.set_sysctl(_setting(testbed, name), value)
        _forget(testbed)
        if had:
            _ask(testbed)
            poll(lambda: _addresses(testbed), bool, deadline_s=TAKEN_DEADLINE_S)


def _addresses(testbed: Testbed) -> list[str]:
    """Return the addresses of the prefix that the host's kernel made itself on the bridge."""
    held = testbed.topology.network.address6
    if held is None:
        raise testbed.without("an IPv6 address of the host's", "networks[0].address6 is null")
    taken = taken_addresses(testbed.host, held.network, testbed.switch.name)
    return [str(each.address) for each in taken]


def _forget(testbed: Testbed) -> None:
    """Take away what the host took of advertisements by the bridge."""
    bridge, option = testbed.switch.name, IPV6.option
    testbed.host.run(["ip", option, "route", "flush", "dev", bridge, "proto", "ra"])
    testbed.host.run(["ip", option, "address", "flush", "dev", bridge, "dynamic"])


def _ask(testbed: Testbed) -> None:
    """Send a router solicitation from the bridge."""
    bridge = testbed.switch.name
    frame = bytes(solicitation(link_mac(testbed.host, bridge))).hex()
    testbed.host.run([testbed.tool, "frame", bridge, frame])


def _heard(testbed: Testbed, frames: Capture) -> Advertisement:
    """Have the host ask, and return the advertisement that comes to the bridge.

    Raises:
        Inconclusive: none comes.
    """
    before = len(frames.frames(is_advertisement))
    for _ in range(SOLICITATIONS):
        _ask(testbed)
        found = frames.collect(is_advertisement, count=before + 1, deadline_s=HEARD_DEADLINE_S)
        if len(found) > before:
            return read_advertisement(found[-1].packet)
    raise Inconclusive(frames.missing("a router advertisement", deadline_s=HEARD_DEADLINE_S))


def _read(testbed: Testbed, *, wanted: bool) -> Taken:
    """Return what the host has now; what is wanted is waited for."""
    return poll(
        lambda: _taken(testbed),
        lambda took: bool(took.addresses and took.routers) if wanted else took.is_anything,
        deadline_s=TAKEN_DEADLINE_S if wanted else NOT_TAKEN_S,
    )


def _taken(testbed: Testbed) -> Taken:
    host, bridge, uplink = testbed.host, testbed.switch.name, str(testbed.topology.network.uplink)
    routes, of_nic = _routes(host, bridge), _routes(host, uplink)
    defaults = [each for each in routes if each["dst"] == "default"]
    by_hand = [each["gateway"] for each in defaults if each["protocol"] != RA]
    router = str(testbed.figures_of(IPV6).router)
    own = str(testbed.topology.network.address6) in addresses6_by_hand(host, bridge)
    return Taken(
        tuple(_addresses(testbed)),
        tuple(each["gateway"] for each in defaults if each["protocol"] == RA),
        own and (router in by_hand or not host.takes_default_route),
        (
            *nic_addresses(host, uplink),
            *(f"a route to {each['dst']}" for each in of_nic if each["protocol"] == RA),
        ),
    )
