# SPDX-License-Identifier: GPL-2.0-or-later
"""Open vSwitch: a port that is taken off comes back as it was, a second switch leaves nothing."""

from collections.abc import Iterator

import pytest

from fixtures.host.host import Host
from fixtures.host.links import has_link
from fixtures.host.processes import processes
from fixtures.host.sandbox import sandbox
from fixtures.switch.ovs_bridge import OvsBridge, ovs_bridge, rows, vsctl
from fixtures.switch.qos import shaped
from fixtures.switch.second_ovs import second_ovs

pytestmark = pytest.mark.host

COLUMNS = {
    "Port": ("tag", "trunks", "vlan_mode", "qos", "other_config"),
    "Interface": ("external_ids", "ingress_policing_rate", "ingress_policing_burst"),
}
SETTINGS: dict[str, dict[str, list[str]]] = {
    "plain": {},
    "access": {"Port": ["tag=10"]},
    "trunk": {"Port": ["tag=10", "trunks=20,30", "vlan_mode=native-tagged"]},
    "policed": {"Interface": ["ingress_policing_rate=1000", "ingress_policing_burst=100"]},
    "other": {"Port": ["other_config:stp-path-cost=10"]},
    "named": {"Interface": ['external_ids:iface-id="a:b"', "external_ids:vm-id=c"]},
}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox() as made:
        yield made


def columns(host: Host, port: str) -> dict[str, object]:
    return {
        f"{table}.{name}": rows(host, table, f"name={port}")[0][name]
        for table, names in COLUMNS.items()
        for name in names
    }


def test_port_comes_back_as_it_was(host: Host) -> None:
    with ovs_bridge(host, "br-test") as bridge:
        for number, settings in enumerate(SETTINGS.values()):
            port = f"port{number}"
            host.run(["ip", "link", "add", port, "type", "veth", "peer", "name", f"peer{number}"])
            bridge.attach(port)
            for table, words in settings.items():
                vsctl(host, "set", table, port, *words)
            before = columns(host, port)
            bridge.detach(port)
            assert port not in OvsBridge(host, "br-test").ports()
            bridge.attach(port)
            assert columns(host, port) == before


def test_port_comes_back_with_its_queue(host: Host) -> None:
    with ovs_bridge(host, "br-test") as bridge:
        host.run(["ip", "link", "add", "queued", "type", "veth", "peer", "name", "queued-peer"])
        bridge.attach("queued")
        with shaped(host, "queued", 10):
            before = columns(host, "queued")
            assert before["Port.qos"]
            bridge.detach("queued")
            bridge.attach("queued")
            assert columns(host, "queued") == before


def test_new_link_of_the_same_name_inherits_nothing(host: Host) -> None:
    make = ["ip", "link", "add", "again", "type", "veth", "peer", "name", "again-peer"]
    with ovs_bridge(host, "br-test") as bridge:
        host.run(make)
        bridge.attach("again")
        fresh = columns(host, "again")
        vsctl(host, "set", "Port", "again", "tag=10")
        bridge.detach("again")
        host.run(["ip", "link", "del", "again"])
        host.run(make)
        bridge.attach("again")
        assert columns(host, "again") == fresh


def ovs_processes(host: Host) -> list[str]:
    return sorted(each.name for each in processes(host).values() if each.name.startswith("ovs"))


def test_second_switch_is_its_own_and_leaves_nothing(host: Host) -> None:
    before = ovs_processes(host)
    with pytest.raises(ZeroDivisionError), second_ovs(host, "far") as far:
        with ovs_bridge(far, "br-far"):
            assert [row["name"] for row in rows(far, "Bridge")] == ["br-far"]
            assert has_link(far, "br-far")
            assert not rows(host, "Bridge")
            assert len(ovs_processes(host)) == len(before) + 2
        raise ZeroDivisionError
    assert ovs_processes(host) == before
    assert not host.seen("/run/netns/far").exists()
