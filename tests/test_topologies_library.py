# SPDX-License-Identifier: GPL-2.0-or-later
"""Topologies are found by shipped name or by path, and a user's own are as good as shipped ones."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from topologies import library
from topologies.data_error import DataError, JoinedDataError, gathered
from topologies.topology import Guest, Network, Physical, Promise, Throughput, Topology

FOLDER = Path(library.__file__).resolve().parent
MINIMAL = """\
schema: plumbline/topology/1
name: {name}
kind: isolated
title: The least that a file can say
sources: ["the site's own plan"]
networks:
  - name: quiet
    made_by: libvirt
    bridge: br-quiet
    switch: linux
    forward: none
    address: 172.16.0.1/24
guests:
  - {{name: a, network: quiet, attach: bridge, mac: 52:54:00:00:00:01, address: 172.16.0.2/24}}
  - {{name: b, network: quiet, attach: network, mac: 52:54:00:00:00:02, address: 172.16.0.3/24}}
promises:
  - {{from: guest, to: guest, reach: true}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(MINIMAL.format(name="site"), encoding="utf-8")
    return file


def test_a_file_of_ones_own_needs_only_what_has_no_default(site: Path) -> None:
    topology = library.load(str(site))
    network = topology.network
    assert (network.stp, network.mac, network.uuid, network.dhcp) == (None, None, None, None)
    assert (topology.type.libvirt_name(network), topology.physical) == ("quiet", None)
    assert [guest.model for guest in topology.guests] == ["virtio", "virtio"]
    assert topology.promises[0].claims == ()
    assert topology.throughput == library.load("isolated").throughput


def test_the_command_that_repeats_a_run_names_a_shipped_topology_or_an_absolute_path(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.parent)
    assert library.load("site.yaml").canonical() == str(site)
    assert library.load("site.yaml").source_path == Path("site.yaml")
    assert library.load(str(FOLDER / "nat.yaml")).canonical() == "nat"


def test_a_copy_of_a_shipped_file_is_the_users_own(tmp_path: Path) -> None:
    copy = tmp_path / "nat.yml"
    copy.write_bytes((FOLDER / "nat.yaml").read_bytes())
    assert library.load(str(copy)).canonical() == str(copy)


def test_a_topology_is_never_changed_and_compares_by_value() -> None:
    topology = library.load("nat")
    assert topology == library.load("nat")
    assert hash(topology) == hash(library.load("nat"))
    with pytest.raises(ValidationError, match="frozen"):
        topology.networks[0].bridge = "br9"


def test_a_topology_made_in_python_keeps_the_same_rules() -> None:
    data = library.load("nat").model_dump(by_alias=True)
    made = Topology.model_validate(data)
    assert (made.source_path, made.canonical()) == (None, "nat")
    data["guests"][1]["mac"] = data["guests"][0]["mac"]
    with pytest.raises(ValidationError, match=r"guests\[1\].mac: the MAC .* is already that of"):
        Topology.model_validate(data)


def test_a_guest_of_another_topology_has_no_network_here() -> None:
    stranger = library.load("isolated").guests[0]
    with pytest.raises(LookupError, match="on network isolated, which topology nat does not have"):
        library.load("nat").network_of(stranger)


def test_a_promise_is_found_by_its_cell() -> None:
    promise = library.load("nat").promise("outside", "guest")
    assert promise is not None
    assert (promise.reach, promise.claims) == (False, ("NT-11",))
    assert library.load("ovs").promise("outside", "guest") is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("natt", 'did you mean "nat"?'),
        ("bridge-ovs", 'did you mean "bridged-ovs"?'),
        ("sr-iov", "name one of them"),
        ("", "name one of them"),
        ("some/where", "name one of them"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(name: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        library.load(name)
    text = str(caught.value)
    assert text.startswith(f'unknown topology "{name}"; expected one of linux-bridge, ovs, nat, ')
    assert hint in text
    assert (caught.value.file, caught.value.line, caught.value.field) == (None, None, None)


def test_a_file_of_another_type_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "site.json"
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"does not end in \.yaml, \.yml or \.xml"):
        library.load(str(file))


def test_several_topologies_are_read_once_each_in_their_order(site: Path) -> None:
    read = library.load_all(["ovs", str(site), "nat", "ovs", str(FOLDER / "nat.yaml")])
    assert [topology.name for topology in read] == ["ovs", "site", "nat"]


def test_two_files_of_one_name_do_not_go_into_one_run(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(MINIMAL.format(name="nat"), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        library.load_all(["nat", str(file)])
    assert (caught.value.file, caught.value.field) == (file, "name")
    assert '"nat" is also the name of nat' in str(caught.value)


def test_the_errors_of_several_topologies_come_together(site: Path) -> None:
    site.write_text(site.read_text(encoding="utf-8").replace("br-quiet", "lo"), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        library.load_all(["natt", "nat", str(site)])
    assert isinstance(caught.value, JoinedDataError)
    assert [error.field for error in caught.value.errors] == [None, "networks[0].bridge"]
    assert len(str(caught.value).splitlines()) == 2


def test_gathering_no_error_is_an_error() -> None:
    with pytest.raises(ValueError, match="no error to gather"):
        gathered([])


def test_a_mac_is_kept_in_lower_case() -> None:
    guest = Guest(name="a", network="n", attach="bridge", mac="52:54:00:AB:CD:EF", address="dhcp")
    assert guest.mac == "52:54:00:ab:cd:ef"


def test_the_documented_example_is_a_topology(tmp_path: Path) -> None:
    documentation = (FOLDER.parent / "docs" / "topologies.md").read_text(encoding="utf-8")
    example = documentation.split("```yaml\n", 1)[1].split("```", 1)[0]
    file = tmp_path / "example.yaml"
    file.write_text(example, encoding="utf-8")
    topology = library.load(str(file))
    assert [guest.model for guest in topology.guests] == ["virtio", "virtio", "e1000"]
    assert topology.throughput.guest_host_tcp_mbit_s == 2000


@pytest.mark.parametrize("part", [Topology, Network, Physical, Guest, Promise, Throughput])
def test_every_key_is_documented(part: type[BaseModel]) -> None:
    documentation = (FOLDER.parent / "docs" / "topologies.md").read_text(encoding="utf-8")
    for name, field in part.model_fields.items():
        assert f"`{field.alias or name}`" in documentation
        assert field.description
