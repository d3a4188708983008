# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the seconds of a run go, by its record."""

from benchmarks.seconds import by_topology, table
from reports.record import Measurement, RunRecord, TopologyRecord, Verdict
from tests import records

RATE = Measurement(name="tcp", unit="Mbit/s", samples=[40.0])


def run() -> RunRecord:
    checks = [
        records.check("throughput.x", duration_s=6.0, paused_s=1.0, measurements=[RATE]),
        records.check("dhcp.x", duration_s=3.0, paused_s=2.5),
        # A record from before pauses were kept, and a check that never ran.
        records.check("nat.x", duration_s=2.0),
        records.check("nat.y", duration_s=None),
    ]
    topology = TopologyRecord(
        name="nat",
        verdict=Verdict.CONFORMS,
        build_s=10.0,
        boot_s=7.0,
        teardown_s=0.5,
        guests_cpu_s=12.0,
    )
    return records.record(checks, topologies=[topology])


def test_each_second_is_counted_once() -> None:
    seconds = by_topology(run())["nat"]
    assert (seconds.build, seconds.boot, seconds.take_down) == (3.0, 7.0, 0.5)
    assert (seconds.wait, seconds.measure, seconds.check) == (3.5, 5.0, 2.5)
    assert seconds.whole == 10.0 + 0.5 + 6.0 + 3.0 + 2.0
    assert seconds.cpu == 12.0


def test_the_table_has_a_line_for_each_topology_and_one_for_all() -> None:
    head, *lines = table(run()).splitlines()
    assert head.split()[2:] == [
        "build",
        "boot",
        "wait",
        "measure",
        "check",
        "take",
        "down",
        "all",
        "CPU",
    ]
    assert [line.split()[0] for line in lines] == ["nat", "all", "the"]
    assert lines[0].split()[1:] == ["3.0", "7.0", "3.5", "5.0", "2.5", "0.5", "21.5", "12.0"]
