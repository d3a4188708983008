# SPDX-License-Identifier: GPL-2.0-or-later
"""Open networks: libvirt writes no rule, and the host's own decide."""

import contextlib
import itertools
from collections.abc import Iterator

import pytest

from fixtures.errors import Inconclusive
from fixtures.host.host import Host
from fixtures.host.undo.rule_undos import IPTABLES_COMMENT, IptablesPolicy, IptablesRuleDelete
from fixtures.probe.blocking import CONTROL_WAIT_S, WAIT_S, Attempt, Blocking, attempt
from fixtures.probe.evidence import Evidence
from fixtures.probe.libvirt_leftovers import rules_naming
from fixtures.probe.reach import PROTOCOLS
from fixtures.testbed.testbed import Testbed
from suites.blocked import require_blocked


@pytest.mark.claims("OP-02")
@pytest.mark.changes_network("adds a rule with the bridge's name to FORWARD")
@pytest.mark.needs("iptables")
def test_no_rule_names_it(testbed: Testbed, evidence: Evidence) -> None:
    """No rule of any table names the bridge or the subnet.

    Preconditions:
        - The network is active, so libvirt has written the rules that it writes.
    Steps:
        1. Print the rules of iptables and of nftables.
        2. Add a rule with the bridge's name, which decides nothing, to the end of FORWARD; print
           the rules again, and delete it.
    Verify:
        - No rule has the bridge's name or the subnet among its words.
        - Control: the added rule is found; else the check is inconclusive.
    """
    host, bridge, subnet = testbed.host, testbed.topology.network.bridge, str(testbed.subnet)
    found = rules_naming(host, bridge, subnet)
    with _rule_naming(host, bridge):
        control = rules_naming(host, bridge, subnet)
    evidence.json("rules.json", {"found": found, "with one of the check's own": control})
    assert not found, f"a rule names {bridge} or {subnet}: {found[0]}"
    if not control:
        raise Inconclusive(f"control failed: a rule that names {bridge} is not found")
    evidence.reason = f"no rule names {bridge} or {subnet}; one that was added was found"


@pytest.mark.claims("OP-05")
@pytest.mark.changes_network("sets the policy of FORWARD to DROP")
@pytest.mark.needs("iptables")
def test_own_rules_decide(testbed: Testbed, evidence: Evidence) -> None:
    """With the host's FORWARD policy at DROP guests and outside do not reach each other.

    On a host that may not be changed a last rule of FORWARD stands in for the policy: it has its
    place, and is for packets of the bridge alone.

    Preconditions:
        - The outside has a route to the guests' subnet, by the host.
    Steps:
        1. Each guest sends ICMP, TCP and UDP to the outside, and the outside to each guest.
        2. Set the policy of FORWARD to DROP, and send again.
        3. Set the policy back, and send again.
    Verify:
        - Answered, not answered, answered.
        - The far end's capture shows the requests of 1 and 3, and none of 2.
    """
    former = _each_way(testbed, evidence, "open")
    with _closed(testbed.host, testbed.switch.name):
        closed = _each_way(testbed, evidence, "closed")
    again = _each_way(testbed, evidence, "open-again")
    tried = {name: Blocking(former[name], closed[name], again[name]) for name in former}
    require_blocked(tried, evidence, during="with policy DROP", after="with the former policy")


def _each_way(testbed: Testbed, evidence: Evidence, phase: str) -> dict[str, Attempt]:
    """Try every protocol from each guest to the outside and back, captured at the far end."""
    outside = testbed.end("outside")
    wait_s = WAIT_S if phase == "closed" else CONTROL_WAIT_S
    tried: dict[str, Attempt] = {}
    for guest, proto in itertools.product(testbed.guests, PROTOCOLS):
        end = testbed.guest_end(guest)
        label = f"{guest.name}-{proto}"
        with evidence.capture(
            testbed.outside, testbed.outside_nic, f"{label}-out-{phase}"
        ) as frames:
            out = attempt(proto, end, outside, frames, wait_s=wait_s)
        with evidence.capture(testbed.host, guest.tap, f"{label}-in-{phase}") as frames:
            back = attempt(proto, outside, end, frames, wait_s=wait_s)
        tried |= {f"{guest.name} {proto} outwards": out, f"{guest.name} {proto} inwards": back}
    return tried


@contextlib.contextmanager
def _rule_naming(host: Host, bridge: str) -> Iterator[None]:
    """Have a rule that names a bridge and changes nothing for a `with` block."""
    # RETURN at the end of a base chain is the policy, which would follow anyway.
    rule = ["FORWARD", "-i", bridge, *IPTABLES_COMMENT, "-j", "RETURN"]
    host.note(IptablesRuleDelete("iptables", "filter", tuple(rule)))
    host.run(["iptables", "-w", "-A", *rule])
    try:
        yield
    finally:
        host.run(["iptables", "-w", "-D", *rule])


def _closed(host: Host, bridge: str) -> contextlib.AbstractContextManager[None]:
    """Have what no rule of FORWARD has accepted dropped for a `with` block: all, or a bridge's."""
    return _policy_of_drop(host) if host.may_be_changed else _last_rules_of_drop(host, bridge)


@contextlib.contextmanager
def _last_rules_of_drop(host: Host, bridge: str) -> Iterator[None]:
    """Have FORWARD drop a bridge's packets in the place of its policy for a `with` block."""
    with contextlib.ExitStack() as stack:
        for way in ("-i", "-o"):
            rule = ["FORWARD", way, bridge, *IPTABLES_COMMENT, "-j", "DROP"]
            host.note(IptablesRuleDelete("iptables", "filter", tuple(rule)))
            host.run(["iptables", "-w", "-A", *rule])
            stack.callback(host.run, ["iptables", "-w", "-D", *rule])
        yield


@contextlib.contextmanager
def _policy_of_drop(host: Host) -> Iterator[None]:
    """Set the policy of FORWARD to DROP for a `with` block."""
    # "-P FORWARD ACCEPT"
    [former] = [
        line.split()[-1]
        for line in host.run(["iptables", "-w", "-S", "FORWARD"]).stdout.splitlines()
        if line.startswith("-P ")
    ]
    host.note(IptablesPolicy("iptables", "FORWARD", former))
    host.run(["iptables", "-w", "-P", "FORWARD", "DROP"])
    try:
        yield
    finally:
        host.run(["iptables", "-w", "-P", "FORWARD", former])
