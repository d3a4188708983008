# SPDX-License-Identifier: GPL-2.0-or-later
"""Which worker gets which topology next."""

from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from xdist.remote import Producer

from contracts.plan import PlannedCheck, write_plan
from contracts.run_settings import RunSettings, keep_settings
from fixtures.plugin.xdist_scheduling import TopologyScheduling


@dataclass(eq=False)
class Worker:
    """A worker as far as the scheduler talks to it: it is sent the numbers of checks."""

    name: str
    sent: list[int] = field(default_factory=list)
    shutting_down: bool = False

    @property
    def gateway(self) -> SimpleNamespace:
        """What names it."""
        return SimpleNamespace(id=self.name)

    def send_runtest_some(self, numbers: list[int]) -> None:
        """Take checks."""
        self.sent += numbers

    def shutdown(self) -> None:
        """Be told that there are no more."""
        self.shutting_down = True


def given(folder: Path, topologies: dict[str, int], workers: int) -> list[list[str]]:
    """Return the topologies that each worker gets, in order, if they end their checks in turn.

    Args:
        folder: for the plan.
        topologies: name → how many checks it has.
        workers: how many.
    """
    planned = [
        PlannedCheck(f"a.check[{name}]", f"{name}-{number}", (), name, rerun="")
        for name, checks in topologies.items()
        for number in range(checks)
    ]
    write_plan(folder, planned)
    config = SimpleNamespace(
        option=Namespace(loadscopereorder=True),
        getvalue=lambda _name: ["popen"] * workers,
    )
    keep_settings(config, RunSettings(output=folder))
    scheduler = TopologyScheduling(cast(Any, config), Producer("test", enabled=False))
    nodes = [Worker(f"gw{number}") for number in range(workers)]
    names = [check.nodeid for check in planned]
    for node in nodes:
        scheduler.add_node(cast(Any, node))
        scheduler.add_node_collection(cast(Any, node), names)
    scheduler.schedule()
    ended = [0] * workers
    while any(ended[at] < len(node.sent) for at, node in enumerate(nodes)):
        for at, node in enumerate(nodes):
            if ended[at] < len(node.sent):
                scheduler.mark_test_complete(cast(Any, node), node.sent[ended[at]])
                ended[at] += 1
    return [list(dict.fromkeys(planned[number].topology for number in node.sent)) for node in nodes]


def test_a_run_begins_with_what_takes_longest(tmp_path: Path) -> None:
    [order] = given(tmp_path, {"isolated": 2, "nat": 5, "ovs": 4}, workers=1)
    assert order == ["nat", "ovs", "isolated"]


def test_each_topology_goes_to_one_worker(tmp_path: Path) -> None:
    topologies = {"isolated": 2, "nat": 5, "ovs": 4, "bridged": 3}
    one, other = given(tmp_path, topologies, workers=2)
    assert sorted(one + other) == sorted(topologies)
    assert {one[0], other[0]} == {"nat", "ovs"}


def test_a_worker_stays_with_the_topology_that_may_stand(tmp_path: Path) -> None:
    """The faults of one topology come in their order: those that are undone before the others."""
    topologies = {"ovs+a": 2, "ovs+b": 2, "nat+a": 3, "nat+b": 1, "nat+c": 3, "ovs+c": 2}
    [order] = given(tmp_path, topologies, workers=1)
    assert order == ["nat+a", "nat+b", "nat+c", "ovs+a", "ovs+b", "ovs+c"]
