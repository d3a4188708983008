# SPDX-License-Identifier: GPL-2.0-or-later
"""What a shipped topology must be, whatever its type: complete, comparable, and documented."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from topologies import catalogue, library
from topologies.topology import Topology

ROOT = Path(__file__).resolve().parent.parent
# D3's table of who reaches whom.
CELLS = {
    "guest → guest",
    "guest → host",
    "host → guest",
    "guest → outside",
    "outside → guest",
}
# "address: 10.10.10.1/24", 'mac: "52:54:00:55:9b:d6"'
FIGURE = re.compile(r"\d+\.\d+\.\d+\.\d+|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


@pytest.fixture(params=library.names())
def topology(request: pytest.FixtureRequest) -> Topology:
    return library.load(request.param)


@pytest.fixture
def text(topology: Topology) -> str:
    assert topology.source_path is not None
    return topology.source_path.read_text(encoding="utf-8")


def test_every_topology_file_in_the_folder_is_shipped() -> None:
    files = {path.stem for path in (ROOT / "topologies").glob("*.y*ml")}
    assert files == {*library.names(), "claims"}
    assert len(library.names()) == len(set(library.names()))


def test_it_is_called_like_its_file(topology: Topology) -> None:
    assert topology.source_path is not None
    assert topology.source_path.stem == topology.name == topology.canonical()


def test_it_is_described_in_the_documentation(topology: Topology) -> None:
    assert f"`{topology.name}`" in (ROOT / "docs" / "topologies.md").read_text(encoding="utf-8")


def test_two_guests_are_on_the_network_under_test(topology: Topology) -> None:
    assert [guest.name for guest in topology.guests] == ["kvm1", "kvm2"]
    assert all(topology.network_of(guest) is topology.network for guest in topology.guests)
    assert len({guest.mac for guest in topology.guests}) == 2
    # QEMU's own prefix: no NIC of the physical network has it.
    assert all(guest.mac.startswith("52:54:00:") for guest in topology.guests)


def test_every_cell_that_applies_is_promised_once(topology: Topology) -> None:
    without_outside = {cell for cell in CELLS if "outside" not in cell}
    promised = [promise.cell for promise in topology.promises]
    assert len(promised) == len(set(promised))
    assert set(promised) == (CELLS if topology.physical else without_outside)


def test_a_yes_towards_the_outside_says_whose_address_is_seen(topology: Topology) -> None:
    seen = {promise.cell for promise in topology.promises if promise.source is not None}
    reached = {promise.cell for promise in topology.promises if promise.reach}
    assert seen == reached & {"guest → outside"}


def test_a_no_is_decided_by_a_claim(topology: Topology) -> None:
    assert all(promise.reach or promise.claims for promise in topology.promises)


def test_the_physical_network_is_the_same_wherever_there_is_one() -> None:
    physicals = [library.load(name).physical for name in library.names()]
    written = [each.model_dump(exclude={"uplink", "ipv6", "mtu"}) for each in physicals if each]
    assert written
    assert all(each == written[0] for each in written)
    written6 = [each.ipv6 for each in physicals if each and each.ipv6]
    assert written6
    assert all(each == written6[0] for each in written6)


def test_no_two_networks_carry_the_same_uuid() -> None:
    networks = [network for name in library.names() for network in library.load(name).networks]
    uuids = [network.uuid for network in networks if network.uuid is not None]
    assert uuids
    assert len(uuids) == len(set(uuids))


def test_every_floor_is_written_out(topology: Topology, text: str) -> None:
    for field in type(topology.throughput).model_fields:
        assert f"\n  {field}: " in text


def test_sources_are_documents_of_the_catalogue(topology: Topology, text: str) -> None:
    documents = catalogue.documents()
    assert topology.sources
    assert all(source.split(":")[0] in documents for source in topology.sources)
    comments = [line.partition("# ")[2] for line in text.splitlines()]
    assert {each for comment in comments for each in re.findall(r"\bD\d+\b", comment)} <= {
        *documents
    }


def test_every_address_says_where_it_comes_from(text: str) -> None:
    assert not list(unexplained(text.splitlines()))


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["  - name: a", "    address: 10.0.0.1/24"], 1),
        (["  - name: a    # D4", "    address: 10.0.0.1/24"], 1),
        (["  - name: a", "    address: 10.0.0.1/24    # D4: ip a"], 0),
        (["  - name: a", "    # D4: ip a", "    address: 10.0.0.1/24"], 0),
        (
            [
                "  - name: a    # our own",
                '    mac: "52:54:00:00:00:01"',
                "    address: 10.0.0.2/24",
            ],
            0,
        ),
        (["# Our choice.", "physical:", "  host: 10.0.0.1", "guests:", "  - to: 10.0.0.2"], 1),
    ],
)
def test_an_address_without_a_comment_is_found(lines: list[str], found: int) -> None:
    assert len(list(unexplained(lines))) == found


def unexplained(lines: list[str]) -> Iterator[str]:
    """The lines with an address and no comment on them, above them, or for their whole part."""
    whole = False
    for before, line in pairwise(["", *lines]):
        above = before.lstrip().startswith("#")
        if re.match(r"\w|  - ", line):
            # Of a list's entry, only that it is our own is said once for all of it.
            whole = "# our own" in line or (above and not line.startswith(" "))
        value, _, comment = line.partition("# ")
        if FIGURE.search(value) and not (comment or above or whole):
            yield line


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
