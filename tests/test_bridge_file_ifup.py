# SPDX-License-Identifier: GPL-2.0-or-later
"""ifup on a user's stanza: failures that are the host's, and those that a sandbox alone has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.address_family import IPV4
from fixtures.errors import HostAtFault, SandboxLacks
from fixtures.host.dhcp_client import default_gateways
from fixtures.host.host import Host
from fixtures.host.links import has_link
from fixtures.host.sandbox import sandbox
from fixtures.plugin.stanza_commands import announce_commands
from fixtures.testbed.build_network import built_network
from fixtures.testbed.planned_parts import planned_parts
from topologies.library import load
from topologies.network_types.build_steps import BootFolder
from topologies.schema import Network

pytestmark = pytest.mark.host

NETWORKS = Path(__file__).resolve().parent / "networks"
STANZA = """\
iface br0 inet static
    address 198.51.100.20/24
    bridge_ports eth1
    bridge_fd 0
"""
UPLINK = (
    "ip link add eth1 type veth peer name wire; ip link set eth1 up; ip link set wire up; "
    "ip address add 198.51.100.20/24 dev eth1; ip route add default via 198.51.100.1"
)


@pytest.fixture
def host() -> Iterator[Host]:
    with sandbox() as made:
        made.run(["sh", "-c", UPLINK])
        yield made


def network_of(folder: Path, *lines: str) -> Network:
    file = folder / "interfaces"
    file.write_text(STANZA + "".join(f"    {line}\n" for line in lines), encoding="utf-8")
    return load(str(file)).network


@pytest.mark.parametrize(
    ("lines", "named", "words"),
    [
        (["post-up ip link set eno2  up"], ":5 (post-up ip link set eno2 up)", "eno2"),
        (["up true", "up false"], ":6 (up false)", "it fails without a word"),
        # Before there is a bridge.
        (["pre-up ip link set eno2 up"], ":5 (pre-up ip link set eno2 up)", "eno2"),
    ],
)
def test_a_failing_command_of_the_stanza_is_no_finding_about_the_host(
    host: Host, lines: list[str], named: str, words: str, tmp_path: Path
) -> None:
    network = network_of(tmp_path, *lines)
    with pytest.raises(SandboxLacks) as caught, built_network(host, network):
        pass
    said = str(caught.value)
    assert said.startswith(f"the sandbox has not what {tmp_path / 'interfaces'}{named} needs: ")
    assert words in said.partition(" needs: ")[2]
    assert not has_link(host, "br0")


@pytest.mark.parametrize(
    "lines", [["broadcast nowhere"], ["pre-up true", "broadcast nowhere", "up true"]]
)
def test_ifups_own_failure_is_one_also_after_a_command_of_the_stanza(
    host: Host, lines: list[str], tmp_path: Path
) -> None:
    network = network_of(tmp_path, *lines)
    refused = pytest.raises(HostAtFault, match=r"ifup ended with status 1 .*nowhere")
    with refused, built_network(host, network):
        pass


def test_a_plan_has_the_bridge_and_the_file(host: Host, tmp_path: Path) -> None:
    network_of(tmp_path)
    file = tmp_path / "interfaces"
    made = planned_parts(host, load(str(file))).makes
    assert f"Linux bridge br0 with 198.51.100.20/24, with port eth1, by ifup of {file}" in made


def test_a_plan_has_the_folder_of_a_tftp_server(host: Host) -> None:
    topology = load(str(NETWORKS / "libvirt-network-boot.xml"))
    [step] = [
        each
        for each in topology.origin.build_steps(topology.network)
        if isinstance(each, BootFolder)
    ]
    assert any(
        each.startswith(f"folder {step.root}") for each in planned_parts(host, topology).makes
    )


def test_the_commands_that_run_as_root_are_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network_of(tmp_path, "up true", "post-down false")
    announce_commands([load("nat"), load(str(tmp_path / "interfaces"))])
    said = capsys.readouterr()
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line.startswith(f"plumbline: {tmp_path / 'interfaces'}: 2 commands of it run as root; ")


def test_without_commands_nothing_is_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network_of(tmp_path)
    announce_commands([load(str(tmp_path / "interfaces"))])
    assert capsys.readouterr().err == ""


def test_a_default_route_of_the_stanzas_own_is_kept(host: Host, tmp_path: Path) -> None:
    network = network_of(tmp_path, "post-up ip route add default via 198.51.100.7")
    with built_network(host, network):
        assert default_gateways(host, "br0", IPV4) == ["198.51.100.7"]
    assert default_gateways(host, "eth1", IPV4) == ["198.51.100.1"]


def test_a_stanza_without_one_gets_that_of_the_physical_network(host: Host, tmp_path: Path) -> None:
    with built_network(host, network_of(tmp_path)):
        assert default_gateways(host, "br0", IPV4) == ["198.51.100.1"]
