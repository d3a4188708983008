# SPDX-License-Identifier: GPL-2.0-or-later
"""An SR-IOV NIC, what libvirt knows of it, and the functions that guests get of it."""

from dataclasses import asdict
from xml.etree import ElementTree as ET

import libvirt
import pytest

from fixtures.guest.guest import NIC
from fixtures.host import pci
from fixtures.host.pci import Address
from fixtures.probe import node_devices
from fixtures.probe.evidence import Evidence
from fixtures.probe.guest_nics import guest_nics
from fixtures.probe.qemu_process import open_taps
from fixtures.probe.sriov import address_in, function_of, listed, views
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed

# Where libpciaccess, of libvirt, has the names of vendors and products from.
PCI_IDS = ("/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids")


@pytest.mark.claims("PT-01")
@pytest.mark.needs("iommu", "sriov")
def test_iommu_and_functions(testbed: Testbed, evidence: Evidence) -> None:
    """The NIC's virtual functions are on, and the IOMMU keeps them apart from everything else.

    The kernel gives a function to a guest only with an IOMMU that translates (VFIO).

    Preconditions:
        - the guests run on virtual functions of the NIC
    Steps:
        1. Read how many virtual functions the NIC offers, which of them are on, and their IOMMU
           groups.
        2. Read the function of each guest from libvirt's live XML.
    Verify:
        - as many functions are on as the topology asks for, and no more than the NIC offers
        - each function is in an IOMMU group, and nothing but such functions is in it: without ACS
          some NICs have one group for all
        - each guest runs on one of these functions
    """
    host, pf = testbed.host, pci.of_nic(testbed.host, testbed.topology.network.pf)
    offered = int(pci.attribute(host, pf, "sriov_totalvfs"))
    functions = pci.functions(host, pf)
    groups = {str(each): pci.group(host, each) for each in functions}
    evidence.json("groups.json", groups)
    wanted = testbed.topology.network.vfs
    assert len(functions) == wanted, f"{len(functions)} functions are on, {wanted} were asked for"
    assert len(functions) <= offered, f"{len(functions)} functions of {offered} that are offered"
    for each in functions:
        number = groups[str(each)]
        assert number is not None, f"{each} is in no IOMMU group"
        foreign = [other for other in pci.members(host, number) if other not in functions]
        assert not foreign, f"{each} shares IOMMU group {number} with {foreign}"
    for guest in testbed.guests:
        assert function_of(guest) in functions, f"{guest.name} runs without a function of {pf}"
    evidence.reason = (
        f"{len(functions)} of {offered} functions of {pf} are on, in IOMMU groups without others: "
        f"{', '.join(f'{each} in {number}' for each, number in groups.items())}"
    )


@pytest.mark.claims("PT-02")
@pytest.mark.needs("iommu", "sriov")
def test_node_device(testbed: Testbed, evidence: Evidence) -> None:
    """Libvirt's tree of node devices agrees with the PCI bus, and shows the NIC in its place.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. List libvirt's PCI devices, and the devices of the PCI bus in sysfs.
        2. Read the XML of libvirt's node device for the NIC, and of its ancestors.
        3. Read the NIC's address, driver, vendor and product, its virtual functions and the bridges
           above it from sysfs.
    Verify:
        - libvirt lists the devices of the bus, and no others
        - libvirt has the NIC, as a PCI device
        - domain, bus, slot, function, driver, vendor and product are those of sysfs
        - the virtual functions in the XML are those of sysfs, in the same order
        - the ancestors of the NIC are the bridges above it, up to the computer
        - libvirt has the NIC's link below it, with its name
        - vendor and product have names, if the host has the list of them (pci.ids)
    """
    host, name = testbed.host, testbed.topology.network.pf
    pf = pci.of_nic(host, name)
    known, there_are = node_devices.pci_devices(host), pci.everything(host)
    differing = sorted(map(str, set(known.values()) ^ set(there_are)))
    assert not differing, f"libvirt's list of PCI devices and the bus differ in {differing}"
    device = next(each for each, address in known.items() if address == pf)
    xml = node_devices.xml(host, device)
    evidence.text("device.xml", xml, "application/xml")
    root = ET.fromstring(xml)
    capability = root.find("capability[@type='pci']")
    assert capability is not None, f"libvirt does not call {device} a PCI device"
    parts = ("domain", "bus", "slot", "function")
    by_libvirt = {
        "address": str(Address(*(int(capability.findtext(part, "-1")) for part in parts))),
        "driver": root.findtext("driver/name"),
        **{part: _id(capability, part) for part in ("vendor", "product")},
    }
    there = {
        "address": str(pf),
        "driver": pci.driver(host, pf),
        "vendor": pci.attribute(host, pf, "vendor"),
        "product": pci.attribute(host, pf, "device"),
    }
    evidence.json("device.json", {"libvirt": by_libvirt, "bus": there})
    assert by_libvirt == there, f"{name} is {by_libvirt} by libvirt, and {there} on the bus"
    functions = capability.find("capability[@type='virt_functions']")
    shown = (
        [address_in(each) for each in functions.iter("address")] if functions is not None else []
    )
    assert shown == pci.functions(host, pf), f"libvirt lists the functions {shown} of {name}"
    above = [str(known.get(each, each)) for each in node_devices.ancestors(host, device)]
    wanted = [*map(str, pci.above(host, pf)), "computer"]
    evidence.json("ancestors.json", {"libvirt": above, "bus": wanted})
    assert above == wanted, f"above {device} libvirt has {above}, the bus has {wanted}"
    links = node_devices.links_below(host, device)
    assert name in links, f"below {device} libvirt has the links {links}, not {name}"
    names = {part: capability.findtext(part, "") for part in ("vendor", "product")}
    if any(host.seen(path).exists() for path in PCI_IDS):
        for part, text in names.items():
            assert text, f"libvirt has no name for the {part} of {name}"
    evidence.reason = f"{device} below {above[0]}: {there}, {names['vendor']} {names['product']}"


@pytest.mark.claims("PT-03")
@pytest.mark.needs("iommu", "sriov")
def test_network_lists_functions(testbed: Testbed, evidence: Evidence) -> None:
    """The hostdev network is active, starts with libvirtd, and lists every virtual function.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the network's state and its live XML; the physical function from the XML of its next
           start where the live one has the functions without it, as after a restart of libvirtd.
        2. Read the link on disk by which libvirtd's next start starts the network.
        3. Read the NIC's virtual functions from sysfs.
    Verify:
        - the live XML has mode `hostdev` and managed `yes`
        - the physical function is the NIC
        - the network is active, persistent and set to autostart, and its link is there
        - the functions in the live XML are exactly those of sysfs
    """
    network, host = testbed.libvirt_network, testbed.host
    xml = network.XMLDesc()
    evidence.text("network.xml", xml, "application/xml")
    forward = ET.fromstring(xml).find("forward")
    assert forward is not None, "its live XML has no <forward>"
    physical = forward.find("pf")
    if physical is None and listed(network):
        physical = ET.fromstring(network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)).find(
            "forward/pf"
        )
    given = (forward.get("mode"), forward.get("managed"))
    assert given == ("hostdev", "yes"), f"its live XML has mode and managed {given}"
    named = physical.get("dev") if physical is not None else None
    assert named == testbed.topology.network.pf, f"its XML names the physical function {named}"
    state = (network.isActive(), network.isPersistent(), network.autostart())
    assert all(state), f"active, persistent, autostart: {state}"
    assert libvirt_network.starts_with_libvirtd(host, network.name()), (
        f"libvirt lists {network.name()} with autostart, and {libvirt_network.AUTOSTART} has no "
        "link to its file: libvirtd's next start would not start it"
    )
    functions = pci.functions(host, pci.of_nic(host, testbed.topology.network.pf))
    shown = listed(network)
    assert sorted(shown, key=str) == sorted(functions, key=str), (
        f"its live XML lists {', '.join(map(str, shown))}; on are {', '.join(map(str, functions))}"
    )
    evidence.reason = f"{network.name()} of {named} lists {', '.join(map(str, shown))}"


@pytest.mark.claims("PT-04")
@pytest.mark.needs("iommu", "sriov")
def test_guest_has_a_function(testbed: Testbed, evidence: Evidence) -> None:
    """A guest on the network has a virtual function: a PCI NIC under the driver for it, and no TAP.

    TAP devices of others are none of its business.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read each guest's NIC from libvirt's list and its function from the live XML.
        2. Read the PCI functions of the NIC from the guest's sysfs.
        3. List the TAP devices that the QEMU process of each guest has open.
    Verify:
        - libvirt lists the NIC as `hostdev`, with a virtual function of the host's NIC
        - no two guests have the same function
        - in the guest the NIC has a driver, and the vendor and device number of that function
        - no guest's QEMU has a TAP device
    """
    host, pf = testbed.host, pci.of_nic(testbed.host, testbed.topology.network.pf)
    functions = pci.functions(host, pf)
    taken: dict[str, Address] = {}
    said = []
    for guest in testbed.guests:
        [nic] = [each for each in guest.nics() if each.mac == guest.mac]
        address = function_of(guest)
        assert nic.kind == "hostdev", f"libvirt lists the NIC of {guest.name} as {nic.kind}"
        assert address in functions, f"{guest.name} has {address}, no function of {pf}"
        assert address not in taken.values(), f"{guest.name} has {address}, another guest's"
        taken[guest.name] = address
        found = [each for each in guest_nics(guest) if each.name == NIC]
        evidence.json(f"{guest.name}.json", [asdict(each) for each in found])
        assert len(found) == 1, f"{guest.name} has no NIC with a driver"
        wanted = ":".join(pci.attribute(host, address, part) for part in ("vendor", "device"))
        seen = found[0].pci_id
        assert seen == wanted, f"{guest.name} sees a NIC {seen}, its function is {wanted}"
        said.append(f"{guest.name}: {address}, in the guest {found[0].driver}")
        taps = open_taps(host, guest.name)
        assert not taps, f"QEMU of {guest.name} has the TAP devices {taps}"
    evidence.json(
        "functions.json", [asdict(view) for view in views(host, testbed.topology.network.pf)]
    )
    evidence.reason = f"{'; '.join(said)}; no TAP of theirs"


def _id(capability: ET.Element, part: str) -> str | None:
    element = capability.find(part)
    return element.get("id") if element is not None else None
