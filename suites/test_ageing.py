# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a new bridge knows an address, by what the host makes of it and by an entry's age."""

import contextlib
import functools
from dataclasses import asdict

import pytest

from fixtures.host.links import set_up
from fixtures.probe.evidence import Evidence
from fixtures.probe.marked_frames import BROADCAST, marked
from fixtures.probe.station import station
from fixtures.probe.stopped_ovs import stopped_ovs
from fixtures.switch.switch import FdbEntry, Switch
from fixtures.switch.switches import bridge_made
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll

SCRATCH = "plumb-fresh"
DEFAULT_AGEING_S = 300
# A locally administered unicast address, unused.
QUIET_MAC = "02:00:5e:00:53:05"
LEARN_DEADLINE_S = 5.0
# Of the clock that is set by hand, around the documented time.
MARGIN_S = 10


@pytest.mark.lengthy
@pytest.mark.claims("LB-09", "OV-09")
def test_fresh_bridge_ages_by_default(testbed: Testbed, evidence: Evidence) -> None:
    """A new bridge ages after 300 s, and an address that sends nothing outlives a short time.

    A host may give each new bridge another time. 300 s are not waited for: the entry has to outlive
    the shortest ageing time of its switch.

    Preconditions:
        - the host has no bridge `plumb-fresh`
    Steps:
        1. Make the bridge `plumb-fresh`, of the kind of the one under test, with a station on it.
        2. Have the station send frames until the FDB has its MAC.
        3. Let the shortest ageing time pass, and two errors of its clock, without another frame.
        4. Read the bridge's ageing time and the FDB.
    Verify:
        - the ageing time is 300 s
        - the MAC is still known, with an age of the time that passed, less its clock's error
    """
    ageing = testbed.switch.ageing
    assert ageing is not None, f"{testbed.switch.name} is a {testbed.switch.title}, without ageing"
    network = testbed.topology.network.model_copy(
        update={"name": SCRATCH, "bridge_name": SCRATCH, "stp": False, "mac": None, "address": None}
    )
    wait_s = ageing.shortest_s + 2 * ageing.clock_s
    with contextlib.ExitStack() as stack:
        fresh = stack.enter_context(bridge_made(testbed.host, network))
        set_up(testbed.host, SCRATCH)
        far = stack.enter_context(station(testbed.host, fresh, "st1"))

        def known() -> list[FdbEntry]:
            return [entry for entry in fresh.fdb() if entry.mac == QUIET_MAC]

        def spoken() -> list[FdbEntry]:
            far.send(marked(QUIET_MAC, BROADCAST))
            return known()

        learnt = poll(spoken, deadline_s=LEARN_DEADLINE_S)
        assert learnt, f"not within {LEARN_DEADLINE_S:g} s: {SCRATCH} has learnt {QUIET_MAC}"
        pause(wait_s)
        default, left = fresh.ageing_s(), known()
    evidence.json("fresh.json", {"ageing_s": default, "known": [asdict(entry) for entry in left]})
    assert default == DEFAULT_AGEING_S, f"a new bridge ages after {default:g} s on this host"
    assert left, f"{QUIET_MAC}, silent for {wait_s:g} s, is gone from a new bridge"
    age = left[0].age_s
    assert age is not None, f"{QUIET_MAC} has no age on a new bridge"
    assert age >= wait_s - ageing.clock_s, (
        f"{QUIET_MAC}, silent for {wait_s:g} s, was seen {age:g} s ago by a new bridge"
    )
    evidence.reason = f"a new bridge: {default:g} s; {QUIET_MAC} known {age:g} s after its frame"


@pytest.mark.lengthy
@pytest.mark.claims("OV-09")
@pytest.mark.needs("ovs")
def test_default_of_the_program(testbed: Testbed, evidence: Evidence) -> None:
    """Where no ageing time is set, the host's ovs-vswitchd forgets an address after 300 s.

    The database has no figure for it: the default is the program's own. So the program runs once
    more, with a clock that is set by hand.

    Preconditions:
        - Open vSwitch runs on the host
    Steps:
        1. Run the program of the host's ovs-vswitchd beside it, with a database of its own, a
           bridge with one port, and its clock stopped.
        2. Have a frame arrive at the port, and list the FDB.
        3. Set the clock forward to 290 s, and to 310 s, and list the FDB each time.
    Verify:
        - the MAC is known at once and at 290 s, and no longer at 310 s
    """
    seen = {}
    with stopped_ovs(testbed.host, SCRATCH) as stopped:
        stopped.receive(QUIET_MAC)
        known = poll(lambda: _ages(stopped.bridge), deadline_s=LEARN_DEADLINE_S)
        assert known, f"not within {LEARN_DEADLINE_S:g} s: ovs-vswitchd has learnt {QUIET_MAC}"
        clock = 0
        for at in (DEFAULT_AGEING_S - MARGIN_S, DEFAULT_AGEING_S + MARGIN_S):
            stopped.advance(at - clock)
            clock = at
            wanted = at < DEFAULT_AGEING_S
            seen[at] = poll(
                functools.partial(_ages, stopped.bridge),
                functools.partial(_is_known, wanted=wanted),
                deadline_s=LEARN_DEADLINE_S,
            )
            assert _is_known(seen[at], wanted=wanted), (
                f"without a setting, {QUIET_MAC} is {'known' if seen[at] else 'gone'} {at} s "
                f"after its frame; expected is {DEFAULT_AGEING_S} s"
            )
    evidence.json("ages.json", {f"at {at} s": ages for at, ages in seen.items()})
    before, after = seen
    evidence.reason = f"without a setting, {QUIET_MAC} is known {before} s and gone {after} s after"


def _ages(bridge: Switch) -> list[float | None]:
    """Return the ages of the quiet station's entries, seconds."""
    return [entry.age_s for entry in bridge.fdb() if entry.mac == QUIET_MAC]


def _is_known(ages: list[float | None], *, wanted: bool) -> bool:
    """Whether the station is known, or not, as wanted."""
    return bool(ages) == wanted
