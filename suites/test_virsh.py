# SPDX-License-Identifier: GPL-2.0-or-later
"""The documents' virsh commands, run as they write them."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Interface
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from fixtures.errors import NotTestable
from fixtures.host import pci
from fixtures.host.host import Host
from fixtures.host.interface import bridge_interface_xml, takes_definitions
from fixtures.host.links import cable, has_link, is_up, link_mac, namespace_machine
from fixtures.host.pci import Address
from fixtures.host.undo.libvirt_undos import NetworkRemove
from fixtures.host.undo.rule_undos import ZoneLeave
from fixtures.probe import node_devices
from fixtures.probe.evidence import Evidence
from fixtures.switch import libvirt_network
from fixtures.switch.linux_bridge import linux_bridge
from fixtures.switch.virsh import fields, parents, rows, virsh, written
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.network_types import type_of
from topologies.topology import Network

SCRATCH = "plumb-virsh"
# Locally administered: a MAC that no other link of the host has, as mapping it back needs.
SCRATCH_MAC = "02:00:5e:00:53:02"
# D4's kind of interface: a bridge with an address of its own.
PORT = "plumb-port"
INTERFACE_XML = bridge_interface_xml(SCRATCH, IPv4Interface("198.18.0.1/24"), PORT)
# A bridge without STP forwards at once; without a setting ifup waits for it all the same.
LINK_DEADLINE_S = 40.0
# libvirt ends a network's dnsmasq by a signal and does not wait for it.
GONE_DEADLINE_S = 20.0


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("NT-01", "NT-15")
def test_documented_life(testbed: Testbed, evidence: Evidence) -> None:
    """From `virsh net-define` to `virsh net-undefine` each command does what D3 and D4 show.

    Preconditions:
        - the host has no network and no bridge `plumb-virsh`
    Steps:
        1. Write the definition of a network into a file, and run `virsh net-define` for it and
           `net-list --all`.
        2. Run `net-start`, `net-autostart`, `net-list`, `net-info` and `net-dumpxml`.
        3. Run `net-destroy`, `net-list --all`, `net-undefine` and `net-list --all`.
    Verify:
        - each command ends without an error
        - defined, the network is listed as inactive, without autostart, persistent
        - started and set to autostart, it is listed as active, with autostart, persistent; its
          bridge is there, and libvirtd's next start starts it
        - `net-info` has its name, its UUID, its bridge and these states
        - `net-dumpxml` has its name, its UUID, its bridge and its address
        - destroyed, it is listed as inactive, and its bridge is gone
        - undefined, it is listed no more, and libvirt has no file of it
    """
    host = testbed.host
    new = libvirt_network.beside(testbed.topology.network, SCRATCH, testbed.taken_networks)
    xml = libvirt_network.definition(new)
    evidence.text("network.xml", xml, "application/xml")
    # Noted first, so that it is taken back after the network is destroyed.
    host.note(ZoneLeave(new.bridge))
    with host.will(NetworkRemove(new.name)):
        try:
            with written(host, new.name, xml) as path:
                _require(host, "net-define", path)
            _expect_listed(host, ["inactive", "no", "yes"], "net-list", "--all")
            _require(host, "net-start", new.name)
            _require(host, "net-autostart", new.name)
            _expect_listed(host, ["active", "yes", "yes"], "net-list")
            assert has_link(host, new.bridge), f"after net-start the host has no {new.bridge}"
            linked = libvirt_network.starts_with_libvirtd(host, new.name)
            assert linked, "after net-autostart libvirtd's next start would not start the network"
            uuid = _expect_described(host, new)
            _require(host, "net-destroy", new.name)
            _expect_listed(host, ["inactive", "yes", "yes"], "net-list", "--all")
            gone = poll(lambda: not has_link(host, new.bridge), deadline_s=GONE_DEADLINE_S)
            assert gone, f"after net-destroy {new.bridge} is still there"
            _require(host, "net-undefine", new.name)
            _expect_listed(host, None, "net-list", "--all")
            file = libvirt_network.definition_file(new.name)
            assert not host.seen(file).exists(), f"after net-undefine {file} is still there"
        finally:
            for network in host.libvirt.listAllNetworks():
                if network.name() == new.name:
                    libvirt_network.remove(network)
    evidence.reason = (
        f"{new.name}, {uuid}: net-define, net-start, net-autostart, net-info, net-dumpxml, "
        "net-destroy, net-undefine"
    )


@pytest.mark.claims("GN-01")
def test_nics_are_listed(testbed: Testbed, evidence: Evidence) -> None:
    """`virsh domiflist` lists each guest's NIC with interface, type, source, model and MAC.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Run `virsh domiflist` for each guest.
        2. Read the kind of the link that it names from the kernel.
    Verify:
        - it lists one NIC, whose interface is a link of the host
        - type, source, model and MAC are those of the topology
    """
    listed = {}
    for guest in testbed.guests:
        [data] = [each for each in testbed.topology.guests if each.name == guest.name]
        network = testbed.topology.network_of(data)
        kind, place = type_of(network).listed_source(network, data)
        found = rows(_require(testbed.host, "domiflist", guest.domain.name()))
        assert len(found) == 1, f"`virsh domiflist` lists {len(found)} NICs for {guest.name}"
        [(tap, seen)] = found.items()
        assert has_link(testbed.host, tap), f"domiflist lists {tap}, and the host has no such link"
        # Of a network over the host's own bridge it lists the network, and the type `bridge`.
        [nic] = guest.nics()
        wanted = [kind, nic.network or place, str(data.model), data.mac]
        assert seen == wanted, f"domiflist lists {seen} for {guest.name}, expected {wanted}"
        listed[guest.name] = tap
    evidence.reason = ", ".join(f"{name}: {tap}" for name, tap in listed.items())


@pytest.mark.claims("PT-02")
@pytest.mark.needs("iommu", "sriov")
def test_device_tree(testbed: Testbed, evidence: Evidence) -> None:
    """`virsh nodedev-list --tree` has the NIC in its place, `nodedev-dumpxml` its figures.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Run `virsh nodedev-list --tree`, and read the bridges above the NIC from sysfs.
        2. Run `virsh nodedev-dumpxml` for the NIC, and read its figures from sysfs.
    Verify:
        - the devices above the NIC are the bridges of sysfs, up to the computer
        - the NIC's link is below it
        - domain, bus, slot, function, driver, vendor and product are those of sysfs
    """
    host, name = testbed.host, testbed.topology.network.pf
    pf = pci.of_nic(host, name)
    known = node_devices.pci_devices(host)
    device = next(each for each, address in known.items() if address == pf)
    tree = parents(_require(host, "nodedev-list", "--tree"))
    assert device in tree, f"`virsh nodedev-list --tree` has no {device}, which is {name}"
    above = [str(known.get(each, each)) for each in _ancestors(tree, device)]
    wanted = [*map(str, pci.above(host, pf)), "computer"]
    assert above == wanted, f"above {device} the tree has {above}, the bus has {wanted}"
    links = [each for each, parent in tree.items() if parent == device]
    own = f"net_{name}_{link_mac(host, name).replace(':', '_')}"
    assert own in links, f"below {device} the tree has {links}, not {own}"
    shown = _figures(ET.fromstring(_require(host, "nodedev-dumpxml", device)))
    there = {
        "address": str(pf),
        "driver": pci.driver(host, pf),
        "vendor": pci.attribute(host, pf, "vendor"),
        "product": pci.attribute(host, pf, "device"),
    }
    assert shown == there, f"`virsh nodedev-dumpxml {device}` has {shown}, the bus {there}"
    evidence.reason = f"{device} below {', '.join(above)}: {shown}"


@pytest.mark.claims("IF-05")
def test_interfaces_are_listed_and_mapped(testbed: Testbed, evidence: Evidence) -> None:
    """Without netcf `iface-list`, `iface-mac` and `iface-name` work, and `iface-define` does not.

    Preconditions:
        - libvirt has its interface driver without netcf
        - the host has no link `plumb-virsh`
    Steps:
        1. Write D4's bridge interface into a file, and run `virsh iface-define` for it.
        2. Make the bridge `plumb-virsh` by hand, and give it a MAC of its own.
        3. Run `iface-list --all`, `iface-mac` and `iface-name` for it.
    Verify:
        - `iface-define` is refused as not supported, and the host has no link of that name
        - `iface-list --all` has the bridge as inactive, with its MAC
        - `iface-mac` has its MAC, and `iface-name` the name of that MAC
    """
    host = testbed.host
    if takes_definitions(host):
        raise NotTestable("a libvirt without netcf", "interfaceDefineXML reads a definition")
    listing = virsh(host, "iface-list", "--all")
    if "not supported" in listing.last_words:
        raise NotTestable("libvirt's interface driver", f"iface-list: {listing.last_words}")
    refused = _refused_definition(testbed)
    with linux_bridge(host, SCRATCH) as added:
        added.set_mac(SCRATCH_MAC)
        found = rows(_require(host, "iface-list", "--all")).get(SCRATCH)
        wanted = ["inactive", SCRATCH_MAC]
        assert found == wanted, f"iface-list has {SCRATCH} as {found}, expected {wanted}"
        mac = _require(host, "iface-mac", SCRATCH).strip()
        name = _require(host, "iface-name", SCRATCH_MAC).strip()
        pair = (mac, name)
        assert pair == (SCRATCH_MAC, SCRATCH), f"iface-mac and iface-name answer {pair}"
    evidence.reason = f"{SCRATCH} is listed, {mac} mapped both ways; the host's limit: {refused}"


@pytest.mark.claims("IF-01", "IF-02", "IF-03", "IF-04")
@pytest.mark.changes_host(
    "writes a bridge into the host's own network configuration, by netcf", only_if=takes_definitions
)
def test_interfaces_life(testbed: Testbed, evidence: Evidence) -> None:
    """From `iface-define` to `iface-undefine` each command does what D4 shows.

    Preconditions:
        - libvirt has its interface driver with netcf
        - the host has no links `plumb-virsh` and `plumb-port`
    Steps:
        1. Make the bridge's port with a cable to a neighbour, write D4's bridge interface into a
           file, and run `virsh iface-define` for it and `iface-list --all`.
        2. Run `iface-start`, wait until the link is up, and run `iface-list --all`, `iface-mac`
           and `iface-name`.
        3. Run `iface-destroy`, `iface-list --all`, `iface-undefine` and `iface-list --all`.
    Verify:
        - each command ends without an error
        - defined, the interface is listed as inactive
        - started, it is listed as active, with the MAC of the link, and that MAC is mapped to its
          name and its name to that MAC
        - destroyed, it is listed as inactive, and its link is gone
        - undefined, it is listed no more
    """
    host = testbed.host
    if not takes_definitions(host):
        raise NotTestable("a libvirt with netcf", "interfaceDefineXML is not supported")
    evidence.text("interface.xml", INTERFACE_XML, "application/xml")
    with (
        namespace_machine(host, "neighbour") as neighbour,
        cable(host, PORT, neighbour, "eth0"),
        written(host, SCRATCH, INTERFACE_XML) as path,
    ):
        try:
            _require(host, "iface-define", path)
            _expect_interface(host, "inactive")
            _require(host, "iface-start", SCRATCH)
            up = poll(
                lambda: has_link(host, SCRATCH) and is_up(host, SCRATCH), deadline_s=LINK_DEADLINE_S
            )
            assert up, f"not within {LINK_DEADLINE_S:g} s after iface-start: {SCRATCH} is up"
            _expect_interface(host, "active")
            mac = _require(host, "iface-mac", SCRATCH).strip()
            there = link_mac(host, SCRATCH)
            assert mac == there, f"iface-mac has {mac}, the link {there}"
            name = _require(host, "iface-name", mac).strip()
            assert name == SCRATCH, f"iface-name has {name} for {mac}, which is {SCRATCH}'s"
            _require(host, "iface-destroy", SCRATCH)
            _expect_interface(host, "inactive")
            assert not has_link(host, SCRATCH), f"after iface-destroy {SCRATCH} is still there"
            _require(host, "iface-undefine", SCRATCH)
            _expect_interface(host, None)
        finally:
            for each in host.libvirt.listAllInterfaces():
                if each.name() == SCRATCH:
                    if each.isActive():
                        each.destroy()
                    each.undefine()
    evidence.reason = f"{SCRATCH}, {mac}: iface-define, -start, -mac, -name, -destroy, -undefine"


def _expect_interface(host: Host, state: str | None) -> None:
    """Require `iface-list --all` to have the scratch interface in a state; None: not at all."""
    found = rows(_require(host, "iface-list", "--all")).get(SCRATCH)
    seen = None if found is None else found[0]
    assert seen == state, f"`virsh iface-list --all` has {SCRATCH} as {seen}, expected {state}"


def _ancestors(tree: Mapping[str, str], device: str) -> Iterator[str]:
    """Yield the devices above one in a tree, the nearest first."""
    while (parent := tree.get(device)) is not None:
        yield parent
        device = parent


def _figures(root: ET.Element) -> dict[str, str | None]:
    """Return address, driver, vendor and product of a PCI device's XML, as sysfs writes them."""
    capability = root.find("capability[@type='pci']")
    assert capability is not None, "`virsh nodedev-dumpxml` has no PCI device"
    numbers = (capability.findtext(part, "-1") for part in node_devices.PCI_PARTS)
    ids = {part: capability.find(part) for part in ("vendor", "product")}
    return {
        "address": str(Address(*map(int, numbers))),
        "driver": root.findtext("driver/name"),
        **{part: None if found is None else found.get("id") for part, found in ids.items()},
    }


def _refused_definition(testbed: Testbed) -> str:
    """Require iface-define to be refused for want of support; returns its last words."""
    host = testbed.host
    with written(host, SCRATCH, INTERFACE_XML) as path:
        done = virsh(host, "iface-define", path)
    assert done.status != 0, f"libvirt has no netcf, and `virsh iface-define` says {done.stdout}"
    said = done.last_words
    assert "not supported" in said, f"`virsh iface-define` is refused for another reason: {said}"
    assert not has_link(host, SCRATCH), f"a refused definition made the link {SCRATCH}"
    return said


def _require(host: Host, *words: str) -> str:
    """Require a command of virsh to end without an error; returns its output."""
    done = virsh(host, *words)
    assert done.status == 0, f"`virsh {' '.join(words)}` ends with {done.status}: {done.last_words}"
    return done.stdout


def _expect_listed(host: Host, wanted: list[str] | None, *words: str) -> None:
    """Require a listing to have the scratch network in a state; None: not at all."""
    found = rows(_require(host, *words)).get(SCRATCH)
    assert found == wanted, f"`virsh {' '.join(words)}` has {SCRATCH} as {found}, expected {wanted}"


def _expect_described(host: Host, new: Network) -> UUID:
    """Require net-info and net-dumpxml to describe the network; returns its UUID."""
    info = fields(_require(host, "net-info", new.name))
    uuid = UUID(host.libvirt.networkLookupByName(new.name).UUIDString())
    wanted = {"Name": new.name, "UUID": str(uuid), "Bridge": new.bridge}
    wanted |= dict.fromkeys(("Active", "Persistent", "Autostart"), "yes")
    seen = {name: info.get(name) for name in wanted}
    assert seen == wanted, f"`virsh net-info` has {seen}, expected {wanted}"
    root = ET.fromstring(_require(host, "net-dumpxml", new.name))
    bridge, ip = root.find("bridge"), root.find("ip")
    shown = [root.findtext("name"), root.findtext("uuid")]
    shown += [None if bridge is None else bridge.get("name")]
    shown += [None if ip is None else ip.get("address")]
    asked = [new.name, str(uuid), new.bridge, str(new.address.ip) if new.address else None]
    assert shown == asked, f"`virsh net-dumpxml` has {shown}, expected {asked}"
    return uuid
