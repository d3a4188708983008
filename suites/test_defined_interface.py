# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge of the host's own, defined, started and taken away through libvirt (netcf).

Its port is the host's end of a cable to a neighbour, so that its address can be asked for.
"""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv4Interface

import libvirt
import pytest

from contracts.address_family import IPV4
from fixtures.errors import NotTestable
from fixtures.host.host import Host
from fixtures.host.interface import bridge_interface_xml, takes_definitions
from fixtures.host.links import (
    add_address,
    addresses,
    cable,
    has_link,
    is_up,
    link_kind,
    link_mac,
    namespace_machine,
)
from fixtures.host.machine import Machine
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import End, send
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

NAME, PORT, NEIGHBOUR, NEIGHBOUR_NIC = "test_bridge", "plumb-port", "neighbour", "eth0"
# RFC 2544, for tests; D4's own 192.168.1.100 is of the physical network's subnet.
ADDRESS, NEIGHBOURS = IPv4Interface("198.18.0.1/24"), IPv4Interface("198.18.0.2/24")
XML = bridge_interface_xml(NAME, ADDRESS, PORT)
# A bridge without STP forwards at once; without a setting ifup waits for it all the same.
LINK_DEADLINE_S = 40.0
WRITES = "writes a bridge into the host's own network configuration, by netcf"


@pytest.mark.claims("IF-01")
@pytest.mark.changes_host(WRITES, only_if=takes_definitions)
def test_defined_is_listed_and_inactive(testbed: Testbed, evidence: Evidence) -> None:
    """An interface that was defined is listed as inactive, and there is no such link yet.

    Preconditions:
        - libvirt has its interface driver with netcf
        - the host has no link `test_bridge`
    Steps:
        1. Define a bridge interface with an address and a port.
        2. List libvirt's interfaces and the host's links.
    Verify:
        - libvirt takes the definition
        - the interface is in libvirt's list, as inactive
        - the host has no link of that name
    """
    host = testbed.host
    with _defined(host, evidence):
        listed = _listed(host)
        evidence.json("interfaces.json", listed)
        assert NAME in listed, f"{NAME} is defined, and libvirt lists {sorted(listed)}"
        assert not listed[NAME], f"{NAME} is only defined, and libvirt calls it active"
        assert not has_link(host, NAME), f"{NAME} is only defined, and the link is there"
    evidence.reason = f"{NAME} is listed, inactive, and no link"


@pytest.mark.claims("IF-02")
@pytest.mark.changes_host(WRITES, only_if=takes_definitions)
def test_started_is_there_with_its_address(testbed: Testbed, evidence: Evidence) -> None:
    """An interface that was started is active, a bridge with its port, and its address answers.

    Preconditions:
        - libvirt has its interface driver with netcf
        - the host has no links `test_bridge` and `plumb-port`
    Steps:
        1. Make the port with a cable to a neighbour, and give the neighbour an address of the
           bridge's subnet.
        2. Define the interface, and probe its address from the neighbour by ICMP.
        3. Start the interface, wait until its link is up, and probe again.
    Verify:
        - libvirt lists the interface as active
        - the link is a bridge with the one port and the one address of the XML
        - every request of the neighbour is answered
        - control: before the start no request is answered
    """
    host = testbed.host
    with _cabled(host) as neighbour, _defined(host, evidence) as defined:
        near, far = (
            End(neighbour, str(NEIGHBOURS.ip), testbed.tool),
            End(host, str(ADDRESS.ip), testbed.tool),
        )
        before = send("icmp", near, far, wait_s=1)
        assert before.none_answered, f"{ADDRESS.ip} answers before {NAME} is started: {before}"
        defined.create()
        _expect_up(host)
        host.run(["ip", "-details", "address", "show", NAME])
        assert _listed(host).get(NAME), f"{NAME} is started, and libvirt does not call it active"
        assert link_kind(host, NAME) == "bridge", f"{NAME} is no bridge"
        ports, own = LinuxBridge(host, NAME).ports(), addresses(host, NAME, IPV4)
        assert ports == [PORT], f"{NAME} has the ports {ports}, its XML has {PORT}"
        assert own == [str(ADDRESS)], f"{NAME} has {own}, its XML has {ADDRESS}"
        answer = send("icmp", near, far)
        assert answer.all_answered, f"{ADDRESS.ip} on {NAME} does not answer: {answer}"
    evidence.reason = f"{NAME} with {PORT} has {ADDRESS}; asked over its port: {answer}"


@pytest.mark.claims("IF-03")
@pytest.mark.changes_host(WRITES, only_if=takes_definitions)
def test_name_and_mac_map_to_each_other(testbed: Testbed, evidence: Evidence) -> None:
    """Libvirt's MAC of an interface is the link's, and looking it up returns the name.

    Preconditions:
        - libvirt has its interface driver with netcf
        - the host has no links `test_bridge` and `plumb-port`
    Steps:
        1. Define the bridge interface, start it, and wait until its link is up.
        2. Ask libvirt for the MAC of that name, and for the name of that MAC.
    Verify:
        - libvirt's MAC is the MAC of the link
        - for that MAC libvirt names the same interface
    """
    host = testbed.host
    with _cabled(host), _started(host, evidence):
        # Asked anew: a handle keeps what was known when it was made.
        mac = host.libvirt.interfaceLookupByName(NAME).MACString()
        there = link_mac(host, NAME)
        assert mac == there, f"{NAME} has {mac} in libvirt, and {there} on the link"
        try:
            name = host.libvirt.interfaceLookupByMACString(mac).name()
        except libvirt.libvirtError as error:
            raise AssertionError(f"libvirt names no interface for {mac}: {error}") from error
        assert name == NAME, f"libvirt names {name} for {mac}, which is {NAME}'s"
    evidence.reason = f"{NAME} has {mac}, which maps to {name}"


@pytest.mark.claims("IF-04")
@pytest.mark.changes_host(WRITES, only_if=takes_definitions)
def test_destroyed_is_inactive_and_undefined_is_gone(testbed: Testbed, evidence: Evidence) -> None:
    """Destroyed, an interface is inactive and its link gone; undefined, it is listed no more.

    Preconditions:
        - libvirt has its interface driver with netcf
        - the host has no links `test_bridge` and `plumb-port`
    Steps:
        1. Define the bridge interface, start it, and wait until its link is up.
        2. Destroy it, and list libvirt's interfaces and the host's links.
        3. Undefine it, and list libvirt's interfaces.
    Verify:
        - destroyed, the interface is in the list as inactive
        - destroyed, its link is gone
        - undefined, the interface is not in the list
        - control: the link was up before it was destroyed
    """
    host = testbed.host
    with _cabled(host), _started(host, evidence) as started:
        started.destroy()
        destroyed = _listed(host)
        evidence.json("destroyed.json", destroyed)
        assert NAME in destroyed, f"{NAME} is destroyed, and libvirt no longer lists it"
        assert not destroyed[NAME], f"{NAME} is destroyed, and libvirt calls it active"
        assert not has_link(host, NAME), f"{NAME} is destroyed, and the link is still there"
        started.undefine()
        undefined = _listed(host)
        evidence.json("undefined.json", undefined)
        assert NAME not in undefined, f"{NAME} is undefined, and libvirt still lists it"
    evidence.reason = f"{NAME} is inactive and no link, then listed no more"


@contextlib.contextmanager
def _defined(host: Host, evidence: Evidence) -> Iterator[libvirt.virInterface]:
    """Define the bridge for a `with` block; on leaving, nothing of it is there.

    Raises:
        NotTestable: this libvirt was built without netcf.
    """
    evidence.text("interface.xml", XML, "application/xml")
    try:
        defined = host.libvirt.interfaceDefineXML(XML)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise AssertionError(f"libvirt does not take the definition: {error}") from error
        raise NotTestable("a libvirt with netcf", f"interfaceDefineXML: {error}") from error
    try:
        yield defined
    finally:
        if _listed(host).get(NAME):
            defined.destroy()
        if NAME in _listed(host):
            defined.undefine()


@contextlib.contextmanager
def _started(host: Host, evidence: Evidence) -> Iterator[libvirt.virInterface]:
    """Define the bridge and start it, for a `with` block; its port is there already."""
    with _defined(host, evidence) as defined:
        defined.create()
        _expect_up(host)
        yield defined


@contextlib.contextmanager
def _cabled(host: Host) -> Iterator[Machine]:
    """Have the port, cabled to a neighbour with an address of the bridge's subnet."""
    with (
        namespace_machine(host, NEIGHBOUR) as neighbour,
        cable(host, PORT, neighbour, NEIGHBOUR_NIC),
    ):
        neighbour.transcript = host.transcript
        add_address(neighbour, NEIGHBOUR_NIC, str(NEIGHBOURS))
        yield neighbour


def _listed(host: Host) -> dict[str, bool]:
    """Return the interfaces that libvirt lists: name → whether it is active."""
    return {each.name(): bool(each.isActive()) for each in host.libvirt.listAllInterfaces()}


def _expect_up(host: Host) -> None:
    came_up = poll(lambda: has_link(host, NAME) and is_up(host, NAME), deadline_s=LINK_DEADLINE_S)
    assert came_up, (
        f"not within {LINK_DEADLINE_S:g} s: the link {NAME} is up; it is "
        f"{'down' if has_link(host, NAME) else 'not there'}"
    )
