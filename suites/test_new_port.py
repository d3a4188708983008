# SPDX-License-Identifier: GPL-2.0-or-later
"""A NIC that is plugged in: how soon its port passes frames."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from fixtures.errors import Inconclusive
from fixtures.host.host import Host
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import like_the_first, plugged_in
from fixtures.probe.marked_frames import BROADCAST, marked
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause

# Above the others' MACs: see `suites/test_nic_models.py`.
MAC, SENDER_MAC = "52:ff:ff:00:53:10", "02:00:00:00:53:10"
MARK = b"first frame"
INTERVAL_S = 0.05
# Beyond the figure: the kernel's ticks, and a machine with other work.
MARGIN_S = 1.0


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("GN-10")
def test_first_frame_of_a_new_nic(testbed: Testbed, evidence: Evidence) -> None:
    """A NIC plugged into a running guest gets its first frame within the topology's figure.

    The figure is 2 s without spanning tree, else twice the forward delay, which is at least 2 s in
    the kernel: 4 s on libvirt's networks, 30 s with a delay of 15 s; and a second more.

    Source: IEEE 802.1D, 8.4; libvirt, "Network XML format", `<bridge stp= delay=>`.

    Preconditions:
        - the first guest takes a NIC while it runs
    Steps:
        1. Send a broadcast from the host's end of the switch every 50 ms, with a capture at a
           guest's TAP that is there.
        2. Plug another NIC into that guest, attached as its own NIC is, with a capture at its TAP.
    Verify:
        - the first broadcast leaves the new TAP within the figure from when it was plugged in
        - control: the broadcasts leave the TAP that was there; else the check is inconclusive
    """
    guest, network = testbed.guests[0], testbed.topology.network
    limit_s = testbed.topology.type.first_frame_s(network) + MARGIN_S
    nic = like_the_first(testbed.switch, guest, "virtio", MAC)
    with (
        evidence.capture(testbed.host, guest.tap, "tap-before") as before,
        _broadcasting(testbed.host, testbed.switch.name),
    ):
        with plugged_in(guest, [nic]) as taps, evidence.capture(testbed.host, taps[MAC]) as frames:
            begun = time.time()
            passed = frames.collect(lambda p: MARK in bytes(p), deadline_s=limit_s)
        control = before.frames(lambda p: MARK in bytes(p))
    if not control:
        raise Inconclusive(f"control failed: no broadcast on {before.place}")
    assert passed, f"no frame on {frames.place} within {limit_s:g} s after it was plugged in"
    took_s = max(0.0, passed[0].time - begun)
    evidence.measurement("first frame of a new NIC", "s", [took_s], "less")
    evidence.reason = f"first frame after {took_s:.2f} s, at most {limit_s:g} s"
    assert took_s <= limit_s, f"the first frame on {frames.place} came after {took_s:.2f} s"


@contextlib.contextmanager
def _broadcasting(host: Host, bridge: str) -> Iterator[None]:
    """Broadcast marked frames out of a bridge for the length of a `with` block."""
    over = threading.Event()
    frame = bytes(marked(SENDER_MAC, BROADCAST, MARK))

    # Here and not in the thread, for the check to hear that there is no bridge.
    with host.socket(socket.AF_PACKET, socket.SOCK_RAW, bind_to=bridge) as out:

        def send() -> None:
            while not over.is_set():
                out.send(frame)
                pause(INTERVAL_S)

        thread = threading.Thread(target=send, name="broadcasts")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
