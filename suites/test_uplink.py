# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge to the physical network: the NIC as a port, the address on the bridge."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_interface

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from contracts.address_family import IPV4, AddressFamily
from fixtures.errors import Inconclusive, StartRefused
from fixtures.guest.guest import nics_of
from fixtures.guest.guest_boot import held
from fixtures.host.links import addresses, has_link, link_mac, own_mac
from fixtures.host.nic_state import nic_addresses
from fixtures.probe.evidence import Evidence
from fixtures.probe.input_exception import said
from fixtures.probe.packets import sender
from fixtures.probe.reach import PROTOCOLS, End, ping, send
from fixtures.switch.default_network import default_network, network_names
from fixtures.testbed.ports_let_in import ECHO_PORTS, ports_let_in
from fixtures.testbed.testbed import Testbed
from suites.families_outside import families_outside

# One more guest's name, and its MACs: above the others', so that a Linux bridge, which takes the
# lowest of its ports, keeps its own while the TAPs are there.
EXTRA_NAME, EXTRA_MAC = "plumb", "52:ff:ff:00:54:{:02x}"


@pytest.mark.claims("BR-01")
def test_nic_is_a_port(testbed: Testbed, evidence: Evidence) -> None:
    """The physical NIC is a port of the bridge.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the ports of the bridge.
    Verify:
        - the physical NIC is among them
    """
    uplink, ports = testbed.topology.network.uplink, testbed.switch.ports()
    evidence.json("ports.json", ports)
    evidence.reason = f"ports of {testbed.switch.name}: {', '.join(ports)}"
    assert uplink in ports, f"{uplink} is no port of {testbed.switch.name}: {ports}"


@pytest.mark.claims("BR-14")
def test_id_is_the_nics(testbed: Testbed, evidence: Evidence) -> None:
    """The bridge's id is 8000 and the NIC's MAC, and STP is off unless the topology asks for it.

    A TAP's MAC begins with `fe`, so that the NIC's is the lowest of the ports. A bridge that was
    given a MAC keeps that one: udev's policy gives every new bridge its own.

    Preconditions:
        - the topology gives the bridge no MAC of its own
    Steps:
        1. Read the bridge's id, its STP state, its own MAC, if it was given one, and the NIC's MAC.
    Verify:
        - the id is 8000 and the NIC's MAC, or the bridge's own
        - STP is off, or on if the topology turns it on
    """
    network, bridge = testbed.topology.network, testbed.linux_bridge
    if network.mac is not None:
        raise testbed.without("a bridge with its NIC's MAC", f"networks[0].mac is {network.mac}")
    own, stp = own_mac(testbed.host, bridge.name), bridge.stp()
    whose = bridge.name if own else str(network.uplink)
    mac = own or link_mac(testbed.host, whose)
    seen, wanted = bridge.bridge_id(), f"8000.{mac.replace(':', '')}"
    evidence.json("bridge.json", {"id": seen, "stp": stp, whose: mac})
    evidence.reason = f"id {seen}, {whose} has {mac}; STP {'on' if stp else 'off'}"
    assert seen == wanted, f"{bridge.name} has id {seen}, expected {wanted} by {whose}"
    asked = network.stp is True
    assert stp == asked, (
        f"STP of {bridge.name} is {'off' if asked else 'on, without a setting for it'}"
    )


@pytest.mark.claims("BR-02")
def test_address_is_on_the_bridge(testbed: Testbed, evidence: Evidence) -> None:
    """The NIC holds no address; the bridge holds the host's.

    A NIC's own link-local IPv6 address (RFC 4291, 2.8) is on every link that is up.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the IPv4 and IPv6 addresses of the NIC and of the bridge.
    Verify:
        - the NIC has none, but for link-local ones
        - the bridge has the host's address, and no other of its subnet
        - where the physical network has IPv6, the bridge has the host's address of it; others of
          the prefix the kernel may have made of advertisements
    """
    network = testbed.topology.network
    uplink = str(network.uplink)
    on_nic = nic_addresses(testbed.host, uplink)
    on_bridge = nic_addresses(testbed.host, network.bridge)
    evidence.json("addresses.json", {uplink: on_nic, network.bridge: on_bridge})
    evidence.reason = f"{uplink}: {on_nic or 'none'}; {network.bridge}: {on_bridge}"
    assert not on_nic, f"{uplink} still holds {on_nic}"
    # An address of another subnet is the site's own affair.
    own = [each for each in on_bridge if ip_interface(each).ip in testbed.subnet]
    assert own == [str(network.address)], f"{network.bridge} holds {on_bridge}"
    lacks = network.address6 is not None and str(network.address6) not in on_bridge
    assert not lacks, f"{network.bridge} holds {on_bridge}, and not {network.address6}"


@pytest.mark.claims("BR-03")
def test_host_stays_reachable(testbed: Testbed, evidence: Evidence) -> None:
    """The outside reaches the host, and the answers come from the bridge's own MAC.

    Preconditions:
        - an outside machine is on the physical network
    Steps:
        1. By each address family that guests and outside have: probe the host from outside by
           ICMP, TCP and UDP, with a capture there. Where the host refuses every port that it does
           not know, let in the probes' ones.
    Verify:
        - every request is answered
        - the host's answers, IP and those of ARP or neighbour discovery, come from the bridge's MAC
          and no other
    """
    families = families_outside(testbed)
    evidence.reason = "; ".join(
        (*(_reachable(testbed, family, evidence) for family in families.decided), *families.left)
    )


def _reachable(testbed: Testbed, family: AddressFamily, evidence: Evidence) -> str:
    """Probe the host from outside by all protocols of a family; the bridge's MAC answers."""
    near, far = testbed.end("outside", family), testbed.end("host", family)
    own = link_mac(testbed.outside, testbed.outside_nic)
    with (
        ports_let_in(testbed, far.family, ECHO_PORTS) as let_in,
        evidence.capture(testbed.outside, testbed.outside_nic, family.name) as frames,
    ):
        for proto in PROTOCOLS:
            answer = send(proto, near, far)
            assert answer.all_answered, f"the outside does not reach the host by {proto}: {answer}"
        answers = frames.collect(lambda p: p.dst == own and _from_host(p, far.address))
        assert answers, frames.missing("answers of the host")
    bridge = link_mac(testbed.host, testbed.switch.name)
    sources = {frame.packet[Ether].src for frame in answers}
    assert sources == {bridge}, f"answers come from {sorted(sources)}, the bridge has {bridge}"
    answered = f"by {family} answered by {', '.join(PROTOCOLS)} from {sorted(sources)}"
    return f"{answered}{said(let_in, ECHO_PORTS)}"


def _from_host(packet: Packet, address: str) -> bool:
    if ICMPv6ND_NA in packet:
        return bool(packet[ICMPv6ND_NA].tgt == address)
    return sender(packet) == address


@pytest.mark.claims("BR-13")
def test_both_ways_to_attach(testbed: Testbed, evidence: Evidence) -> None:
    """A guest attached by the bridge's name and one by a libvirt network both are on it.

    Preconditions:
        - the topology has a guest attached each way
        - an outside machine is on the physical network
    Steps:
        1. Read each guest's NIC from libvirt's list.
        2. Ping the outside from each guest.
        3. Have libvirt start one more domain, with a NIC attached each way, and hold it.
    Verify:
        - libvirt lists the guests on both: the bridge's name, and the libvirt network over it
        - the TAP of each guest is a port of the bridge
        - every ping is answered
        - libvirt starts the one more domain, and both its TAPs are ports of the bridge
    """
    listed = {guest.name: guest.nics()[0] for guest in testbed.guests}
    network, ports = testbed.topology.network, testbed.switch.ports()
    planned = {guest.attach for guest in testbed.topology.guests if guest.network == network.name}
    if planned != {"bridge", "network"}:
        raise testbed.without(
            "a guest attached each way", f"attach is {' and '.join(planned)} alone"
        )
    ways = {nic.network for nic in listed.values()}
    wanted = {"", str(network.libvirt_name)}
    assert ways == wanted, f"the guests are on libvirt networks {ways}, expected {wanted}"
    for guest in testbed.guests:
        nic = listed[guest.name]
        assert nic.tap in ports, f"{nic.tap} of {guest.name} is no port of {testbed.switch.name}"
        answer = ping(testbed.guest_end(guest), testbed.end("outside").address)
        assert answer.all_answered, f"{guest.name} does not reach outside: {answer}"
    _expect_attached_now(testbed)
    evidence.reason = ", ".join(
        f"{name} by {'network ' + nic.network if nic.network else 'bridge ' + nic.source}"
        for name, nic in listed.items()
    )


def _expect_attached_now(testbed: Testbed) -> None:
    """Assert that a domain that is started now is attached in each of the guests' ways."""
    attached = {guest.plan.nics[0].attach: guest.plan.nics[0] for guest in testbed.guests}
    wanted = [
        replace(nic, mac=EXTRA_MAC.format(number)) for number, nic in enumerate(attached.values())
    ]
    try:
        with held(testbed.guests[0], EXTRA_NAME, wanted) as domain:
            ports = testbed.switch.ports()
            for nic, planned in zip(nics_of(domain), wanted, strict=True):
                way = f"by {planned.attach} {planned.source}"
                assert nic.tap in ports, (
                    f"a guest that is attached {way} now is no port of {testbed.switch.name}: "
                    f"{nic.tap} is not among {ports}"
                )
    except StartRefused as error:
        raise AssertionError(f"a guest can't be attached both ways now: {error.hint}") from error


@pytest.mark.lengthy
@pytest.mark.claims("BR-10")
@pytest.mark.changes_host("destroys and undefines libvirt's default network for a while")
@pytest.mark.changes_network("starts, destroys and undefines the default network")
def test_independent_of_virbr0(testbed: Testbed, evidence: Evidence) -> None:
    """The default network can be destroyed and undefined without effect on bridged guests.

    Preconditions:
        - libvirt has the default network, or the host has the distribution's file of it
        - an outside machine is on the physical network
    Steps:
        1. Probe by ICMP, TCP and UDP between each guest and the outside, both ways.
        2. Start the default network, and probe.
        3. Destroy it, and probe.
        4. Undefine it, and probe.
    Verify:
        - every request is answered each time, both ways
        - destroyed, the default network's bridge is gone
        - undefined, libvirt does not list it
        - control: the default network was active with its bridge before; else the check is
          inconclusive
    """
    _require_both_ways(testbed, "without the default network")
    with default_network(testbed.host) as default:
        name, bridge = default.name(), default.bridgeName()
        if not (default.isActive() and has_link(testbed.host, bridge)):
            raise Inconclusive(f"network {name} did not come up: there was nothing to destroy")
        held = addresses(testbed.host, bridge, IPV4)
        _require_both_ways(testbed, f"while {name} is active on {bridge}")
        default.destroy()
        assert not has_link(testbed.host, bridge), f"{name} is destroyed, and {bridge} still there"
        _require_both_ways(testbed, f"with {name} destroyed")
        default.undefine()
        known = network_names(testbed.host)
        assert name not in known, f"{name} is undefined, and libvirt lists {known}"
        answers = _require_both_ways(testbed, f"with {name} undefined")
    evidence.json("answers.json", answers)
    evidence.reason = (
        f"{name} ({bridge}, {held}) started, destroyed and undefined: "
        f"{len(answers)} probes between guests and outside answered each time"
    )


def _require_both_ways(testbed: Testbed, when: str) -> dict[str, str]:
    """Probe from each guest to the outside and back, by all protocols, side by side."""
    outside = testbed.end("outside")
    pairs = [pair for end in testbed.ends("guest") for pair in ((end, outside), (outside, end))]

    def probe(pair: tuple[End, End]) -> dict[str, str]:
        near, far = pair
        answers = {proto: send(proto, near, far) for proto in PROTOCOLS}
        for proto, answer in answers.items():
            assert answer.all_answered, f"{when}: {near.name} → {far.name} by {proto}: {answer}"
        return {f"{near.name} → {far.name}, {proto}": str(a) for proto, a in answers.items()}

    with ThreadPoolExecutor(len(pairs)) as pool:
        return {name: said for part in pool.map(probe, pairs) for name, said in part.items()}
