# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest has of a NIC's function: that one, while it runs, with the MAC and tag given.

The guests of the topology stay as they are: each check takes the function that is left and gives it
back.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from ipaddress import IPv4Interface

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.l2 import Dot1Q
from scapy.packet import Packet

from fixtures.errors import NotTestable, StartRefused
from fixtures.guest.domain_xml import Nic
from fixtures.guest.guest import GUEST_TOOL, NIC, Guest
from fixtures.guest.guest_boot import another, held
from fixtures.host import pci
from fixtures.host.host import Host
from fixtures.host.links import has_link, is_up, link_mac
from fixtures.host.nic_preflight import require_free, require_own_group
from fixtures.host.pci import Address
from fixtures.probe.evidence import Evidence
from fixtures.probe.guest_nics import guest_nics
from fixtures.probe.reach import End, send
from fixtures.probe.sriov import free_function, function_in, function_of, views
from fixtures.probe.vlan_link import vlan_link
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.uplink_links import HOST_PORT
from fixtures.waiting import poll

VFIO = "vfio-pci"
# Beside the topology's own guests.
NAME = "plumb"
MAC, OTHER_MAC = "52:54:00:1b:f0:53", "52:54:00:1b:f1:{:02x}"
TAG = 42
# TEST-NET-2 (RFC 5737): no other machine has an address in it.
TAGGED, PEER = IPv4Interface("198.51.100.1/28"), IPv4Interface("198.51.100.2/28")
# The kernel probes a device for its former driver at once.
BACK_DEADLINE_S = 20.0


@pytest.mark.claims("PT-05")
@pytest.mark.needs("iommu", "sriov")
def test_explicit_function(testbed: Testbed, evidence: Evidence) -> None:
    """A guest gets exactly the function that its XML names.

    Preconditions:
        - a virtual function of the NIC is left beside the guests' own
        - an outside machine is on the wire
    Steps:
        1. Boot a guest with `<interface type='hostdev' managed='yes'>` and the address of the free
           function.
        2. Read its function from libvirt's live XML, and its NIC from its own sysfs.
        3. Give the guest an address, and have it probe the outside by ICMP.
    Verify:
        - libvirt's live XML gives the guest that function
        - the guest has one NIC, with the XML's MAC and the function's vendor and device
        - every request to the outside is answered
    """
    number, address = _free_function(testbed)
    with _booted(testbed, Nic("hostdev", str(address), MAC, None), evidence) as guest:
        given = function_of(guest)
        assert given == address, f"its XML names {address}, the guest has {given}"
        _expect_function(testbed.host, guest, address, MAC, evidence)
        answer = send("icmp", _addressed(guest, _spare(testbed)), testbed.end("outside"))
    assert answer.all_answered, f"on {address} the guest does not reach the outside: {answer}"
    evidence.reason = f"function {number}, {address}; the outside: {answer}"


@pytest.mark.claims("PT-08")
@pytest.mark.needs("iommu", "sriov", "vlan")
def test_mac_and_tag(testbed: Testbed, evidence: Evidence) -> None:
    """A function has the MAC and the VLAN tag of its XML, on the wire and in the NIC's own view.

    Preconditions:
        - a virtual function of the NIC is left beside the guests' own
        - the other end of the NIC's wire is up
    Steps:
        1. Make a link for tag 42 with an address at the other end of the wire.
        2. Boot a guest on the free function with a MAC and tag 42.
        3. Read the physical function's list of its virtual ones.
        4. Have the guest probe the tagged address by ICMP, with a capture at the other end of the
           wire.
    Verify:
        - the physical function lists the XML's MAC and tag for the function
        - every request is answered
        - on the wire each request has the XML's MAC as source and tag 42
        - for each of the topology's own guests the physical function lists the guest's MAC, tag 0
          and no trust
    """
    host, pf = testbed.host, testbed.topology.network.pf
    number, address = _free_function(testbed)
    lan = testbed.lan
    assert is_up(lan, HOST_PORT), f"the other end of the wire of {pf} is down"
    nic = Nic("hostdev", str(address), MAC, None, vlan=TAG)
    with (
        vlan_link(lan, HOST_PORT, TAG, TAGGED),
        _booted(testbed, nic, evidence) as guest,
        evidence.capture(lan, HOST_PORT) as frames,
    ):
        seen = views(host, pf)
        evidence.json("functions.json", [asdict(view) for view in seen])
        inside = _addressed(guest, PEER)
        answer = send("icmp", inside, End(lan, str(TAGGED.ip), GUEST_TOOL))
        sent = frames.collect(_is_echo) if answer.answered else []
        assert sent or not answer.answered, frames.missing(f"a ping of {guest.name}")
    view = seen[number]
    assert (view.mac, view.vlan) == (MAC, TAG), f"{pf} lists {view} for function {number}"
    own = [frame.packet for frame in sent if not frame.outgoing]
    tags = {(packet.src, packet[Dot1Q].vlan if Dot1Q in packet else 0) for packet in own}
    assert answer.all_answered, f"with tag {TAG} the guest does not reach its peer: {answer}"
    assert tags == {(MAC, TAG)}, f"on the wire its frames have MAC and tag {sorted(tags)}"
    everyone = pci.functions(host, pci.of_nic(host, pf))
    for each in testbed.guests:
        position = everyone.index(function_of(each) or address)
        own_view = seen[position]
        listed = (own_view.mac, own_view.vlan)
        assert listed == (each.mac, 0), f"{pf} lists {listed} for {each.name}, which has {each.mac}"
        assert not own_view.trusted, f"{pf} trusts {each.name} to take another MAC than the XML's"
    evidence.reason = f"function {number}: {MAC}, tag {TAG}, seen by {pf} and on the wire; {answer}"


@pytest.mark.claims("PT-09")
@pytest.mark.changes_network("takes every virtual function that is left")
@pytest.mark.needs("iommu", "sriov")
def test_exhaustion(testbed: Testbed, evidence: Evidence) -> None:
    """When every function is taken the next guest is refused; one that was freed is taken again.

    Preconditions:
        - at least one virtual function of the NIC is left beside the guests' own
    Steps:
        1. Start a domain on the network for each function that is left.
        2. Start one domain more, and list libvirt's domains.
        3. End the other domains, and start the one domain again.
    Verify:
        - the first domains take exactly the functions that were left, one each
        - the one domain more is refused, with an error that names the network, and libvirt does not
          list it
        - after, it gets one of the functions that were freed, under vfio-pci
    """
    guest, name = testbed.guests[0], testbed.topology.network.name
    everyone = pci.functions(testbed.host, pci.of_nic(testbed.host, testbed.topology.network.pf))
    left = [each for each in everyone if each not in {function_of(g) for g in testbed.guests}]
    assert left, f"no function is left beside the guests': {len(everyone)} are on"
    refusal, names, taken = "", [], []
    try:
        with contextlib.ExitStack() as stack:
            for number in range(len(left)):
                mac = OTHER_MAC.format(number)
                nic = Nic("network", name, mac, None)
                domain = stack.enter_context(held(guest, f"{NAME}-{number}", [nic]))
                taken.append(function_in(domain, mac))
            refusal = _refusal(guest, Nic("network", name, MAC, None))
            names = [each.name() for each in testbed.host.libvirt.listAllDomains()]
        evidence.text("refusal.txt", f"{refusal}\n")
        with held(guest, NAME, [Nic("network", name, MAC, None)]) as domain:
            again = function_in(domain, MAC)
            bound = pci.driver(testbed.host, again) if again else None
    except StartRefused as error:
        raise AssertionError(
            f"with {len(left) - len(taken)} of {len(everyone)} functions left, {error.message}: "
            f"{error.hint}"
        ) from error
    assert sorted(map(str, taken)) == sorted(map(str, left)), f"{left} were left, {taken} taken"
    assert refusal, f"with every function taken, {NAME} was started all the same"
    assert name in refusal, f"the error does not name the network: {refusal}"
    assert NAME not in names, f"{NAME} was refused, and libvirt lists it: {names}"
    assert again in left, f"{NAME} was given {again}, which had not been freed"
    assert bound == VFIO, f"{again} is under {bound} while {NAME} has it"
    evidence.reason = f"one too many: {refusal}; when they were freed, {again} was taken again"


@pytest.mark.claims("PT-11")
@pytest.mark.needs("iommu", "sriov")
def test_whole_nic(testbed: Testbed, evidence: Evidence) -> None:
    """A whole PCI NIC, physical function and all, is a guest's for as long as the guest runs.

    Preconditions:
        - `--spare-nic` names a NIC on the same wire that nothing uses
        - no other device in the IOMMU group of that NIC has a driver
    Steps:
        1. Read the NIC's MAC and driver.
        2. Boot a guest with `<hostdev>` and the NIC's PCI address.
        3. Read the NIC's driver and the host's links.
        4. Give the guest an address, and probe by ICMP from the guest to the outside and from the
           outside to the guest.
        5. End the guest, and wait until the NIC is back.
    Verify:
        - while the guest runs, the NIC is under vfio-pci and is no link of the host's
        - the guest has one NIC, with that MAC, vendor and device
        - every request is answered, both ways
        - after, the NIC is a link of the host's again, under the driver that it had
    """
    host, name = testbed.host, testbed.host.nics.spare
    if name is None:
        raise NotTestable("a NIC that may be given to a guest whole", "--spare-nic names none")
    require_free(host, name, "--spare-nic")
    address = pci.of_nic(host, name)
    require_own_group(host, address, name)
    mac, before = link_mac(host, name), pci.driver(host, address)
    with _booted(testbed, Nic("device", str(address), mac, None), evidence) as guest:
        bound, is_there = pci.driver(host, address), has_link(host, name)
        _expect_function(host, guest, address, mac, evidence)
        inside, outside = _addressed(guest, _spare(testbed)), testbed.end("outside")
        there, back = send("icmp", inside, outside), send("icmp", outside, inside)
    back_under = poll(
        lambda: (has_link(host, name), pci.driver(host, address)),
        lambda now: now == (True, before),
        deadline_s=BACK_DEADLINE_S,
    )
    assert back_under == (True, before), (
        f"not within {BACK_DEADLINE_S:g} s: {name} is a link again, under {before}; "
        f"last seen: {back_under}"
    )
    assert bound == VFIO, f"{address} is under {bound} while the guest runs"
    assert not is_there, f"{name} is a guest's, and a link of the host's as well"
    assert there.all_answered, f"on {name} the guest does not reach the outside: {there}"
    assert back.all_answered, f"the outside does not reach the guest on {name}: {back}"
    evidence.reason = (
        f"{name}, {address}: to the outside {there}, from there {back}; {before} again"
    )


@contextlib.contextmanager
def _booted(testbed: Testbed, nic: Nic, evidence: Evidence) -> Iterator[Guest]:
    """Boot one more guest with a NIC; that libvirt does not start it is a violation."""
    try:
        with another(testbed.guests[0], NAME, [nic]) as guest:
            guest.transcript = evidence
            yield guest
    except StartRefused as error:
        raise AssertionError(f"{error.message}: {error.hint}") from error


def _free_function(testbed: Testbed) -> tuple[int, Address]:
    """Return number and address of a virtual function that no guest has."""
    pf = testbed.topology.network.pf
    found = free_function(testbed.host, pf, testbed.guests)
    assert found is not None, (
        f"no function of {pf} is left beside the guests': {len(views(testbed.host, pf))} are on"
    )
    return found


def _expect_function(
    host: Host, guest: Guest, address: Address, mac: str, evidence: Evidence
) -> None:
    """Assert that a guest's one NIC is a function of the host's, with a MAC."""
    found = [nic for nic in guest_nics(guest) if nic.name == NIC]
    evidence.json(f"{guest.name}.json", [asdict(nic) for nic in found])
    assert len(found) == 1, f"{guest.name} has no NIC with a driver"
    wanted = ":".join(pci.attribute(host, address, part) for part in ("vendor", "device"))
    seen = (found[0].mac, found[0].pci_id)
    assert seen == (mac, wanted), f"{guest.name} has {seen}; MAC and function are {mac}, {wanted}"


def _spare(testbed: Testbed) -> IPv4Interface:
    """Return an unused address of the physical network: its last."""
    return IPv4Interface((testbed.figures.subnet[-2], testbed.figures.subnet.prefixlen))


def _addressed(guest: Guest, address: IPv4Interface) -> End:
    """Give a guest an address, and return it as the end of a probe."""
    guest.run(["ip", "link", "set", NIC, "up"])
    guest.run(["ip", "address", "add", str(address), "dev", NIC])
    return End(guest, str(address.ip), GUEST_TOOL)


def _refusal(guest: Guest, nic: Nic) -> str:
    """Return why libvirt does not start one more domain; "" if it does."""
    try:
        with held(guest, NAME, [nic]):
            return ""
    except StartRefused as error:
        return error.hint


def _is_echo(packet: Packet) -> bool:
    return ICMP in packet and packet.src == MAC
