# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that a machine's own kernel sends out of a link, and what is recognised of them."""

from collections.abc import Iterator

import pytest

from fixtures.host.host import Host
from fixtures.host.links import add_address, cable, namespace_machine
from fixtures.host.machine import Machine
from fixtures.host.sandbox import sandbox
from fixtures.probe.capture import capture
from fixtures.probe.datagram import send_out

pytestmark = pytest.mark.host

OWN, OTHER, FAR = "198.18.0.1", "198.19.0.1", "198.19.0.2"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox() as made:
        yield made


@pytest.fixture
def far(host: Host) -> Iterator[Machine]:
    """A machine on a link of which the host's address `OWN` is not."""
    add_address(host, "lo", f"{OWN}/32")
    with namespace_machine(host, "far") as machine, cable(host, "eth1", machine, "eth0"):
        add_address(host, "eth1", f"{OTHER}/24")
        add_address(machine, "eth0", f"{FAR}/24")
        yield machine
    host.run(["ip", "address", "del", f"{OWN}/32", "dev", "lo"])


@pytest.mark.parametrize("protocol", ["udp", "icmp"])
@pytest.mark.parametrize("to", ["224.0.0.251", "255.255.255.255", FAR])
def test_the_source_is_the_one_asked_for(host: Host, far: Machine, protocol: str, to: str) -> None:
    with capture(far, "eth0") as frames:
        sent = send_out(host, "eth1", "udp" if protocol == "udp" else "icmp", OWN, to)
        [seen] = frames.collect(sent.is_in)
    assert sent.unchanged(seen.packet)


@pytest.mark.parametrize("protocol", ["udp", "icmp"])
def test_a_translated_source_shows(host: Host, far: Machine, protocol: str) -> None:
    host.run(["iptables", "-t", "nat", "-A", "POSTROUTING", "-s", OWN, "-j", "MASQUERADE"])
    with capture(far, "eth0") as frames:
        sent = send_out(host, "eth1", "udp" if protocol == "udp" else "icmp", OWN, "224.0.0.251")
        [seen] = frames.collect(sent.is_in)
    host.run(["iptables", "-t", "nat", "-F", "POSTROUTING"])
    assert not sent.unchanged(seen.packet)
