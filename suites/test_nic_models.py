# SPDX-License-Identifier: GPL-2.0-or-later
"""The models of a guest's NIC: each gives a working link, and its frames right checksums."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive, NotTestable
from fixtures.guest.guest import GUEST_TOOL
from fixtures.probe.capture import ARRIVAL_DEADLINE_S, Capture, Frame
from fixtures.probe.checksums import (
    AT_A_TAP,
    ON_A_WIRE,
    TRANSPORTS,
    Checksum,
    Passed,
    checksums,
    exchange,
    is_dhcp_answer,
    require_found,
)
from fixtures.probe.dhcp import clients, new_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import GuestNamespace
from fixtures.probe.guest_nics import GuestNic
from fixtures.probe.nic_models import (
    DRIVER_DEADLINE_S,
    MODELS,
    ModelBench,
    Plugged,
    Trial,
    model_bench,
)
from fixtures.probe.reach import COUNT, MTU, End, full_payload, ping
from fixtures.probe.station import NIC, Station
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

LINK_DEADLINE_S = 120.0
# A guest that gets little of a busy machine's CPU.
ANSWER_S = 10
# A busy machine loses a datagram.
EXCHANGES = 3
ETHERNET_HEADER_OCTETS = 14


@pytest.fixture(scope="module")
def models(built_testbed: Testbed) -> Iterator[ModelBench]:
    """A NIC of each model in the topology's guests, until the last check of this module."""
    with model_bench(built_testbed.switch, built_testbed.guests) as bench:
        yield bench


@pytest.mark.lengthy
@pytest.mark.claims("GN-04")
def test_each_model_gives_a_working_link(
    testbed: Testbed, models: ModelBench, evidence: Evidence
) -> None:
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
        3. Ping with full frames, or the largest that the network takes, from the guest to the
           station and back over each NIC, with a capture at the station; all guests at once, the
           NICs of each in turn.
    Verify:
        - the guest sees the model's PCI function under the model's driver
        - each link is up, with an MTU of 1500, or by virtio that of the topology's guests
        - every ping is answered, both ways
        - the station sees all frames whole, those of the guest with the NIC's MAC as source
    """
    nics = models.further_nics()
    with ThreadPoolExecutor(max(1, len(nics.plugged))) as pool:
        mtu = min(testbed.end("guest").mtu, MTU)
        tried = pool.map(lambda each: _tried(each, nics.peer, mtu, evidence), nics.plugged)
        said = [line for lines in tried for line in lines]
    left_out = (f"{model}: not tested, {why}" for model, why in nics.missing.items())
    evidence.reason = "; ".join((*said, *left_out))
    for model in MODELS:
        if model.required and model.name in nics.missing:
            raise NotTestable(f"NIC model {model.name}", nics.missing[model.name])


def _tried(made: Plugged, peer: Station, mtu: int, evidence: Evidence) -> list[str]:
    """Assert that each NIC of a guest works, and return the observations."""
    name, seen = made.guest.name, made.nics
    evidence.json(f"{name}.json", {trial.name: asdict(nic) for trial, nic in seen.items()})
    assert not made.absent, (
        f"not within {DRIVER_DEADLINE_S:g} s: {name} has a NIC with a driver: {made.absent}"
    )
    _expect_up(made.inside, seen)
    return [_works(made.inside, trial, nic, peer, mtu, evidence) for trial, nic in seen.items()]


@pytest.mark.lengthy
@pytest.mark.claims("GN-11")
def test_checksums_of_each_model(testbed: Testbed, models: ModelBench, evidence: Evidence) -> None:
    """UDP, TCP and DHCP answers have right checksums beside each NIC model, on TAP and wire.

    What may be pending, and the source, is as for the guests' own NICs. A model without a device
    in QEMU or a driver in the guest is left out.

    Preconditions:
        - QEMU has the device, and the guests have the driver, of a model
    Steps:
        1. Plug a NIC of each model into a guest, attached as its own NIC is, with a subnet of its
           own in a network namespace of the guest, and the other end at a station on the switch.
        2. Send UDP and TCP from each NIC to the station and back, with captures at the TAP of each
           NIC and at the station.
        3. Where guests have their addresses by DHCP, ask for an offer from the station, in such a
           way that the answer is broadcast, with the captures at the TAPs going on.
    Verify:
        - at each TAP every checksum is right, or pending with the right sum of the pseudo header
        - at the station every checksum is right
        - at each TAP every DHCP answer has a right checksum; where libvirt writes no rules, or a
          pending one
        - control: each capture has UDP and TCP in both directions, and a DHCP answer where one is
          due; else the check is inconclusive
    """
    nics = models.further_nics()
    if not nics.plugged:
        raise NotTestable("a NIC model", str(nics.missing))
    with (
        nics.peer.machine.background([testbed.tool, "serve"]),
        ThreadPoolExecutor(len(nics.plugged)) as pool,
    ):
        places = pool.map(lambda each: _beside(testbed, each, nics.peer, evidence), nics.plugged)
        passed = [each for of_guest in places for each in of_guest]
    require_found(passed)
    for each in passed:
        assert not each.fault, each.fault
    evidence.reason = "; ".join(map(str, passed))


def _beside(testbed: Testbed, made: Plugged, peer: Station, evidence: Evidence) -> list[Passed]:
    """Return what passes at the TAPs of a guest's further NICs, and of theirs at the station."""
    if made.absent:
        raise Inconclusive(f"{made.guest.name} has no NIC with a driver: {made.absent}")
    name = made.guest.name
    with contextlib.ExitStack() as stack:
        begin = stack.enter_context
        begin(made.guest.background([*made.inside.prefix, GUEST_TOOL, "serve"]))
        taps = {
            trial: begin(evidence.capture(testbed.host, tap, f"{name}-{trial.model.name}"))
            for trial, tap in made.taps.items()
        }
        wire = begin(evidence.capture(peer.machine, NIC, f"{name}-station"))
        passed = []
        for trial, tap in taps.items():
            near, far = (str(end.ip) for end in trial.ends)
            ends = End(made.inside, near, GUEST_TOOL), End(peer.machine, far, testbed.tool)
            for _ in range(EXCHANGES):
                exchange((ends, ends[::-1]))
                at_tap, on_wire = _of_nic(tap, near), _of_nic(wire, near)
                if at_tap and on_wire:
                    break
            passed += [
                Passed(f"TAP of {trial.name}", at_tap, AT_A_TAP),
                Passed(f"station beyond {trial.name}", on_wire, ON_A_WIRE),
            ]
        if testbed.leases:
            with clients(peer, wire) as asking:
                asking.offer(new_mac())
            filled = testbed.topology.type.completes_dhcp_answers
            for trial, tap in taps.items():
                found = checksums(tap.collect(is_dhcp_answer))
                place = f"DHCP answers at the TAP of {trial.name}"
                passed.append(Passed(place, found, ON_A_WIRE if filled else AT_A_TAP))
    return passed


def _of_nic(frames: Capture, address: str) -> list[Checksum]:
    """Return the checksums of a NIC's frames; none where not all has passed that has to."""
    found = poll(
        lambda: frames.frames(lambda p: IP in p and address in (p[IP].src, p[IP].dst)),
        lambda found: _has_all(found, address),
        deadline_s=ARRIVAL_DEADLINE_S,
    )
    return checksums(found) if _has_all(found, address) else []


def _has_all(frames: Sequence[Frame], address: str) -> bool:
    """Whether each transport passed in both directions."""
    passed = {
        (transport, frame.packet[IP].src == address)
        for frame in frames
        for transport in (UDP, TCP)
        if transport in frame.packet
    }
    return len(passed) == 2 * len(TRANSPORTS)


def _expect_up(inside: GuestNamespace, nics: Mapping[Trial, GuestNic]) -> None:
    """Assert that all links are up in the guest, with their MTU.

    QEMU tells a guest of a NIC's own MTU by virtio alone; else it is that of Ethernet.
    """
    files = [
        f"/sys/class/net/{n.name}/{what}" for n in nics.values() for what in ("carrier", "mtu")
    ]

    def read() -> list[str]:
        return inside.run(["cat", *files], check=False).stdout.split()

    mtus = [
        str((trial.model.name == "virtio" and trial.guest.plan.nics[0].mtu) or MTU)
        for trial in nics
    ]
    up = [word for mtu in mtus for word in ("1", mtu)]
    seen = poll(read, lambda said: said == up, deadline_s=LINK_DEADLINE_S, interval_s=0.2)
    names = ", ".join(f"{nic.name} ({trial.name})" for trial, nic in nics.items())
    assert seen == up, f"carrier and MTU of {names}: {seen}, expected {up}"


def _works(
    inside: GuestNamespace,
    trial: Trial,
    nic: GuestNic,
    peer: Station,
    mtu: int,
    evidence: Evidence,
) -> str:
    """Assert that one NIC is the model's and passes frames both ways; return the observation."""
    model, what = trial.model, f"{trial.name} ({nic.name})"
    assert nic.driver in model.drivers, f"{what} is driven by {nic.driver}"
    assert nic.pci_id in model.pci_ids, f"{what} is PCI {nic.pci_id}, not {model.pci_ids}"
    with evidence.capture(peer.machine, NIC, f"{trial.guest.name}-{model.name}") as frames:
        near = End(inside, str(trial.ends[0].ip), GUEST_TOOL)
        far = End(peer.machine, str(trial.ends[1].ip), GUEST_TOOL)
        extra = ("-s", str(full_payload(IPV4, mtu)))
        for one, other in ((near, far), (far, near)):
            answer = ping(one, other.address, wait_s=ANSWER_S, extra=extra)
            assert answer.all_answered, (
                f"{what}, pings of full size from {one.address} to {other.address}: {answer}"
            )
        _expect_whole_frames(frames, trial, what, ETHERNET_HEADER_OCTETS + mtu)
    return f"{trial.name}: {nic.driver} at {nic.pci_address}, full frames pass both ways"


def _expect_whole_frames(frames: Capture, trial: Trial, what: str, octets: int) -> None:
    """Assert that the pings and answers of both ends passed whole, the guest's from this NIC."""
    address = str(trial.ends[0].ip)

    def whole(packet: Packet) -> bool:
        # Those of the other guests' NICs pass the station too.
        ends = (packet[IP].src, packet[IP].dst) if IP in packet and ICMP in packet else ()
        return address in ends and len(packet) == octets

    passed = frames.collect(whole, count=4 * COUNT)
    assert len(passed) >= 4 * COUNT, frames.missing(
        f"{4 * COUNT} full frames of {what} ({len(passed)} seen)"
    )
    macs = {frame.packet.src for frame in passed if not frame.outgoing}
    assert macs == {trial.mac}, f"the frames of {what} come from {macs}, not {trial.mac}"
