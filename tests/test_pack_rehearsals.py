# SPDX-License-Identifier: GPL-2.0-or-later
"""Packs with packages on bare Debian hosts without a network.

Each pack is made by the release's own Python and apt, on a root of it that reaches its mirror.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launcher import libraries
from tests.bare_roots import bare_host, bare_root, pack_with_packages

CLAIM = "LB-01"
# One guest network, on which one claim is decided by packets.
RUN = ["--topology", "linux-bridge", "--claim", CLAIM, "--workers", "1", "--output", "/out/run"]
PACKS, OUT, OPT = Path("/packs"), Path("/out"), Path("/opt")


@dataclass(frozen=True)
class Packed:
    """A pack of a release.

    Attributes:
        release: the release.
        root: a root of it with Python.
        archive: the pack.
    """

    release: str
    root: Path
    archive: Path

    @property
    def name(self) -> str:
        """The pack's folder."""
        return self.archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module", params=list(libraries.PYTHONS))
def packed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Packed]:
    """A pack with packages of each release in which the harness can run."""
    release: str = request.param
    folder = tmp_path_factory.mktemp(release)
    with bare_root(folder, release, ["python3"]) as root:
        yield Packed(release, root, pack_with_packages(folder, root))


def record_of_a_run(output: Path) -> dict[str, Any]:
    """The record in the folder of a run, with the claim decided."""
    record: dict[str, Any] = json.loads((output / "run" / "run.json").read_text())
    assert record["finished"] is not None
    assert {check["verdict"] for check in record["checks"]} == {"conforms"}
    assert {claim for check in record["checks"] for claim in check["claims"]} >= {CLAIM}
    return record


@pytest.mark.host
def test_a_bare_host_installs_and_runs_it_with_the_network_closed(
    packed: Packed, tmp_path: Path
) -> None:
    python = libraries.PYTHONS[packed.release]
    assert packed.name.endswith(f"-py{python.replace('.', '')}")
    output = tmp_path / "out"
    output.mkdir()
    binds = {PACKS: packed.archive.parent, OUT: output}
    with bare_host(tmp_path / "host", packed.root, binds) as host:
        assert host.capture(["ls", "/sys/class/net"]).stdout == "lo\n"
        unpacked = host.capture(["tar", "xzf", str(PACKS / packed.archive.name)], working=OPT)
        assert unpacked.returncode == 0, unpacked.stderr
        # The command of the document: packages, environment and image first, all from the pack.
        done = host.capture(["./plumbline", "run", *RUN], working=OPT / packed.name)
    assert done.returncode == 0, done.stdout + done.stderr
    announced = re.search(r"system packages \(apt, from the pack.*?\): (.*)", done.stderr)
    assert announced is not None, done.stderr
    assert {"libvirt-daemon", "qemu-system-x86", "openvswitch-switch"} <= set(announced[1].split())
    assert "wheels of the pack" in done.stderr
    facts = record_of_a_run(output)["host"]["facts"]
    assert f"({packed.release})" in facts["distribution"]
