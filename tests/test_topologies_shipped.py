# SPDX-License-Identifier: GPL-2.0-or-later
"""Every shipped topology loads and says what the documents say."""

import subprocess
import sys
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from uuid import UUID

import pytest

from topologies import catalogue, library
from topologies.topology import Topology

ROOT = Path(__file__).resolve().parent.parent
NAMES = [
    "linux-bridge",
    "ovs",
    "nat",
    "nat1",
    "isolated",
    "bridged",
    "bridged-ovs",
    "passthrough",
]

# name: kind, network, made_by, bridge, switch, forward
BUILT = {
    "linux-bridge": ("linux-bridge", "virbr0", "host", "virbr0", "linux", "none"),
    "ovs": ("ovs", "virbr1", "host", "virbr1", "ovs", "none"),
    "nat": ("nat", "nat_net", "libvirt", "virbr1", "linux", "nat"),
    "nat1": ("nat", "nat1", "libvirt", "virbr1", "linux", "nat"),
    "isolated": ("isolated", "isolated", "libvirt", "virbr1", "linux", "none"),
    "bridged": ("bridged", "br0", "host", "br0", "linux", "bridge"),
    "bridged-ovs": ("bridged", "br0", "host", "br0", "ovs", "bridge"),
    "passthrough": ("passthrough", "passthrough_net", "libvirt", None, "nic", "hostdev"),
}
UPLINKS = {"bridged": "eth1", "bridged-ovs": "eth1", "passthrough": "enp1s0"}
ADDRESSES = {
    "linux-bridge": "192.168.122.1/24",
    "ovs": "192.168.122.1/24",
    "nat": "10.10.10.1/24",
    "nat1": "192.168.66.1/24",
    "isolated": "192.168.66.1/24",
    "bridged": "192.168.1.2/24",
    "bridged-ovs": "192.168.1.2/24",
    "passthrough": "192.168.1.2/24",
}
RANGES = {
    "nat": ("10.10.10.2", "10.10.10.254"),
    "nat1": ("192.168.66.2", "192.168.66.254"),
    "isolated": ("192.168.66.2", "192.168.66.254"),
}
# kvm1's MAC and address, kvm2's address
GUESTS = {
    "linux-bridge": ("52:54:00:55:9b:d6", "192.168.122.92/24", "192.168.122.93/24"),
    "ovs": ("52:54:00:55:9b:d6", "192.168.122.210/24", "192.168.122.211/24"),
    "nat": ("52:54:00:55:9b:d6", "dhcp", "dhcp"),
    "nat1": ("52:54:00:63:99:c1", "dhcp", "dhcp"),
    "isolated": ("52:54:00:63:99:c1", "dhcp", "dhcp"),
    "bridged": ("52:54:00:da:c3:dc", "dhcp", "dhcp"),
    "bridged-ovs": ("52:54:00:da:c3:dc", "dhcp", "dhcp"),
    "passthrough": ("52:54:00:1b:f0:01", "dhcp", "dhcp"),
}
INSIDE = ["guest → guest", "guest → host", "host → guest"]
# The catalogue's table of who reaches whom, beyond the cells inside, which are yes everywhere.
BEYOND: dict[str, dict[str, tuple[bool, str | None]]] = {
    "nat": {"guest → outside": (True, "host"), "outside → guest": (False, None)},
    "nat1": {"guest → outside": (True, "host"), "outside → guest": (False, None)},
    "isolated": {"guest → outside": (False, None), "outside → guest": (False, None)},
    "bridged": {"guest → outside": (True, "self"), "outside → guest": (True, None)},
    "bridged-ovs": {"guest → outside": (True, "self"), "outside → guest": (True, None)},
    "passthrough": {"guest → outside": (True, "self"), "outside → guest": (True, None)},
}


@pytest.fixture(params=NAMES)
def topology(request: pytest.FixtureRequest) -> Topology:
    return library.load(request.param)


def test_the_shipped_names_are_listed_in_their_documented_order() -> None:
    assert library.names() == NAMES


def test_every_topology_file_in_the_folder_is_shipped() -> None:
    files = {path.stem for path in (ROOT / "topologies").glob("*.y*ml")}
    assert files == {*NAMES, "claims"}


def test_a_shipped_topology_is_called_like_its_file(topology: Topology) -> None:
    assert topology.source_path is not None
    assert topology.source_path.stem == topology.name == topology.canonical()


def test_what_is_built_is_what_the_documents_build(topology: Topology) -> None:
    network = topology.network
    assert (
        topology.kind,
        network.name,
        network.made_by,
        network.bridge_name,
        network.switch,
        network.forward,
    ) == BUILT[topology.name]
    assert topology.switch == network.switch
    assert network.address == IPv4Interface(ADDRESSES[topology.name])
    assert network.uplink == UPLINKS.get(topology.name)
    assert network.libvirt_name == ("bridged_net" if topology.kind == "bridged" else None)


def test_libvirt_serves_the_documented_range(topology: Topology) -> None:
    dhcp = topology.network.dhcp
    if topology.name not in RANGES:
        assert dhcp is None
        return
    assert dhcp is not None
    assert (str(dhcp.start), str(dhcp.end)) == RANGES[topology.name]
    assert dhcp.size == 253  # D4: dhcp-lease-max=253 for such a range
    assert IPv4Address(RANGES[topology.name][1]) in dhcp
    assert topology.network.address is not None
    assert topology.network.address.ip not in dhcp


def test_guests_have_the_documented_macs_and_addresses(topology: Topology) -> None:
    kvm1, kvm2 = topology.guests
    assert (kvm1.name, kvm2.name) == ("kvm1", "kvm2")
    assert (kvm1.mac, str(kvm1.address), str(kvm2.address)) == GUESTS[topology.name]
    assert {kvm1.model, kvm2.model} == {"virtio"}
    assert topology.network_of(kvm1) is topology.network_of(kvm2) is topology.network
    for guest in topology.guests:
        assert (guest.static_address is None) == (guest.address == "dhcp")


def test_guests_attach_as_documented(topology: Topology) -> None:
    expected = {
        "linux-bridge": ["bridge", "bridge"],
        "ovs": ["bridge", "bridge"],
        "bridged": ["bridge", "network"],
        "bridged-ovs": ["bridge", "network"],
    }.get(topology.name, ["network", "network"])
    assert [guest.attach for guest in topology.guests] == expected


def test_promises_are_the_table_of_who_reaches_whom(topology: Topology) -> None:
    inside: dict[str, tuple[bool, str | None]] = dict.fromkeys(INSIDE, (True, None))
    promised = {p.cell: (p.reach, p.source) for p in topology.promises}
    assert promised == inside | BEYOND.get(topology.name, {})
    assert len(topology.promises) == len(promised)


def test_promises_name_only_claims_that_apply(topology: Topology) -> None:
    claims = catalogue.claims()
    named = [claims[claim] for promise in topology.promises for claim in promise.claims]
    assert named
    assert all(claim.applies_to(topology.kind, topology.switch) for claim in named)


def test_the_physical_network_is_the_same_wherever_there_is_one(topology: Topology) -> None:
    physical = topology.physical
    if topology.name in ("linux-bridge", "ovs"):
        assert physical is None
        return
    assert physical is not None
    assert physical.uplink == UPLINKS.get(topology.name, "eth1")
    assert physical.subnet == IPv4Network("192.168.1.0/24")
    assert str(physical.host_interface) == "192.168.1.2/24"
    assert str(physical.router_interface) == "192.168.1.1/24"
    assert str(physical.outside_interface) == "192.168.1.10/24"
    assert (str(physical.dhcp.start), physical.dhcp.size) == ("192.168.1.100", 100)


def test_stp_is_what_the_documents_show() -> None:
    stp = {name: library.load(name).network for name in NAMES}
    assert stp["linux-bridge"].stp is False
    assert stp["bridged"].stp is False
    assert stp["nat"].stp is None  # left to libvirt (NT-02)
    for name in ("nat1", "isolated"):
        assert (stp[name].stp, stp[name].forward_delay_s) == (True, 0)


def test_nat1_carries_the_identity_that_its_document_gives_and_isolated_does_not_reuse_it() -> None:
    nat1, isolated = library.load("nat1").network, library.load("isolated").network
    assert nat1.uuid == UUID("64fa0e8c-b799-4e27-8b23-7c4d512b50e7")
    assert nat1.mac == isolated.mac == "52:54:00:8a:1e:8c"
    assert isolated.uuid is None


def test_every_floor_is_written_out(topology: Topology) -> None:
    assert topology.source_path is not None
    written = topology.source_path.read_text(encoding="utf-8")
    for field in type(topology.throughput).model_fields:
        assert f"\n  {field}: " in written


def test_every_figure_says_where_it_comes_from(topology: Topology) -> None:
    assert topology.source_path is not None
    documents = catalogue.documents()
    for source in topology.sources:
        assert source.split(":")[0] in documents
    comments = [
        line.split("# ", 1)[1]
        for line in topology.source_path.read_text(encoding="utf-8").splitlines()
        if "# " in line
    ]
    assert sum(any(f"D{n}" in comment for n in range(1, 6)) for comment in comments) >= 5


def test_reading_topologies_loads_nothing_heavy() -> None:
    code = (
        "import sys; from topologies import library; library.load_all(library.names());"
        "print([m for m in ('libvirt', 'scapy', 'paramiko', 'pyroute2', 'pytest')"
        " if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "[]", "")
