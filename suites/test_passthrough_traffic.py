# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes through a function of a NIC: how fast, and under whose address."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Interface
from statistics import median

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from fixtures.errors import Inconclusive, NotTestable, TrialFailed
from fixtures.guest.domain_xml import Nic
from fixtures.guest.guest import GUEST_TOOL, NIC, Guest
from fixtures.host import pci
from fixtures.host.host import Host
from fixtures.host.links import add_address, set_up
from fixtures.plugin.sampling import Sampling, Series
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import GuestNamespace, apart, plugged_in
from fixtures.probe.guest_nics import guest_nics
from fixtures.probe.sriov import function_of, views
from fixtures.probe.throughput import FAR_ABOVE, TRIALS, Far, tcp_mbit_s
from fixtures.switch.linux_bridge import linux_bridge
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.uplink_links import HOST_PORT
from fixtures.waiting import poll, until

BRIDGE, BRIDGED_MAC, NAMESPACE = "plumb-br", "52:54:00:1b:f0:55", "plumb"
# TEST-NET-2 (RFC 5737): no other machine has an address in it.
ON_BRIDGE, IN_GUEST = IPv4Interface("198.51.100.17/28"), IPv4Interface("198.51.100.18/28")
NIC_DEADLINE_S = 40.0
SETTING_DEADLINE_S = 5.0
# Of no NIC in the test bed: locally administered.
FOREIGN = "52:54:00:f0:0e:19"
FRAMES = 5
MARK = b"plumbline"
# The vendor that QEMU's own devices name as their subsystem's.
EMULATED = "0x1af4"


@pytest.mark.lengthy
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("PT-07")
@pytest.mark.needs("iommu", "sriov", "iperf3")
def test_throughput(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """TCP throughput through a function meets the floor; beside it, that of virtio on a bridge.

    The rate of virtio is for comparison: it has no floor here.

    Preconditions:
        - each guest has its address, and an outside machine is on the wire
        - the NIC enforces the rate of a function, where one is set: QEMU's may not
    Steps:
        1. Measure TCP between each guest and the outside, each way: one trial where its rate is
           three times the floor, else three.
        2. Repeat once what missed while other processes used a tenth of the machine's CPU time.
        3. Plug a virtio NIC on a bridge of the host's into the first guest, and measure TCP to the
           host over it.
    Verify:
        - through each function the median of the trials is at or above the topology's floor, each
          way
        - control: beside such a load, both times, a miss is not the NIC's; the check is
          inconclusive
        - the trials through virtio come about; else the check is inconclusive
    """
    guest, outside = testbed.guests[0], Far(testbed.outside, str(testbed.figures.outside))
    floor = testbed.floors.guest_host_tcp_mbit_s
    ways = {
        (name, each): Series(
            trial, TRIALS, lambda rate: rate >= FAR_ABOVE * floor, compared=each is guest
        )
        for each in testbed.guests
        for name, trial in (
            (f"{each.name} → outside", partial(tcp_mbit_s, each, outside)),
            (f"outside → {each.name}", partial(tcp_mbit_s, each, outside, reverse=True)),
        )
    }
    try:
        sampling.take(*ways.values())
        for (name, each), series in ways.items():
            _require_rate(testbed, each, name, series, sampling)
    except TrialFailed as error:
        raise AssertionError(error.message) from error
    upward, downward, *_ = ways.values()
    up = evidence.measurement("tcp guest → outside, function", "Mbit/s", upward.samples, "more")
    down = evidence.measurement("tcp outside → guest, function", "Mbit/s", downward.samples, "more")
    with _on_a_bridge(testbed, guest) as inside:
        host = Far(testbed.host, str(ON_BRIDGE.ip))
        try:
            beside = Series(lambda: tcp_mbit_s(inside, host), TRIALS)
            sampling.take(beside)
        except TrialFailed as error:
            raise Inconclusive(f"no rate beside it, through virtio on a bridge: {error}") from error
    name = "tcp guest → host, virtio on a bridge"
    virtio = evidence.measurement(name, "Mbit/s", beside.samples, "more")
    evidence.reason = (
        f"median of {len(up)}: through {guest.name}'s function {median(up):.0f} to the outside and "
        f"{median(down):.0f} back, through virtio on a bridge {median(virtio):.0f} Mbit/s"
    )


@pytest.mark.claims("PT-12")
@pytest.mark.needs("iommu", "sriov")
def test_spoof_checking(testbed: Testbed, evidence: Evidence) -> None:
    """With spoof checking on, a frame from an address that is not the guest's does not get out.

    Preconditions:
        - the physical function reports spoof checking, and the NIC enforces it: QEMU's may not
        - the other end of the NIC's wire can be captured on
    Steps:
        1. Turn spoof checking of the first guest's function off.
        2. Send five broadcasts from a foreign MAC and five from the guest's own, with a capture on
           the wire.
        3. Repeat with checking on, and with checking off again.
        4. Do the same with each other guest's function.
    Verify:
        - with checking on, no frame from the foreign MAC is on the wire
        - control: with checking off, before and after, all frames from the foreign MAC are on the
          wire; else the check is inconclusive
        - control: each time all frames from the guest's own MAC are on the wire; else the check is
          inconclusive
    """
    evidence.reason = "; ".join(_spoof_checked(testbed, evidence, g) for g in testbed.guests)


def _spoof_checked(testbed: Testbed, evidence: Evidence, guest: Guest) -> str:
    """Require spoof checking to hold a guest's foreign frames back; returns what was seen."""
    host, pf = testbed.host, testbed.topology.network.pf
    number = _number(host, pf, guest)
    was = views(host, pf)[number].spoofcheck
    if was is None:
        raise NotTestable("spoof checking", f"ip link show {pf} does not list it")
    seen: dict[str, dict[str, int]] = {}
    try:
        for phase, check in (("off", False), ("on", True), ("off again", False)):
            _set_check(host, pf, number, check=check)
            label = f"{guest.name}-{phase}".replace(" ", "-")
            with evidence.capture(testbed.lan, HOST_PORT, label) as frames:
                seen[phase] = _sent_and_seen(guest, (FOREIGN, guest.mac), frames, testbed)
                frames.require_whole()
    finally:
        _set_check(host, pf, number, check=was)
    evidence.json(f"frames-{guest.name}.json", seen)
    for phase, counts in seen.items():
        if counts[guest.mac] != FRAMES or ("off" in phase and counts[FOREIGN] != FRAMES):
            raise Inconclusive(f"control failed, {guest.name}, checking {phase}: {counts}")
    if seen["on"][FOREIGN] and _is_emulated(host, pf):
        raise NotTestable(
            "a NIC that enforces spoof checking",
            f"{pf} is QEMU's, takes the setting, and with it {seen['on'][FOREIGN]} of {FRAMES} "
            "foreign frames are on the wire",
        )
    assert seen["on"][FOREIGN] == 0, (
        f"with checking on, foreign frames of {guest.name} get out: {seen['on']}"
    )
    return "; ".join(
        f"{guest.name}, checking {phase}: {counts[FOREIGN]} of {FRAMES} foreign frames on the wire"
        for phase, counts in seen.items()
    )


def _require_rate(
    testbed: Testbed, guest: Guest, name: str, series: Series[float], sampling: Sampling
) -> None:
    """Assert that a rate through a function is at or above the topology's floor."""
    floor = testbed.floors.guest_host_tcp_mbit_s

    def said(rates: list[float]) -> str:
        return (
            f"TCP {name}: median {median(rates):.1f} Mbit/s of {len(rates)} trials, floor {floor:g}"
        )

    _require_rate_kept(testbed, guest, median(series.samples))
    meets = sampling.holds(series, lambda rates: median(rates) >= floor, said)
    assert meets, said(series.samples)


def _require_rate_kept(testbed: Testbed, guest: Guest, rate_mbit_s: float) -> None:
    """Check that a function that has a limit is held to it.

    Raises:
        NotTestable: it is not, as the NIC is emulated.
    """
    host, pf = testbed.host, testbed.topology.network.pf
    limit = views(host, pf)[_number(host, pf, guest)].rate_mbit_s
    if limit and rate_mbit_s > 2 * limit and _is_emulated(host, pf):
        raise NotTestable(
            "a NIC that enforces the rate of a function",
            f"{pf} is QEMU's, takes the limit of {limit} Mbit/s, and {rate_mbit_s:.0f} get through",
        )


def _number(host: Host, pf: str, guest: Guest) -> int:
    """Return the number of a guest's function among the physical one's."""
    function = function_of(guest)
    everyone = pci.functions(host, pci.of_nic(host, pf))
    assert function in everyone, f"{guest.name} has {function}, no function of {pf}"
    return everyone.index(function)


@contextlib.contextmanager
def _on_a_bridge(testbed: Testbed, guest: Guest) -> Iterator[GuestNamespace]:
    """Plug a virtio NIC into a guest, on a bridge of the host's with an address."""
    nic = Nic("bridge", BRIDGE, BRIDGED_MAC, "virtio")
    with linux_bridge(testbed.host, BRIDGE):
        set_up(testbed.host, BRIDGE)
        add_address(testbed.host, BRIDGE, str(ON_BRIDGE))
        with plugged_in(guest, [nic]):
            [name] = until(
                lambda: [each.name for each in guest_nics(guest) if each.mac == nic.mac],
                f"{guest.name} has the NIC {nic.mac}",
                deadline_s=NIC_DEADLINE_S,
                interval_s=0.3,
            )
            with apart(guest, NAMESPACE, {name: str(IN_GUEST)}) as inside:
                yield inside


def _set_check(host: Host, pf: str, number: int, *, check: bool) -> None:
    word = "on" if check else "off"
    host.run(["ip", "link", "set", pf, "vf", str(number), "spoofchk", word])
    said = poll(
        lambda: views(host, pf)[number].spoofcheck,
        lambda now: now == check,
        deadline_s=SETTING_DEADLINE_S,
    )
    assert said == check, (
        f"not within {SETTING_DEADLINE_S:g} s: {pf} lists spoof checking of function {number} "
        f"as {word}; it lists {said}"
    )


def _sent_and_seen(
    guest: Guest, sources: Sequence[str], frames: Capture, testbed: Testbed
) -> dict[str, int]:
    """Have a guest send frames from each source address; return how many of each are on the wire.

    The last source's frames are sent last: when they are there, so are the others'.
    """
    ip = IP(src=guest.address, dst=str(testbed.figures.outside))
    for source in sources:
        # A broadcast, so that no switch on the way has to know the receiver.
        frame = Ether(src=source, dst="ff:ff:ff:ff:ff:ff") / ip / ICMP() / Raw(MARK)
        for _ in range(FRAMES):
            guest.run([GUEST_TOOL, "frame", NIC, bytes(frame).hex()])

    def from_(source: str) -> Callable[[Packet], bool]:
        return lambda packet: bool(packet.src == source and MARK in bytes(packet))

    frames.collect(from_(sources[-1]), count=FRAMES)
    return {source: len(frames.frames(from_(source))) for source in sources}


def _is_emulated(host: Host, pf: str) -> bool:
    return pci.attribute(host, pci.of_nic(host, pf), "subsystem_vendor") == EMULATED
