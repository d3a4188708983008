# SPDX-License-Identifier: GPL-2.0-or-later
"""The models of a guest's NIC: each gives a working link, where the domain XML puts it."""

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from ipaddress import IPv4Interface, IPv4Network
from itertools import cycle
from xml.etree import ElementTree as ET

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.packet import Packet

from contracts.address_family import IPV4
from fixtures.errors import NotTestable
from fixtures.guest.guest import Guest
from fixtures.host.links import add_address
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import GuestNamespace, apart, like_the_first, plugged_in
from fixtures.probe.guest_nics import GuestNic, guest_nics, wait_for_nics
from fixtures.probe.reach import COUNT, MTU, End, full_payload, ping
from fixtures.probe.station import NIC, Station, plugged_station, wait_for_port
from fixtures.testbed.testbed import GUEST_TOOL, Testbed
from fixtures.waiting import poll

ETHERNET_CLASS = "0x020000"
# On two cores with a load of 11 a healthy guest needed more than 40 s.
DRIVER_DEADLINE_S = 120.0
LINK_DEADLINE_S = 120.0
# A guest that gets little of a busy machine's CPU.
ANSWER_S = 10
FULL_PAYLOAD = full_payload(IPV4)
FULL_FRAME = 14 + MTU  # with the Ethernet header
# TEST-NET-2 (RFC 5737): no other machine has an address in it; a subnet for each NIC.
SUBNETS = tuple(IPv4Network("198.51.100.0/24").subnets(new_prefix=30))
NAMESPACE = "plumb"
PORTS_ASKED = threading.Lock()
# Above the others' MACs, so that a Linux bridge, which takes the lowest of its ports, keeps its
# own while the TAP (`fe:ff:ff:…`) is there.
EXTRA_MAC = "52:ff:ff:00:53:{:02x}"


@dataclass(frozen=True)
class Model:
    """What a model is, as a guest sees it.

    Attributes:
        name: libvirt's name.
        device: QEMU's name.
        pci_ids: vendor and device of its PCI function.
        drivers: the drivers that Linux has for it.
        required: a claim's "where the guest has the driver" does not excuse it.
    """

    name: str
    device: str
    pci_ids: tuple[str, ...]
    drivers: tuple[str, ...]
    required: bool


MODELS = (
    # A virtio NIC is transitional on a PCI bus and modern on PCI Express.
    Model("virtio", "virtio-net-pci", ("0x1af4:0x1000", "0x1af4:0x1041"), ("virtio_net",), True),
    Model("rtl8139", "rtl8139", ("0x10ec:0x8139",), ("8139cp", "8139too"), True),
    Model("e1000", "e1000", ("0x8086:0x100e",), ("e1000",), False),
    Model("e1000e", "e1000e", ("0x8086:0x10d3",), ("e1000e",), False),
)


@dataclass(frozen=True)
class Trial:
    """A NIC of a model in a guest.

    Attributes:
        guest: the guest that it is plugged into.
        model: its model.
        number: makes its subnet and its MAC unique.
    """

    guest: Guest
    model: Model
    number: int

    @property
    def name(self) -> str:
        """Its name in messages and evidence."""
        return f"{self.model.name} of {self.guest.name}"

    @property
    def mac(self) -> str:
        """Its MAC."""
        return EXTRA_MAC.format(self.number)

    @property
    def ends(self) -> tuple[IPv4Interface, IPv4Interface]:
        """The guest's address and the station's."""
        subnet = SUBNETS[self.number]
        guest, peer = subnet.hosts()
        return IPv4Interface((guest, subnet.prefixlen)), IPv4Interface((peer, subnet.prefixlen))


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
    missing = _missing(testbed)
    trials = _dealt(testbed.guests, [model for model in MODELS if model.name not in missing])
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


def _dealt(guests: Sequence[Guest], models: Sequence[Model]) -> list[Trial]:
    """Deal models out to guests, until each has had its turn."""
    number = min(max(len(guests), len(models)), len(SUBNETS)) if models else 0
    pairs = zip(cycle(guests), cycle(models), range(number), strict=False)
    return [Trial(guest, model, number) for guest, model, number in pairs]


def _tried(
    testbed: Testbed, trials: Sequence[Trial], peer: Station, evidence: Evidence
) -> list[str]:
    """Plug a guest's NICs in, assert that each works, and return the observations."""
    if not trials:
        return []
    guest = trials[0].guest
    with contextlib.ExitStack() as stack:
        nics = [like_the_first(testbed.switch, guest, t.model.name, t.mac) for t in trials]
        taps = stack.enter_context(plugged_in(guest, nics))
        seen = _seen(guest, trials)
        evidence.json(f"{guest.name}.json", {t.name: asdict(nic) for t, nic in seen.items()})
        # One netlink socket of the host serves all threads.
        with PORTS_ASKED:
            for port in (*taps.values(), peer.port):
                wait_for_port(testbed.switch, port)
        addresses = {nic.name: str(trial.ends[0]) for trial, nic in seen.items()}
        inside = stack.enter_context(apart(guest, NAMESPACE, addresses))
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


def _devices(testbed: Testbed, guest: Guest) -> set[str]:
    """Return the devices that the guest's QEMU offers, by name."""
    emulator = ET.fromstring(guest.domain.XMLDesc()).findtext("devices/emulator", "")
    # name "e1000", bus PCI, alias "e1000-82540em", desc "Intel Gigabit Ethernet"
    listed = testbed.host.run([emulator, "-device", "help"]).stdout.splitlines()
    return {line.split('"')[1] for line in listed if line.startswith('name "')}


def _missing(testbed: Testbed) -> dict[str, str]:
    """Return the models that cannot be tested in every guest, by name, and why."""
    with ThreadPoolExecutor(len(testbed.guests)) as pool:
        loaded = list(pool.map(_drivers, testbed.guests))
    devices = [_devices(testbed, guest) for guest in testbed.guests]
    missing = {}
    for model in MODELS:
        if not all(model.device in offered for offered in devices):
            missing[model.name] = f"QEMU has no {model.device}"
        elif not all(drivers & set(model.drivers) for drivers in loaded):
            missing[model.name] = f"the guest has no {' or '.join(model.drivers)}"
    return missing


def _drivers(guest: Guest) -> set[str]:
    """Return those drivers of the models' that the guest has, loaded now."""
    known = [driver for model in MODELS for driver in model.drivers]
    script = 'for driver; do modprobe "$driver" && echo "$driver"; done; true'
    return set(guest.run(["sh", "-c", script, "sh", *known], deadline_s=60).stdout.split())


def _seen(guest: Guest, trials: Sequence[Trial]) -> dict[Trial, GuestNic]:
    """Return a guest's NICs as it sees them, once it has them all."""
    wait_for_nics(guest, [trial.mac for trial in trials], DRIVER_DEADLINE_S)
    by_mac = {nic.mac: nic for nic in guest_nics(guest)}
    seen = {trial: by_mac[trial.mac] for trial in trials if trial.mac in by_mac}
    absent = ", ".join(trial.model.name for trial in trials if trial not in seen)
    assert not absent, (
        f"not within {DRIVER_DEADLINE_S:g} s: {guest.name} has a NIC with a driver: {absent}"
    )
    return seen


def _expect_up(inside: GuestNamespace, nics: dict[Trial, GuestNic]) -> None:
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
