# SPDX-License-Identifier: GPL-2.0-or-later
"""Open networks: libvirt writes no rule, and the host's own decide."""

import contextlib
from collections.abc import Iterator

import pytest

from fixtures.errors import Inconclusive
from fixtures.host.host import Host
from fixtures.probe.blocking import Attempt, attempt
from fixtures.probe.evidence import Evidence
from fixtures.probe.libvirt_leftovers import rules_naming
from fixtures.probe.reach import PROTOCOLS, Proto
from fixtures.testbed.physical_network import OUTSIDE_NIC
from fixtures.testbed.testbed import Testbed


@pytest.mark.claims("OP-02")
def test_no_rule_names_it(testbed: Testbed, evidence: Evidence) -> None:
    """No rule of any table names the bridge or the subnet.

    Preconditions:
        - The network is active, so libvirt has written the rules that it writes.
    Steps:
        1. Print the rules of iptables and of nftables.
    Verify:
        - No rule has the bridge's name or the subnet among its words.
    """
    network = testbed.topology.network
    found = rules_naming(testbed.host, network.bridge, str(testbed.subnet))
    evidence.json("rules.json", found)
    assert not found, f"a rule names {network.bridge} or {testbed.subnet}: {found[0]}"
    evidence.reason = f"no rule names {network.bridge} or {testbed.subnet}"


@pytest.mark.claims("OP-05")
@pytest.mark.needs("iptables")
def test_own_rules_decide(testbed: Testbed, evidence: Evidence) -> None:
    """With the host's FORWARD policy at DROP guests and outside do not reach each other.

    Preconditions:
        - The outside has a route to the guests' subnet, by the host.
    Steps:
        1. The first guest sends ICMP, TCP and UDP to the outside, and the outside to it.
        2. Set the policy of FORWARD to DROP, and send again.
        3. Set the policy back, and send again.
    Verify:
        - Answered, not answered, answered.
        - The far end's capture shows the requests of 1 and 3, and none of 2.
    """
    tried: dict[str, list[Attempt]] = {}
    for phase in ("open", "closed", "open-again"):
        policy = _closed(testbed.host) if phase == "closed" else contextlib.nullcontext()
        with policy:
            for proto in PROTOCOLS:
                for outward in (True, False):
                    name = f"{proto} {'outwards' if outward else 'inwards'}"
                    done = _attempt(testbed, proto, evidence, phase, outward=outward)
                    tried.setdefault(name, []).append(done)
    evidence.reason = "; ".join(
        f"{name}: {before}, with policy DROP {closed}, with the former one {after}"
        for name, (before, closed, after) in tried.items()
    )
    for name, (_before, closed, _after) in tried.items():
        assert closed.answer.none_answered, f"{name} with policy DROP: {closed}"
        assert closed.arrived == 0, f"{name} with policy DROP: {closed}"
    for name, (before, _, after) in tried.items():
        for control in (before, after):
            if not (control.answer.all_answered and control.arrived):
                raise Inconclusive(f"control failed, {name} with the former policy: {control}")


def _attempt(
    testbed: Testbed, proto: Proto, evidence: Evidence, phase: str, *, outward: bool
) -> Attempt:
    guest, outside = testbed.end("guest"), testbed.end("outside")
    label = f"{proto}-{'out' if outward else 'in'}-{phase}"
    if outward:
        with evidence.capture(testbed.outside, OUTSIDE_NIC, label) as frames:
            return attempt(proto, guest, outside, frames)
    with evidence.capture(testbed.host, testbed.guests[0].tap, label) as frames:
        return attempt(proto, outside, guest, frames)


@contextlib.contextmanager
def _closed(host: Host) -> Iterator[None]:
    """Set the policy of FORWARD to DROP for a `with` block."""
    # "-P FORWARD ACCEPT"
    [former] = [
        line.split()[-1]
        for line in host.run(["iptables", "-w", "-S", "FORWARD"]).stdout.splitlines()
        if line.startswith("-P ")
    ]
    host.run(["iptables", "-w", "-P", "FORWARD", "DROP"])
    try:
        yield
    finally:
        host.run(["iptables", "-w", "-P", "FORWARD", former])
