# SPDX-License-Identifier: GPL-2.0-or-later
"""Another release as a sandbox's userland: named, built, run, and left as it was."""

import json
from pathlib import Path

import jsonschema
import pytest

from fixtures.host.sandbox import sandbox
from fixtures.host.sandbox_holder import Userland
from launcher.launcher_error import UsageError
from launcher.release import require_known
from tests.launched import SCHEMA, launched


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("bulseye", "did you mean 'bullseye'?"),
        ("/nowhere", "neither a folder nor one of bullseye, bookworm, trixie"),
    ],
)
def test_an_unknown_release_is_refused(word: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        require_known(word)
    assert said in str(refused.value)


def test_a_folder_without_a_host_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        require_known(str(tmp_path))
    assert "it has no usr/lib/os-release" in str(refused.value)


def test_a_folder_is_taken_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("usr/lib/os-release", "usr/sbin/libvirtd", "usr/sbin/ovs-vswitchd"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).touch()
    monkeypatch.chdir(tmp_path)
    assert require_known("root") == str(tmp_path / "root")


@pytest.mark.host
def test_nothing_is_written_to_the_root_folder(tmp_path: Path) -> None:
    # The machine's own root as another release's: everything that a host needs is there.
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "file").write_text("seen by its own path")
    mark = Path("/etc/plumbline-was-here")
    with sandbox(userland=Userland(Path("/"), [shared])) as host:
        host.run(["touch", str(mark)])
        assert host.seen(mark).exists()
        assert host.run(["cat", str(shared / "file")]).stdout == "seen by its own path"
        assert host.run(["touch", str(shared / "new")], check=False).status != 0
        assert host.run(["ls", "/sys/class/net"]).stdout.split() == ["lo"]
        assert host.run(["ls", "/run/machine"], check=False).status != 0
        mounted = host.run(["cat", "/proc/mounts"]).stdout
    assert not mark.exists()
    assert {line.split()[1] for line in mounted.splitlines()} >= {"/", "/proc", "/sys", "/run"}


@pytest.mark.host
def test_debian_11_has_netcf(tmp_path: Path) -> None:
    claims = [f"--claim=IF-0{number}" for number in range(1, 6)]
    own = tmp_path / "own.sh"
    own.write_text("#!/bin/sh\necho hardened $PLUMBLINE_TOPOLOGY\n")
    own.chmod(0o755)
    words = ["--topology", "linux-bridge", "--release", "bullseye", *claims]
    done, record = launched("run", tmp_path / "run", *words, "--after-build", "./own.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = {check["claims"][0]: check["verdict"] for check in record["checks"]}
    # The fifth is about a libvirt without netcf, and says what this one has.
    assert verdicts == {**{f"IF-0{n}": "conforms" for n in range(1, 5)}, "IF-05": "not-testable"}
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    assert "bullseye" in record["host"]["release"]
    assert record["host"]["facts"]["versions"]["libvirt"].startswith("7.")
    assert all("--release bullseye" in check["rerun"] for check in record["checks"])
    commands = tmp_path / "run" / "evidence" / "topology-linux-bridge" / "commands.txt"
    assert "hardened linux-bridge" in commands.read_text()


@pytest.mark.host
def test_a_fault_of_its_tools_is_caught(tmp_path: Path) -> None:
    words = ["--release", "bullseye", "--fault", "interface-address-lost"]
    done, record = launched("prove", tmp_path / "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [fault["outcome"] for fault in record["faults"]] == ["caught"]
