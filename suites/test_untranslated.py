# SPDX-License-Identifier: GPL-2.0-or-later
"""What masquerading leaves alone, as seen on the wire."""

import contextlib
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network

import pytest
from scapy.layers.inet import IP
from scapy.packet import Packet

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.host.links import add_address, link_index
from fixtures.host.machine import Machine
from fixtures.probe.capture import Capture
from fixtures.probe.datagram import send_out
from fixtures.probe.evidence import Evidence
from fixtures.probe.forward_bypass import route
from fixtures.probe.packets import is_request
from fixtures.probe.reach import PROTOCOLS, End, Proto, send_one
from fixtures.testbed.testbed import Testbed

MULTICAST, BROADCAST = "224.0.0.251", "255.255.255.255"
# A group that is not in 224.0.0.0/24: nothing exempts it (RFC 5771: 224.0.1.0/24 is beyond the
# local network).
OTHER_GROUP = "224.0.1.251"
# Below 1024, so that it can't be a translated one.
PORT = 778
# A multicast or a broadcast needs no answer: it only has to be sent.
NO_WAIT_S = 0.05


@pytest.mark.claims("NT-13")
def test_own_subnet_is_not_masqueraded(testbed: Testbed, evidence: Evidence) -> None:
    """A guest's packets to its own subnet keep their source, even out of the uplink.

    Preconditions:
        - an outside machine is reached through the host's uplink
        - an address of the guests' subnet is free
    Steps:
        1. Give the outside that address and a route to the guests' subnet, and give host and guest
           a route to the address over the uplink.
        2. Send ICMP, TCP and UDP from each guest to that address and to the outside's own, with a
           capture outside.
    Verify:
        - the requests to the address of the own subnet arrive from the guest's own address and port
        - control: the requests to the outside's own address arrive from the host's address; else
          the check is inconclusive
    """
    host, [far] = str(testbed.figures.host), testbed.ends("outside")
    seen = []
    with _own_subnet_outside(testbed) as near_by:
        for guest in testbed.guests:
            with (
                _route_in_guest(guest, near_by.address, testbed.host_address),
                evidence.capture(testbed.outside, testbed.outside_nic, guest.name) as frames,
            ):
                for proto in PROTOCOLS:
                    for to in (near_by, far):
                        send_one(proto, testbed.guest_end(guest), to, port=PORT)
                    translated = _sources(frames, proto, far.address)
                    if {address for address, _port in translated} != {host}:
                        raise Inconclusive(
                            f"control failed: {proto} to {far.address} comes from {translated}"
                        )
                    kept = _sources(frames, proto, near_by.address)
                    wanted = (guest.address, None if proto == "icmp" else PORT)
                    assert kept == {wanted}, (
                        f"{proto} from {guest.name} to {near_by.address}, of its own subnet, comes "
                        f"from {kept}, not {wanted}"
                    )
            seen.append(f"{guest.address} to {near_by.address}")
    evidence.reason = f"kept: {', '.join(seen)}; to {far.address} masqueraded as {host}"


@pytest.mark.claims("NT-13")
def test_local_multicast_and_broadcast_are_not_masqueraded(
    testbed: Testbed, evidence: Evidence
) -> None:
    """Packets of the subnet to 224.0.0.0/24 and 255.255.255.255 keep their source.

    No router forwards these, so a guest's stay on the bridge; the host's own, from its address on
    the bridge, pass the masquerading rules, out of the uplink as out of the bridge.

    Preconditions:
        - two guests have their addresses, and an outside machine is on the uplink
    Steps:
        1. Send UDP from a port below 1024 and ICMP to both out of the uplink, from the host's
           address on the bridge, with a capture outside.
        2. Send UDP to both out of the bridge in the same way, with a capture on the second guest's
           TAP.
        3. Send ICMP to both and UDP to the multicast address from each guest, with a capture on the
           TAP of the next one.
    Verify:
        - each packet of the host arrives with its own address and port
        - each packet of a guest arrives with that guest's own address and port
        - control: a packet of the host to a group that is not exempted, out of the same link, is
          masqueraded; else the check is inconclusive
    """
    bridge, tap = testbed.switch.name, testbed.guests[1].tap
    seen = [
        _keeps_its_source(
            testbed, testbed.figures.uplink, testbed.outside, testbed.outside_nic, evidence
        ),
        _keeps_its_source(testbed, bridge, testbed.host, tap, evidence),
    ]
    guests = testbed.guests
    for sender, watched in zip(guests, (*guests[1:], guests[0]), strict=True):
        _guest_keeps_its_source(testbed, sender, watched.tap, evidence)
    names = ", ".join(guest.name for guest in guests)
    evidence.reason = f"{'; '.join(seen)}; on the bridge {names} kept their own"


def _guest_keeps_its_source(testbed: Testbed, sender: Guest, tap: str, evidence: Evidence) -> None:
    """Send from a guest, and assert that its packets leave another one's port as they were."""
    near, own = testbed.guest_end(sender), sender.address
    with evidence.capture(testbed.host, tap, f"from-{sender.name}") as frames:
        for to in (MULTICAST, BROADCAST):
            everyone = End(testbed.outside, to, near.tool)
            send_one("icmp", near, everyone, source=own, wait_s=NO_WAIT_S)
            kept = _sources(frames, "icmp", to)
            assert kept == {(own, None)}, f"ICMP of {sender.name} to {to} comes from {kept}"
        group = End(testbed.outside, MULTICAST, near.tool)
        send_one("udp", near, group, port=PORT, source=own, wait_s=NO_WAIT_S)
        kept = _sources(frames, "udp", MULTICAST)
        assert kept == {(own, PORT)}, f"UDP of {sender.name} to {MULTICAST} comes from {kept}"


def _keeps_its_source(
    testbed: Testbed, link: str, watcher: Machine, watched: str, evidence: Evidence
) -> str:
    """Send from the host's address on the bridge out of a link, and return how it arrived."""
    own = testbed.host_address
    with evidence.capture(watcher, watched, f"out-of-{link}") as frames:
        # Out of the bridge a masquerading rule would put the same address: only a port shows it.
        for protocol in ("udp", "icmp") if link != testbed.switch.name else ("udp",):
            control = send_out(testbed.host, link, protocol, own, OTHER_GROUP)
            translated = _first(frames, control.is_in, f"{protocol} to {OTHER_GROUP}")
            if control.unchanged(translated):
                raise Inconclusive(
                    f"control failed: out of {link} {protocol} to {OTHER_GROUP} is not masqueraded"
                )
            for to in (MULTICAST, BROADCAST):
                sent = send_out(testbed.host, link, protocol, own, to)
                packet = _first(frames, sent.is_in, f"{protocol} to {to}")
                assert sent.unchanged(packet), (
                    f"{protocol} from {own} port {sent.port} to {to} leaves {link} as "
                    f"{packet[IP].summary()}"
                )
    return f"out of {link} to {MULTICAST} and {BROADCAST} kept {own}, to {OTHER_GROUP} did not"


def _sources(frames: Capture, proto: Proto, to: str) -> set[tuple[str, int | None]]:
    """Return the addresses and ports that requests to an address have come from."""

    def wanted(packet: Packet) -> bool:
        return is_request(packet, proto, to)

    _first(frames, wanted, f"{proto} to {to}")
    found = [frame.packet[IP] for frame in frames.frames(wanted)]
    return {(p.src, None if proto == "icmp" else p.payload.sport) for p in found}


def _first(frames: Capture, wanted: Callable[[Packet], bool], what: str) -> Packet:
    """Return the first such packet; without one there is nothing to be judged."""
    found = frames.collect(wanted)
    if not found:
        raise Inconclusive(f"nothing to judge by: {frames.missing(what)}")
    return found[0].packet


@contextlib.contextmanager
def _own_subnet_outside(testbed: Testbed) -> Iterator[End]:
    """Put a free address of the guests' subnet on the outside machine, and route to it."""
    used = {testbed.host_address, *(guest.address for guest in (*testbed.guests, *testbed.others))}
    address = next(a for a in _from_the_end(testbed.subnet) if str(a) not in used)
    index = link_index(testbed.outside, testbed.outside_nic)
    only = IPv4Network(address)
    with contextlib.ExitStack() as stack:
        add_address(testbed.outside, testbed.outside_nic, str(only))
        stack.callback(
            testbed.outside.netlink.addr, "del", index=index, address=str(address), prefixlen=32
        )
        stack.enter_context(testbed.way_from_outside())
        stack.enter_context(route(testbed.host, only, str(testbed.figures.outside)))
        yield testbed.outside_end(str(address))


def _from_the_end(subnet: IPv4Network) -> Iterator[IPv4Address]:
    """Give the addresses of a subnet's hosts, the last first."""
    return (subnet[-number] for number in range(2, subnet.num_addresses))


@contextlib.contextmanager
def _route_in_guest(guest: Guest, address: str, gateway: str) -> Iterator[None]:
    """Give a guest a route to one address for the length of a `with` block."""
    guest.run(["ip", "route", "add", f"{address}/32", "via", gateway])
    try:
        yield
    finally:
        guest.run(["ip", "route", "del", f"{address}/32", "via", gateway])
