# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP clients without machines, against a real server in namespaces of a sandbox."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from fixtures.host.host import Host
from fixtures.host.links import add_address, set_up
from fixtures.host.sandbox import sandbox
from fixtures.probe.capture import capture
from fixtures.probe.dhcp import Clients, new_mac
from fixtures.probe.station import NIC, station
from fixtures.switch.linux_bridge import linux_bridge
from fixtures.waiting import until

pytestmark = pytest.mark.host

BRIDGE, LOG = "br0", "/run/dnsmasq.log"
SERVER, START, END = "198.18.0.1", IPv4Address("198.18.0.10"), IPv4Address("198.18.0.12")
FEW, MANY = 3, 150


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox() as made:
        yield made


@pytest.fixture
def leases(tmp_path: Path) -> str:
    """The server's own list of leases, as the host sees the file."""
    return f"/run/{tmp_path.name}"


@pytest.fixture
def asking(host: Host, leases: str, request: pytest.FixtureRequest) -> Iterator[Clients]:
    """Clients of a dnsmasq that serves three addresses, or as many as a test asks for."""
    last = START + getattr(request, "param", FEW) - 1
    serve = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0"]
    serve += [f"--interface={BRIDGE}", "--bind-interfaces", "--dhcp-authoritative", "--no-ping"]
    serve += [f"--dhcp-range={START},{last}", f"--dhcp-leasefile={leases}"]
    serve += ["--log-dhcp", f"--log-facility={LOG}"]
    log = host.seen(LOG)
    log.unlink(missing_ok=True)
    with linux_bridge(host, BRIDGE) as bridge:
        set_up(host, BRIDGE)
        add_address(host, BRIDGE, f"{SERVER}/24")
        with host.background(serve), station(host, bridge, "st1") as port:
            until(lambda: log.exists() and "DHCP, IP range" in log.read_text(), "up", deadline_s=10)
            with capture(port.machine, NIC) as frames:
                yield Clients(port, frames)


def test_a_range_is_leased_and_given_back(asking: Clients) -> None:
    leases = [asking.lease(new_mac()) for _ in range(3)]
    given = {lease.address for lease in leases if lease is not None}
    assert given == {START, START + 1, END}
    assert {lease.server for lease in leases if lease is not None} == {SERVER}
    known, spare = list(asking.leases)[:2]
    more = asking.ask(new_mac())
    assert asking.offer(known) is not None
    assert not [reply for reply in asking.replies() if reply.transaction == more]
    asking.release(spare)
    offer = asking.offer(new_mac())
    assert offer is not None
    assert offer.address == asking.leases[spare].address


def test_the_address_asked_for_is_leased_if_it_is_free(asking: Clients) -> None:
    first, second = asking.lease(new_mac(), END), asking.lease(new_mac(), END)
    assert first is not None
    assert first.address == END
    assert second is not None
    assert second.address in {START, START + 1}


def test_an_offer_is_no_lease(asking: Clients) -> None:
    offer = asking.offer(new_mac(), START)
    assert offer is not None
    assert (offer.kind, offer.routers) == ("offer", [SERVER])
    assert not asking.leases


@pytest.mark.parametrize("asking", [MANY], indirect=True)
def test_all_leases_are_given_back(asking: Clients, host: Host, leases: str) -> None:
    given = {lease.address for _ in range(MANY) if (lease := asking.lease(new_mac())) is not None}
    listed = host.seen(leases)
    assert len(given) == MANY == len(listed.read_text().splitlines())
    asking.release_all()
    assert not asking.leases
    until(lambda: not listed.read_text(), "nothing is leased", deadline_s=10)
