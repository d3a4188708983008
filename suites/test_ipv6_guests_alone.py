# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 on a network without an IPv6 address: among guests, where libvirt is asked for it."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from contracts.address_family import IPV6
from fixtures.errors import Inconclusive
from fixtures.host.host import Host
from fixtures.host.links import cable, namespace_machine, set_high_mac
from fixtures.host.machine import Machine
from fixtures.host.undo.rule_undos import IPTABLES_COMMENT, IptablesRuleDelete
from fixtures.probe.bridge_filter import BRIDGED_IPV6, CALL_IP6TABLES, called, is_on
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import Answer, End, ping
from fixtures.probe.station import NIC, wait_for_port
from fixtures.switch import libvirt_network
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.topology import Network

# From the carrier to a link-local address; milliseconds on an idle machine.
ADDRESS_DEADLINE_S = 10.0
UNUSABLE = {"tentative", "dadfailed"}


@dataclass(frozen=True)
class Seen:
    """What came of a network.

    Attributes:
        plain: one machine's pings to the other, with the host's rules as they are.
        refused: the same behind a rule of the host's that drops bridged IPv6.
        held: the host's IPv6 addresses on the bridge.
    """

    plain: Answer
    refused: Answer
    held: list[str]


@pytest.mark.claims("V6-10")
@pytest.mark.needs("bridge-nf", "iptables")
@pytest.mark.changes_host(f"sets {CALL_IP6TABLES}", only_if=is_on(CALL_IP6TABLES))
def test_guests_have_ipv6_among_themselves(testbed: Testbed, evidence: Evidence) -> None:
    """Asked for it, libvirt lets guests' IPv6 pass between them, and gives the host none there.

    Source: libvirt, "Network XML format", "General metadata", `ipv6`.

    Preconditions:
        - the host has no network and no bridge `plumb-alone6`
    Steps:
        1. Define and start a network `plumb-alone6` without an address and with ipv6='yes', and
           plug two machines into its bridge.
        2. Have the kernel pass bridged IPv6 to ip6tables, and ping the link-local address of one
           from the other.
        3. Add a rule behind all others of FORWARD that drops what passes between ports of that
           bridge, and ping again.
        4. Do all of it once more with a network without ipv6='yes'.
    Verify:
        - libvirt starts both
        - with ipv6='yes' every ping is answered, with the rule and without it
        - the host has no IPv6 address on either bridge
        - control: without ipv6='yes' every ping is answered without the rule, and none with it;
          else the check is inconclusive
    """
    asked, not_asked = (_seen(testbed, asks, evidence) for asks in (True, False))
    said = f"with ipv6='yes': {asked.plain}, refused: {asked.refused}"
    control = f"without: {not_asked.plain}, refused: {not_asked.refused}"
    evidence.reason = f"{said}; {control}"
    for seen in (asked, not_asked):
        assert not seen.held, f"the host has {seen.held} on the bridge of a network without IPv6"
    assert asked.plain.all_answered, said
    if not (not_asked.plain.all_answered and not_asked.refused.none_answered):
        raise Inconclusive(f"control failed, {control}")
    assert asked.refused.all_answered, f"the host's rule drops IPv6 between guests: {said}"


def _seen(testbed: Testbed, asks: bool, evidence: Evidence) -> Seen:
    host, network = testbed.host, _network(testbed, asks)
    with libvirt_network.defined(host, libvirt_network.definition(network)) as made:
        said = libvirt_network.refusal(made)
        assert not said, f"libvirt does not start {network.name}: {said}"
        evidence.text(f"network-{asks}.xml", made.XMLDesc(), "application/xml")
        with (
            _machine(host, network, "alone1") as near,
            _machine(host, network, "alone2") as far,
            called(host, BRIDGED_IPV6, network.bridge, on=True),
        ):
            end = End(near, _link_local(near), testbed.tool)
            to = f"{_link_local(far)}%{NIC}"
            plain = ping(end, to)
            with _refused(host, network.bridge):
                refused = ping(end, to)
            held = [str(each["local"]) for each in _addresses(host, network.bridge)]
            return Seen(plain, refused, held)


def _network(testbed: Testbed, asks: bool) -> Network:
    network = testbed.topology.network
    made = libvirt_network.beside(network, "plumb-alone6", testbed.taken_networks)
    return made.model_copy(
        update={"address": None, "dhcp": None, "stp": False, "guests_ipv6": asks}
    )


@contextlib.contextmanager
def _machine(host: Host, network: Network, name: str) -> Iterator[Machine]:
    """Plug a machine into a network's bridge."""
    switch, port = LinuxBridge(host, network.bridge), f"to-{name}"
    with namespace_machine(host, name) as machine:
        # Nobody else may have its address, and to try that out takes a second and more.
        machine.run(["sysctl", "-q", "-w", "net.ipv6.conf.default.dad_transmits=0"])
        with cable(machine, NIC, host, port):
            set_high_mac(host, port)
            switch.attach(port)
            try:
                wait_for_port(switch, port)
                yield machine
            finally:
                switch.detach(port)


@contextlib.contextmanager
def _refused(host: Host, bridge: str) -> Iterator[None]:
    """Drop IPv6 between ports of a bridge, behind every other rule."""
    rule = ["FORWARD", "-i", bridge, "-o", bridge, *IPTABLES_COMMENT, "-j", "DROP"]
    host.note(IptablesRuleDelete(IPV6.iptables, "filter", tuple(rule)))
    host.run([IPV6.iptables, "-w", "-A", *rule])
    try:
        yield
    finally:
        host.run([IPV6.iptables, "-w", "-D", *rule])


def _addresses(machine: Machine, link: str) -> list[dict[str, object]]:
    argv = ["ip", IPV6.option, "-json", "address", "show", "dev", link]
    listed = json.loads(machine.run(argv).stdout or "[]")
    return [each for one in listed for each in one.get("addr_info", ()) if each]


def _link_local(machine: Machine) -> str:
    """Return a machine's link-local address, as soon as it may use it.

    Raises:
        Inconclusive: it has none in time.
    """
    usable = poll(
        lambda: [each for each in _addresses(machine, NIC) if not UNUSABLE & each.keys()],
        bool,
        deadline_s=ADDRESS_DEADLINE_S,
        interval_s=0.3,
    )
    if not usable:
        raise Inconclusive(f"{machine.name} has no link-local address on {NIC}")
    return str(usable[0]["local"])
