# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs whose outside is a machine of the site's on the wire of the uplink, reached by SSH."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from contracts.run_files import RECORD
from launcher.staged.staged_host import Share, StagedHost
from launcher.staged.staging import VARIABLES, staged
from tests.host_with_ssh import SERVER, WITH_SSH, left, must
from tests.launched import ROOT

pytestmark = pytest.mark.staged

# The other machine is on the wire of eth1, and is reached by that of eth0.
WIRE = """\
ip link set eth2 netns lan
ip -n lan address add 192.0.2.7/24 dev eth2; ip -n lan link set eth2 up
"""
ROUTED = "--outside=ssh:root@10.77.0.1"
OUTSIDE = ("--uplink=eth1", ROUTED)
SET_ASIDE = "--addresses=192.0.2.40-192.0.2.49"
BRIDGE = """\
ip link add br0 type bridge; ip link set br0 up
ip link set eth1 up; ip link set eth1 master br0
ip address add 192.0.2.2/24 dev br0
ping -c 1 -w 20 192.0.2.7
"""
# On a machine with other work; on an idle one a run takes a minute.
DEADLINE_S = 900.0
LOOK = """\
ip -n lan -4 -oneline address | sed 's/valid_lft.*//'
ip -n lan -4 route; ip -n lan rule; ip -n lan neighbour show nud permanent
ip netns exec lan nft list ruleset
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[StagedHost]:
    with beside_another("bookworm", folder) as made:
        yield made


@contextlib.contextmanager
def beside_another(release: str, folder: Path) -> Iterator[StagedHost]:
    """Give a host with another machine on the wire of its eth1."""
    with staged(release, WITH_SSH, [Share(folder, writable=True)]) as made:
        must(made, SERVER + WIRE)
        yield made


def ran(
    host: StagedHost, *words: str, outside: Sequence[str] = OUTSIDE
) -> subprocess.CompletedProcess[str]:
    argv = ["python3", "-P", "-m", "pytest", "-p", "no:cacheprovider"]
    argv += ["-c", f"{ROOT}/pyproject.toml", "--rootdir", str(ROOT), f"{ROOT}/suites"]
    argv += ["--host=local", "--plumbline-terminal", *outside, *words]
    return host.capture(argv, VARIABLES, DEADLINE_S)


def record(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / RECORD).read_text())
    return read


def site(host: StagedHost) -> list[str]:
    """Return how the other machine is configured, but for the state of its wire."""
    return must(host, LOOK).replace(" linkdown", "").splitlines()


def test_a_nat_network_beside_a_machine_of_the_sites(host: StagedHost, folder: Path) -> None:
    before = site(host)
    claims = ("NT-09", "NT-10", "NT-11")
    words = [SET_ASIDE, *(f"--claim={claim}" for claim in claims)]
    done = ran(host, "--topology=nat", f"--output={folder / 'nat'}", *words)
    assert done.returncode == 0, done.stdout
    read = record(folder / "nat")
    verdicts = {each["id"]: each["verdict"] for each in read["claims"]}
    assert verdicts["NT-09"] == verdicts["HR-01"] == "conforms"
    assert verdicts["NT-11"] == "not-testable"
    # One of its checks is about a machine beyond the run's own router.
    parts = [each["verdict"] for each in read["checks"] if "NT-10" in each["claims"]]
    assert sorted(parts) == [*4 * ["conforms"], "not-testable"]
    [why] = {each["reason"] for each in read["checks"] if "NT-11" in each["claims"]}
    assert "ssh:root@10.77.0.1 has no route to 10.213.0.0/24 by 192.0.2.40, and nothing" in why
    moved = {each["field"]: each["used"] for each in read["topologies"][0]["placement"]}
    assert moved["physical.outside"] == "192.0.2.7"
    assert moved["physical.host"] == "192.0.2.40"
    drawn = read["topologies"][0]["built"]
    assert "lan" not in {node["kind"] for node in drawn["nodes"]}
    [wire] = [each for each in drawn["links"] if each["kind"] == "cable"]
    assert wire["name"] == "ssh:root@10.77.0.1"
    assert site(host) == before
    assert left(host) == ""


def test_on_another_release(folder: Path) -> None:
    with beside_another("trixie", folder) as host:
        before = site(host)
        words = [SET_ASIDE, *(f"--claim={claim}" for claim in ("NT-09", "BR-06"))]
        words += [f"--topology={each}" for each in ("nat", "bridged")]
        done = ran(host, f"--output={folder / 'trixie'}", *words)
        assert done.returncode == 0, done.stdout
        verdicts = {each["id"]: each["verdict"] for each in record(folder / "trixie")["claims"]}
        assert {verdicts[each] for each in ("NT-09", "BR-06", "HR-01")} == {"conforms"}
        assert site(host) == before
        assert left(host) == ""


def test_with_a_route_of_the_sites_it_reaches_the_guests(host: StagedHost, folder: Path) -> None:
    must(host, "ip -n lan route add 10.213.0.0/16 via 192.0.2.40")
    before = site(host)
    claims = ("NT-11", "RT-02", "RT-03", "BR-03", "BR-06", "BR-07")
    words = [f"--topology={each}" for each in ("nat", "routed", "bridged")]
    words += [SET_ASIDE, "--subnets=10.213.0.0/16", *(f"--claim={claim}" for claim in claims)]
    try:
        done = ran(host, f"--output={folder / 'all'}", *words)
        assert site(host) == before
    finally:
        must(host, "ip -n lan route del 10.213.0.0/16")
    assert done.returncode == 0, done.stdout
    verdicts = {each["id"]: each["verdict"] for each in record(folder / "all")["claims"]}
    assert {verdicts[claim] for claim in claims} == {"conforms"}, done.stdout
    assert left(host) == ""


@pytest.fixture
def bridge(host: StagedHost) -> Iterator[str]:
    """A bridge of the host's with eth1 as a port; the other machine is on its wire."""
    must(host, BRIDGE)
    yield "br0"
    must(host, "ip link del br0; ip link set eth1 down")


def test_beyond_networks_that_the_host_has(host: StagedHost, folder: Path, bridge: str) -> None:
    must(host, "virsh -q net-start default")
    before = site(host)
    claims = ("NT-09", "NT-10", "BR-06")
    words = ["--network=default", f"--bridge={bridge}", SET_ASIDE]
    words += [f"--output={folder / 'existing'}", *(f"--claim={claim}" for claim in claims)]
    try:
        done = ran(host, *words, outside=[ROUTED])
    finally:
        must(host, "virsh -q net-destroy default")
    assert done.returncode == 0, done.stdout
    checks = record(folder / "existing")["checks"]
    verdicts = {
        (c["topology"], c["id"].split("[")[0]): c for c in checks if "NT-10" not in c["claims"]
    }
    reach = [c for c in checks if "NT-10" in c["claims"] and "connectivity" in c["id"]]
    assert [each["verdict"] for each in reach] == 3 * ["conforms"]
    assert all("10.77.0.1: " in each["reason"] for each in reach)
    assert verdicts["network-default", "nat.outside_sees_the_host"]["verdict"] == "conforms"
    # That machine is reached over another NIC: so it says nothing of the bridge's wire.
    off = verdicts["bridge-br0", "nat.outside_sees_the_guest"]
    assert off["verdict"] == "not-testable"
    assert "is not on the wire of br0: this host reaches it over eth0" in off["reason"]
    assert site(host) == before
    assert left(host) == ""


def test_on_the_wire_of_a_bridge_that_the_host_has(
    host: StagedHost, folder: Path, bridge: str
) -> None:
    must(host, "ssh-keyscan 192.0.2.7 >>/root/.ssh/known_hosts 2>/dev/null")
    before = site(host)
    claims = ("BR-03", "BR-06", "BR-07")
    words = [f"--bridge={bridge}", SET_ASIDE, f"--output={folder / 'bridge'}"]
    words += [f"--claim={claim}" for claim in claims]
    done = ran(host, *words, outside=["--outside=ssh:root@192.0.2.7"])
    assert done.returncode == 0, done.stdout
    verdicts = {each["id"]: each["verdict"] for each in record(folder / "bridge")["claims"]}
    assert {verdicts[claim] for claim in (*claims, "HR-01")} == {"conforms"}, done.stdout
    assert site(host) == before
    assert left(host) == ""


PEER = ("--peer-nic=eth2", SET_ASIDE)


@pytest.fixture
def free_peer(host: StagedHost) -> Iterator[None]:
    """eth2 is the host's own, on the wire of eth1 alone; libvirt's default network is up."""
    must(host, "ip -n lan link set eth2 netns 1; ip link set eth2 up; virsh -q net-start default")
    yield
    must(host, f"virsh -q net-destroy default; {WIRE}")


@pytest.mark.usefixtures("free_peer")
def test_a_nic_on_the_wire_of_networks_that_the_host_has(host: StagedHost, folder: Path) -> None:
    must(host, BRIDGE.rpartition("ping")[0])
    claims = ("NT-09", "BR-03", "BR-06", "BR-07")
    words = ["--network=default", "--bridge=br0", f"--output={folder / 'peer'}"]
    words += [f"--claim={claim}" for claim in claims]
    try:
        planned = ran(host, *words, "--plan", outside=PEER)
        done = ran(host, *words, outside=PEER)
    finally:
        must(host, "ip link del br0; ip link set eth1 down")
    assert "moves     eth2 into network namespace plumb1-outside; then back" in planned.stdout
    assert done.returncode == 0, done.stdout
    verdicts = {each["id"]: each["verdict"] for each in record(folder / "peer")["claims"]}
    assert {verdicts[claim] for claim in (*claims, "HR-01")} == {"conforms"}, done.stdout
    [link] = json.loads(must(host, "ip -json link show eth2"))
    assert "UP" in link["flags"]
    assert left(host) == ""


@pytest.mark.usefixtures("free_peer")
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--peer-nic=eth2"], "were set aside (none) none are on a network of the host's"),
        (
            ["--peer-nic=eth2", "--addresses=203.0.113.4-203.0.113.9"],
            "(203.0.113.4-203.0.113.9) none are on a network of the host's",
        ),
        ([*PEER, "--uplink=eth1"], "--uplink is for networks that the run makes"),
        ([*PEER, ROUTED], "or a namespace with --peer-nic eth2; name one of them"),
    ],
)
def test_a_nic_beyond_networks_that_the_host_has_is_refused(
    host: StagedHost, words: list[str], why: str
) -> None:
    done = ran(host, "--plan", "--network=default", outside=words)
    assert done.returncode == 4, done.stdout
    assert why in done.stdout
    assert left(host) == ""


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            [],
            "--addresses: --outside ssh:root@10.77.0.1: no addresses are set aside on its network",
        ),
        (
            ["--addresses=198.51.100.5-198.51.100.9"],
            "198.51.100.5-198.51.100.9 is on no network of ssh:root@10.77.0.1, which has "
            "10.77.0.1/24, 192.0.2.7/24",
        ),
        (
            ["--addresses=10.77.0.40-10.77.0.49"],
            "this host has an address on or a route to 10.77.0.0/24 already",
        ),
        (
            ["--addresses=192.0.2.40-192.0.2.41"],
            "2 addresses of 192.0.2.0/24 are set aside; expected 3 for topology bridged",
        ),
        ([SET_ASIDE, "--peer-nic=eth0"], "or a namespace with --peer-nic eth0; name one of them"),
        ([SET_ASIDE, "--network=default"], "networks that the host has are not over --uplink"),
        ([SET_ASIDE, "--allow-management-uplink"], "use --peer-nic there"),
        ([SET_ASIDE, "--outside=root@10.77.0.1"], "names no machine; expected ssh:USER@HOST"),
        ([SET_ASIDE, "--outside=ssh:root@10.77.0.9"], "no SSH server answers at 10.77.0.9 port 22"),
    ],
)
def test_a_run_is_refused_before_it_makes_anything(
    host: StagedHost, words: list[str], why: str
) -> None:
    done = ran(host, "--plan", "--topology=bridged", *words)
    assert done.returncode == 4, done.stdout
    assert why in done.stdout
    assert left(host) == ""


def test_the_plan_names_the_machine(host: StagedHost) -> None:
    done = ran(host, "--topology=nat", SET_ASIDE, "--plan")
    assert done.returncode == 0, done.stdout
    assert (
        "a folder with one program on ssh:root@10.77.0.1, which is the outside, 192.0.2.7/24: gone "
        "with the topology; nothing is configured there" in done.stdout
    )
    assert "moves     nothing" in done.stdout
    assert left(host) == ""


@pytest.mark.parametrize(
    ("make", "undo", "words", "why"),
    [
        (
            "ip -n lan address add 192.0.2.40/32 dev eth2",
            "ip -n lan address del 192.0.2.40/32 dev eth2",
            SET_ASIDE,
            "--addresses: 192.0.2.40 is in use on the wire of eth1, by ",
        ),
        (
            "ip -n lan link add aside type bridge; ip -n lan link set aside up; "
            "ip -n lan address add 203.0.113.7/24 dev aside; "
            "ip netns exec lan sysctl -q -w net.ipv4.conf.all.arp_ignore=1",
            "ip -n lan link del aside; "
            "ip netns exec lan sysctl -q -w net.ipv4.conf.all.arp_ignore=0",
            "--addresses=203.0.113.40-203.0.113.49",
            "nothing within 40 s answers for 203.0.113.7 on the wire of eth1; expected ",
        ),
        (
            "ip netns exec lan nft 'table ip shut { chain in { type filter hook input priority 0; "
            "tcp dport 7777 reject; }; }'",
            "ip netns exec lan nft delete table ip shut",
            SET_ASIDE,
            "192.0.2.7 does not answer the host (tcp: 0 of ",
        ),
    ],
)
def test_a_machine_that_is_no_outside_is_one_error(
    host: StagedHost, folder: Path, make: str, undo: str, words: str, why: str
) -> None:
    must(host, make)
    output = folder / f"error-{len(list(folder.iterdir()))}"
    try:
        done = ran(host, "--topology=nat", "--claim=NT-09", f"--output={output}", words)
    finally:
        must(host, undo)
    assert done.returncode == 10, done.stdout
    read = record(output)
    [check] = [each for each in read["checks"] if "NT-09" in each["claims"]]
    assert check["verdict"] == "error"
    assert why in check["reason"]
    [of_host] = [each for each in read["claims"] if each["id"] == "HR-01"]
    assert of_host["verdict"] == "conforms"
    assert left(host) == ""
