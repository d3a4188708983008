# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's bridge after the host was switched off and on (D5: restart the host, look again)."""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv4Interface

import pytest

from fixtures.guest.guest import Guest
from fixtures.host.links import has_link, link_mac, moved
from fixtures.host.nic_state import NicState, nic_state
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import GuestNamespace, apart, like_the_first, plugged_in
from fixtures.probe.guest_nics import interface_of
from fixtures.probe.reach import End, ping
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed import ifupdown
from fixtures.testbed.documented_bridges import D5_STANZA, D5_TEXT
from fixtures.testbed.scratch_network import Spare, spare_network
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.topology import DhcpRange

SUBNET = D5_STANZA.router.network
SERVED = DhcpRange(start=SUBNET[100], end=SUBNET[199])
GUEST = IPv4Interface((SUBNET[77], SUBNET.prefixlen))
GUEST_MAC = "52:54:00:5e:16:01"  # unused
INSIDE = "anew"
# A hot-plugged NIC takes its time to show up in a busy guest.
NIC_DEADLINE_S = 30.0
REACH_DEADLINE_S = 30.0


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("BR-16")
@pytest.mark.changes_host("runs the host's ifup, whose scripts write files in /run and /etc")
def test_bridge_after_a_start(testbed: Testbed, evidence: Evidence) -> None:
    """After a start the host's address is on the bridge, and a guest is on the physical network.

    A start as far as the host's network goes: the NIC as after power-on, no process, no ifupdown
    state, and `ifup -a` of the same file, which is what Debian's networking.service runs. The
    kernel's own start and the order of services are not part of it.

    Preconditions:
        - the host has ifupdown with bridge-utils
    Steps:
        1. Make a spare network: a NIC `eth0` that is down, with a cable to a router that serves
           DHCP.
        2. Write D5's stanza, and bring it up by `ifup -a`.
        3. End every process there and take NIC and bridge away, without `ifdown`.
        4. Make the spare network again, with the same MAC of the NIC, and run `ifup -a`.
        5. Plug a NIC into a running guest, put it on the bridge, and ping the router and the
           bridge from it.
    Verify:
        - `ifup` ends without an error, before and after
        - the bridge holds one address of the server's range and the default route, before and
          after, and `eth0` is its port and holds none
        - each ping is answered
    """
    D5_TEXT.require_tool(testbed.host)
    evidence.text("interfaces", D5_TEXT.text)
    with _spare(testbed) as spare:
        mac = link_mac(spare.machine, D5_STANZA.nic)
        try:
            before = _require_started(testbed, spare, "before")
        finally:
            spare.cut_power()
    with _spare(testbed) as spare:
        spare.machine.run(["ip", "link", "set", D5_STANZA.nic, "address", mac])
        try:
            after = _require_started(testbed, spare, "after")
            own = IPv4Interface(after.addresses[0]).ip
            with _guest_on(testbed.guests[0], testbed, spare) as near:
                answers = {str(far): ping(near, str(far)) for far in (D5_STANZA.router.ip, own)}
        finally:
            spare.cut_power()
    evidence.reason = f"before: {before}; after: {after}; guest's pings: {answers}"
    for far, answer in answers.items():
        assert answer.all_answered, f"after the start {near.name} does not reach {far}: {answer}"


@contextlib.contextmanager
def _spare(testbed: Testbed) -> Iterator[Spare]:
    with spare_network(testbed.host, D5_STANZA.nic, D5_STANZA.router, SERVED) as spare:
        yield spare


def _require_started(testbed: Testbed, spare: Spare, when: str) -> NicState:
    """Start the spare network's host; its bridge must hold the address, and its NIC none."""
    failures = ifupdown.power_on(testbed.host, spare, D5_TEXT.text)
    assert not failures, f"{when} the start: {failures[0]}"
    name = D5_STANZA.bridge
    assert has_link(spare.machine, name), f"{when} the start: ifup ends well, and made no {name}"
    bridge, nic = nic_state(spare.machine, name), nic_state(spare.machine, spare.nic)
    held = [IPv4Interface(each).ip for each in bridge.addresses]
    assert len(held) == 1, f"{when} the start {name} holds {len(held)} addresses: {bridge}"
    assert held[0] in SERVED, f"{when} the start {name} holds {held[0]}, not of {SERVED}"
    gateway = f"default via {D5_STANZA.router.ip}"
    assert gateway in bridge.routes, f"{when} the start {name} has no {gateway}: {bridge}"
    assert nic.bridge == name, f"{when} the start {spare.nic} is no port of {name}: {nic}"
    assert not nic.addresses, f"{when} the start {spare.nic} holds an address: {nic}"
    return bridge


@contextlib.contextmanager
def _guest_on(guest: Guest, testbed: Testbed, spare: Spare) -> Iterator[End]:
    """Have a guest with a NIC on the spare network's bridge; yields that end."""
    nic = like_the_first(testbed.switch, guest, "virtio", GUEST_MAC)
    with plugged_in(guest, [nic]) as taps:
        tap = taps[GUEST_MAC]
        with moved(testbed.host, tap, spare.machine, tap):
            LinuxBridge(spare.machine, D5_STANZA.bridge).attach(tap)
            spare.machine.run(["ip", "link", "set", tap, "up"])
            with apart(guest, INSIDE, {_interface(guest): str(GUEST)}) as inside:
                yield _ready(inside)


def _interface(guest: Guest) -> str:
    """Return the name that the guest has for the new NIC."""
    found = interface_of(guest, GUEST_MAC, NIC_DEADLINE_S)
    assert found, f"{guest.name} sees no NIC with MAC {GUEST_MAC} within {NIC_DEADLINE_S:g} s"
    return found


def _ready(inside: GuestNamespace) -> End:
    """Return the guest's end once it reaches the router, or at the deadline."""
    near = End(inside, str(GUEST.ip), "")
    poll(
        lambda: ping(near, str(D5_STANZA.router.ip), count=1),
        lambda answer: answer.all_answered,
        deadline_s=REACH_DEADLINE_S,
    )
    return near
