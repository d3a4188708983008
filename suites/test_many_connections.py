# SPDX-License-Identifier: GPL-2.0-or-later
"""Many connections at once through the host's translation of addresses."""

import functools
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.plugin.sampling import Sampling
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.packets import opened_from
from fixtures.probe.reach import ECHO_PORT, Answer, End, send_at_once, send_one, unanswered
from fixtures.testbed.ports_let_in import ports_let_in
from fixtures.testbed.testbed import Testbed

CONNECTIONS = 500
# All of them within 2 s on an idle machine under TCG, where the guest is the slow part.
ALL_ANSWERED_S = 10.0


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("NT-23")
def test_many_connections_at_once(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """From each guest 500 connections at once are answered, each from a port of its own.

    Source: RFC 4787, 4.1, and RFC 5382, 4: a translated connection has a port that no other one to
    the same end has.

    Preconditions:
        - an outside machine is reached through the host's uplink
    Steps:
        1. Start a capture on the outside machine.
        2. Open 500 TCP connections to it from each guest, all at once, and send content on each;
           none is closed before the last is answered.
        3. Where one is not answered while other processes keep the machine busy, do both again.
    Verify:
        - every connection gives its own content back
        - the outside sees as many pairs of source address and port as there are connections
        - control: the outside answers one connection of each guest, and the host's own address 500
          of each guest at once, whose port is let in where the host refuses ports that it does not
          know; else the check is inconclusive
        - control: beside such a load, both times, a late answer is not the network's; the check is
          inconclusive
    """
    [far], guests = testbed.ends("outside"), testbed.ends("guest")
    for label in ("", "again"):
        with evidence.capture(testbed.outside, testbed.outside_nic, label) as frames:
            with sampling.watch() as load:
                answers = _at_once(guests, far)
            sources = _sources(frames, far)
        if all(answer.all_answered for answer in answers.values()) or not load.is_high:
            break
    evidence.json("sources.json", {f"{a}:{p}": n for (a, p), n in sorted(sources.items())})
    evidence.reason = f"{len(sources)} pairs of address and port outside; " + "; ".join(
        f"{name}: {answer}" for name, answer in answers.items()
    )
    if not all(answer.all_answered for answer in answers.values()):
        one = {guest.name: send_one("tcp", guest, far) for guest in guests}
        if alone := unanswered(one):
            raise Inconclusive(f"control failed: of a guest's only connection {alone}")
        with ports_let_in(testbed, IPV4, (("tcp", ECHO_PORT),)):
            control = _at_once(guests, testbed.end("host"))
        if own := unanswered(control):
            raise Inconclusive(f"control failed: of connections to the host itself {own}")
        short = unanswered(answers)
        if load.is_high:
            raise Inconclusive(f"of {CONNECTIONS} connections at once: {short}; meanwhile {load}")
        raise AssertionError(f"of {CONNECTIONS} connections at once: {short}")
    assert len(sources) == CONNECTIONS * len(guests), (
        f"{CONNECTIONS} connections from each of {len(guests)} guests come from {len(sources)} "
        "pairs of address and port"
    )


def _at_once(guests: Sequence[End], far: End) -> dict[str, Answer]:
    """Open the connections of all guests at once; returns the answers by guest."""
    ask = functools.partial(send_at_once, far=far, connections=CONNECTIONS, wait_s=ALL_ANSWERED_S)
    with ThreadPoolExecutor(len(guests)) as pool:
        return dict(zip((guest.name for guest in guests), pool.map(ask, guests), strict=True))


def _sources(frames: Capture, far: End) -> Counter[tuple[str, int]]:
    """Return the sources of the connections that were opened, and how often each asked."""
    frames.require_whole()
    opened = (opened_from(frame.raw, far.address, ECHO_PORT) for frame in frames.frames())
    return Counter(source for source in opened if source is not None)
