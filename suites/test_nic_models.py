# SPDX-License-Identifier: GPL-2.0-or-later
"""The models of a guest's NIC: each gives a working link, where the domain XML puts it."""

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from xml.etree import ElementTree as ET

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.packet import Packet

from contracts.address_family import IPV4
from fixtures.errors import NotTestable
from fixtures.host.links import add_address
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import GuestNamespace, apart
from fixtures.probe.guest_nics import GuestNic, guest_nics
from fixtures.probe.nic_models import (
    DRIVER_DEADLINE_S,
    MODELS,
    Trial,
    dealt,
    missing_models,
    plugged,
)
from fixtures.probe.reach import COUNT, MTU, End, full_payload, ping
from fixtures.probe.station import NIC, Station, plugged_station
from fixtures.testbed.testbed import GUEST_TOOL, Testbed
from fixtures.waiting import poll

ETHERNET_CLASS = "0x020000"
LINK_DEADLINE_S = 120.0
# A guest that gets little of a busy machine's CPU.
ANSWER_S = 10
FULL_PAYLOAD = full_payload(IPV4)
FULL_FRAME = 14 + MTU  # with the Ethernet header
NAMESPACE = "plumb"


@pytest.mark.lengthy
@pytest.mark.claims("GN-04")
def test_each_model_gives_a_working_link(testbed: Testbed, evidence: Evidence) -> None:
    """Each NIC model gives a working link: virtio, rtl8139, e1000 and e1000e.

    A model without a device in QEMU or a driver in the guest is left out; without virtio or rtl8139
    the check is not testable. The models are dealt out to the guests: every model has a guest, and
    every guest has a NIC of some model.

    Preconditions:
        - QEMU has the devices, and the guests the drivers, of virtio and rtl8139
    Steps:
        1. Deal the models out, and plug a NIC of each into its guest, attached as its own NIC is.
        2. Give each a subnet of its own, in a network namespace of the guest, and the other end to
           a station on the switch.
        3. Ping with full frames from the guest to the station and back over each NIC, with a
           capture at the station; all guests at once, the NICs of each in turn.
    Verify:
        - the guest sees the model's PCI function under the model's driver
        - each link is up, with an MTU of 1500
        - every ping is answered, both ways
        - the station sees all frames whole, those of the guest with the NIC's MAC as source
    """
    missing = missing_models(testbed.guests)
    trials = dealt(testbed.guests, [model for model in MODELS if model.name not in missing])
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(plugged_station(testbed.host, testbed.switch, "st1"))
        peer.machine.transcript = evidence
        for trial in trials:
            add_address(peer.machine, NIC, str(trial.ends[1]))
        with ThreadPoolExecutor(len(testbed.guests)) as pool:
            tried = pool.map(
                lambda guest: _tried(
                    testbed, [each for each in trials if each.guest is guest], peer, evidence
                ),
                testbed.guests,
            )
            said = [line for lines in tried for line in lines]
    evidence.reason = "; ".join((*said, *(f"{m}: not tested, {why}" for m, why in missing.items())))
    for model in MODELS:
        if model.required and model.name in missing:
            raise NotTestable(f"NIC model {model.name}", missing[model.name])


def _tried(
    testbed: Testbed, trials: Sequence[Trial], peer: Station, evidence: Evidence
) -> list[str]:
    """Plug a guest's NICs in, assert that each works, and return the observations."""
    if not trials:
        return []
    guest = trials[0].guest
    with plugged(testbed.switch, guest, trials, peer.port) as made:
        seen = made.nics
        evidence.json(f"{guest.name}.json", {t.name: asdict(nic) for t, nic in seen.items()})
        absent = ", ".join(trial.model.name for trial in trials if trial not in seen)
        assert not absent, (
            f"not within {DRIVER_DEADLINE_S:g} s: {guest.name} has a NIC with a driver: {absent}"
        )
        with apart(guest, NAMESPACE, made.addresses) as inside:
            _expect_up(inside, seen)
            return [_works(inside, trial, nic, peer, evidence) for trial, nic in seen.items()]


@pytest.mark.claims("GN-05")
def test_nic_is_where_the_xml_says(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's NIC sits at the PCI address that the domain XML gives, as the guest sees it.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the PCI address from the XML that the domain was made from and from libvirt's live
           XML.
        2. Read the PCI functions with the NIC's MAC from the guest's sysfs.
    Verify:
        - the guest has exactly one NIC with that MAC, and it is an Ethernet function
        - libvirt's live XML has the address that was given
        - the guest sees the NIC at the address that was given
    """
    places = {}
    for guest in testbed.guests:
        given, live = (_pci_address(xml, guest.mac) for xml in (guest.xml, guest.domain.XMLDesc()))
        found = [nic for nic in guest_nics(guest) if nic.mac == guest.mac]
        evidence.json(f"{guest.name}.json", [given, live, *(asdict(nic) for nic in found)])
        assert len(found) == 1, f"{guest.name} has {len(found)} NICs with {guest.mac}"
        [nic] = found
        assert nic.pci_class == ETHERNET_CLASS, f"{nic.name} of {guest.name} is a {nic.pci_class}"
        assert live == given, f"{guest.name} was given its NIC at {given}, libvirt has it at {live}"
        assert nic.pci_address == given, (
            f"{guest.name} sees its NIC at {nic.pci_address}, its domain XML gives {given}"
        )
        places[guest.name] = f"{nic.name} at {given}"
    evidence.reason = "; ".join(f"{name}: {place}" for name, place in places.items())


def _expect_up(inside: GuestNamespace, nics: Mapping[Trial, GuestNic]) -> None:
    """Assert that all links are up in the guest, with the MTU of Ethernet."""
    files = [
        f"/sys/class/net/{n.name}/{what}" for n in nics.values() for what in ("carrier", "mtu")
    ]

    def read() -> list[str]:
        return inside.run(["cat", *files], check=False).stdout.split()

    up = ["1", str(MTU)] * len(nics)
    seen = poll(read, lambda said: said == up, deadline_s=LINK_DEADLINE_S, interval_s=0.2)
    names = ", ".join(f"{nic.name} ({trial.name})" for trial, nic in nics.items())
    assert seen == up, f"carrier and MTU of {names} are not 1 and {MTU} but {seen}"


def _works(
    inside: GuestNamespace, trial: Trial, nic: GuestNic, peer: Station, evidence: Evidence
) -> str:
    """Assert that one NIC is the model's and passes frames both ways; return the observation."""
    model, what = trial.model, f"{trial.name} ({nic.name})"
    assert nic.driver in model.drivers, f"{what} is driven by {nic.driver}"
    assert nic.pci_id in model.pci_ids, f"{what} is PCI {nic.pci_id}, not {model.pci_ids}"
    with evidence.capture(peer.machine, NIC, f"{trial.guest.name}-{model.name}") as frames:
        near = End(inside, str(trial.ends[0].ip), GUEST_TOOL)
        far = End(peer.machine, str(trial.ends[1].ip), GUEST_TOOL)
        for one, other in ((near, far), (far, near)):
            answer = ping(one, other.address, wait_s=ANSWER_S, extra=("-s", str(FULL_PAYLOAD)))
            assert answer.all_answered, (
                f"{what}, pings of full size from {one.address} to {other.address}: {answer}"
            )
        _expect_whole_frames(frames, trial, what)
    return f"{trial.name}: {nic.driver} at {nic.pci_address}, full frames pass both ways"


def _expect_whole_frames(frames: Capture, trial: Trial, what: str) -> None:
    """Assert that the pings and answers of both ends passed whole, the guest's from this NIC."""
    address = str(trial.ends[0].ip)

    def whole(packet: Packet) -> bool:
        # Those of the other guests' NICs pass the station too.
        ends = (packet[IP].src, packet[IP].dst) if IP in packet and ICMP in packet else ()
        return address in ends and len(packet) == FULL_FRAME

    passed = frames.collect(whole, count=4 * COUNT)
    assert len(passed) >= 4 * COUNT, frames.missing(
        f"{4 * COUNT} full frames of {what} ({len(passed)} seen)"
    )
    macs = {frame.packet.src for frame in passed if not frame.outgoing}
    assert macs == {trial.mac}, f"the frames of {what} come from {macs}, not {trial.mac}"


def _pci_address(xml: str, mac: str) -> str:
    """Return the PCI address that a domain's XML gives to the NIC with a MAC, as sysfs has it."""
    for interface in ET.fromstring(xml).iterfind("devices/interface"):
        known, address = interface.find("mac"), interface.find("address")
        if known is None or address is None or known.get("address") != mac:
            continue
        # <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
        numbers = [
            int(address.get(part, "0"), 16) for part in ("domain", "bus", "slot", "function")
        ]
        return "{:04x}:{:02x}:{:02x}.{:x}".format(*numbers)
    return "no address"
