# SPDX-License-Identifier: GPL-2.0-or-later
"""The documented configuration files, brought up by the distribution's own tool.

On a spare network of the host's own: the NIC of the network under test stays where it is.
"""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

from fixtures.errors import Inconclusive
from fixtures.host.links import has_link, link_mac
from fixtures.host.nic_state import nic_state
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import End, ping
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.ifcfg_backends import Configuration, brought_up, require_tool
from fixtures.testbed.scratch_network import ROUTER_NIC, Spare, spare_network
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.topology import DhcpRange

# D4's router; the range is our own.
ROUTER = IPv4Interface("192.168.1.1/24")
SERVED = DhcpRange(start=IPv4Address("192.168.1.100"), end=IPv4Address("192.168.1.199"))
ECHO_REPLY = 0  # RFC 792
# With STP a port listens 15 s and learns 15 s, and bridge_maxwait 0 means no wait for it.
PORT_DEADLINE_S = 90.0

# D4, "configuring a bridged network", word for word.
STATIC = Configuration(
    """\
auto virbr2
iface virbr2 inet static
address 192.168.1.2
netmask 255.255.255.0
network 192.168.1.0
broadcast 192.168.1.255
gateway 192.168.1.1
bridge_ports eth1
bridge_stp on
bridge_maxwait 0
""",
    {
        "ifcfg-eth1": """\
DEVICE=eth1
NAME=eth1
NM_CONTROLLED=yes
ONBOOT=yes
TYPE=Ethernet
BRIDGE=virbr2
""",
        "ifcfg-bridge_net": """\
DEVICE=virbr2
NAME=virbr2
NM_CONTROLLED=yes
ONBOOT=yes
TYPE=Bridge
STP=on
IPADDR=192.168.1.2
NETMASK=255.255.255.0
GATEWAY=192.168.1.1
""",
    },
)
# D5: eth0's DHCP setting is br0's, and the last line is this one. D2's pair, word for word.
DHCP = Configuration(
    """\
auto br0
iface br0 inet dhcp
bridge_ports eth0
""",
    {
        "ifcfg-eth0": """\
DEVICE="eth0"
NM_CONTROLLED="no"
ONBOOT="yes"
TYPE=Ethernet
BOOTPROTO=none
BRIDGE="br0"
NAME="System eth0"
HWADDR=44:37:E6:4A:62:AD
""",
        "ifcfg-br0": """\
DEVICE="br0"
ONBOOT="yes"
TYPE="Bridge"
BOOTPROTO=dhcp
""",
    },
)
D2_MAC = "44:37:e6:4a:62:ad"
# The setting that the bridge replaces: the same address on the NIC itself.
PLAIN = Configuration(
    """\
auto eth1
iface eth1 inet static
address 192.168.1.2
netmask 255.255.255.0
gateway 192.168.1.1
""",
    {
        "ifcfg-eth1": """\
DEVICE=eth1
ONBOOT=yes
TYPE=Ethernet
BOOTPROTO=none
IPADDR=192.168.1.2
NETMASK=255.255.255.0
GATEWAY=192.168.1.1
""",
    },
)


@pytest.mark.lengthy
@pytest.mark.claims("BR-11")
def test_static_configuration(testbed: Testbed, evidence: Evidence) -> None:
    """D4's stanza, or its ifcfg pair, brings the bridge up with its port, STP and static address.

    Preconditions:
        - the host has ifupdown with bridge-utils, or network-scripts
    Steps:
        1. Make a spare network: a NIC `eth1` that is down, with a cable to a router.
        2. Write the configuration, and bring it up by the distribution's tool.
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
    tool = _require_tool(testbed, evidence, STATIC)
    with spare_network(testbed.host, "eth1", ROUTER, SERVED) as spare:
        with _configured(testbed, spare, STATIC):
            bridge = nic_state(spare.machine, "virbr2")
            _require_port(spare, "virbr2", stp=True)
            assert bridge.addresses == ("192.168.1.2/24",), f"virbr2: {bridge}"
            assert "default via 192.168.1.1" in bridge.routes, f"virbr2: {bridge}"
            answer = _require_answer(spare, "virbr2", "192.168.1.2", evidence)
        _require_gone(spare, "virbr2")
    evidence.reason = (
        f"{tool}: virbr2 with port eth1, STP on: {bridge}; router's ping: {answer}; then gone"
    )


@pytest.mark.claims("BR-11")
def test_dhcp_configuration(testbed: Testbed, evidence: Evidence) -> None:
    """D5's stanza, or D2's ifcfg pair, brings the bridge up with its port and a leased address.

    Preconditions:
        - the host has ifupdown with bridge-utils, or network-scripts
    Steps:
        1. Make a spare network: a NIC `eth0` with D2's MAC, down, with a cable to a router that
           serves DHCP.
        2. Write the configuration, and bring it up by the distribution's tool.
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
    tool = _require_tool(testbed, evidence, DHCP)
    with spare_network(testbed.host, "eth0", ROUTER, SERVED) as spare:
        spare.machine.run(["ip", "link", "set", "eth0", "address", D2_MAC])
        with _configured(testbed, spare, DHCP):
            bridge = nic_state(spare.machine, "br0")
            _require_port(spare, "br0", stp=False)
            assert len(bridge.addresses) == 1, f"br0: {bridge}"
            held = IPv4Interface(bridge.addresses[0])
            assert held.ip in SERVED, f"br0 holds {held}, not of {SERVED.start}–{SERVED.end}"
            assert "default via 192.168.1.1" in bridge.routes, f"br0: {bridge}"
            answer = _require_answer(spare, "br0", str(held.ip), evidence)
        _require_gone(spare, "br0")
    evidence.reason = (
        f"{tool}: br0 with port eth0, STP off: {bridge}; router's ping: {answer}; then gone"
    )


@pytest.mark.claims("BR-12")
def test_former_configuration_put_back(testbed: Testbed, evidence: Evidence) -> None:
    """With the bridge's configuration deleted and the NIC's put back, the NIC has it again (D3).

    Preconditions:
        - the host has ifupdown with bridge-utils, or network-scripts
    Steps:
        1. Make a spare network: a NIC `eth1` that is down, with a cable to a router.
        2. Bring the NIC up by its own file, and ping its address from the router.
        3. Take it down, bring D4's bridge up, and take that down.
        4. Bring the NIC up by its own file again, and ping its address from the router.
    Verify:
        - the bridge is gone
        - state, MAC, MTU, addresses and routes of the NIC are those from before
        - every ping is answered by the NIC's own MAC, before and after
        - control: before, the NIC held 192.168.1.2/24, and in between it was a port of the bridge;
          else the check is inconclusive
    """
    tool = _require_tool(testbed, evidence, PLAIN)
    with spare_network(testbed.host, "eth1", ROUTER, SERVED) as spare:
        with _configured(testbed, spare, PLAIN):
            former = nic_state(spare.machine, "eth1")
            if former.addresses != ("192.168.1.2/24",):
                raise Inconclusive(f"the NIC's own file did not configure it: {former}")
            _require_answer(spare, "eth1", "192.168.1.2", evidence, "before")
        with _configured(testbed, spare, STATIC):
            bridged = nic_state(spare.machine, "eth1")
            if bridged.bridge != "virbr2":
                raise Inconclusive(f"the NIC was never a port of virbr2: {bridged}")
        with _configured(testbed, spare, PLAIN):
            back = nic_state(spare.machine, "eth1")
            left = has_link(spare.machine, "virbr2")
            states = {"former": former, "bridged": bridged, "back": back}
            evidence.json("nic.json", {name: str(state) for name, state in states.items()})
            evidence.reason = f"{tool}: eth1 before: {former}; as a port: {bridged}; after: {back}"
            assert not left, "virbr2 is still there"
            assert back == former, f"eth1 was {former}, and is now {back}"
            _require_answer(spare, "eth1", "192.168.1.2", evidence, "after")


def _require_tool(testbed: Testbed, evidence: Evidence, written: Configuration) -> str:
    """Return the tool that the host has for a configuration, which is kept as evidence."""
    tool = require_tool(testbed.host)
    if tool == "ifupdown":
        evidence.text("interfaces", written.stanzas)
    else:
        for name, text in written.files.items():
            evidence.text(name, text)
    return tool


@contextlib.contextmanager
def _configured(testbed: Testbed, spare: Spare, written: Configuration) -> Iterator[None]:
    """Require the tool to bring a configuration up without an error, and to take it down so."""
    with brought_up(testbed.host, spare, written) as failures:
        assert not failures, failures[0]
        yield
    assert not failures, failures[0]


def _require_port(spare: Spare, name: str, *, stp: bool) -> None:
    """Require the NIC to be the one port of a bridge, and to hold no address."""
    bridge = LinuxBridge(spare.machine, name)
    ports, nic = bridge.ports(), nic_state(spare.machine, spare.nic)
    assert ports == [spare.nic], f"{name} has the ports {ports}, expected {spare.nic}"
    assert not nic.addresses, f"{spare.nic} still holds an address: {nic}"
    assert bridge.stp() == stp, f"STP of {name} is {'off' if stp else 'on'}"


def _require_answer(
    spare: Spare, link: str, address: str, evidence: Evidence, label: str = ""
) -> str:
    """Require the router's pings to be answered, by the link's own MAC."""
    near = End(spare.router, str(ROUTER.ip), "")
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
