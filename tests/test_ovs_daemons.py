# SPDX-License-Identifier: GPL-2.0-or-later
"""Open vSwitch's daemons by their processes, with and without a monitor."""

from fixtures.host.processes import Process
from fixtures.probe.ovs_daemons import database_files, monitor_title

SERVER = Process(
    30,
    29,
    "ovsdb-server",
    ("ovsdb-server", "/etc/openvswitch/conf.db", "-vconsole:emer", "--detach"),
)


def test_a_monitor_is_known_by_its_title() -> None:
    title = ("ovsdb-server:", "monitoring", "pid", "30", "(healthy)")
    monitor = Process(29, 1, "monitor", title)
    assert monitor_title({29: monitor, 30: SERVER}, SERVER) == " ".join(title)


def test_a_daemon_without_a_monitor_has_no_title() -> None:
    started_by = Process(29, 0, "systemd", ("/sbin/init",))
    assert monitor_title({29: started_by, 30: SERVER}, SERVER) is None
    assert monitor_title({30: SERVER}, SERVER) is None


def test_only_the_server_has_files() -> None:
    assert database_files(SERVER) == ["/etc/openvswitch/conf.db"]
    switch = Process(35, 34, "ovs-vswitchd", ("ovs-vswitchd", "unix:/run/openvswitch/db.sock"))
    assert database_files(switch) == []
