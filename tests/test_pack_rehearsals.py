# SPDX-License-Identifier: GPL-2.0-or-later
"""Packs with packages on bare Debian hosts without a network, and as an image for containers.

Each pack is made by the release's own Python and apt, on a root of it that reaches its mirror.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launcher import libraries
from tests.bare_roots import bare_host, bare_root, pack_with_packages
from tests.launched import ROOT

CONTAINERFILE = ROOT / "ci" / "container" / "Containerfile"
DOCUMENT = ROOT / "docs" / "offline.md"
CLAIM = "LB-01"
# One guest network, on which one claim is decided by packets.
RUN = ["--topology", "linux-bridge", "--claim", CLAIM, "--workers", "1", "--output", "/out/run"]
# Of a run without one of the capabilities: the exit code, and the line that says why.
LACKING = {
    "SYS_ADMIN": (4, "a container needs the capability SYS_ADMIN: docs/offline.md"),
    "NET_ADMIN": (4, "a container needs the capability NET_ADMIN: docs/offline.md"),
    "NET_RAW": (10, "Operation not permitted"),
}
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
    binds, outputs = {PACKS: packed.archive.parent}, {OUT: output}
    with bare_host(tmp_path / "host", packed.root, binds, outputs) as host:
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


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile and their arguments, in their order."""
    lines = [line for line in CONTAINERFILE.read_text().splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(filter(None, lines)))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in whole.splitlines())]


def added_capabilities() -> list[str]:
    """The capabilities that the document adds to podman's defaults for a run."""
    text = DOCUMENT.read_text(encoding="utf-8")
    added = re.search(r"--cap-add (\S+)", text)
    assert added is not None
    names = added[1].split(",")
    assert names == re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)
    return names


def confined(added: Sequence[str] = ()) -> list[str]:
    """The words that start a command with a container's capabilities.

    Args:
        added: those beside podman's defaults, which the document has; the commands of a build have
            no others.
    """
    text = DOCUMENT.read_text(encoding="utf-8")
    defaults = re.search(r"podman's default capabilities \(([A-Z_`, \n]+)\)", text)
    assert defaults is not None
    names = [*re.findall(r"[A-Z_]+", defaults[1]), *added]
    words = ["-all", *(f"+{name.lower()}" for name in names)]
    return ["setpriv", f"--bounding-set={','.join(words)}", "--"]


@pytest.mark.host
@pytest.mark.parametrize("packed", ["bookworm"], indirect=True)
def test_the_commands_of_the_containerfile_make_an_image_that_runs(
    packed: Packed, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    values = {"PACK": packed.name}
    variables: dict[str, str] = {}
    working = Path("/")
    start: list[str] = []
    # An image of a release has no Python.
    binds, outputs = {PACKS: packed.archive.parent}, {OUT: output}
    with (
        bare_root(tmp_path, packed.release) as base,
        bare_host(tmp_path / "image", base, binds, outputs) as image,
    ):
        for word, given in instructions():
            rest = re.sub(r"\$\{(\w+)\}", lambda hit: values.get(hit[1], hit[0]), given)
            if word == "ADD":
                archive, place = rest.split()
                script = f"mkdir -p {place} && tar xzf {PACKS / archive} -C {place}"
                assert image.capture(["sh", "-ec", script]).returncode == 0
            elif word == "WORKDIR":
                working = Path(rest)
            elif word == "ENV":
                name, _, value = rest.partition("=")
                variables[name] = value
            elif word == "RUN":
                argv = [*confined(), "sh", "-c", rest]
                done = image.capture(argv, variables, working)
                assert done.returncode == 0, done.stdout + done.stderr
            elif word in ("ENTRYPOINT", "CMD"):
                start += json.loads(rest)
            else:
                assert word in ("ARG", "FROM")
        assert start == ["./plumbline", "run"]
        needed = added_capabilities()
        done = image.capture([*confined(needed), *start, *RUN], variables, working)
        assert done.returncode == 0, done.stdout + done.stderr
        # Each of them is needed.
        assert needed == list(LACKING)
        for name, (code, said) in LACKING.items():
            others = [each for each in needed if each != name]
            argv = [*confined(others), *start, *RUN[:-1], f"/out/without-{name}"]
            lacking = image.capture(argv, variables, working)
            whole = lacking.stdout + lacking.stderr
            assert lacking.returncode == code, f"without {name}: {whole}"
            assert said in whole, f"without {name}: {whole}"
    # All was installed as the image was made.
    assert "plumbline: setting up" not in done.stderr
    record_of_a_run(output)
