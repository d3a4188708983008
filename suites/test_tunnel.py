# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels: two bridges of two switches, joined over a wire that carries nothing else."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import GRE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet

from fixtures.errors import Inconclusive, NotTestable
from fixtures.host.links import add_address, cable, set_up
from fixtures.probe.capture import Frame
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import PROTOCOLS, Answer, End, ping, send
from fixtures.switch.ovs_bridge import ovs_bridge, vsctl
from fixtures.switch.second_ovs import OvsMachine, second_ovs
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

FAR, FAR_BRIDGE, TUNNEL = "far", "far-lan", "plumb-tunnel"
# The wire between the two switches. Each end is the port of a bridge that holds the tunnel's own
# address: the userspace datapath sends what it encapsulates out of a bridge of its own.
NEAR_NIC, FAR_NIC, NEAR_WIRE, FAR_WIRE = "to-far", "wire", "plumb-wire", "far-wire"
NEAR_ADDRESS, FAR_ADDRESS = IPv4Interface("198.51.100.1/30"), IPv4Interface("198.51.100.2/30")
# Room for a full frame and what goes around it: 50 octets of VXLAN, 42 of GRE with a key.
WIRE_MTU = 1600
KEY = 7001
# The same every time: guests and the switches' own ARP tables remember who had these addresses.
NEAR_MAC, FAR_MAC, FAR_BRIDGE_MAC = (
    f"02:00:5e:00:53:{number:02x}" for number in (0xA1, 0xA2, 0xA3)
)
REACH_DEADLINE_S = 20.0


@dataclass(frozen=True)
class Kind:
    """A kind of tunnel.

    Attributes:
        name: as Open vSwitch calls the interface's type.
        inner: the frame inside a packet of this tunnel, or None if the packet is none.
    """

    name: str
    inner: Callable[[Packet], Packet | None]


def _in_vxlan(packet: Packet) -> Packet | None:
    if VXLAN in packet and packet[UDP].dport == 4789 and packet[VXLAN].vni == KEY:
        return packet[VXLAN].payload
    return None


def _in_gre(packet: Packet) -> Packet | None:
    # 0x6558, transparent Ethernet bridging: a whole frame is inside (RFC 1701, RFC 2890).
    if GRE in packet and packet[GRE].proto == 0x6558 and packet[GRE].key == KEY:
        return packet[GRE].payload
    return None


KINDS = (Kind("vxlan", _in_vxlan), Kind("gre", _in_gre))


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("OV-15")
@pytest.mark.changes_network("adds a tunnel's port to the bridge")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.needs("ovs")
def test_tunnel_joins_two_bridges(testbed: Testbed, evidence: Evidence, kind: Kind) -> None:
    """A tunnel joins the bridge under test with one of another switch on another machine.

    Preconditions:
        - an address of the guests' subnet is free, outside the DHCP range
        - each guest has its address
    Steps:
        1. Run a second Open vSwitch on a machine beside the host, with a wire between the two and a
           bridge with the free address.
        2. Ping that address from all guests at once.
        3. Make the tunnel on both bridges, and wait until each guest's ping is answered.
        4. Probe the address from all guests at once by ICMP, TCP and UDP, and ping each guest from
           there, with a capture on the wire.
    Verify:
        - every request is answered, full frames too, both ways
        - on the wire no frame of a guest is outside the tunnel
        - on the wire each guest's frames are in packets of the tunnel with its key, from one end of
          the tunnel to the other, each way
        - control: without the tunnel no ping is answered; else the check is inconclusive
    """
    ends, address = testbed.ends("guest"), _free_address(testbed)
    with _far_switch(testbed) as far, ThreadPoolExecutor(len(ends)) as pool:
        add_address(far, FAR_BRIDGE, str(address))
        target = End(far, str(address.ip), testbed.tool)
        for before in pool.map(lambda near: ping(near, target.address, wait_s=1), ends):
            if not before.none_answered:
                raise Inconclusive(f"without a tunnel there is an answer of {address.ip}: {before}")
        with (
            _tunnel(testbed, far, kind.name),
            far.background([testbed.tool, "serve"]),
            evidence.capture(far, FAR_NIC) as wire,
        ):
            first = poll(
                lambda: list(pool.map(lambda near: ping(near, target.address, count=1), ends)),
                lambda answers: all(answer.all_answered for answer in answers),
                deadline_s=REACH_DEADLINE_S,
            )
            _require_port_type(testbed, kind.name)
            for near, answer in zip(ends, first, strict=True):
                assert answer.all_answered, (
                    f"not within {REACH_DEADLINE_S:g} s: {near.name} reaches {address.ip} through "
                    f"the tunnel; the last ping: {answer}"
                )
            answers = list(pool.map(lambda near: _both_ways(near, target), ends))
            frames = wire.frames()
    carried = [(frame, inner) for frame in frames if (inner := kind.inner(frame.packet))]
    for near, said in zip(ends, answers, strict=True):
        for what, answer in said.items():
            assert answer.all_answered, f"{near.name}, {what}: {answer}"
    for guest in testbed.guests:
        outside = [f for f in frames if guest.mac in (f.packet.src, f.packet.dst)]
        assert not outside, f"{len(outside)} frames of {guest.name} are on the wire, in no tunnel"
        there = [frame for frame, inner in carried if inner.src == guest.mac]
        and_back = [frame for frame, inner in carried if inner.dst == guest.mac]
        _require_ends(there, NEAR_ADDRESS.ip, FAR_ADDRESS.ip)
        _require_ends(and_back, FAR_ADDRESS.ip, NEAR_ADDRESS.ip)
    evidence.reason = (
        f"{', '.join(near.name for near in ends)} → {target.address} by {', '.join(PROTOCOLS)}, "
        f"and back; on the wire {len(carried)} frames in {kind.name} with key {KEY}"
    )


def _both_ways(near: End, far: End) -> dict[str, Answer]:
    """Probe the far end by each protocol, and ping back; returns the answers by their names."""
    there: dict[str, Answer] = {
        f"to {far.address} by {proto}": send(proto, near, far) for proto in PROTOCOLS
    }
    return there | {f"from {far.address} by ping": ping(far, near.address)}


def _require_ends(frames: list[Frame], source: IPv4Address, destination: IPv4Address) -> None:
    ends = {(frame.packet[IP].src, frame.packet[IP].dst) for frame in frames}
    wanted = {(str(source), str(destination))}
    assert ends == wanted, f"the tunnel's packets go {ends or 'nowhere'}, expected {wanted}"


@contextlib.contextmanager
def _far_switch(testbed: Testbed) -> Iterator[OvsMachine]:
    """Have another machine with a switch and a bridge of its own, and a wire to it."""
    host = testbed.host
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(second_ovs(host, FAR))
        stack.enter_context(cable(host, NEAR_NIC, far, FAR_NIC))
        for machine, nic, name, mac, address in (
            (host, NEAR_NIC, NEAR_WIRE, NEAR_MAC, NEAR_ADDRESS),
            (far, FAR_NIC, FAR_WIRE, FAR_MAC, FAR_ADDRESS),
        ):
            machine.run(["ip", "link", "set", nic, "mtu", str(WIRE_MTU)])
            stack.enter_context(ovs_bridge(machine, name, mac=mac)).attach(nic)
            set_up(machine, name)
            add_address(machine, name, str(address))
        stack.enter_context(ovs_bridge(far, FAR_BRIDGE, mac=FAR_BRIDGE_MAC))
        set_up(far, FAR_BRIDGE)
        yield far


@contextlib.contextmanager
def _tunnel(testbed: Testbed, far: OvsMachine, kind: str) -> Iterator[None]:
    """Join the bridge under test and the far one by a tunnel for the length of a `with` block."""
    with contextlib.ExitStack() as stack:
        for machine, bridge, remote in (
            (testbed.host, testbed.switch.name, FAR_ADDRESS.ip),
            (far, FAR_BRIDGE, NEAR_ADDRESS.ip),
        ):
            settings = [f"type={kind}", f"options:remote_ip={remote}", f"options:key={KEY}"]
            argv = ["add-port", bridge, TUNNEL, "--", "set", "Interface", TUNNEL, *settings]
            stack.callback(vsctl, machine, "--if-exists", "del-port", bridge, TUNNEL)
            vsctl(machine, *argv)
        yield


def _require_port_type(testbed: Testbed, kind: str) -> None:
    """Require that the datapath has this type of port: the kernel's has a module for each."""
    said = vsctl(testbed.host, "get", "Interface", TUNNEL, "error").strip()
    if "not supported" in said:
        raise NotTestable(f"Open vSwitch's ports of type {kind}", f"error of {TUNNEL}: {said}")


def _free_address(testbed: Testbed) -> IPv4Interface:
    """Return the last address of the guests' subnet that nothing of the topology has or may get."""
    network = testbed.topology.network
    taken = {testbed.host_address, *(guest.address for guest in testbed.guests)}
    for number in range(
        int(testbed.subnet.broadcast_address) - 1, int(testbed.subnet.network_address), -1
    ):
        address = IPv4Address(number)
        if str(address) not in taken and (
            network.dhcp_range is None or address not in network.dhcp_range
        ):
            return IPv4Interface((address, testbed.subnet.prefixlen))
    raise NotTestable(f"a free address in {testbed.subnet}", f"{len(taken)} taken, the rest DHCP's")
