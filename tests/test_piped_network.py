# SPDX-License-Identifier: GPL-2.0-or-later
"""A network on standard input: kept by its content, or refused before any set-up."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.piped_network import kept
from tests.launched import ROOT
from topologies import library
from topologies.data_error import DataError

NAT = (ROOT / "tests" / "networks" / "libvirt-default.xml").read_bytes()


def pipe(monkeypatch: pytest.MonkeyPatch, cache: Path, content: bytes) -> None:
    monkeypatch.setenv("PLUMBLINE_CACHE", str(cache))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_it_is_a_file_that_a_rerun_finds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe(monkeypatch, tmp_path, NAT)
    file = kept()
    assert file.read_bytes() == NAT
    assert library.load(str(file)).name == "network-default"
    pipe(monkeypatch, tmp_path, NAT)
    assert kept() == file
    pipe(monkeypatch, tmp_path, NAT.replace(b"default", b"other"))
    assert kept() != file


@pytest.mark.parametrize("name", ["debian-bridge", "netplan-server.yaml"])
def test_a_bridge_hosts_file_is_one_as_well(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = (ROOT / "tests" / "host_files" / name).read_bytes()
    pipe(monkeypatch, tmp_path, content)
    file = kept()
    assert file.read_bytes() == content
    assert library.load(str(file)).name == "bridge-br0"


def test_stanzas_on_standard_input_source_no_file_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "br9.cfg").write_text("iface br9 inet manual\n bridge_ports none\n")
    stanzas = "iface br0 inet manual\n bridge_ports none\n"
    pipe(monkeypatch, tmp_path, f"source {tmp_path}/*.cfg\nsource *\n{stanzas}".encode())
    [topology] = library.load_all([str(kept())])
    assert topology.network.bridge == "br0"
    assert topology.reading is not None
    assert [each.value for each in topology.reading.not_looked_at] == [
        f"{tmp_path}/*.cfg (not read for standard input)",
        "* (not read for standard input)",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "standard input:1: not XML"),
        (b"\n<domain/>", "standard input:2: found <domain>; expected <network>"),
        (b"<!DOCTYPE network>\n<network/>", "standard input:1: a document type, network"),
        (b" " * 1_000_001, "standard input: more than 1000000 bytes"),
    ],
)
def test_what_is_no_network_is_one_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, said: str
) -> None:
    pipe(monkeypatch, tmp_path, content)
    with pytest.raises(DataError) as refused:
        kept()
    assert str(refused.value).startswith(said)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_launcher_refuses_it_before_set_up() -> None:
    argv = [sys.executable, str(ROOT / "plumbline"), "run", "--topology", "-"]
    done = subprocess.run(argv, input="<domain/>", capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith("plumbline: standard input:1: found <domain>")
    assert done.stdout == ""
