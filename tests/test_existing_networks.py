# SPDX-License-Identifier: GPL-2.0-or-later
"""A run on the networks that a machine has: it decides, and leaves them as they are."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.run_files import RECORD
from fixtures.guest import image as images
from fixtures.host.host import Host
from fixtures.host.links import add_address, cable, namespace_machine, set_up
from fixtures.host.sandbox import sandbox
from fixtures.switch.bridge_facts import facts_of
from fixtures.switch.linux_bridge import linux_bridge
from fixtures.testbed.config_snapshot import differences
from launcher.cache import cache_dir
from tests.host_with_networks import (
    BEYOND,
    BYSTANDER,
    MachineWithNetworks,
    machine_with_networks,
)
from topologies.library import load
from topologies.network_import.bridge_facts import BridgeFacts

pytestmark = pytest.mark.host

# On the wire of br0 .10 is the outside's, so the next ones are taken; on br-ex nobody is.
SET_ASIDE = ("192.168.1.10-192.168.1.20", "10.99.0.50-10.99.0.59")
CLAIMS = ("NT-03", "NT-06", "NT-08", "NT-10", "NT-12", "GN-06", "OV-04", "OV-12", "BR-01", "BR-06")
SERVED = (
    *("DF-01", "NT-25", "DN-01", "DN-02", "DN-03", "DN-08", "DN-09"),
    *("DH-01", "DH-02", "DH-03", "DH-04", "DH-05", "DH-06", "DH-07", "DH-08"),
)


@pytest.fixture(scope="module")
def machine() -> Iterator[MachineWithNetworks]:
    image = images.cached()
    assert image is not None
    with machine_with_networks(image) as made:
        yield made


def words(option: str, values: tuple[str, ...]) -> list[str]:
    return [word for value in values for word in (option, value)]


def run_on(machine: MachineWithNetworks, folder: Path, *more: str) -> tuple[Any, dict[str, Any]]:
    output = folder / "run"
    done = machine.plumbline(
        *("run", "--host", "local", "--accel", "tcg", "--output", str(output), *more), folder=folder
    )
    record = output / RECORD
    return done, json.loads(record.read_text()) if record.exists() else {}


def guests_lines(topology: dict[str, Any]) -> list[str]:
    """Return the guests' addresses as the record has them."""
    nodes = topology["built"]["nodes"]
    return [each["lines"][0] for each in nodes if each["kind"] == "guest"]


def test_a_run_decides_and_leaves_everything_as_it_is(
    machine: MachineWithNetworks, tmp_path: Path
) -> None:
    before = machine.snapshot()
    asked = [*words("--claim", CLAIMS), *words("--addresses", SET_ASIDE)]
    done, record = run_on(machine, tmp_path, "--existing", *asked)
    assert differences(before, machine.snapshot()) == [], str(done)
    assert done.status == 0, str(done)
    seen = {each["name"]: each for each in record["topologies"]}
    built = {"network-default", "network-br-ex-net", "bridge-br0"}
    assert {name for name, each in seen.items() if each["build_s"] is not None} == built
    # HR-01, the report's own claim, is about the host itself.
    assert {each["origin"] for each in seen.values() if each["name"] != "host"} == {"existing"}
    at = {name: guests_lines(seen[name]) for name in built}
    # Of what was set aside for br0 the first is the outside's.
    assert at["bridge-br0"] == ["192.168.1.11 static", "192.168.1.12 static"]
    assert at["network-br-ex-net"] == ["10.99.0.50 static", "10.99.0.51 static"]
    assert all(line.endswith(" by DHCP") for line in at["network-default"])
    # Left out, with the reason.
    assert "mode='vepa'" in seen["network-vepa"]["reason"]
    assert "is not active" in seen["network-asleep"]["reason"]
    # What no check looks at, with its line in the live XML.
    listed = seen["network-default"]["not_looked_at"]
    assert {each["element"] for each in listed} == {
        *("network/dns/host", "network/dns/host/hostname")
    }
    [entry] = [each for each in listed if each["attribute"] == "ip"]
    live = machine.host.libvirt.networkLookupByName("default").XMLDesc().splitlines()
    assert "2001:db8:122::5" in live[entry["line"] - 1]
    verdicts = {each["id"]: (each["verdict"], each["reason"]) for each in record["checks"]}
    undecided = {name: said for name, said in verdicts.items() if said[0] != "conforms"}
    assert {said[0] for said in undecided.values()} == {"not-testable"}, undecided
    changes = "lease_range.range_is_leased_whole[network-default]"
    assert "leases every address of the range" in undecided[changes][1]
    by_router = verdicts["connectivity.reach[network-default-guest-to-outside-icmp]"]
    assert by_router[0] == "conforms"
    assert "192.168.1.1" in by_router[1]
    for conforming in (
        "connectivity.unplugged_and_back[network-br-ex-net]",
        "connectivity.reach[bridge-br0-guest-to-outside-icmp]",
        "nat.rules[network-default]",
        "uplink.nic_is_a_port[bridge-br0]",
        "virtual_network.bridge_is_up[network-default]",
        "host_as_it_was.host_is_as_it_was",
    ):
        assert verdicts[conforming][0] == "conforms", verdicts[conforming]


def test_what_its_dnsmasq_serves_is_looked_at_and_nothing_is_taken(
    machine: MachineWithNetworks, tmp_path: Path
) -> None:
    before = machine.snapshot()
    done, record = run_on(machine, tmp_path, "--network", "default", *words("--claim", SERVED))
    assert differences(before, machine.snapshot()) == [], str(done)
    verdicts = {
        each["id"].partition("[")[0]: (each["verdict"], each["reason"])
        for each in record["checks"]
        if each["id"].endswith("[network-default]")
    }
    looked_at = {
        "asked_for.live_is_what_was_asked_for",
        "dns_entries.host_entries",
        "domain_names.addresses_resolve_to_names",
        "domain_names.guests_names_with_and_without_the_domain",
        "lease_time.lease_time_of_guests",
        "network_boot.dhcp_options_of_dnsmasq",
        "network_boot.file_to_boot",
        "reservations.reserved_address_for_no_other",
        "static_routes.static_routes_in_the_table",
    }
    conforming = {name for name, said in verdicts.items() if said[0] == "conforms"}
    assert conforming == looked_at, verdicts
    # The others say what they would take, and none of them is made.
    left = {name: verdicts[name] for name in verdicts.keys() - looked_at}
    assert {said[0] for said in left.values()} == {"not-testable"}
    words_of = {
        "reservations.reserved_address_for_its_client": "takes leases as the clients of",
        "lease_time.lease_time": "takes leases as clients that are no guests",
        "lease_time.renewed_and_released": "takes a lease as a client that is no guest",
        "address_in_use.address_in_use_is_not_offered": "takes an address of the range",
        "static_routes.static_routes_are_used": "takes the address of a route's gateway",
        "net_update.reservation_of_a_running_network": "adds a reservation",
        "net_update.dns_entry_of_a_running_network": "adds a DNS entry",
        "names_upstream.names_of_the_domain_stay": "beyond which the run has no machine",
        "lease_range.range_is_leased_whole": "leases every address",
    }
    assert left.keys() == words_of.keys()
    assert all(words_of[name] in said[1] for name, said in left.items()), left


def test_addresses_that_somebody_answers_for_are_not_used(
    machine: MachineWithNetworks, tmp_path: Path
) -> None:
    # The bystander has the first two: DHCP's, and one that no server knows of.
    held = machine.bystander.address
    machine.bystander.run(["ip", "address", "add", "192.168.122.230/24", "dev", "eth0"])
    few = ["--network", "default", "--addresses", "192.168.122.230-192.168.122.231"]
    done, record = run_on(machine, tmp_path, *few)
    assert done.status == 4, str(done)
    assert not record
    assert f"192.168.122.230 is that of {BYSTANDER.mac}" in done.stderr
    assert machine.bystander.address == held


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--network", "defualt"], 'did you mean "default"?'),
        (["--network", "asleep"], "virsh net-start asleep"),
        (["--network", "vepa"], "<forward mode='vepa'>"),
        (["--bridge", "br9"], "it has br-ex, br0, virbr0"),
        (["--bridge", "virbr0"], "--network default"),
        (["--network", "default", "--addresses", "10.1.0.1-10.1.0.9"], "on none of the networks"),
        (["--network", "default", "--addresses", "10.1.0.9-10.1.0.1"], "comes after"),
        (["--topology", "nat", "--addresses", "10.1.0.1-10.1.0.9"], "--addresses is for --network"),
        (["--network", "default", "--peer-nic", "eth9"], "--addresses FIRST-LAST, of the network"),
    ],
)
def test_what_cannot_be_is_one_message(
    machine: MachineWithNetworks, tmp_path: Path, asked: list[str], said: str
) -> None:
    before = machine.snapshot()
    done, record = run_on(machine, tmp_path, *asked)
    assert (done.status, record) == (4, {}), str(done)
    assert said in done.stderr
    assert differences(before, machine.snapshot()) == []


def test_its_networks_are_written_as_topology_files(
    machine: MachineWithNetworks, tmp_path: Path
) -> None:
    before = machine.snapshot()
    ask = ("topology", "import", "--from-host", "--output", "site")
    done = machine.plumbline(*ask, folder=tmp_path)
    assert done.status == 0, str(done)
    assert "left out: network vepa" in done.stdout
    assert differences(before, machine.snapshot()) == []
    files = sorted((tmp_path / "site").iterdir())
    names = ["bridge-br0.yaml", "network-br-ex-net.yaml", "network-default.yaml"]
    assert [file.name for file in files] == names
    br0, over_ovs, default = (load(str(file)) for file in files)
    assert (br0.kind, over_ovs.kind, default.kind) == ("bridged", "ovs", "nat")
    assert br0.physical is not None
    assert (str(br0.physical.router), str(br0.physical.host)) == ("192.168.1.1", "192.168.1.2")
    assert (default.network.domain, default.network.dhcp) != (None, None)
    assert default.network.asks_for("dhcp.hosts")
    assert "network/dns/host@ip = 2001:db8:122::5" in files[2].read_text()
    # Of IPv6 what a sandbox can build.
    assert (str(default.network.address6), default.network.nat6) == ("fd00:122::1/64", True)
    assert br0.network.address6 is None
    assert f"bridge br0, address = {BEYOND.host_interface}" in files[0].read_text()
    again = machine.plumbline(*ask, folder=tmp_path)
    assert again.status == 4
    assert "no edited one is lost" in again.stderr


def test_a_killed_run_leaves_the_network_as_it_is(
    machine: MachineWithNetworks, tmp_path: Path
) -> None:
    before = machine.snapshot()
    asked = ("--network", "default", "--claim", "NT-12", "--output", str(tmp_path / "run"))
    machine.killed("run", "--host", "local", "--accel", "tcg", *asked, folder=tmp_path)
    after = machine.snapshot()
    # What its guests have leased is theirs until it expires.
    key = "leases of default"
    assert set(before[key]) <= set(after[key])
    without = {key: []}
    assert differences({**before, **without}, {**after, **without}) == []


def test_a_bridge_has_lost_its_uplink_where_the_hosts_router_is_silent() -> None:
    with (
        sandbox(cache_dir() / "libvirt-capabilities") as host,
        namespace_machine(host, "router") as router,
        linux_bridge(host, "br0") as bridge,
        # Named like a guest's end of a cable: no way to other machines.
        cable(host, "veth0", router, "eth0"),
    ):
        bridge.attach("veth0")
        set_up(host, "br0")
        add_address(host, "br0", "192.0.2.1/24")
        assert facts(host).network().forward == "none"
        host.run(["ip", "route", "add", "default", "via", "192.0.2.2"])
        assert facts(host).network().forward == "bridge"
        # A guest may be the host's router.
        add_address(router, "eth0", "192.0.2.2/24")
        assert facts(host).network().forward == "none"


def facts(host: Host) -> BridgeFacts:
    """Return what the host says of br0."""
    found = facts_of(host, "br0")
    assert found is not None
    return found
