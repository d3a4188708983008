# SPDX-License-Identifier: GPL-2.0-or-later
"""A libvirtd that hangs is noticed in time, and is still taken down with its sandbox."""

import time
from pathlib import Path

import libvirt
import pytest

from fixtures.errors import HostFailed
from fixtures.host import libvirt_connection
from fixtures.host.daemons import libvirtd_stopped
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from fixtures.testbed.fault_injection import PRELUDE
from fixtures.waiting import until

pytestmark = pytest.mark.host


def stop(host: Host) -> None:
    """Stop the sandbox's libvirtd as a debugger would; it neither answers nor ends."""
    host.run(["kill", "-STOP", host.read("/run/libvirtd.pid").strip()])


def test_a_call_on_a_hung_libvirtd_fails_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirt_connection, "KEEPALIVE_INTERVAL_S", 1)
    monkeypatch.setattr(libvirt_connection, "KEEPALIVES_UNANSWERED_MAX", 3)
    with sandbox() as host:
        holder = host.root.parent
        assert host.libvirt.listAllNetworks() == []
        stop(host)
        begin = time.monotonic()
        with pytest.raises(libvirt.libvirtError, match="keepalive timeout"):
            host.libvirt.listAllNetworks()
        assert time.monotonic() - begin < 30
        begin = time.monotonic()
        with pytest.raises(libvirt.libvirtError, match="closed"):
            host.libvirt.getHostname()
        assert time.monotonic() - begin < 5
    until(lambda: not Path(holder).exists(), "the sandbox is gone", deadline_s=10)


def test_a_connection_to_a_hung_libvirtd_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirt_connection, "KEEPALIVE_INTERVAL_S", 1)
    with sandbox() as host:
        monkeypatch.setattr(libvirt_connection, "OPEN_DEADLINE_S", 1.0)
        stop(host)
        uri = f"qemu+unix:///system?socket={host.seen('/run/libvirt/libvirt-sock')}"
        with pytest.raises(HostFailed, match="did not answer within 1 s"):
            libvirt_connection.connect(uri)


def test_a_connection_that_is_idle_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirt_connection, "KEEPALIVE_INTERVAL_S", 1)
    monkeypatch.setattr(libvirt_connection, "KEEPALIVES_UNANSWERED_MAX", 2)
    with sandbox() as host:
        host.libvirt.getHostname()
        idle_until = time.monotonic() + 6
        # Twice as long as it takes to give up one that does not answer.
        until(lambda: time.monotonic() > idle_until, "6 s are over", deadline_s=10)
        assert host.libvirt.isAlive()
        assert host.libvirt.getHostname()


def test_a_restarted_libvirtd_gets_a_new_connection() -> None:
    with sandbox() as host:
        first = host.libvirt
        with libvirtd_stopped(host), pytest.raises(libvirt.libvirtError):
            first.getHostname()
        assert host.libvirt is not first
        assert host.libvirt.listAllNetworks() == []


def test_a_libvirtd_that_the_site_restarted_is_connected_to_again() -> None:
    with sandbox() as host:
        first = host.libvirt
        host.run(["sh", "-c", f"{PRELUDE.read_text()}\nrestart_libvirtd"])
        until(lambda: not first.isAlive(), "the first connection is closed", deadline_s=10)
        assert host.libvirt.listAllNetworks() == []


def test_a_libvirtd_that_ended_is_told_from_one_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(libvirt_connection, "KEEPALIVE_INTERVAL_S", 1)
    monkeypatch.setattr(libvirt_connection, "KEEPALIVES_UNANSWERED_MAX", 3)
    for signal, ended in (("STOP", False), ("KILL", True)):
        with sandbox() as host:
            first = host.libvirt
            host.run(["kill", f"-{signal}", host.read("/run/libvirtd.pid").strip()])
            until(lambda: not first.isAlive(), "the connection is closed", deadline_s=30)  # noqa: B023 - awaited here
            with pytest.raises(libvirt.libvirtError) as lost:
                first.listAllNetworks()
            assert libvirt_connection.is_lost(lost.value)
            assert host.libvirtd_ends(0) == ended
