# SPDX-License-Identifier: GPL-2.0-or-later
"""Watching a bridge port's states, and a bridge's own settings, on a real one in a sandbox."""

import errno
from collections.abc import Iterator

import pytest

from fixtures.host.host import Host
from fixtures.host.links import has_link, set_up
from fixtures.host.sandbox import sandbox
from fixtures.probe.port_states import watched_port
from fixtures.probe.station import plugged_station
from fixtures.switch.linux_bridge import delete_by_ioctl, linux_bridge

pytestmark = pytest.mark.host

BRIDGE = "plumb-test"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox() as made:
        yield made


def test_without_stp_a_port_forwards_at_once(host: Host) -> None:
    with (
        linux_bridge(host, BRIDGE) as bridge,
        plugged_station(host, bridge, "st1") as there,
        watched_port(host, there.port) as watch,
    ):
        assert bridge.port_state(there.port) == "disabled"
        set_up(host, BRIDGE)
        assert watch.entered("forwarding", deadline_s=20)
        assert {state.name for state in watch.states()} <= {"disabled", "forwarding"}
        assert bridge.forwards(there.port)
        assert watch.entered("learning", deadline_s=0.1) is None
        assert "forwarding after " in str(watch)


def test_with_stp_it_listens_and_learns_first(host: Host) -> None:
    with (
        linux_bridge(host, BRIDGE, stp=True) as bridge,
        plugged_station(host, bridge, "st1") as there,
        watched_port(host, there.port) as watch,
    ):
        bridge.set_forward_delay_s(2)
        set_up(host, BRIDGE)
        assert not bridge.forwards(there.port)
        assert watch.entered("forwarding", deadline_s=40)
        names = [state.name for state in watch.states() if state.name != "disabled"]
        assert names == ["listening", "learning", "forwarding"]
        assert bridge.port_state(BRIDGE) is None


def test_what_a_bridge_is_set_to_reads_back(host: Host) -> None:
    with linux_bridge(host, BRIDGE) as bridge:
        bridge.set_priority(0x1000)
        bridge.set_stp(True)
        bridge.set_forward_delay_s(4)
        assert bridge.stp()
        assert bridge.bridge_id().startswith("1000.")
        timers = (bridge.hello_time_s(), bridge.max_age_s(), bridge.forward_delay_s())
        assert timers == (2.0, 20.0, 4.0)


def test_brctl_deletes_only_what_is_down(host: Host) -> None:
    with linux_bridge(host, BRIDGE):
        set_up(host, BRIDGE)
        with pytest.raises(OSError, match=f"Errno {errno.EBUSY}"):
            delete_by_ioctl(host, BRIDGE)
        assert has_link(host, BRIDGE)
        host.netlink.link("set", ifname=BRIDGE, state="down")
        delete_by_ioctl(host, BRIDGE)
        assert not has_link(host, BRIDGE)
