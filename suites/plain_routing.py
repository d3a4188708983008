# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a host routes a subnet without translation, of either address family."""

import contextlib
import functools
from collections.abc import Iterator

from contracts.address_family import AddressFamily
from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.packet_filter.conditions import Flow
from fixtures.packet_filter.host_rules import read_rules
from fixtures.packet_filter.questions import (
    Surroundings,
    decide,
    inwards,
    outwards,
    surroundings,
)
from fixtures.packet_filter.ruleset import Ruleset
from fixtures.packet_filter.spans import Spans
from fixtures.probe.blocking import CONTROL_WAIT_S, WAIT_S, Attempt, Blocking, attempt
from fixtures.probe.evidence import Evidence
from fixtures.probe.packets import LAYERS, is_request, protocol_number, sender
from fixtures.probe.reach import PROTOCOLS, Proto, send_one
from fixtures.testbed.testbed import Testbed
from suites.blocked import require_blocked

# A port that nothing takes by itself: a translation would change it.
SOURCE_PORT = 777


def require_untranslated(testbed: Testbed, evidence: Evidence, family: AddressFamily) -> None:
    """Assert that no rule translates the subnet, and that packets arrive outside as they were sent.

    Beyond an existing network without an outside the rules alone decide.

    Raises:
        Inconclusive: a packet does not arrive outside.
    """
    require_no_translation(testbed, evidence, family)
    if testbed.lacks_outside(family):
        return
    [far] = testbed.ends("outside", family)
    seen = []
    for guest in testbed.guests:
        near = testbed.guest_end(guest, family)
        for proto in PROTOCOLS:
            with evidence.capture(
                testbed.outside, testbed.outside_nic, f"{guest.name}-{proto}"
            ) as frames:
                send_one(proto, near, far, port=SOURCE_PORT)
                wanted = functools.partial(is_request, proto=proto, to=far.address)
                arrived = frames.collect(wanted)
            if not arrived:
                raise Inconclusive(frames.missing(f"a {proto} request of {guest.name}"))
            packet = arrived[0].packet
            source = sender(packet)
            assert source == near.address, f"{proto} of {guest.name} comes from {source}"
            if proto != "icmp":
                port = packet[LAYERS[family].ip].payload.sport
                assert port == SOURCE_PORT, f"{proto} of {guest.name} comes from port {port}"
            seen.append(f"{near.address} {proto}")
    evidence.reason += f"; as sent: {', '.join(seen)}"


def require_no_translation(testbed: Testbed, evidence: Evidence, family: AddressFamily) -> None:
    """Assert that by the rules no class of packets of the subnet gets another source."""
    rules, around = _read(testbed, evidence, family)
    flows = outwards(rules, around, stops=False)
    wrong = decide(flows, rules, _translated)
    assert not wrong, wrong
    evidence.reason = f"no rule translates {around.subnet}, of {len(flows)} classes of its packets"


def require_open_by_rules(testbed: Testbed, evidence: Evidence, family: AddressFamily) -> None:
    """Assert that the rules let a connection of the outside through to a guest, by each protocol.

    Raises:
        Inconclusive: whether they do depends on a condition that is not understood.
    """
    rules, around = _read(testbed, evidence, family)
    flows, doubtful = inwards(rules, around), []
    for proto in PROTOCOLS:
        numbers = Spans.one(protocol_number(proto, family))
        asked = [each for each in flows if each.sent.having("protocol", numbers)]
        let_in = [each for each in asked if each.fate != "dropped"]
        places = ", ".join(sorted({each.by for each in asked}))
        assert let_in, (
            f"no connection of the outside to a guest is let through by {proto}: {places}"
        )
        if all(each.doubts for each in let_in):
            doubtful.append(f"{proto}: {let_in[0].doubts[0]}")
    if doubtful:
        raise Inconclusive(
            "whether a connection of the outside is let through depends on a condition that is "
            f"not understood: {'; '.join(doubtful)}"
        )
    evidence.reason += f"; the outside is let in to {around.subnet} by {', '.join(PROTOCOLS)}"


def _read(
    testbed: Testbed, evidence: Evidence, family: AddressFamily
) -> tuple[Ruleset, Surroundings]:
    """Return the host's rules, and where the network's packets come and go."""
    rules, subnet = read_rules(testbed.host, family), testbed.subnet_of(family)
    evidence.text("rules.txt", str(rules))
    link = testbed.way_out(family).link
    return rules, surroundings(testbed.host, family, testbed.switch.name, subnet, link)


def _translated(flow: Flow) -> str:
    """Return the words for a source that a rule translates; "": none does."""
    return f"is translated: {flow.translator}" if flow.translator else ""


def require_route(testbed: Testbed, evidence: Evidence, family: AddressFamily) -> None:
    """Assert that the outside reaches each guest with a route to the subnet, and none without it.

    Raises:
        Inconclusive: a guest is not reached with the route.
    """
    tried: dict[str, Blocking] = {}
    with _default_route(testbed, family):
        for guest in testbed.guests:
            for proto in PROTOCOLS:
                tries = functools.partial(_attempt, testbed, evidence, family, guest, proto)
                before = tries("route")
                with _without_route(testbed, family):
                    during = tries("no-route")
                tried[f"{guest.name} {proto}"] = Blocking(before, during, tries("route-again"))
    require_blocked(tried, evidence, during="without the route", after="with the route")


def _attempt(
    testbed: Testbed,
    evidence: Evidence,
    family: AddressFamily,
    guest: Guest,
    proto: Proto,
    label: str,
) -> Attempt:
    wait_s = WAIT_S if label == "no-route" else CONTROL_WAIT_S
    with evidence.capture(testbed.host, guest.tap, f"{guest.name}-{proto}-{label}") as frames:
        near, far = testbed.end("outside", family), testbed.guest_end(guest, family)
        return attempt(proto, near, far, frames, wait_s=wait_s)


@contextlib.contextmanager
def _without_route(testbed: Testbed, family: AddressFamily) -> Iterator[None]:
    """Have the outside's route to the subnet taken away for a `with` block."""
    subnet, host = str(testbed.subnet_of(family)), str(testbed.figures_of(family).host)
    testbed.outside.netlink.route("del", dst=subnet, gateway=host)
    try:
        yield
    finally:
        testbed.outside.netlink.route("add", dst=subnet, gateway=host)


@contextlib.contextmanager
def _default_route(testbed: Testbed, family: AddressFamily) -> Iterator[None]:
    """Give the outside the physical network's router as any machine there has it."""
    router = str(testbed.figures_of(family).router)
    default = functools.partial(
        testbed.outside.netlink.route, dst="default", gateway=router, family=family.af
    )
    default("add")
    try:
        yield
    finally:
        default("del")
