# SPDX-License-Identifier: GPL-2.0-or-later
"""User networking (D2): the guest's connections are QEMU's own, and lead outwards only."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from scapy.layers.inet import IP

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.guest.guest import GUEST_TOOL, Guest
from fixtures.host.host import Host
from fixtures.probe.blocking import WAIT_S
from fixtures.probe.evidence import Evidence
from fixtures.probe.input_exception import said
from fixtures.probe.qemu_process import qemu_pid
from fixtures.probe.reach import ECHO_PORT, End, Proto, ping, send_one, unanswered
from fixtures.probe.user_nic import ADDRESS, GATEWAY, forwarded, user_nic
from fixtures.testbed.ports_let_in import ports_let_in
from fixtures.testbed.testbed import Testbed

# A port of the host that nothing serves.
PORT = 17777
PROTOCOLS: tuple[Proto, ...] = ("tcp", "udp")
# A busy guest takes seconds to answer.
CONNECTED_S = 10.0
# QEMU's own connections to the host come in by it.
LOOPBACK = "lo"
TRIED = [(proto, PORT) for proto in PROTOCOLS]
PROBED = [(proto, ECHO_PORT) for proto in PROTOCOLS]


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("UN-01")
def test_outwards(testbed: Testbed, evidence: Evidence) -> None:
    """A guest with user networking reaches the host and the outside machine.

    ICMP ends at QEMU, which answers for the host: beyond it there is TCP and UDP.

    Preconditions:
        - an outside machine is reached through the host's uplink
    Steps:
        1. Plug a NIC of type `user` into each guest, in a network namespace of its own there.
        2. Ping the network's gateway 10.0.2.2 from each, which is the host, and probe it by TCP and
           UDP. Where the host refuses every port that it does not know, let in the probes' ones.
        3. Probe the outside from each by TCP and UDP, with a capture there.
    Verify:
        - libvirt lists each NIC as `user`, without a TAP
        - every request is answered
        - the outside sees the host's address as source
    """
    reached = partial(_reached_outwards, testbed, evidence)
    with (
        ports_let_in(testbed, IPV4, PROBED, LOOPBACK) as let_in,
        ThreadPoolExecutor(len(testbed.guests)) as pool,
    ):
        answered = list(pool.map(reached, testbed.guests))
    own = testbed.figures.host
    evidence.reason = f"{'; '.join(answered)}; outside from {own}{said(let_in, PROBED)}"


def _reached_outwards(testbed: Testbed, evidence: Evidence, guest: Guest) -> str:
    """Require a guest to reach host and outside by user networking; returns who answered."""
    outside, own = testbed.end("outside"), str(testbed.figures.host)
    with user_nic(guest) as nic:
        listed = [(each.kind, each.tap) for each in guest.nics()][-1]
        near = End(nic.inside, str(ADDRESS.ip), GUEST_TOOL)
        host = End(testbed.host, str(GATEWAY), testbed.tool)
        answers = {"host by icmp": ping(near, str(GATEWAY))}
        answers |= {f"host by {proto}": send_one(proto, near, host) for proto in PROTOCOLS}
        with evidence.capture(testbed.outside, testbed.outside_nic, guest.name) as frames:
            answers |= {f"outside by {p}": send_one(p, near, outside) for p in PROTOCOLS}
            arrived = frames.collect(lambda p: IP in p and p[IP].dst == outside.address)
    assert listed == ("user", None), f"libvirt lists the NIC of {guest.name} as {listed}"
    lost = unanswered(answers)
    assert not lost, f"by user networking {guest.name} does not reach: {lost}"
    assert arrived, frames.missing(f"the packets of {guest.name}")
    sources = {frame.packet[IP].src for frame in arrived}
    assert sources == {own}, f"outside packets arrive from {sorted(sources)}, the host is {own}"
    return f"{guest.name} answered by {', '.join(answers)}"


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("UN-02")
def test_nothing_inwards(testbed: Testbed, evidence: Evidence) -> None:
    """Neither the outside nor another guest opens a connection to a guest with user networking.

    Its address is in QEMU alone. What leads to it is a port of the host that QEMU listens on.

    Preconditions:
        - two guests have their addresses
        - an outside machine is reached through the host's uplink
    Steps:
        1. Plug a NIC of type `user` into the first guest, in a network namespace of its own there.
           Where the host refuses every port that it does not know, let in the one that is tried.
        2. List the sockets that the guest's QEMU listens on, and try a port of the host from
           outside and from each other guest by TCP and UDP.
        3. Have QEMU forward that port of both to the guest, and try again; then without it.
        4. Probe the guest's own address from the host.
        5. Do the same with each other guest.
    Verify:
        - the guest's QEMU listens on no TCP socket, and has no UDP socket that takes from anyone
        - nothing is answered without the forwarded port, before and after
        - the host has no way to the guest's own address
        - control: with the forwarded port all are answered; else the check is inconclusive
    """
    if len(testbed.guests) == 1:
        raise testbed.without("two guests", "guests has one")
    with ports_let_in(testbed, IPV4, TRIED, LOOPBACK) as let_in:
        seen = [_closed(testbed, evidence, guest) for guest in testbed.guests]
    evidence.reason = f"{'; '.join(seen)}{said(let_in, TRIED)}"


def _closed(testbed: Testbed, evidence: Evidence, guest: Guest) -> str:
    """Require that nothing connects to a guest with user networking; returns what was seen."""
    ways = {"outside": (testbed.end("outside"), str(testbed.figures.host))}
    ways |= {
        other.name: (testbed.guest_end(other), testbed.host_address)
        for other in testbed.guests
        if other is not guest
    }

    asked = {
        f"{name} by {proto}": partial(_connects, near, address, proto)
        for name, (near, address) in ways.items()
        for proto in PROTOCOLS
    }

    def connects(wait_s: float = WAIT_S) -> dict[str, bool]:
        with ThreadPoolExecutor(len(asked)) as pool:
            found = pool.map(lambda ask: ask(wait_s), asked.values())
            return dict(zip(asked, found, strict=True))

    with user_nic(guest) as nic:
        listening = _listening(testbed.host, guest)
        before = connects()
        with forwarded(guest, nic.netdev, PORT):
            control = connects(CONNECTED_S)
        after = connects()
        own = ping(testbed.end("host"), str(ADDRESS.ip), count=1, wait_s=1)
    phases = {"before": before, "forwarded": control, "after": after}
    evidence.json(f"connects-{guest.name}.json", phases)
    assert not listening, f"QEMU of {guest.name} listens on {listening}"
    for when, found in (("before", before), ("after", after)):
        assert not any(found.values()), (
            f"{when} a port was forwarded to {guest.name}: answered {found}"
        )
    if not all(control.values()):
        raise Inconclusive(f"with port {PORT} forwarded not everyone is answered: {control}")
    # A host without a default route sends nothing: ping's "Network is unreachable".
    is_sent_nowhere = own.sent == 0 and "unreachable" in own.said
    assert own.none_answered or is_sent_nowhere, f"the host reaches {ADDRESS.ip}: {own}"
    return f"{guest.name}: no socket of QEMU's; {before}; with a forwarded port {control}"


def _connects(near: End, address: str, proto: Proto, wait_s: float) -> bool:
    """Whether what is sent to the port is answered."""
    # A TCP port without a server refuses at once.
    timeout_s = CONNECTED_S if proto == "tcp" else wait_s
    asked = [proto, address, str(PORT), "--size", "64", "--timeout", str(timeout_s)]
    return near.runner.run([near.tool, *asked], check=False).status == 0


def _listening(host: Host, guest: Guest) -> list[str]:
    """Return the protocols and addresses that a guest's QEMU takes packets of anyone by.

    A line: `tcp LISTEN 0 1 0.0.0.0:8022 0.0.0.0:* users:(("qemu-system-x86",pid=123,fd=30))`; of
    UDP it has `UNCONN`.
    """
    listed = host.run(["ss", "-Hlntup"]).stdout.splitlines()
    own = f"pid={qemu_pid(host, guest.name)},"
    words = [line.split() for line in listed if own in line]
    return [f"{protocol} {address}" for protocol, _state, _, _, address, *_ in words]
