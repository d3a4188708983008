# SPDX-License-Identifier: GPL-2.0-or-later
"""An SR-IOV NIC, what libvirt knows of it, and the functions that guests get of it."""

from dataclasses import asdict
from xml.etree import ElementTree as ET

import libvirt
import pytest

from fixtures.guest.guest import NIC
from fixtures.host import pci
from fixtures.host.host import Host
from fixtures.host.links import link_kind
from fixtures.host.pci import Address
from fixtures.probe.evidence import Evidence
from fixtures.probe.guest_nics import guest_nics
from fixtures.probe.sriov import address_in, function_of, listed, views
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed


@pytest.mark.claims("PT-01")
@pytest.mark.needs("iommu", "sriov")
def test_iommu_and_functions(testbed: Testbed, evidence: Evidence) -> None:
    """The NIC's virtual functions are on, and the IOMMU keeps each apart from everything else.

    The kernel gives a function to a guest only with an IOMMU that translates (VFIO).

    Preconditions:
        - the guests run on virtual functions of the NIC
    Steps:
        1. Read how many virtual functions the NIC offers, which of them are on, and their IOMMU
           groups.
        2. Read the function of each guest from libvirt's live XML.
    Verify:
        - as many functions are on as the topology asks for, and no more than the NIC offers
        - each function is in an IOMMU group with nothing else in it
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
        assert pci.members(host, number) == [each], f"{each} shares IOMMU group {number}"
    for guest in testbed.guests:
        assert function_of(guest) in functions, f"{guest.name} runs without a function of {pf}"
    evidence.reason = (
        f"{len(functions)} of {offered} functions of {pf} are on, in IOMMU groups of their own: "
        f"{', '.join(f'{each} in {number}' for each, number in groups.items())}"
    )


@pytest.mark.claims("PT-02")
@pytest.mark.needs("iommu", "sriov")
def test_node_device(testbed: Testbed, evidence: Evidence) -> None:
    """Libvirt's node device of the NIC agrees with the PCI bus.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the XML of libvirt's node device for the NIC.
        2. Read the NIC's address, driver, vendor and product, and its virtual functions, from
           sysfs.
    Verify:
        - libvirt has the device, as a PCI device
        - domain, bus, slot, function, driver, vendor and product are those of sysfs
        - the virtual functions in the XML are those of sysfs, in the same order
        - vendor and product have names
    """
    host, name = testbed.host, testbed.topology.network.pf
    pf = pci.of_nic(host, name)
    device = f"pci_{str(pf).replace(':', '_').replace('.', '_')}"
    try:
        xml = host.libvirt.nodeDeviceLookupByName(device).XMLDesc()
    except libvirt.libvirtError as error:
        raise AssertionError(f"libvirt knows no {device}: {error}") from error
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
    names = {part: capability.findtext(part, "") for part in ("vendor", "product")}
    for part, text in names.items():
        assert text, f"libvirt has no name for the {part} of {name}"
    evidence.reason = f"{device}: {there}, {names['vendor']} {names['product']}"


@pytest.mark.claims("PT-03")
@pytest.mark.needs("iommu", "sriov")
def test_network_lists_functions(testbed: Testbed, evidence: Evidence) -> None:
    """The hostdev network is active, starts with libvirtd, and lists every virtual function.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the network's state and its live XML.
        2. Read the link on disk by which libvirtd's next start starts the network.
        3. Read the NIC's virtual functions from sysfs.
    Verify:
        - the live XML has mode `hostdev`, managed `yes`, and the NIC as physical function
        - the network is active, persistent and set to autostart, and its link is there
        - the functions in the live XML are exactly those of sysfs
    """
    network, host = testbed.libvirt_network, testbed.host
    xml = network.XMLDesc()
    evidence.text("network.xml", xml, "application/xml")
    forward = ET.fromstring(xml).find("forward")
    assert forward is not None, "its live XML has no <forward>"
    physical = forward.find("pf")
    given = (forward.get("mode"), forward.get("managed"))
    assert given == ("hostdev", "yes"), f"its live XML has mode and managed {given}"
    named = physical.get("dev") if physical is not None else None
    assert named == testbed.topology.network.pf, f"its live XML names the physical function {named}"
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

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read each guest's NIC from libvirt's list and its function from the live XML.
        2. Read the PCI functions of the NIC from the guest's sysfs.
        3. List the host's TAP devices.
    Verify:
        - libvirt lists the NIC as `hostdev`, with a virtual function of the host's NIC
        - no two guests have the same function
        - in the guest the NIC has a driver, and the vendor and device number of that function
        - the host has no TAP device
    """
    host, pf = testbed.host, pci.of_nic(testbed.host, testbed.topology.network.pf)
    functions = pci.functions(host, pf)
    taken: dict[str, Address] = {}
    said = []
    for guest in testbed.guests:
        [nic] = guest.nics()
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
    taps = _taps(host)
    assert not taps, f"the host has the TAP devices {taps}"
    evidence.json(
        "functions.json", [asdict(view) for view in views(host, testbed.topology.network.pf)]
    )
    evidence.reason = f"{'; '.join(said)}; no TAP on the host"


def _id(capability: ET.Element, part: str) -> str | None:
    element = capability.find(part)
    return element.get("id") if element is not None else None


def _taps(host: Host) -> list[str]:
    names = [str(link.get_attr("IFLA_IFNAME")) for link in host.netlink.get_links()]
    return [name for name in names if link_kind(host, name) == "tap"]
