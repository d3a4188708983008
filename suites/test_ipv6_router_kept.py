# SPDX-License-Identifier: GPL-2.0-or-later
"""A network with IPv6 beside the host's own router: libvirt does not cost the host its route."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Interface, IPv6Network

import pytest
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, IPv6
from scapy.layers.l2 import Ether

from contracts.address_family import IPV6
from fixtures.errors import Inconclusive
from fixtures.host.host import Host
from fixtures.host.links import cable, link_mac, namespace_machine
from fixtures.host.machine import Machine
from fixtures.probe.advertisement import interface_identifier
from fixtures.probe.evidence import Evidence
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.topology import Network

# The host's link to a router that advertises itself, and the router's own NIC.
LINK, NIC = "plumb-ra", "eth0"
# Documentation addresses (RFC 3849) for the router's link; the second network's are local ones.
ROUTERS_PREFIX = IPv6Network("2001:db8:ad::/64")
SECOND = IPv6Interface("fd00:10:10:20::1/64")
ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
LIFETIME_S = 1800
TAKEN_DEADLINE_S = 10.0
# Documentation/networking/ip-sysctl: 1 takes advertisements unless the host forwards, 2 always.
UNLESS_FORWARDING, ALWAYS = "1", "2"


@dataclass(frozen=True)
class Advertiser:
    """A router on a link of the host's.

    Attributes:
        host: the host.
        machine: the router.
        tool: `plumbline-probe` there.
    """

    host: Host
    machine: Machine
    tool: str

    @property
    def address(self) -> str:
        """Its link-local address, by its MAC."""
        own = interface_identifier(link_mac(self.machine, NIC))
        return str(IPv6Network("fe80::/64")[own])

    def advertise(self) -> None:
        """Send an advertisement by which it is a default router."""
        mac = link_mac(self.machine, NIC)
        header = Ether(src=mac, dst=ALL_NODES_MAC) / IPv6(src=self.address, dst=ALL_NODES, hlim=255)
        said = ICMPv6ND_RA(routerlifetime=LIFETIME_S)
        prefix = ICMPv6NDOptPrefixInfo(
            prefix=str(ROUTERS_PREFIX.network_address), prefixlen=ROUTERS_PREFIX.prefixlen
        )
        frame = bytes(header / said / prefix).hex()
        self.machine.run([self.tool, "frame", NIC, frame])

    def is_router(self) -> bool:
        """Whether the host has a default route by it, from an advertisement."""
        argv = ["ip", IPV6.option, "-json", "route", "show", "default", "dev", LINK]
        routes = json.loads(self.host.run(argv).stdout or "[]")
        return any(
            (each.get("gateway"), each.get("protocol")) == (self.address, "ra") for each in routes
        )

    def taken(self) -> bool:
        """Advertise until the host has taken it; returns whether it has."""

        def tried() -> bool:
            self.advertise()
            return self.is_router()

        return poll(tried, bool, deadline_s=TAKEN_DEADLINE_S, interval_s=0.5)


@contextlib.contextmanager
def _advertiser(testbed: Testbed) -> Iterator[Advertiser]:
    host = testbed.host
    with namespace_machine(host, "advertiser") as machine, cable(host, LINK, machine, NIC):
        yield Advertiser(host, machine, testbed.tool)


def _accept_ra(host: Host, value: str) -> None:
    host.set_sysctl(f"net/ipv6/conf/{LINK}/accept_ra", value)


@pytest.mark.changes_host("has a further default router of IPv6 for a while")
@pytest.mark.claims("V6-08")
def test_router_of_the_host_is_kept(testbed: Testbed, evidence: Evidence) -> None:
    """No network with IPv6 is started that would cost the host its advertised router.

    A kernel that forwards takes advertisements by a link only where its `accept_ra` is 2, so that a
    route that came by one would run out.

    Source: libvirt's own message; Documentation/networking/ip-sysctl, `accept_ra`.

    Preconditions:
        - the host has no network and no bridge `plumb-ra6`, and no link `plumb-ra`
        - the network under test is forwarded, and has an IPv6 address
    Steps:
        1. Cable the host to a router, have the host take its advertisement (`accept_ra` 2) and
           send one.
        2. Set `accept_ra` of that link to 1, and start a second network with IPv6.
        3. Set it to 2, and start that network.
        4. Send a further advertisement.
    Verify:
        - with 1 libvirt refuses, and its message names the link and `accept_ra`
        - refused, the network is inactive, and the host has its route by the router
        - with 2 it starts, and the host has its route by the router, and takes a further
          advertisement
        - control: before, the host has a default route by the router; else the check is
          inconclusive
    """
    host = testbed.host
    second = _second(testbed)
    xml = libvirt_network.definition(second)
    with _advertiser(testbed) as router, libvirt_network.defined(host, xml) as network:
        _accept_ra(host, ALWAYS)
        if not router.taken():
            raise Inconclusive(f"the host takes no router by {LINK}, where it should take any")
        _accept_ra(host, UNLESS_FORWARDING)
        refused = libvirt_network.refusal(network)
        evidence.text("refusal.txt", refused)
        kept = router.is_router()
        assert refused, f"with accept_ra 1 on {LINK} libvirt starts a network with IPv6"
        for word in (LINK, "accept_ra"):
            assert word in refused, f"libvirt's refusal does not name {word}: {refused}"
        assert not network.isActive(), "refused, the network is active"
        assert kept, f"refused, the host has no route by {router.address} any more"
        _accept_ra(host, ALWAYS)
        said = libvirt_network.refusal(network)
        assert not said, f"with accept_ra 2 on {LINK} libvirt does not start it: {said}"
        assert router.is_router(), f"with the network up there is no route by {router.address}"
        host.run(["ip", IPV6.option, "route", "flush", "dev", LINK, "proto", "ra"])
        assert router.taken(), "with the network up the host takes no further advertisement"
    evidence.reason = f"with accept_ra 1: {refused}; with 2 it starts, and the route stays"


def _second(testbed: Testbed) -> Network:
    """Return a second network like the one under test, with an IPv6 address of its own."""
    network = testbed.topology.network
    made = libvirt_network.beside(network, "plumb-ra6", testbed.taken_networks)
    return made.model_copy(update={"address6": SECOND, "nat6": network.nat6})
