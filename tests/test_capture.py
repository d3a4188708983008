# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures: what is taken, and that they end."""

import threading

import pytest
from scapy.layers.inet import ICMP

from fixtures.host.sandbox import sandbox
from fixtures.probe.capture import Capture, capture
from fixtures.waiting import until
from launcher.cache import cache_dir

pytestmark = pytest.mark.host

# Leaving takes milliseconds; one that never ends is given up after this.
HANG_S = 30.0
# A socket that is bound late has a frame of another busy link in one of some ten tries.
TRIES = 60


def test_a_capture_ends_on_a_link_that_is_never_quiet() -> None:
    with sandbox(cache_dir() / "libvirt-capabilities") as host:
        left: list[Capture] = []

        def enter_and_leave() -> None:
            with capture(host, "lo") as frames:
                until(frames.frames, "a frame on lo", deadline_s=HANG_S)
            left.append(frames)

        with host.background(["ping", "-q", "-i", "0.002", "127.0.0.1"]):
            thread = threading.Thread(target=enter_and_leave, daemon=True)
            thread.start()
            thread.join(HANG_S)
            assert left, f"the capture still takes frames {HANG_S:g} s after it was to end"


def test_a_capture_has_no_frame_of_another_link() -> None:
    with sandbox(cache_dir() / "libvirt-capabilities") as host:
        host.run(["ip", "link", "add", "quiet0", "type", "bridge"])
        host.run(["ip", "link", "set", "quiet0", "up"])
        with host.background(["ping", "-q", "-f", "127.0.0.1"]):
            for _ in range(TRIES):
                with capture(host, "quiet0") as frames:
                    pass
                assert not frames.frames(lambda packet: ICMP in packet)


def test_a_link_that_goes_down_is_waited_for() -> None:
    with sandbox(cache_dir() / "libvirt-capabilities") as host:
        host.run(["ip", "link", "set", "lo", "down"])
        with capture(host, "lo") as frames:
            host.run(["ip", "link", "set", "lo", "up"])
            host.run(["ping", "-c", "1", "127.0.0.1"])
            assert until(
                lambda: frames.frames(lambda packet: ICMP in packet),
                "a frame after the link came up",
                deadline_s=HANG_S,
            )
            host.run(["ip", "link", "set", "lo", "down"])
