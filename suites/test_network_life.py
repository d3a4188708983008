# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual networks that come and go beside others: their own parts, and their leftovers."""

import functools
from concurrent.futures import ThreadPoolExecutor

import pytest
from scapy.layers.inet import IP

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.guest.guest_address import ATTEMPTS, request_lease
from fixtures.host.host import Host
from fixtures.host.links import add_address, link_mac, link_mtu
from fixtures.probe.dhcp import Clients
from fixtures.probe.evidence import Evidence
from fixtures.probe.libvirt_leftovers import LibvirtLeftovers, libvirt_leftovers
from fixtures.probe.packets import is_request
from fixtures.probe.reach import PROTOCOLS, End, send
from fixtures.probe.station import NIC, station
from fixtures.switch import libvirt_network
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from topologies.topology import Network

# libvirt ends its dnsmasq by a signal and does not wait for it.
GONE_DEADLINE_S = 20.0
DEFINITIONS = (libvirt_network.DEFINITIONS, libvirt_network.AUTOSTART)


@pytest.mark.lengthy
@pytest.mark.claims("NT-14")
def test_two_side_by_side(testbed: Testbed, evidence: Evidence) -> None:
    """Two NAT networks have each their own, and taking one down leaves the other working.

    Preconditions:
        - the host has no network and no bridge `plumb-second`
        - an outside machine is reached through the host's uplink
    Steps:
        1. Read bridge, dnsmasq and rules of the network under test; have each of its guests take a
           lease, if it has one, and probe the outside by ICMP, TCP and UDP, all at once.
        2. Define and start a second network beside it, and read the same of both.
        3. Have the guests do the same again, and a client of the second network take a lease and
           probe the outside.
        4. Destroy the second network, and have the guests do the same once more.
    Verify:
        - side by side, each network has its bridge, one dnsmasq and its masquerading rules, and
          shares none of them
        - the client gets a lease of the second network's range, from that network's address alone
        - all probes are answered, and arrive outside from the host's uplink address
        - destroyed, nothing of the second network is left on the host; rules that named its bridge
          or its subnet before it was made are the site's
        - the first network's bridge, dnsmasq and rules are what they were alone
        - control: the first network is whole and works before the second is made; else the check is
          inconclusive
    """
    first = testbed.topology.network
    # A port of a bridge with STP would first listen and learn for 4 s.
    second = _beside(testbed, "plumb-second").model_copy(update={"stp": False})
    alone, before = (libvirt_leftovers(testbed.host, network) for network in (first, second))
    if not alone.all_there:
        raise Inconclusive(f"{first.name} is not whole even alone: {alone}")
    if wrong := _wrong(testbed, "alone", evidence):
        raise Inconclusive(f"{first.name} does not work even alone: {wrong}")
    with libvirt_network.defined(testbed.host, libvirt_network.definition(second)) as network:
        said = libvirt_network.refusal(network)
        assert not said, f"beside {first.name}, libvirt does not start {second.name}: {said}"
        one, other = libvirt_leftovers(testbed.host, first), libvirt_leftovers(testbed.host, second)
        for name, seen in ((first.name, one), (second.name, other)):
            assert seen.all_there, f"side by side, {name} has {seen}"
        assert one.dnsmasq != other.dnsmasq, f"both are served by dnsmasq {one.dnsmasq}"
        shared = {rule for p in PROTOCOLS for rule in one.masquerading[p]} & {
            rule for p in PROTOCOLS for rule in other.masquerading[p]
        }
        assert not shared, f"one rule masquerades both: {sorted(shared)}"
        wrong = _wrong(testbed, "both up", evidence)
        assert not wrong, wrong
        served = _client_of(testbed, second, evidence)
        network.destroy()
        _require_gone(testbed.host, second, before)
    left = libvirt_leftovers(testbed.host, first)
    assert left == alone, f"without {second.name}, {first.name} has {left}, it had {alone}"
    wrong = _wrong(testbed, f"{second.name} down", evidence)
    assert not wrong, wrong
    evidence.reason = (
        f"{first.name}: {one}; {second.name}: {other}, its client {served}; with {second.name} "
        f"down {first.name} serves and masquerades"
    )


@pytest.mark.claims("NT-15")
def test_destroyed_and_undefined(testbed: Testbed, evidence: Evidence) -> None:
    """Destroyed, a network's bridge, dnsmasq and rules are gone; undefined, its definition is.

    Preconditions:
        - the host has no network and no bridge `plumb-gone`
    Steps:
        1. Define a network beside the one under test, and start it with autostart.
        2. Destroy it, and wait until its traces are gone.
        3. Undefine it, and list libvirt's networks and the files of its folders.
    Verify:
        - destroyed, its bridge, its dnsmasq and all rules that name it are gone
        - destroyed, libvirt still knows it, as inactive and persistent
        - undefined, neither libvirt nor its folders have it
        - control: before there is nothing of it, and started all of it is there; else the check is
          inconclusive
    """
    gone = _beside(testbed, "plumb-gone")
    before = libvirt_leftovers(testbed.host, gone)
    if not before.none_there:
        raise Inconclusive(f"before the network is made there is something of it: {before}")
    with libvirt_network.defined(testbed.host, libvirt_network.definition(gone)) as network:
        libvirt_network.start(network)
        running = libvirt_leftovers(testbed.host, gone)
        files = _definitions(testbed.host, gone.name)
        if not (running.all_there and files and _known(testbed.host, gone.name)):
            raise Inconclusive(f"control failed: started, there is {running}, and {files}")
        network.destroy()
        _require_gone(testbed.host, gone, before)
        assert _known(testbed.host, gone.name), (
            "destroyed, the network's definition is gone as well"
        )
        state = (network.isActive(), network.isPersistent())
        assert state == (0, 1), f"destroyed: active, persistent are {state}"
        network.undefine()
        assert not _known(testbed.host, gone.name), "undefined, libvirt still knows the network"
        left = _definitions(testbed.host, gone.name)
        assert not left, f"undefined, its definition is still in {left}"
    evidence.json("definitions.json", {"started": files, "undefined": left})
    evidence.reason = f"started: {running}; destroyed: none of it; undefined: {files} gone"


def _beside(testbed: Testbed, name: str) -> Network:
    """Return a network like the one under test that overlaps none of the host."""
    return libvirt_network.beside(testbed.topology.network, name, testbed.taken_networks)


def _require_gone(host: Host, network: Network, before: LibvirtLeftovers) -> None:
    left = poll(
        lambda: libvirt_leftovers(host, network).beyond(before),
        lambda seen: seen.none_there,
        deadline_s=GONE_DEADLINE_S,
        interval_s=0.2,
    )
    assert left.none_there, f"destroyed, {network.name} has left {left}"


def _known(host: Host, name: str) -> bool:
    """Whether libvirt knows a network."""
    return name in {network.name() for network in host.libvirt.listAllNetworks()}


def _definitions(host: Host, name: str) -> list[str]:
    """Return the files that libvirt keeps of a network's definition."""
    paths = [f"{folder}/{name}.xml" for folder in DEFINITIONS]
    return [path for path in paths if host.seen(path).is_symlink() or host.seen(path).exists()]


def _wrong(testbed: Testbed, when: str, evidence: Evidence) -> str:
    """Return what guests of the first network lack of DHCP and masquerading; "": nothing."""
    with ThreadPoolExecutor(len(testbed.guests)) as pool:
        lacks = pool.map(lambda guest: _lacks(testbed, guest, when, evidence), testbed.guests)
        return "; ".join(filter(None, lacks))


def _lacks(testbed: Testbed, guest: Guest, when: str, evidence: Evidence) -> str:
    if guest.name in testbed.leases:
        lease = request_lease(guest)
        if lease is None:
            return f"{when}, {guest.name} asked {ATTEMPTS} times by DHCP and got no address"
        if lease.address != guest.address:
            return f"{when}, {guest.name} is given {lease.address}, it had {guest.address}"
    return _not_masqueraded(testbed, testbed.guest_end(guest), when, evidence)


def _client_of(testbed: Testbed, network: Network, evidence: Evidence) -> str:
    """Have a client of a network take a lease and reach the outside; returns what it was given."""
    if network.address is None or network.dhcp_range is None:
        raise ValueError(f"network {network.name} has no address or no range")
    with (
        station(testbed.host, LinuxBridge(testbed.host, network.bridge), "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
    ):
        port.machine.transcript = evidence
        asking = Clients(port, frames)
        lease = asking.lease(link_mac(port.machine, NIC))
        servers = sorted({reply.server for reply in asking.replies()})
        own = str(network.address.ip)
        assert lease is not None, f"a client of {network.name} got no lease; answers of {servers}"
        assert servers == [own], f"a client of {network.name} is answered by {servers}, not {own}"
        assert lease.address in network.dhcp_range, f"{network.name} leases {lease.address}"
        add_address(port.machine, NIC, f"{lease.address}/{network.address.network.prefixlen}")
        port.machine.netlink.route("add", dst="default", gateway=own)
        near = End(port.machine, str(lease.address), testbed.tool, link_mtu(port.machine, NIC))
        wrong = _not_masqueraded(testbed, near, "both up", evidence)
        assert not wrong, wrong
    return str(lease.address)


def _not_masqueraded(testbed: Testbed, near: End, when: str, evidence: Evidence) -> str:
    """Return in what the outside does not see an end under the host's address; "" if it does."""
    far, host = testbed.end("outside"), str(testbed.figures.host)
    label = f"{near.name}-{when.replace(' ', '-')}"
    with evidence.capture(testbed.outside, testbed.outside_nic, label) as frames:
        for proto in PROTOCOLS:
            answer = send(proto, near, far)
            if not answer.all_answered:
                return f"{when}, {near.name} is not answered by {proto}: {answer}"
        seen: set[str] = set()
        for proto in PROTOCOLS:
            wanted = functools.partial(is_request, proto=proto, to=far.address)
            found = frames.collect(wanted)
            if not found:
                return f"{when}, {frames.missing(f'{proto} of {near.name}')}"
            seen |= {frame.packet[IP].src for frame in found}
    if seen != {host}:
        return f"{when}, {near.name} is seen outside as {sorted(seen)}, not {host}"
    return ""
