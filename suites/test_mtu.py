# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU that a network or a NIC is given: of bridge, TAPs and guests' NICs, and by DHCP."""

import functools
import json
from dataclasses import replace

import pytest
from scapy.layers.dhcp import DHCP

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.guest.guest_address import request_lease
from fixtures.host.links import link_mtu
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import like_the_first, plugged_in
from fixtures.probe.path_mtu import nic_mtu
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.field_types import ETHERNET_MTU

# Above the others' MACs: see `suites/test_nic_models.py`.
MAC = "52:ff:ff:00:53:20"
# How much smaller than the network's the MTU of a NIC is that has its own.
LESS = 100
# From the plug to a driver in a guest on a busy machine.
DRIVER_DEADLINE_S = 30.0


def _given(testbed: Testbed) -> int:
    mtu = testbed.topology.network.mtu
    if mtu is None:
        raise testbed.without("an MTU of the network's", "networks[0].mtu is null")
    return mtu


def _on_the_host(testbed: Testbed) -> dict[str, int]:
    """Return the MTU of the bridge and of the guests' TAPs, by their names."""
    links = (testbed.switch.name, *(guest.tap for guest in testbed.guests))
    return {name: link_mtu(testbed.host, name) for name in links}


@pytest.mark.claims("MT-01")
def test_bridge_taps_and_guests_agree(testbed: Testbed, evidence: Evidence) -> None:
    """Bridge, TAPs and the NICs of guests that ask by DHCP have the network's MTU.

    Source: libvirt, "Network XML format", `<mtu size=>`: of the bridge, and offered by DHCP.

    Preconditions:
        - the network has an MTU of its own
    Steps:
        1. Read the MTU of the bridge and of each guest's TAP.
        2. Read the MTU of the NIC in each guest that has its address by DHCP, and the largest one
           that its driver takes.
    Verify:
        - the bridge and each TAP have the network's MTU
        - each such NIC has it as well; one whose driver takes smaller ones only is left out
    """
    mtu = _given(testbed)
    host = _on_the_host(testbed)
    asking = [guest for guest in testbed.guests if guest.name in testbed.leases]
    inside = {guest.name: nic_mtu(guest) for guest in asking}
    evidence.json("mtu.json", {"host": host, "guests": {n: m.mtu for n, m in inside.items()}})
    seen = host | {name: nic.mtu for name, nic in inside.items() if nic.largest >= mtu}
    said = [f"{name} {size}" for name, size in seen.items()]
    said += [
        f"{name} {nic.mtu}, its NIC takes {nic.largest} at most"
        for name, nic in inside.items()
        if name not in seen
    ]
    evidence.reason = ", ".join(said)
    wrong = [f"{name} {size}" for name, size in seen.items() if size != mtu]
    assert not wrong, f"the network's MTU is {mtu}, and others are had: {', '.join(wrong)}"


@pytest.mark.claims("MT-02")
def test_mtu_is_offered(testbed: Testbed, evidence: Evidence) -> None:
    """The DHCP server offers the network's MTU (option 26).

    Source: RFC 2132, 5.1; libvirt, "Network XML format", `<mtu size=>`.

    Preconditions:
        - the network has an MTU of its own
        - at least one guest has its address by DHCP
    Steps:
        1. Have each such guest ask by DHCP again, also for option 26, with a capture at its TAP.
    Verify:
        - each lease has the network's MTU
        - control: each guest gets a lease; else the check is inconclusive
    """
    mtu = _given(testbed)
    offered = {guest.name: _offered(testbed, guest, evidence) for guest in testbed.dhcp_guests}
    evidence.reason = ", ".join(f"{name} is offered {size}" for name, size in offered.items())
    for name, size in offered.items():
        assert size == mtu, f"{name} is offered an MTU of {size or 'its own choice'}, not {mtu}"


def _offered(testbed: Testbed, guest: Guest, evidence: Evidence) -> int | None:
    """Return the MTU that a guest is offered; None: none is."""
    with evidence.capture(testbed.host, guest.tap, guest.name) as frames:
        lease = request_lease(guest)
        frames.frames(lambda p: DHCP in p)
    if lease is None:
        raise Inconclusive(f"control failed: {guest.name} got no lease when it asked again")
    return lease.mtu


@pytest.mark.claims("MT-06")
def test_nic_with_its_own_mtu(testbed: Testbed, evidence: Evidence) -> None:
    """A NIC's own `<mtu>` is that of its TAP and of the guest's NIC, and of nothing else.

    Source: libvirt, "Domain XML format", "MTU configuration": with virtio the guest is told.

    Preconditions:
        - the network has an MTU of its own, other than Ethernet's
        - the first guest takes a NIC while it runs
    Steps:
        1. Plug another NIC of model virtio into the first guest, attached as its own NIC is, with
           an MTU of 100 octets less than the network's.
        2. Read the MTU of its TAP, of the NIC in the guest, of the bridge and of the other TAPs.
    Verify:
        - the new TAP and the new NIC have the NIC's own MTU
        - the bridge and the other TAPs have the network's
    """
    mtu, guest = _given(testbed), testbed.guests[0]
    if mtu == ETHERNET_MTU:
        # A bridge with the MTU that it had from the start follows the smallest of its ports.
        raise testbed.without("an MTU other than Ethernet's", f"networks[0].mtu is {mtu}")
    own = mtu - LESS
    nic = replace(like_the_first(testbed.switch, guest, "virtio", MAC), mtu=own)
    with plugged_in(guest, [nic]) as taps:
        inside = poll(
            functools.partial(_mtu_of, guest, MAC),
            lambda found: found == own,
            deadline_s=DRIVER_DEADLINE_S,
            interval_s=0.3,
        )
        new, host = link_mtu(testbed.host, taps[MAC]), _on_the_host(testbed)
    evidence.json("mtu.json", {"tap": new, "guest": inside, "host": host})
    others = ", ".join(f"{name} {size}" for name, size in host.items())
    evidence.reason = f"own MTU {own}: its TAP {new}, in the guest {inside}; {others}"
    assert new == own, f"the TAP of a NIC with an MTU of {own} has {new}"
    assert inside == own, f"the guest's NIC with an MTU of {own} has {inside or 'no driver'}"
    changed = {name: size for name, size in host.items() if size != mtu}
    assert not changed, f"beside a NIC with an MTU of {own} not all others have {mtu}: {others}"


def _mtu_of(guest: Guest, mac: str) -> int | None:
    """Return the MTU of a guest's NIC by its MAC; None: it has none of that MAC with a driver."""
    for link in json.loads(guest.run(["ip", "-json", "link"]).stdout):
        if link.get("address") == mac:
            return int(link["mtu"])
    return None
