# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's virtual networks: their life, what libvirt fills in, and what it builds."""

from collections.abc import Sequence
from ipaddress import ip_interface
from pathlib import PurePosixPath
from uuid import UUID
from xml.etree import ElementTree as ET

import libvirt
import pytest

from contracts.address_family import IPV4
from fixtures.host.links import addresses, has_link, is_up, link_mac
from fixtures.host.nic_state import nic_addresses
from fixtures.probe.dnsmasq import (
    DHCP_PORT,
    DNS_PORT,
    Listening,
    configuration_path,
    further_options,
    services,
    serving,
)
from fixtures.probe.evidence import Evidence
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed
from topologies.topology import Network

SCRATCH = "plumb-new"

LIBVIRTS_FOLDER = PurePosixPath("/var/lib/libvirt/dnsmasq")  # D3, D4
LEAST_DELAY_S = 2.0  # BR_MIN_FORWARD_DELAY of the kernel's net/bridge/br_private_stp.h


@pytest.mark.claims("NT-01")
def test_life_of_a_network(testbed: Testbed, evidence: Evidence) -> None:
    """Defined: inactive, persistent, no autostart. Started: active. Autostart set: yes.

    Preconditions:
        - the host has no network and no bridge `plumb-new`
    Steps:
        1. Define a new network, start it, and set its autostart, with a look at its state each
           time.
        2. Read state, name, bridge and UUID of the network under test.
        3. Read the links on disk by which libvirtd's next start starts networks.
    Verify:
        - defined, the new network is inactive and persistent, without autostart
        - started, it is active
        - with autostart set, libvirt says so, and the link is there, which was not before
        - the network under test is active, persistent and set to autostart, and its link is there;
          an existing one is active, and its link is there if it is set to autostart
        - its name, its bridge and, where the topology gives one, its UUID read back
    """
    beside = libvirt_network.beside(testbed.topology.network, SCRATCH, testbed.taken_networks)
    xml = libvirt_network.definition(beside.model_copy(update={"dhcp": None}))
    with libvirt_network.defined(testbed.host, xml) as new:
        state = (new.isActive(), new.isPersistent(), new.autostart())
        assert state == (0, 1, 0), f"defined: active, persistent, autostart are {state}"
        said = libvirt_network.refusal(new)
        assert not said, f"libvirt does not start a new network: {said}"
        assert new.isActive() == 1, "started, the network is not active"
        linked = libvirt_network.starts_with_libvirtd(testbed.host, new.name())
        assert not linked, "without autostart, libvirtd's next start would start the network"
        new.setAutostart(1)
        assert new.autostart() == 1, "with autostart set, libvirt lists it as off"
        linked = libvirt_network.starts_with_libvirtd(testbed.host, new.name())
        assert linked, "with autostart set, libvirtd's next start would not start the network"
        evidence.text("new.xml", new.XMLDesc(), "application/xml")
    network, live = testbed.topology.network, testbed.libvirt_network
    state = (live.isActive(), live.isPersistent(), live.autostart())
    # Whether an existing one starts with libvirtd, its site has decided.
    wanted = (1, 1, 1) if testbed.topology.origin.is_the_runs else (1, *state[1:])
    assert state == wanted, f"{live.name()}: active, persistent, autostart are {state}"
    linked = libvirt_network.starts_with_libvirtd(testbed.host, live.name())
    assert linked == bool(live.autostart()), (
        f"libvirt lists {live.name()} with autostart {live.autostart()}, and "
        f"{libvirt_network.AUTOSTART} has {'a' if linked else 'no'} link to its file: libvirtd's "
        f"next start would{'' if linked else ' not'} start it"
    )
    seen = (live.name(), live.bridgeName())
    assert seen == (network.name, network.bridge), f"name and bridge read back as {seen}"
    if network.uuid is not None:
        assert UUID(live.UUIDString()) == network.uuid, f"UUID reads back as {live.UUIDString()}"
    evidence.reason = f"{live.name()}, {live.UUIDString()}, bridge {live.bridgeName()}"


@pytest.mark.claims("NT-02")
def test_libvirt_fills_in(testbed: Testbed, evidence: Evidence) -> None:
    """What the XML leaves out libvirt fills in: UUID, MAC, NAT ports, STP on, delay 0.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the network's live XML.
        2. Read MAC and forward delay of the bridge.
    Verify:
        - the live XML has a UUID and a MAC, the topology's where it gives one
        - the MAC is that of the bridge
        - the NAT ports are 1024 to 65535
        - STP is on and the delay 0, unless the topology says otherwise
        - the bridge waits no longer than that delay or 2 s, the least that the kernel counts
    """
    xml = testbed.libvirt_network.XMLDesc()
    evidence.text("network.xml", xml, "application/xml")
    root, network = ET.fromstring(xml), testbed.topology.network
    uuid = UUID(root.findtext("uuid", ""))
    assert network.uuid in (None, uuid), f"UUID {uuid}, given was {network.uuid}"
    mac = _attribute(root, "mac", "address")
    assert mac == link_mac(testbed.host, network.bridge), (
        f"MAC {mac} is not that of {network.bridge}"
    )
    assert network.mac in (None, mac), f"MAC {mac}, given was {network.mac}"
    ports = (
        _attribute(root, "forward/nat/port", "start"),
        _attribute(root, "forward/nat/port", "end"),
    )
    assert ports == ("1024", "65535"), f"NAT port range {ports}"
    stp = (_attribute(root, "bridge", "stp"), _attribute(root, "bridge", "delay"))
    wanted = (
        "off" if network.stp is False else "on",
        str(network.forward_delay_s or 0),
    )
    assert stp == wanted, f"bridge STP and delay are {stp}, expected {wanted}"
    # With STP on the kernel counts no delay below 2 s.
    kept, most = (
        testbed.linux_bridge.forward_delay_s(),
        max(LEAST_DELAY_S, network.forward_delay_s or 0),
    )
    assert kept <= most, f"{network.bridge} waits {kept:g} s before it forwards, expected {most:g}"
    evidence.reason = (
        f"UUID {uuid}, MAC {mac}, ports {'–'.join(ports)}, STP {stp[0]}, delay {stp[1]}"
    )


@pytest.mark.claims("NT-03")
def test_bridge_is_up(testbed: Testbed, evidence: Evidence) -> None:
    """The bridge is up with the network's address and prefix, and STP on.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read state, addresses and STP of the bridge.
    Verify:
        - the bridge is up
        - it holds each address of the network's with its prefix, and no other of their subnets
        - STP is on, unless the topology turns it off
    """
    network = testbed.topology.network
    assert has_link(testbed.host, network.bridge), f"the host has no link {network.bridge}"
    held = [
        address
        for family in (IPV4, *network.families)
        for address in addresses(testbed.host, network.bridge, family)
    ]
    evidence.json("addresses.json", held)
    evidence.reason = f"{network.bridge}: {', '.join(held)}"
    assert is_up(testbed.host, network.bridge), f"{network.bridge} is down"
    every = (network.address, network.address6, *network.further_addresses)
    given = [each for each in every if each is not None]
    assert given, "the topology's data gives the network no address"
    # An address of another subnet is the site's own affair.
    own = {each for each in held if any(ip_interface(each).ip in s.network for s in given)}
    asked = {str(each) for each in given}
    assert own == asked, f"{network.bridge} has {held}, not {', '.join(sorted(asked))}"
    wanted = network.stp is not False
    assert testbed.linux_bridge.stp() == wanted, f"STP on {network.bridge} is {not wanted}"


@pytest.mark.claims("NT-04")
def test_one_dnsmasq(testbed: Testbed, evidence: Evidence) -> None:
    """One dnsmasq serves the network, from libvirt's configuration, with the range as its limit.

    Preconditions:
        - the network has a DHCP server
    Steps:
        1. Find the host's dnsmasq processes that run from the network's configuration.
        2. Read that configuration.
        3. Read the process's command line and the sockets on which it serves.
    Verify:
        - it is exactly one process
        - the configuration names the network's bridge as interface
        - its one range is the network's, and its lease limit the size of that; with an IPv6 address
          on the bridge, that address's prefix is advertised beside it
        - without a range it serves clients with a reservation alone
        - the process was started with libvirt's own file, and with no option that libvirt does not
          write
        - it serves DHCP on the bridge, DNS at the bridge's address unless the network's live XML
          turns it off (`<dns enable='no'/>`), and neither on another link
    """
    network = testbed.topology.network
    if network.dhcp is None:
        raise testbed.without("a DHCP server", "networks[0].dhcp is null")
    configuration = f"{network.name}.conf"
    found = serving(testbed.host, network.name)
    assert len(found) == 1, f"{len(found)} dnsmasq run from {configuration}"
    path = configuration_path(found[0])
    text = testbed.host.read(path)
    evidence.text(configuration, text)
    _check_configuration(text, network)
    assert PurePosixPath(path).parent == LIBVIRTS_FOLDER, f"{path} is not in {LIBVIRTS_FOLDER}"
    further = further_options(found[0])
    assert not further, f"dnsmasq runs with {further}, which libvirt did not write"
    sockets = services(testbed.host, found[0])
    has_dns = libvirt_network.has_dns(testbed.libvirt_network)
    wanted = {DHCP_PORT, DNS_PORT} if has_dns else {DHCP_PORT}
    _check_services(sockets, network.bridge, nic_addresses(testbed.host, network.bridge), wanted)
    listed = ", ".join(map(str, sockets))
    evidence.reason = f"process {found[0].pid} from {path}, serving on {listed}"


def _check_configuration(text: str, network: Network) -> None:
    lines = text.splitlines()
    assert f"interface={network.bridge}" in lines, f"it does not serve interface {network.bridge}"
    ranges = [line for line in lines if line.startswith("dhcp-range=")]
    # dhcp-range=10.10.10.2,10.10.10.254,255.255.255.0 (the mask since libvirt 4.7)
    bounds = [line.partition("=")[2].split(",")[:2] for line in ranges]
    served, address = network.dhcp_range, network.address
    if served is None:
        # dhcp-range=10.10.10.1,static
        wanted = ["" if address is None else str(address.ip), "static"]
    else:
        wanted = [str(served.start), str(served.end)]
    wanted6 = _ipv6_bounds(network)
    assert bounds == [wanted, *wanted6], f"it serves {bounds}, the network has {[wanted, *wanted6]}"
    served6 = None if network.dhcp6 is None else network.dhcp6.range
    if served is None and served6 is None:
        return
    size = sum(each.size for each in (served, served6) if each is not None)
    limit = f"dhcp-lease-max={size}"
    assert limit in lines, f"its lease limit is not the range's size: no {limit}"


def _ipv6_bounds(network: Network) -> list[list[str]]:
    """Return the first two words of libvirt's `dhcp-range` of IPv6, if it writes one."""
    if network.address6 is None:
        return []
    own = str(network.address6.ip)
    if network.dhcp6 is None:
        # dhcp-range=fd00:10:10:10::1,ra-only
        return [[own, "ra-only"]]
    # dhcp-range=fd00:10:20:60::100,fd00:10:20:60::11f,64,30m
    served = network.dhcp6.range
    return [[own, "static"] if served is None else [str(served.start), str(served.end)]]


def _check_services(
    sockets: Sequence[Listening], bridge: str, held: Sequence[str], wanted: set[int]
) -> None:
    own = {each.partition("/")[0] for each in held}
    # dnsmasq serves the bridge's link-local address too, which the kernel prints with the link.
    strays = [str(each) for each in sockets if each.link != bridge and each.address not in own]
    assert not strays, f"dnsmasq serves {strays}, which is not on {bridge} with {sorted(own)}"
    served = {each.port for each in sockets}
    assert wanted <= served, f"dnsmasq serves the ports {sorted(served)}, expected {sorted(wanted)}"


@pytest.mark.claims("IS-01")
def test_no_forward_is_isolated(testbed: Testbed, evidence: Evidence) -> None:
    """The live XML of a network without `<forward>` has none either: it is isolated.

    Preconditions:
        - the network is defined without `<forward>`
    Steps:
        1. Read the network's live XML, and the XML that its next start will use.
    Verify:
        - the network is active: else it has no live XML
        - neither has a `<forward>`
    """
    network = testbed.libvirt_network
    assert network.isActive(), f"{network.name()} is not active: it has no live XML"
    for which, flags in (("live", 0), ("next", libvirt.VIR_NETWORK_XML_INACTIVE)):
        xml = network.XMLDesc(flags)
        evidence.text(f"{which}.xml", xml, "application/xml")
        modes = [forward.get("mode") for forward in ET.fromstring(xml).findall("forward")]
        assert not modes, f"the {which} XML has a <forward>, mode {modes[0]}"
    evidence.reason = "no <forward>, neither in the live XML nor in that of the next start"


def _attribute(root: ET.Element, path: str, name: str) -> str:
    element = root.find(path)
    return element.get(name, "") if element is not None else ""
