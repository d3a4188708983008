# SPDX-License-Identifier: GPL-2.0-or-later
"""The documented configuration files, brought up by the distribution's own tool.

On a spare network of the host's own: the NIC of the network under test stays where it is.
"""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv4Interface

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

from fixtures.errors import Inconclusive
from fixtures.host.links import has_link, link_mac
from fixtures.host.nic_state import NicState, nic_state
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import End, ping
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed import documented_bridges as documented
from fixtures.testbed.documented_files import Configuration, DocumentedBridge
from fixtures.testbed.scratch_network import ROUTER_NIC, Spare, spare_network
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.topology import DhcpRange

ECHO_REPLY = 0  # RFC 792
# The host numbers of the range that the spare network's DHCP server leases.
SERVED_FROM, SERVED_TO = 100, 199
# With STP a port listens 15 s and learns 15 s, and bridge_maxwait 0 means no wait for it.
PORT_DEADLINE_S = 90.0


@pytest.mark.lengthy
@pytest.mark.claims("BR-11")
@pytest.mark.changes_host("runs the host's ifup, whose scripts write files in /run and /etc")
def test_static_configuration(testbed: Testbed, evidence: Evidence) -> None:
    """D4's stanza brings the bridge up with its port, STP and static address.

    Preconditions:
        - the host has ifupdown with bridge-utils
    Steps:
        1. Make a spare network: a NIC `eth1` that is down, with a cable to a router.
        2. Write the stanza, and bring it up by `ifup -a`.
        3. Read the ports and STP of the bridge and the addresses and routes of bridge and NIC.
        4. Ping the bridge's address from the router, with a capture there.
        5. Take the configuration down, and read the links again.
    Verify:
        - `eth1` is the one port of the bridge and holds no address
        - STP of the bridge is on
        - the bridge holds 192.168.1.2/24 and the default route to 192.168.1.1
        - every ping is answered, by the bridge's own MAC
        - after, the bridge is gone, and `eth1` belongs to no bridge and holds no address
    """
    evidence.reason = _require_bridge(testbed, evidence, documented.D4_STANZA)


@pytest.mark.claims("BR-11")
@pytest.mark.changes_host("runs the host's ifup, whose scripts write files in /run and /etc")
def test_dhcp_configuration(testbed: Testbed, evidence: Evidence) -> None:
    """D5's stanza brings the bridge up with its port and a leased address.

    Preconditions:
        - the host has ifupdown with bridge-utils
    Steps:
        1. Make a spare network: a NIC `eth0` that is down, with a cable to a router that serves
           DHCP.
        2. Write the stanza, and bring it up by `ifup -a`.
        3. Read the ports and STP of the bridge and the addresses and routes of bridge and NIC.
        4. Ping the bridge's address from the router, with a capture there.
        5. Take the configuration down, and read the links again.
    Verify:
        - `eth0` is the one port of the bridge and holds no address
        - STP of the bridge is off
        - the bridge holds one address, of the server's range, and the default route to 192.168.1.1
        - every ping is answered, by the bridge's own MAC
        - after, the bridge is gone, and `eth0` belongs to no bridge and holds no address
    """
    evidence.reason = _require_bridge(testbed, evidence, documented.D5_STANZA)


@pytest.mark.lengthy
@pytest.mark.claims("BR-15")
@pytest.mark.changes_host("writes files of /etc/sysconfig/network-scripts for a while")
def test_ifcfg_pairs(testbed: Testbed, evidence: Evidence) -> None:
    """Each documented ifcfg pair brings its bridge up: D2's static and by DHCP, D3's, D4's.

    Preconditions:
        - the host has network-scripts
    Steps:
        1. Make a spare network for each pair: its NIC, with the MAC that the pair gives it, down,
           with a cable to a router that serves DHCP.
        2. Write the pair, and bring both interfaces up by `ifup`.
        3. Read the ports and STP of the bridge and the addresses and routes of bridge and NIC.
        4. Ping the bridge's address from the router, with a capture there.
        5. Take the configuration down, and read the links again.
    Verify:
        - the NIC is the one port of the bridge and holds no address
        - STP of the bridge is on with D4's pair, and off with the others
        - the bridge holds the pair's address, or one of the server's range, and the default route
          to the router
        - every ping is answered, by the bridge's own MAC
        - after, the bridge is gone, and the NIC belongs to no bridge and holds no address
    """
    pairs = {
        "D2-static": documented.D2_STATIC_PAIR,
        "D2-DHCP": documented.D2_DHCP_PAIR,
        "D3": documented.D3_PAIR,
        "D4": documented.D4_PAIR,
    }
    found = {name: _require_bridge(testbed, evidence, pair, name) for name, pair in pairs.items()}
    evidence.reason = "; ".join(f"{name}: {what}" for name, what in found.items())


@pytest.mark.claims("BR-12")
@pytest.mark.changes_host("runs the host's ifup, whose scripts write files in /run and /etc")
def test_former_configuration_put_back(testbed: Testbed, evidence: Evidence) -> None:
    """With the bridge's stanza deleted and the NIC's put back, the NIC has it again (D3).

    Preconditions:
        - the host has ifupdown with bridge-utils
    Steps:
        1. Make a spare network: a NIC `eth1` that is down, with a cable to a router.
        2. Bring the NIC up by its own stanza, and ping its address from the router.
        3. Take it down, bring D4's bridge up, and take that down.
        4. Bring the NIC up by its own stanza again, and ping its address from the router.
    Verify:
        - the bridge is gone
        - state, MAC, MTU, addresses and routes of the NIC are those from before
        - every ping is answered by the NIC's own MAC, before and after
        - control: before, the NIC held 192.168.1.2/24, and in between it was a port of the bridge;
          else the check is inconclusive
    """
    bridged, plain = documented.D4_STANZA, documented.PLAIN_STANZA
    evidence.reason = _require_put_back(testbed, evidence, bridged, plain)


@pytest.mark.claims("BR-15")
@pytest.mark.changes_host("writes files of /etc/sysconfig/network-scripts for a while")
def test_former_file_put_back(testbed: Testbed, evidence: Evidence) -> None:
    """With the bridge's file deleted and the NIC's put back, the NIC has its setting again (D3).

    Preconditions:
        - the host has network-scripts
    Steps:
        1. Make a spare network: a NIC `eth1` that is down, with a cable to a router.
        2. Bring the NIC up by its own file, and ping its address from the router.
        3. Take it down, bring D4's pair up, and take that down.
        4. Bring the NIC up by its own file again, and ping its address from the router.
    Verify:
        - the bridge is gone
        - state, MAC, MTU, addresses and routes of the NIC are those from before
        - every ping is answered by the NIC's own MAC, before and after
        - control: before, the NIC held 192.168.1.2/24, and in between it was a port of the bridge;
          else the check is inconclusive
    """
    bridged, plain = documented.D4_PAIR, documented.PLAIN_FILE
    evidence.reason = _require_put_back(testbed, evidence, bridged, plain)


def _require_bridge(
    testbed: Testbed, evidence: Evidence, wanted: DocumentedBridge, label: str = ""
) -> str:
    """Require a documented bridge to come up on a spare network, and to be gone after."""
    _require_tool(testbed, evidence, wanted.written, label)
    with _spare(testbed, wanted) as spare:
        with _configured(testbed, spare, wanted.written, label):
            made = has_link(spare.machine, wanted.bridge)
            assert made, f"{wanted.written.tool} ends well, and there is no {wanted.bridge}"
            bridge = nic_state(spare.machine, wanted.bridge)
            _require_port(spare, wanted.bridge, stp=wanted.stp)
            held = _require_address(bridge, wanted)
            gateway = f"default via {wanted.router.ip}"
            assert gateway in bridge.routes, f"{wanted.bridge}: {bridge}"
            answer = _require_answer(spare, wanted, wanted.bridge, str(held.ip), evidence, label)
        _require_gone(spare, wanted.bridge)
    stp = "on" if wanted.stp else "off"
    return (
        f"{wanted.written.tool}: {wanted.bridge} with port {wanted.nic}, STP {stp}: {bridge}; "
        f"router's ping: {answer}; then gone"
    )


def _require_put_back(
    testbed: Testbed, evidence: Evidence, bridged: DocumentedBridge, plain: Configuration
) -> str:
    """Require a NIC to have its own setting again after a bridge's."""
    nic, address = bridged.nic, str(documented.ADDRESS)
    _require_tool(testbed, evidence, plain)
    with _spare(testbed, bridged) as spare:
        with _configured(testbed, spare, plain):
            former = nic_state(spare.machine, nic)
            if former.addresses != (address,):
                raise Inconclusive(f"the NIC's own file did not configure it: {former}")
            _require_answer(spare, bridged, nic, str(documented.ADDRESS.ip), evidence, "before")
        with _configured(testbed, spare, bridged.written):
            port = nic_state(spare.machine, nic)
            if port.bridge != bridged.bridge:
                raise Inconclusive(f"the NIC was never a port of {bridged.bridge}: {port}")
        with _configured(testbed, spare, plain):
            back = nic_state(spare.machine, nic)
            left = has_link(spare.machine, bridged.bridge)
            states = {"former": former, "bridged": port, "back": back}
            evidence.json("nic.json", {name: str(state) for name, state in states.items()})
            assert not left, f"{bridged.bridge} is still there"
            assert back == former, f"{nic} was {former}, and is now {back}"
            _require_answer(spare, bridged, nic, str(documented.ADDRESS.ip), evidence, "after")
    return f"{plain.tool}: {nic} before: {former}; as a port: {port}; after: {back}"


def _require_tool(
    testbed: Testbed, evidence: Evidence, written: Configuration, label: str = ""
) -> None:
    """Require the tool of a configuration, which is kept as evidence."""
    written.require_tool(testbed.host)
    for name, text in written.files.items():
        evidence.text("-".join(filter(None, (label, name))), text)


@contextlib.contextmanager
def _spare(testbed: Testbed, wanted: DocumentedBridge) -> Iterator[Spare]:
    """Make the spare network of a documented bridge."""
    with spare_network(testbed.host, wanted.nic, wanted.router, _served(wanted)) as spare:
        if wanted.nic_mac:
            spare.machine.run(["ip", "link", "set", wanted.nic, "address", wanted.nic_mac])
        yield spare


def _served(wanted: DocumentedBridge) -> DhcpRange:
    """Return the range that the spare network's DHCP server leases."""
    subnet = wanted.router.network
    return DhcpRange(start=subnet[SERVED_FROM], end=subnet[SERVED_TO])


@contextlib.contextmanager
def _configured(
    testbed: Testbed, spare: Spare, written: Configuration, label: str = ""
) -> Iterator[None]:
    """Require the tool to bring a configuration up without an error, and to take it down so."""
    which = f"{label}: " if label else ""
    with written.brought_up(testbed.host, spare) as failures:
        assert not failures, f"{which}{failures[0]}"
        yield
    assert not failures, f"{which}{failures[0]}"


def _require_port(spare: Spare, name: str, *, stp: bool) -> None:
    """Require the NIC to be the one port of a bridge, and to hold no address."""
    bridge = LinuxBridge(spare.machine, name)
    ports, nic = bridge.ports(), nic_state(spare.machine, spare.nic)
    assert ports == [spare.nic], f"{name} has the ports {ports}, expected {spare.nic}"
    assert not nic.addresses, f"{spare.nic} still holds an address: {nic}"
    assert bridge.stp() == stp, f"STP of {name} is {'off' if stp else 'on'}"


def _require_address(bridge: NicState, wanted: DocumentedBridge) -> IPv4Interface:
    """Require the static address of the files, or one address of the server's range."""
    assert len(bridge.addresses) == 1, f"{wanted.bridge}: {bridge}"
    held, served = IPv4Interface(bridge.addresses[0]), _served(wanted)
    if wanted.address is not None:
        assert held == wanted.address, f"{wanted.bridge} holds {held}, not {wanted.address}"
    else:
        assert held.ip in served, f"{wanted.bridge} holds {held}, not of {served}"
    return held


def _require_answer(
    spare: Spare,
    wanted: DocumentedBridge,
    link: str,
    address: str,
    evidence: Evidence,
    label: str = "",
) -> str:
    """Require the router's pings to be answered, by the link's own MAC."""
    near = End(spare.router, str(wanted.router.ip), "")
    with evidence.capture(spare.router, ROUTER_NIC, label) as frames:
        answer = poll(
            lambda: ping(near, address),
            lambda answer: answer.all_answered,
            deadline_s=PORT_DEADLINE_S,
        )
        assert answer.all_answered, (
            f"not within {PORT_DEADLINE_S:g} s: the router reaches {address} on {link}; "
            f"the last pings: {answer}"
        )
        replies = frames.collect(
            lambda p: ICMP in p and p[ICMP].type == ECHO_REPLY and p[IP].src == address
        )
        assert replies, frames.missing(f"replies of {address}")
    sources, own = {frame.packet[Ether].src for frame in replies}, link_mac(spare.machine, link)
    assert sources == {own}, f"{address} answers from {sorted(sources)}, {link} has {own}"
    return str(answer)


def _require_gone(spare: Spare, bridge: str) -> None:
    """Require a bridge to be gone, and the NIC to be as before: no bridge's port, no address."""
    nic = nic_state(spare.machine, spare.nic)
    assert not has_link(spare.machine, bridge), f"ifdown left {bridge} there: {nic}"
    assert not nic.bridge, f"{spare.nic} is still a port: {nic}"
    assert not nic.addresses, f"{spare.nic} has an unexpected address: {nic}"
