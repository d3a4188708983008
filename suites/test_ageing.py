# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a new bridge knows an address, by what the host makes of it and by an entry's age."""

import contextlib
from dataclasses import asdict

import pytest

from fixtures.host.links import set_up
from fixtures.probe.evidence import Evidence
from fixtures.probe.marked_frames import BROADCAST, marked
from fixtures.probe.station import station
from fixtures.switch.switch import FdbEntry
from fixtures.switch.switches import bridge_made
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll

SCRATCH = "plumb-fresh"
DEFAULT_AGEING_S = 300
# A locally administered unicast address, unused.
QUIET_MAC = "02:00:5e:00:53:05"
LEARN_DEADLINE_S = 5.0


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
