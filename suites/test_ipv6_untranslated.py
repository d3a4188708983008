# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 on a NAT network without `<nat ipv6='yes'/>`: forwarded as it is, in both directions."""

import contextlib
import functools
from collections.abc import Iterator
from ipaddress import IPv6Interface

import pytest

from contracts.address_family import IPV6
from fixtures.errors import Inconclusive
from fixtures.host.links import add_address, cable, link_mtu, namespace_machine, set_high_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.forward_bypass import route
from fixtures.probe.packets import is_request, sender
from fixtures.probe.reach import PROTOCOLS, End, send, send_one
from fixtures.probe.station import NIC, wait_for_port
from fixtures.switch import libvirt_network
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from suites.plain_routing import require_no_translation, require_open_by_rules
from topologies.field_types import ETHERNET_MTU
from topologies.topology import Network

# The second network's prefix, of its own, and a machine's place in it.
SECOND = IPv6Interface("fd00:10:10:30::1/64")
PLACE = 9
SERVED_DEADLINE_S = 10.0


@pytest.mark.claims("V6-09")
def test_without_translation_it_is_routed(testbed: Testbed, evidence: Evidence) -> None:
    """A NAT network with an IPv6 address, and no `<nat ipv6='yes'/>`, is open to the outside.

    Source: libvirt, "Network XML format", "Connectivity", `nat`: IPv6 is
    forwarded by plain routing.

    Preconditions:
        - the host has no network and no bridge `plumb-routed6`
        - an outside machine with IPv6 is reached through the host's uplink
    Steps:
        1. Define and start a second NAT network with an IPv6 address, and plug a machine into its
           bridge, with an address of its prefix.
        2. Give the outside a route to the prefix by way of the host.
        3. Probe the outside from the machine, with a capture there, and the machine from the
           outside, by ICMP, TCP and UDP.
        4. Of an existing network that is such a one, do none of this: read the rules of all tables,
           and follow every class of packets of its prefix, and from the outside to it.
    Verify:
        - libvirt starts it
        - every request of the machine is answered, and arrives outside from its own address
        - every request of the outside is answered by the machine
        - of an existing network: by the rules no class gets another source, and by ICMP, TCP and
          UDP there are classes from the outside that are let through to a guest
        - control: the machine reaches the host's address on its bridge; else the check is
          inconclusive
    """
    topology = testbed.topology
    if not topology.origin.is_the_runs and not topology.network.nat6:
        require_no_translation(testbed, evidence, IPV6)
        require_open_by_rules(testbed, evidence, IPV6)
        return
    host, figures = testbed.host, testbed.figures_of(IPV6)
    second = _second(testbed)
    with libvirt_network.defined(host, libvirt_network.definition(second)) as network:
        said = libvirt_network.refusal(network)
        assert not said, f"libvirt does not start it: {said}"
        with (
            _machine(testbed, second) as inside,
            route(testbed.own_outside, SECOND.network, str(figures.host)),
            evidence.capture(testbed.outside, testbed.outside_nic) as frames,
        ):
            outside = testbed.end("outside", IPV6)
            for proto in PROTOCOLS:
                out = send(proto, inside, outside)
                assert out.all_answered, f"by {proto} it does not reach the outside: {out}"
                arrived = frames.collect(
                    functools.partial(is_request, proto=proto, to=outside.address)
                )
                sources = {sender(frame.packet) for frame in arrived}
                assert sources == {inside.address}, (
                    f"by {proto} the outside sees {sources}, expected {inside.address}"
                )
                back = send(proto, outside, inside)
                assert back.all_answered, f"by {proto} the outside does not reach it: {back}"
    evidence.reason = f"{inside.address} reaches the outside as itself, and is reached from there"


def _second(testbed: Testbed) -> Network:
    """Return a NAT network beside the one under test, with IPv6 that is not translated."""
    network = testbed.topology.network
    made = libvirt_network.beside(network, "plumb-routed6", testbed.taken_networks)
    # A port of a bridge with STP would first listen and learn for 4 s. Packets smaller than
    # Ethernet's are another claim's.
    mtu = made.mtu if made.mtu is not None and made.mtu > ETHERNET_MTU else None
    return made.model_copy(update={"address6": SECOND, "stp": False, "mtu": mtu})


@contextlib.contextmanager
def _machine(testbed: Testbed, network: Network) -> Iterator[End]:
    """Plug a machine into a network's bridge, with an address and the host as its router."""
    host, switch = testbed.host, LinuxBridge(testbed.host, network.bridge)
    address, port = SECOND.network[PLACE], "to-inside6"
    with contextlib.ExitStack() as stack:
        machine = stack.enter_context(namespace_machine(host, "inside6"))
        mtu = link_mtu(host, network.bridge)
        stack.enter_context(cable(machine, NIC, host, port, mtu=mtu))
        # It is known by the one address alone.
        machine.run(["sysctl", "-q", "-w", f"net.ipv6.conf.{NIC}.accept_ra=0"])
        set_high_mac(host, port)
        switch.attach(port)
        stack.callback(switch.detach, port)
        add_address(machine, NIC, f"{address}/{SECOND.network.prefixlen}")
        machine.run(["ip", IPV6.option, "route", "replace", "default", "via", str(SECOND.ip)])
        wait_for_port(switch, port)
        stack.enter_context(machine.background([testbed.tool, "serve"]))
        inside = End(machine, str(address), testbed.tool, mtu)
        router = End(host, str(SECOND.ip), testbed.tool, mtu)
        for near, far in ((inside, router), (router, inside)):
            answer = poll(
                functools.partial(send_one, "tcp", near, far),
                lambda found: found.all_answered,
                deadline_s=SERVED_DEADLINE_S,
            )
            if not answer.all_answered:
                raise Inconclusive(f"control failed, {near.name} → {far.name}: {answer}")
        yield inside
