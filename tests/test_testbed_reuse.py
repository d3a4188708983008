# SPDX-License-Identifier: GPL-2.0-or-later
"""A testbed is built once for several faults, as long as its configuration is as it was built."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from faults import load_all
from fixtures.errors import HarnessError
from fixtures.probe.evidence import Evidence
from fixtures.testbed import testbed_reuse as reuse_module
from fixtures.testbed.config_snapshot import (
    ConfigSnapshot,
    differences,
    lines,
    without_free_macs,
)
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.testbed_reuse import TestbedReuse
from topologies.library import load
from topologies.topology import Topology


@dataclass
class Yard:
    """Builds nothing, and remembers what it was asked for."""

    asked: list[str] = field(default_factory=list)
    config_snapshot: ConfigSnapshot = field(default_factory=dict)
    broken: bool = False

    @contextlib.contextmanager
    def build(self, topology: Topology, evidence: Evidence) -> Iterator[Testbed]:
        """Stand in for a build."""
        self.asked.append(f"build {topology.name}")
        nothing = cast(Any, None)
        none: list[Any] = []
        yield Testbed(
            topology, nothing, nothing, none, none, {}, {}, None, "tool", evidence=evidence
        )
        if self.broken:
            raise HarnessError("it stays")

    def taken_down(
        self, testbed: Testbed, first: Testbed, reason: str | None, seconds: float
    ) -> None:
        """Remember it."""
        assert seconds >= 0
        built_for = first.topology.name
        self.asked.append(f"down {testbed.topology.name}, built for {built_for}: {reason}")


@pytest.fixture
def yard(monkeypatch: pytest.MonkeyPatch) -> Yard:
    made = Yard(config_snapshot={"ip": ["a", "b"]})
    monkeypatch.setattr(reuse_module, "config_snapshot", lambda _testbed: made.config_snapshot)
    monkeypatch.setattr(reuse_module, "forget", lambda _testbed: None)
    return made


def named(name: str, base: str = "nat") -> Topology:
    return load(base).model_copy(update={"name": name})


def test_what_is_as_it_was_stands_for_the_next_fault(yard: Yard, tmp_path: Path) -> None:
    reuse = TestbedReuse(yard.build, yard.taken_down)
    reuse.testbed(named("nat+one"), Evidence(tmp_path, "one"))
    reuse.remember()
    kept = Evidence(tmp_path, "first")
    assert reuse.is_as_built(kept)
    assert "as it was built" in (kept.folder / "undone.txt").read_text()
    second = Evidence(tmp_path, "two")
    testbed = reuse.testbed(named("nat+two"), second)
    assert (testbed.topology.name, testbed.evidence) == ("nat+two", second)
    assert yard.asked == ["build nat+one"]
    reuse.clear()
    reuse.clear()
    assert yard.asked == ["build nat+one", "down nat+two, built for nat+one: None"]


def test_what_is_not_as_it_was_is_built_again(yard: Yard, tmp_path: Path) -> None:
    reuse = TestbedReuse(yard.build, yard.taken_down)
    reuse.testbed(named("nat+one"), Evidence(tmp_path, "one"))
    reuse.remember()
    yard.config_snapshot = {"ip": ["a", "c"]}
    kept = Evidence(tmp_path, "first")
    assert not reuse.is_as_built(kept)
    said = (kept.folder / "undone.txt").read_text().splitlines()
    assert {"-b", "+c"} <= set(said)
    reuse.testbed(named("nat+two"), Evidence(tmp_path, "two"))
    down = "down nat+one, built for nat+one: None"
    assert yard.asked == ["build nat+one", down, "build nat+two"]


def test_another_topology_takes_the_place(yard: Yard, tmp_path: Path) -> None:
    reuse = TestbedReuse(yard.build, yard.taken_down)
    reuse.testbed(named("nat+one"), Evidence(tmp_path, "one"))
    reuse.testbed(named("nat+two"), Evidence(tmp_path, "two"))
    yard.broken = True
    reuse.testbed(named("isolated+one", "isolated"), Evidence(tmp_path, "three"))
    # Whoever had it last is told, and keeps the traceback.
    down = "down nat+two, built for nat+one: it stays"
    assert yard.asked == ["build nat+one", down, "build isolated+one"]
    assert "it stays" in (tmp_path / "evidence" / "two" / "teardown.txt").read_text()


def test_a_guest_with_another_model_is_built_for_itself(yard: Yard, tmp_path: Path) -> None:
    [fault] = load_all(["guest-wrong-model"])
    reuse = TestbedReuse(yard.build, yard.taken_down)
    reuse.testbed(named("a", "linux-bridge"), Evidence(tmp_path, "a"))
    reuse.testbed(fault.as_built(named("b", "linux-bridge")), Evidence(tmp_path, "b"))
    assert [word for word in yard.asked if word.startswith("build")] == ["build a", "build b"]


def test_what_cannot_be_compared_is_built_again(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unanswered(_net: Testbed) -> ConfigSnapshot:
        raise HarnessError("kvm1 does not answer")

    reuse = TestbedReuse(yard.build, yard.taken_down)
    reuse.testbed(named("nat+one"), Evidence(tmp_path, "one"))
    reuse.remember()
    monkeypatch.setattr(reuse_module, "config_snapshot", unanswered)
    kept = Evidence(tmp_path, "kept")
    assert not reuse.is_as_built(kept)
    assert "kvm1 does not answer" in (kept.folder / "undone.txt").read_text()


def test_differences_name_what_was_asked() -> None:
    assert differences({"ip": ["a"]}, {"ip": ["a"]}) == []
    said = differences({"ip": ["a"], "ps": ["x"]}, {"ip": ["a"], "nft": ["y"]})
    added = ["--- nft", "+++ afterwards", "@@ -0,0 +1 @@", "+y"]
    gone = ["--- ps", "+++ afterwards", "@@ -1 +0,0 @@", "-x"]
    assert said == added + gone


def test_ageing_is_compared_unless_stp_has_it_shortened() -> None:
    def asked(ageing: int, change: int) -> ConfigSnapshot:
        data = [{"info": {"ageing_time": ageing, "topology_change": change, "mtu": 1500}}]
        return {"ip": lines(json.dumps(data), in_order=False)}

    assert differences(asked(30000, 0), asked(3000, 0)) != []
    assert differences(asked(400, 1), asked(30000, 0)) == []
    assert differences(asked(30000, 0), asked(400, 1)) == []


def test_a_carrier_that_is_up_is_no_difference_before_the_kernel_says_so() -> None:
    def asked(flags: list[str], state: str) -> ConfigSnapshot:
        return {"ip": lines(json.dumps([{"flags": flags, "operstate": state}]), in_order=False)}

    up = asked(["UP", "LOWER_UP"], "UP")
    assert differences(asked(["NO-CARRIER", "UP", "LOWER_UP"], "DOWN"), up) == []
    assert differences(asked(["NO-CARRIER", "UP"], "DOWN"), up) != []


def test_the_mac_of_a_function_that_no_guest_has_is_no_difference() -> None:
    def asked(*functions: str) -> ConfigSnapshot:
        shown = [
            {"vf": number, "address": mac, "link_state": "auto", "rate": {"max_tx": 0}}
            for number, mac in enumerate(functions)
        ]
        nic = {"addr_info": [], "address": "52:54:00:00:00:01", "parentbus": "pci"}
        free = {"addr_info": [], "address": functions[1], "parentbus": "pci"}
        lo = {"addr_info": [], "address": "00:00:00:00:00:00", "ifname": "lo"}
        listed = lines(json.dumps([free, nic | {"vfinfo_list": shown}, lo]), in_order=False)
        return {"ip": without_free_macs(listed, {"52:54:00:00:00:0a"})}

    guest, others = "52:54:00:00:00:0a", ("2e:67:c8:12:51:4a", "62:94:ac:bd:cb:bd")
    built = asked(guest, others[0])
    assert differences(built, asked(guest, others[1])) == []
    # So some drivers leave a function without a MAC.
    assert differences(built, asked(guest, "00:00:00:00:00:00")) == []
    assert differences(built, asked(others[1], others[0])) != []
    assert "52:54:00:00:00:01" in "".join(built["ip"])


def test_counters_and_what_ipv6_makes_up_are_no_difference() -> None:
    before = '[{"addr_info": [{"local": "fe80::1"}], "hello_timer": 1.5, "mtu": 1500}]'
    after = '[{"addr_info": [], "hello_timer": 0.2, "mtu": 1500}]'
    assert lines(before, in_order=False) == lines(after, in_order=False)
    assert lines(":INPUT ACCEPT [1:60]\n# at noon", in_order=True) == [":INPUT ACCEPT"]


def test_tables_that_iptables_save_shows_are_not_compared_twice() -> None:
    own = "table bridge fault {\n\tchain in {\n\t}\n}"
    ruled = "table ip nat {\n\tchain A {\n\t}\n}\ntable ip filter {\n\tchain B {\n\t}\n}\n" + own
    assert lines(ruled, in_order=True) == own.splitlines()


def test_a_table_of_iptables_that_holds_nothing_is_none() -> None:
    empty = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [8:60]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
    assert lines("# at noon\n" + empty + "# done\n", in_order=True) == []
    dropping = empty.replace("FORWARD ACCEPT", "FORWARD DROP")
    assert ":FORWARD DROP" in lines(dropping, in_order=True)
    ruled = empty.replace("COMMIT", "-A INPUT -p tcp -j DROP\nCOMMIT")
    chained = empty.replace(":OUTPUT", ":DOCKER - [0:0]\n:OUTPUT")
    assert len(lines(ruled, in_order=True)) == 6
    assert len(lines(chained + empty, in_order=True)) == 6


def test_what_was_learnt_is_no_difference_and_what_was_set_is() -> None:
    learnt = [{"mac": "02:00:00:00:00:01", "ifname": "vnet0", "state": ""}]
    fixed = [{"mac": "02:00:00:00:00:02", "ifname": "vnet0", "state": "static"}]
    assert lines(json.dumps(learnt), in_order=True) == []
    assert len(lines(json.dumps([*learnt, *fixed]), in_order=True)) == 1
    # Which of two rows has the tag, and how many processes there are.
    assert lines("vnet0,100\nvnet1,[]", in_order=False) != lines(
        "vnet0,[]\nvnet1,100", in_order=False
    )
    assert lines("dnsmasq\ndnsmasq", in_order=False) != lines("dnsmasq", in_order=False)
    threads = "[kworker/0:0-events]\n(udev-worker)\ndnsmasq\n[dnsmasq] <defunct>"
    # Of a server that ended its line is missing, whether its parent knows of that or not.
    assert lines(threads, in_order=False) == ["dnsmasq"]
    nic = {"ifname": "enp2s0", "ifindex": 4, "altnames": [], "parentbus": "pci", "address": "a"}
    back = nic | {"ifindex": 12, "altnames": ["enx525400"]}
    assert lines(json.dumps([nic]), in_order=False) == lines(json.dumps([back]), in_order=False)
    other = back | {"address": "b"}
    assert lines(json.dumps([nic]), in_order=False) != lines(json.dumps([other]), in_order=False)
