# SPDX-License-Identifier: GPL-2.0-or-later
"""The models of a guest's NIC: each gives a working link, where the domain XML puts it."""

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Interface, IPv4Network
from xml.etree import ElementTree as ET

import pytest
from scapy.layers.inet import ICMP
from scapy.packet import Packet

from contracts.address_family import IPV4
from fixtures.errors import NotTestable
from fixtures.guest.guest import Guest
from fixtures.host.links import add_address
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import GuestNamespace, apart, like_the_first, plugged_in
from fixtures.probe.guest_nics import GuestNic, guest_nics
from fixtures.probe.reach import COUNT, MTU, End, full_payload, ping
from fixtures.probe.station import NIC, Station, station, wait_for_port
from fixtures.testbed.testbed import GUEST_TOOL, Testbed
from fixtures.waiting import poll

ETHERNET_CLASS = "0x020000"
DRIVER_DEADLINE_S = 40.0
LINK_DEADLINE_S = 40.0
# A guest that gets little of a busy machine's CPU.
ANSWER_S = 10
FULL_PAYLOAD = full_payload(IPV4)
FULL_FRAME = 14 + MTU  # with the Ethernet header
# TEST-NET-2 (RFC 5737): no other machine has an address in it; a subnet for each model.
SUBNETS = tuple(IPv4Network("198.51.100.0/24").subnets(new_prefix=28))
NAMESPACE = "plumb"
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
        number: makes its subnet and its MAC unique.
        required: a claim's "where the guest has the driver" does not excuse it.
    """

    name: str
    device: str
    pci_ids: tuple[str, ...]
    drivers: tuple[str, ...]
    number: int
    required: bool

    @property
    def mac(self) -> str:
        """The MAC of the NIC that is plugged in."""
        return EXTRA_MAC.format(self.number)

    @property
    def ends(self) -> tuple[IPv4Interface, IPv4Interface]:
        """The guest's address and the station's."""
        subnet = SUBNETS[self.number]
        guest, peer, *_ = subnet.hosts()
        return IPv4Interface((guest, subnet.prefixlen)), IPv4Interface((peer, subnet.prefixlen))


MODELS = (
    # A virtio NIC is transitional on a PCI bus and modern on PCI Express.
    Model("virtio", "virtio-net-pci", ("0x1af4:0x1000", "0x1af4:0x1041"), ("virtio_net",), 0, True),
    Model("rtl8139", "rtl8139", ("0x10ec:0x8139",), ("8139cp", "8139too"), 1, True),
    Model("e1000", "e1000", ("0x8086:0x100e",), ("e1000",), 2, False),
    Model("e1000e", "e1000e", ("0x8086:0x10d3",), ("e1000e",), 3, False),
)


@pytest.mark.lengthy
@pytest.mark.claims("GN-04")
def test_each_model_gives_a_working_link(testbed: Testbed, evidence: Evidence) -> None:
    """Each NIC model gives a working link: virtio, rtl8139, e1000 and e1000e.

    A model without a device in QEMU or a driver in the guest is left out; without virtio or rtl8139
    the check is not testable.

    Preconditions:
        - QEMU has the devices, and the guest the drivers, of virtio and rtl8139
    Steps:
        1. Plug a NIC of each model into the first guest, attached as its own NIC is.
        2. Give each a subnet of its own, in a network namespace of the guest, and the other end to
           a station on the switch.
        3. Ping with full frames from the guest to the station and back over each NIC, with a
           capture at the station.
    Verify:
        - the guest sees the model's PCI function under the model's driver
        - each link is up, with an MTU of 1500
        - every ping is answered, both ways
        - the station sees all frames whole, those of the guest with the NIC's MAC as source
    """
    guest = testbed.guests[0]
    missing = _missing(testbed, guest)
    with contextlib.ExitStack() as stack:
        models = [model for model in MODELS if model.name not in missing]
        nics = [like_the_first(testbed.switch, guest, model.name, model.mac) for model in models]
        taps = stack.enter_context(plugged_in(guest, nics))
        peer = stack.enter_context(station(testbed.host, testbed.switch, "st1"))
        peer.machine.transcript = evidence
        for model in models:
            add_address(peer.machine, NIC, str(model.ends[1]))
        seen = _seen(guest, models)
        evidence.json("nics.json", {m.name: asdict(nic) for m, nic in seen.items()})
        for tap in taps.values():
            wait_for_port(testbed.switch, tap)
        addresses = {nic.name: str(model.ends[0]) for model, nic in seen.items()}
        inside = stack.enter_context(apart(guest, NAMESPACE, addresses))
        _expect_up(inside, seen)
        said = [_works(inside, model, nic, peer, evidence) for model, nic in seen.items()]
    evidence.reason = "; ".join((*said, *(f"{m}: not tested, {why}" for m, why in missing.items())))
    for model in MODELS:
        if model.required and model.name in missing:
            raise NotTestable(f"NIC model {model.name}", missing[model.name])


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


def _missing(testbed: Testbed, guest: Guest) -> dict[str, str]:
    """Return the models that cannot be tested, by name, and why."""
    devices, drivers = _devices(testbed, guest), _drivers(guest)
    missing = {}
    for model in MODELS:
        if model.device not in devices:
            missing[model.name] = f"QEMU has no {model.device}"
        elif not drivers & set(model.drivers):
            missing[model.name] = f"the guest has no {' or '.join(model.drivers)}"
    return missing


def _drivers(guest: Guest) -> set[str]:
    """Return those drivers of the models' that the guest has, loaded now."""
    known = [driver for model in MODELS for driver in model.drivers]
    script = 'for driver; do modprobe "$driver" && echo "$driver"; done; true'
    return set(guest.run(["sh", "-c", script, "sh", *known], deadline_s=60).stdout.split())


def _seen(guest: Guest, models: Sequence[Model]) -> dict[Model, GuestNic]:
    """Return each model's NIC as the guest sees it, once it has them all."""

    def there() -> dict[Model, GuestNic]:
        by_mac = {nic.mac: nic for nic in guest_nics(guest)}
        return {model: by_mac[model.mac] for model in models if model.mac in by_mac}

    seen = poll(
        there,
        lambda found: len(found) == len(models),
        deadline_s=DRIVER_DEADLINE_S,
        interval_s=0.2,
    )
    absent = ", ".join(model.name for model in models if model not in seen)
    assert not absent, (
        f"not within {DRIVER_DEADLINE_S:g} s: {guest.name} has a NIC with a driver: {absent}"
    )
    return seen


def _expect_up(inside: GuestNamespace, nics: dict[Model, GuestNic]) -> None:
    """Assert that all links are up in the guest, with the MTU of Ethernet."""
    files = [
        f"/sys/class/net/{n.name}/{what}" for n in nics.values() for what in ("carrier", "mtu")
    ]

    def read() -> list[str]:
        return inside.run(["cat", *files], check=False).stdout.split()

    up = ["1", str(MTU)] * len(nics)
    seen = poll(read, lambda said: said == up, deadline_s=LINK_DEADLINE_S, interval_s=0.2)
    names = ", ".join(f"{nic.name} ({model.name})" for model, nic in nics.items())
    assert seen == up, f"carrier and MTU of {names} are not 1 and {MTU} but {seen}"


def _works(
    inside: GuestNamespace, model: Model, nic: GuestNic, peer: Station, evidence: Evidence
) -> str:
    """Assert that one NIC is the model's and passes frames both ways; return the observation."""
    what = f"{model.name} ({nic.name})"
    assert nic.driver in model.drivers, f"{what} is driven by {nic.driver}"
    assert nic.pci_id in model.pci_ids, f"{what} is PCI {nic.pci_id}, not {model.pci_ids}"
    with evidence.capture(peer.machine, NIC, model.name) as frames:
        near = End(inside, str(model.ends[0].ip), GUEST_TOOL)
        far = End(peer.machine, str(model.ends[1].ip), GUEST_TOOL)
        for one, other in ((near, far), (far, near)):
            answer = ping(one, other.address, wait_s=ANSWER_S, extra=("-s", str(FULL_PAYLOAD)))
            assert answer.all_answered, (
                f"{what}, pings of full size from {one.address} to {other.address}: {answer}"
            )
        _expect_whole_frames(frames, model, what)
    return f"{model.name}: {nic.driver} at {nic.pci_address}, full frames pass both ways"


def _expect_whole_frames(frames: Capture, model: Model, what: str) -> None:
    """Assert that the pings and answers of both ends passed whole, the guest's from this NIC."""

    def whole(packet: Packet) -> bool:
        return ICMP in packet and len(packet) == FULL_FRAME

    passed = frames.collect(whole, count=4 * COUNT)
    assert len(passed) >= 4 * COUNT, frames.missing(
        f"{4 * COUNT} full frames of {what} ({len(passed)} seen)"
    )
    macs = {frame.packet.src for frame in passed if not frame.outgoing}
    assert macs == {model.mac}, f"the frames of {what} come from {macs}, not {model.mac}"


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
