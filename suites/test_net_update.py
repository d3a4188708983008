# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of a running network by net-update: a reservation, and a DNS entry."""

import contextlib
import secrets
from collections.abc import Iterator
from ipaddress import IPv4Address
from xml.etree import ElementTree as ET

import libvirt
import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest_address import request_lease
from fixtures.probe.dhcp import Clients, clients, new_mac
from fixtures.probe.dnsmasq import serving
from fixtures.probe.evidence import Evidence
from fixtures.probe.name_lookup import Lookup, look_up
from fixtures.probe.station import NIC, station
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

LIVE = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE
ADD, DELETE = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE
DHCP_HOST = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
DNS_HOST = libvirt.VIR_NETWORK_SECTION_DNS_HOST
# dnsmasq reads its files anew by a signal.
READ_DEADLINE_S = 5.0


def _update(network: libvirt.virNetwork, command: int, section: int, xml: str) -> str:
    """Change a running network; returns libvirt's words where it refuses."""
    try:
        network.update(command, section, -1, xml, LIVE)
    except libvirt.libvirtError as error:
        return " ".join(str(error).split())
    return ""


@contextlib.contextmanager
def _added(testbed: Testbed, section: int, xml: str) -> Iterator[None]:
    """Add an element to the running network for a `with` block."""
    network = testbed.libvirt_network
    said = _update(network, ADD, section, xml)
    assert not said, f"libvirt refuses to add {xml}: {said}"
    try:
        yield
    finally:
        said = _update(network, DELETE, section, xml)
    assert not said, f"libvirt refuses to delete {xml}: {said}"


def _servers(testbed: Testbed) -> list[int]:
    """Return the process ids of the network's dnsmasq."""
    return [each.pid for each in serving(testbed.host, testbed.topology.network.name)]


def _canonical(testbed: Testbed) -> str:
    """Return the live XML in one form, without the count of guests.

    libvirt 9.0 loses that count with an update; it is no setting of the network.
    """
    root = ET.fromstring(testbed.libvirt_network.XMLDesc())
    root.attrib.pop("connections", None)
    return ET.canonicalize(ET.tostring(root, encoding="unicode"), strip_text=True)


@contextlib.contextmanager
def _nothing_else_changes(testbed: Testbed) -> Iterator[None]:
    """Require that after a `with` block process and live XML of the network are as before."""
    pids, xml = _servers(testbed), _canonical(testbed)
    yield
    now = _servers(testbed)
    assert now == pids, f"the network's dnsmasq was process {pids}, and is {now}"
    after = _canonical(testbed)
    assert after == xml, f"the network's live XML was {xml}, and is {after}"


def _count(testbed: Testbed) -> str:
    """Return libvirt's count of the guests on the network, as its live XML has it."""
    return ET.fromstring(testbed.libvirt_network.XMLDesc()).get("connections", "0")


@pytest.mark.lengthy
@pytest.mark.claims("DH-08")
@pytest.mark.changes_network("adds a reservation for a while")
def test_reservation_of_a_running_network(testbed: Testbed, evidence: Evidence) -> None:
    """A reservation that net-update adds takes effect at once, and deleted it has none.

    Source: libvirt, virNetworkUpdate, "virsh net-update".

    Preconditions:
        - the network has reservations, and an address outside its range that nobody has
    Steps:
        1. Add a reservation for a new client to the running network.
        2. Have that client take a lease, and give it back.
        3. Delete the reservation, have the client ask again, and a guest ask for its own lease.
    Verify:
        - with the reservation the client gets its address
        - without it, it is not offered that address
        - control: the guest is answered after the deletion; else the check is inconclusive
        - the network's dnsmasq is the same process, and its live XML as before, but for the count
          of guests
    """
    mac, address, count = new_mac(), _unserved(testbed), _count(testbed)
    xml = f"<host mac='{mac}' ip='{address}'/>"
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients(port, frames) as asking,
        _nothing_else_changes(testbed),
    ):
        with _added(testbed, DHCP_HOST, xml):
            _offered(asking, mac, address, wanted=True)
            lease = asking.lease(mac)
            if lease is not None:
                asking.release(mac)
                del asking.leases[mac]
        _offered(asking, mac, address, wanted=False)
        # One lost frame is no deletion.
        last = asking.offer(mac)
        later = last and last.address
        guest = testbed.dhcp_guests[0]
        answered = request_lease(guest)
    given = lease and lease.address
    evidence.reason = (
        f"{address} kept: {given} leased; deleted: {later} offered; libvirt counted {count} guests "
        f"before and {_count(testbed)} after"
    )
    assert given == address, f"{address} is kept for {mac}, which gets {given}"
    assert later != address, f"the reservation is deleted, and {mac} is still offered {later}"
    if answered is None:
        raise Inconclusive(f"control failed: after the deletion {guest.name} gets no lease either")


def _offered(
    asking: Clients, mac: str, address: IPv4Address, *, wanted: bool
) -> IPv4Address | None:
    """Return what a client is offered, as soon as that is, or is not, an address; or in time."""

    def offered() -> IPv4Address | None:
        offer = asking.offer(mac, attempts=1)
        return None if offer is None else offer.address

    return poll(offered, lambda seen: (seen == address) == wanted, deadline_s=READ_DEADLINE_S)


def _unserved(testbed: Testbed) -> IPv4Address:
    """Return an address of the network, outside its range, that nobody has or has reserved."""
    network = testbed.topology.network
    dhcp, served = network.dhcp, network.dhcp_range
    taken = {IPv4Address(guest.address) for guest in testbed.guests}
    taken |= {IPv4Address(testbed.host_address)}
    taken |= {host.ip for host in (dhcp.hosts if dhcp is not None else ())}
    for address in testbed.subnet.hosts():
        if address not in taken and (served is None or address not in served):
            return address
    said = f"of {testbed.subnet} none is free beside networks[0].dhcp"
    raise testbed.without("an address outside the range", said)


@pytest.mark.lengthy
@pytest.mark.claims("DN-09")
@pytest.mark.changes_network("adds a DNS entry for a while")
def test_dns_entry_of_a_running_network(testbed: Testbed, evidence: Evidence) -> None:
    """A DNS entry that net-update adds is answered at once, and deleted it is not.

    Source: libvirt, virNetworkUpdate, "virsh net-update".

    Preconditions:
        - the network has DNS entries
    Steps:
        1. Ask at the bridge's address from a guest for a new name.
        2. Add an entry with it to the running network, and ask again.
        3. Delete the entry, and ask again.
    Verify:
        - with the entry the name gives its address; without it, none
        - the network's dnsmasq is the same process, and its live XML as before, but for the count
          of guests
        - control: before and after, the server answers that there is no such name; else the check
          is inconclusive
    """
    domain = testbed.topology.network.domain
    label, address = f"n{secrets.token_hex(6)}", str(testbed.subnet[-2])
    name = label if domain is None else f"{label}.{domain.name}"
    xml = f"<host ip='{address}'><hostname>{name}</hostname></host>"

    def answer() -> Lookup:
        return look_up(testbed.guest_end(testbed.guests[0]), testbed.host_address, name, "udp")

    with _nothing_else_changes(testbed):
        before = answer()
        with _added(testbed, DNS_HOST, xml):
            added = poll(answer, lambda seen: seen.answers, deadline_s=READ_DEADLINE_S)
        deleted = poll(answer, lambda seen: seen.is_denied, deadline_s=READ_DEADLINE_S)
    evidence.reason = f"{name}: {before}; added: {added}; deleted: {deleted}"
    if not before.is_denied:
        raise Inconclusive(f"control failed: before, {name} is answered by {before}")
    assert added.answers == (address,), f"{name} is {address} in the live network; asked: {added}"
    assert not deleted.answers, f"the entry is deleted, and {name} is still {deleted}"
    if not deleted.is_denied:
        raise Inconclusive(f"control failed: after the deletion {name} is answered by {deleted}")
