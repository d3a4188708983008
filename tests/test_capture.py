# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures: what is taken, and that they end."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP

from fixtures.host.frame_source import PacketSocket
from fixtures.host.receive_buffer import give_room
from fixtures.host.sandbox import sandbox
from fixtures.probe.capture import Capture, capture
from fixtures.waiting import until
from launcher.cache import cache_dir
from tests.launched import ROOT

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


def rmem_max() -> int:
    return int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))


def test_a_capture_has_its_room_whatever_programs_may_have() -> None:
    """A distribution's kernel lets a socket have 208 KiB, this machine's may let it have all."""
    wanted = 2 * rmem_max()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as given:
        give_room(given, wanted)
        assert given.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * wanted
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as opened:
        PacketSocket(opened)
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * (4 << 20)


def test_without_the_capability_it_has_as_much_as_it_may() -> None:
    script = (
        "import socket\n"
        "from fixtures.host.receive_buffer import give_room\n"
        "opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"give_room(opened, {2 * rmem_max()})\n"
        "print(opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))\n"
    )
    words = ["setpriv", "--bounding-set=-net_admin", "--", sys.executable, "-c", script]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) == 2 * rmem_max()
