# SPDX-License-Identifier: GPL-2.0-or-later
"""The Linux bridge itself."""

import contextlib
from collections.abc import Callable

import pytest
from pyroute2.netlink.exceptions import NetlinkError
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from fixtures.host.host import Host
from fixtures.host.links import has_link, link_index, link_kind, link_mac, own_mac, set_up
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, plugged_station, station
from fixtures.switch.linux_bridge import delete_by_ioctl, linux_bridge
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause

EMPTY_ID = "8000.000000000000"
SCRATCH = "plumb-new"
# A script or a service that looks after bridges takes a moment.
SETTLE_S = 1.0
# IEEE 802 local experimental EtherType 1: no other traffic uses it.
EXPERIMENTAL = 0x88B5
SENDER_MAC, RECEIVER_MAC = "02:00:5e:00:53:01", "02:00:5e:00:53:02"


@pytest.mark.claims("LB-01")
def test_kernel_offers_bridging(testbed: Testbed, evidence: Evidence) -> None:
    """The kernel offers 802.1d bridging, built in or as a module.

    Where bridging comes from (`/proc/modules`) is kept as evidence and decides nothing.

    Preconditions:
        - the host has no link `plumb-new`
    Steps:
        1. Make the bridge `plumb-new`, bring it up and plug in two stations.
        2. Send a frame from one station, with a capture at the other.
    Verify:
        - the kernel makes the link, and its kind is bridge
        - the frame arrives at the other station octet for octet
    """
    frame = Ether(src=SENDER_MAC, dst=RECEIVER_MAC, type=EXPERIMENTAL) / Raw(b"802.1d".ljust(46))
    with contextlib.ExitStack() as stack:
        try:
            new = stack.enter_context(linux_bridge(testbed.host, SCRATCH))
        except NetlinkError as error:
            raise AssertionError(f"the kernel makes no bridge: {error}") from error
        kind = link_kind(testbed.host, SCRATCH)
        set_up(testbed.host, SCRATCH)
        sender = stack.enter_context(station(testbed.host, new, "st1"))
        receiver = stack.enter_context(station(testbed.host, new, "st2"))
        frames = stack.enter_context(evidence.capture(receiver.machine, NIC))
        sender.send(frame)
        found = frames.collect(lambda p: bytes(p) == bytes(frame))
        assert found, frames.missing("the frame through the bridge")
    origin = _origin(testbed.host)
    release = testbed.host.run(["uname", "-r"]).stdout.strip()
    evidence.json("kernel.json", {"release": release, "bridging": origin, "kind": kind})
    evidence.reason = f"Linux {release}, {origin}: a frame passed a new bridge"
    assert kind == "bridge", f"{SCRATCH} is a {kind}, not a bridge"


def _origin(host: Host) -> str:
    """Tell where the kernel has bridging from; D4 looks at `lsmod | grep bridge`."""
    # A line: "bridge 401408 1 br_netfilter, Live 0xffffffffc0a12000"
    try:
        loaded = {line.split()[0] for line in host.read("/proc/modules").splitlines()}
    except FileNotFoundError:
        return "built in (this kernel has no modules)"
    return "the module `bridge`" if "bridge" in loaded else "built in"


@pytest.mark.claims("LB-02")
def test_new_bridge_is_empty(testbed: Testbed, evidence: Evidence) -> None:
    """A new bridge has no ports, STP off, and no address in its id until it has a port.

    Preconditions:
        - the host has no link `plumb-new`
    Steps:
        1. Make the bridge `plumb-new`, and wait 1 s for what the host does to new bridges.
        2. Read its ports, its STP state, its bridge id and its own MAC, if somebody set one.
    Verify:
        - it has no port
        - STP is off
        - the bridge id is 8000.000000000000; where the host gives each new bridge a MAC, as udev's
          policy may, 8000 and that MAC
    """
    with linux_bridge(testbed.host, SCRATCH) as new:
        pause(SETTLE_S)
        # The id first: a MAC that udev sets between the two readings is in neither.
        seen = (new.ports(), new.stp(), new.bridge_id())
        own = own_mac(testbed.host, SCRATCH)
    evidence.json("bridge.json", {"ports": seen[0], "stp": seen[1], "id": seen[2], "mac": own})
    evidence.reason = f"ports {seen[0]}, STP {seen[1]}, id {seen[2]}"
    is_by_mac = own is not None and seen[2] == _id_of(own)
    wanted: tuple[list[str], bool, str] = ([], False, seen[2] if is_by_mac else EMPTY_ID)
    assert seen == wanted, f"a new bridge has ports {seen[0]}, STP {seen[1]}, id {seen[2]}"


@pytest.mark.claims("LB-03")
def test_bridge_that_is_down_is_deleted(testbed: Testbed, evidence: Evidence) -> None:
    """A bridge that is down can be deleted, and is then gone.

    The same is tried with a bridge that is up: no claim is about that, and it decides nothing.

    Preconditions:
        - the host has no link `plumb-new`
    Steps:
        1. Make the bridge `plumb-new` with a station as its port, bring it up, and take it down;
           wait 1 s for what the host does to bridges that are down.
        2. Delete it by the ioctl of `brctl delbr`, and wait 1 s.
        3. Repeat with another bridge, and delete that one by netlink, as `ip link delete` does.
    Verify:
        - each deletion is accepted, and the link of the bridge is gone and stays away
        - the port is still a link, and belongs to no bridge
    """
    host = testbed.host
    said = {
        f"{way}, {state}": _deleted(host, delete, state, settle_s)
        for way, delete in DELETIONS.items()
        for state, settle_s in (("down", SETTLE_S), ("up", 0.0))
    }
    evidence.json("deletions.json", said)
    evidence.reason = "; ".join(f"{how}: {what}" for how, what in said.items())
    for how, what in said.items():
        if how.endswith("down"):
            assert what == "gone", f"a bridge deleted by {how}: {what}"


def _by_netlink(host: Host, name: str) -> None:
    host.netlink.link("del", index=link_index(host, name))


DELETIONS: dict[str, Callable[[Host, str], None]] = {
    "brctl's ioctl": delete_by_ioctl,
    "netlink": _by_netlink,
}


def _deleted(host: Host, delete: Callable[[Host, str], None], state: str, settle_s: float) -> str:
    """Delete a bridge with a port, with some seconds before and after; return the fate of both."""
    with linux_bridge(host, SCRATCH) as new, plugged_station(host, new, "st1") as plugged:
        index = new.index
        set_up(host, SCRATCH)
        host.netlink.link("set", index=index, state=state)
        pause(settle_s)
        try:
            delete(host, SCRATCH)
        except (OSError, NetlinkError) as error:
            return f"refused ({error})"
        pause(settle_s)
        if has_link(host, SCRATCH):
            return f"accepted, but {SCRATCH} is still there"
        [port] = host.netlink.get_links(link_index(host, plugged.port))
        if (master := port.get_attr("IFLA_MASTER")) is not None:
            return f"accepted, but {plugged.port} is still a port of link {master}"
        return "gone"


@pytest.mark.claims("LB-04")
def test_taps_are_ports(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's TAP is a port, and the bridge's id carries the lowest MAC of its ports.

    A bridge that was given a MAC of its own keeps that instead.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the ports of the bridge under test and the MAC of each.
        2. Read the bridge id, and the bridge's own MAC, if it was given one.
    Verify:
        - the TAP of each guest is among the ports
        - the bridge id is 8000 and the lowest MAC of the ports, or the bridge's own
    """
    bridge = testbed.linux_bridge
    ports = bridge.ports()
    for guest in testbed.guests:
        assert guest.tap in ports, (
            f"{guest.tap} of {guest.name} is no port of {bridge.name}: {ports}"
        )
    macs = {port: link_mac(testbed.host, port) for port in ports}
    own = own_mac(testbed.host, bridge.name)
    evidence.json("ports.json", {"id": bridge.bridge_id(), "mac": own, "ports": macs})
    what, mac = ("its own MAC", own) if own else ("the lowest MAC of its ports", min(macs.values()))
    seen, wanted = bridge.bridge_id(), _id_of(mac)
    evidence.reason = f"ports {', '.join(ports)}; id {seen}, {what}"
    assert seen == wanted, f"{bridge.name} has id {seen}, {what} is {mac}"


def _id_of(mac: str) -> str:
    """Return the id of a bridge with the default priority and a MAC."""
    return f"8000.{mac.replace(':', '')}"
