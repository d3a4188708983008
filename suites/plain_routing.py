# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a host routes a subnet without translation, of either address family."""

import contextlib
import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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
from fixtures.probe.blocking import CONTROL_WAIT_S, IN_FLIGHT_S, WAIT_S, Attempt, Blocking
from fixtures.probe.evidence import Evidence
from fixtures.probe.packets import LAYERS, is_request, protocol_number, sender
from fixtures.probe.reach import PROTOCOLS, Answer, Proto, send, send_one
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause
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

    All guests are probed at once, by all protocols: the silence is waited for once.

    Raises:
        Inconclusive: a guest is not reached with the route.
    """
    with _default_route(testbed, family):
        tries = functools.partial(_attempts, testbed, evidence, family)
        before = tries("route")
        with _without_route(testbed, family):
            during = tries("no-route", wait_s=WAIT_S)
        after = tries("route-again")
    tried = {name: Blocking(before[name], during[name], after[name]) for name in before}
    require_blocked(tried, evidence, during="without the route", after="with the route")


def _attempts(
    testbed: Testbed,
    evidence: Evidence,
    family: AddressFamily,
    label: str,
    *,
    wait_s: float = CONTROL_WAIT_S,
) -> dict[str, Attempt]:
    """Probe each guest from outside by each protocol; returns `GUEST PROTOCOL` → its attempt."""
    near = testbed.end("outside", family)
    asked = [(guest, proto) for guest in testbed.guests for proto in PROTOCOLS]
    with contextlib.ExitStack() as stack:
        taps = {
            guest.name: stack.enter_context(
                evidence.capture(testbed.host, guest.tap, f"{guest.name}-{label}")
            )
            for guest in testbed.guests
        }

        def probe(guest: Guest, proto: Proto) -> Answer:
            return send(proto, near, testbed.guest_end(guest, family), wait_s=wait_s)

        with ThreadPoolExecutor(len(asked)) as pool:
            answers = list(pool.map(probe, *zip(*asked, strict=True)))
        pause(IN_FLIGHT_S)
        tried = {}
        for (guest, proto), answer in zip(asked, answers, strict=True):
            to, frames = guest.address_of(family), taps[guest.name]
            arrived = frames.frames(functools.partial(is_request, proto=proto, to=to))
            frames.require_whole()
            tried[f"{guest.name} {proto}"] = Attempt(answer, len(arrived))
        return tried


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
