# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that outlives a run is as it was, however the run ends: claim HR-01 and the journal.

The machine itself is a sandbox here: the harness runs in its namespaces with `--host local`.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.run_files import RECORD
from fixtures.errors import HostFailed
from fixtures.host.host import Host
from fixtures.host.host_in_use import host_in_use, lock_file
from fixtures.host.sandbox import sandbox
from fixtures.host.snapshot.asked import Listings
from fixtures.host.snapshot.host_snapshot import differences, host_snapshot
from fixtures.waiting import poll, until
from launcher.cache import cache_dir

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parent.parent
JOURNAL = "/var/lib/plumbline/journal"
LOG = "/var/lib/plumbline/taken-down.log"
UP_DEADLINE_S = 240.0
DOWN_DEADLINE_S = 120.0
# Builds a topology, but for its guests, on the machine that it is on, and waits there.
BUILD = """\
import contextlib, sys
from contracts.run_settings import RunSettings
from fixtures.host.local import LocalHost
from fixtures.host.undo.rule_undos import IptablesPolicy
from fixtures.testbed.build_network import built_network
from fixtures.testbed.name_server import resolves_at
from fixtures.testbed.physical_network import physical_network
from topologies.library import load
topology = load(sys.argv[1])
with contextlib.ExitStack() as stack:
    host = stack.enter_context(LocalHost.made(RunSettings(host="local")))
    stack.enter_context(host.guarded(topology))
    if topology.physical is not None:
        stack.enter_context(physical_network(host, topology.physical))
    for network in topology.networks:
        stack.enter_context(built_network(host, network))
    stack.enter_context(resolves_at(host, "192.0.2.9"))
    host.set_sysctl("net.ipv4.conf.all.log_martians", "1")
    host.note(IptablesPolicy("iptables", "FORWARD", "ACCEPT"))
    host.run(["iptables", "-P", "FORWARD", "DROP"])
    print("up", flush=True)
    sys.stdin.read()
"""

# Has the host, and no topology yet.
STATE_ONLY = """\
import sys
from contracts.run_settings import RunSettings
from fixtures.host.local import LocalHost
with LocalHost.made(RunSettings(host="local")):
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def host() -> Iterator[Host]:
    """The machine: a sandbox without the harness's own folder."""
    with sandbox(cache_dir() / "libvirt-capabilities") as made:
        made.seen(made.state).rmdir()
        yield made


def inside(host: Host, *words: str) -> list[str]:
    """Return the command that runs Python on the machine."""
    return [*host.prefix, "env", f"PYTHONPATH={ROOT}", sys.executable, "-P", *words]


def is_again(host: Host, before: Listings) -> list[str]:
    """Return the differences once they are none, or time is over."""
    return poll(
        lambda: differences(before, host_snapshot(host)),
        lambda seen: not seen,
        deadline_s=DOWN_DEADLINE_S,
        interval_s=0.5,
    )


def pids(host: Host, words: str) -> list[str]:
    return host.run(["pgrep", "-f", words], check=False).stdout.split()


def clean(host: Host, cache: Path, *words: str) -> str:
    cache.mkdir(exist_ok=True)
    argv = ["env", f"PLUMBLINE_CACHE={cache}", sys.executable, str(ROOT / "plumbline"), "clean"]
    return host.run([*argv, *words], deadline_s=DOWN_DEADLINE_S).stdout


@contextlib.contextmanager
def built(host: Host, topology: str) -> Iterator[subprocess.Popen[str]]:
    """A topology that a harness has built on the machine, and that goes on there."""
    with subprocess.Popen(
        inside(host, "-c", BUILD, topology),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process


@pytest.mark.parametrize("topology", ["nat", "bridged", "bridged-ovs", "linux-bridge", "isolated"])
def test_after_a_kill_the_guardian_takes_all_back(host: Host, topology: str) -> None:
    before = host_snapshot(host)
    with built(host, topology) as process:
        assert differences(before, host_snapshot(host))
        host.run(["kill", "-KILL", *pids(host, "LocalHost.made")])
        process.wait()
        left = poll(host.seen(JOURNAL).exists, lambda there: not there, deadline_s=DOWN_DEADLINE_S)
    assert not left, _read(host.seen(LOG))
    assert is_again(host, before) == []
    assert "/run/plumbline" in host.read(LOG)


def test_a_run_that_is_killed_before_its_journal_leaves_no_folder(host: Host) -> None:
    with subprocess.Popen(
        inside(host, "-c", STATE_ONLY), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert host.seen(host.state).exists()
        assert not host.seen(JOURNAL).exists()
        host.run(["kill", "-KILL", *pids(host, "LocalHost.made")])
        process.wait()
    there = host.seen(host.state)
    assert not poll(there.exists, lambda left: not left, deadline_s=DOWN_DEADLINE_S)


@pytest.mark.parametrize("topology", ["nat", "bridged-ovs"])
def test_after_a_kill_of_the_guardian_too_clean_takes_all_back(
    host: Host, topology: str, tmp_path: Path
) -> None:
    before = host_snapshot(host)
    with built(host, topology) as process:
        host.run(["kill", "-KILL", *pids(host, "fixtures.host.local_cleanup")])
        host.run(["kill", "-KILL", *pids(host, "LocalHost.made")])
        process.wait()
    assert "which is gone" in clean(host, tmp_path / "cache", "--dry-run")
    assert host.seen(JOURNAL).exists()
    said = clean(host, tmp_path / "cache")
    assert "removed link eth1\n" in said
    assert is_again(host, before) == []
    assert clean(host, tmp_path / "cache") == "nothing to clean\n"
    assert is_again(host, before) == []


def test_after_a_boot_only_what_is_on_a_disk_is_taken_back(host: Host, tmp_path: Path) -> None:
    with built(host, "nat") as process:
        host.run(["kill", "-KILL", *pids(host, "fixtures.host.local_cleanup")])
        host.run(["kill", "-KILL", *pids(host, "LocalHost.made")])
        process.wait()
    file = host.seen(JOURNAL)
    first, *rest = file.read_text().splitlines(keepends=True)
    run = json.loads(first)
    run["run"]["boot"] = "another"
    file.write_text(json.dumps(run) + "\n" + "".join(rest))
    said = clean(host, tmp_path / "cache")
    assert "removed libvirt's network nat_net\n" in said
    assert "/etc/resolv.conf" in said
    # Somebody else's by now.
    assert "eth1" not in said
    assert not file.exists()


def test_a_damaged_journal_is_one_clear_error(host: Host, tmp_path: Path) -> None:
    host.seen(JOURNAL).parent.mkdir()
    host.seen(JOURNAL).write_text("damaged\n")
    argv = ["env", f"PLUMBLINE_CACHE={tmp_path}", sys.executable, str(ROOT / "plumbline"), "clean"]
    done = host.run(argv, check=False)
    assert done.status != 0
    assert f"{JOURNAL}:1: not the journal of a run" in done.stderr
    assert "Traceback" not in done.stderr


def run(host: Host, output: Path, *words: str) -> list[str]:
    """Return the command of a run on the machine."""
    argv = inside(host, "-m", "pytest", "-p", "no:cacheprovider", "-c", f"{ROOT}/pyproject.toml")
    argv += ["--rootdir", str(ROOT), str(ROOT / "suites"), "--host=local", f"--output={output}"]
    return [*argv, *words]


def record(output: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((output / RECORD).read_text())
    return read


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def of_host(output: Path) -> dict[str, Any]:
    [check] = [each for each in record(output)["checks"] if each["claims"] == ["HR-01"]]
    assert check["topology"] == "host"
    return dict(check)


def test_a_run_leaves_the_host_as_it_was(host: Host, tmp_path: Path) -> None:
    before = host_snapshot(host)
    argv = run(host, tmp_path, "--topology=isolated", "--claim=IS-01")
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    check = of_host(tmp_path)
    assert check["verdict"] == "conforms", check["reason"]
    assert {each["name"] for each in check["evidence"]} >= {"before.json", "after.json"}
    assert record(tmp_path)["checks"][-1] == check
    assert done.returncode == 0, done.stdout
    assert is_again(host, before) == []


def test_what_a_run_leaves_is_a_violation_with_its_difference(host: Host, tmp_path: Path) -> None:
    left = "ip route add blackhole 203.0.113.0/24"
    argv = run(host, tmp_path, "--topology=isolated", "--claim=IS-01", f"--after-build={left}")
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    check = of_host(tmp_path)
    assert check["verdict"] == "violates", check["reason"]
    assert "203.0.113.0/24" in check["reason"]
    [shown] = [each for each in check["evidence"] if each["name"] == "difference.diff"]
    assert "+blackhole 203.0.113.0/24" in (tmp_path / shown["path"]).read_text()
    assert done.returncode == 1


def test_it_is_decided_although_a_topology_could_not_be_built(host: Host, tmp_path: Path) -> None:
    before = host_snapshot(host)
    argv = run(host, tmp_path, "--topology=isolated", "--claim=IS-01", "--after-build=false")
    subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert record(tmp_path)["topologies"][0]["verdict"] == "error"
    assert of_host(tmp_path)["verdict"] == "conforms"
    assert is_again(host, before) == []


def test_a_whole_run_is_killed_with_its_guardian(host: Host, tmp_path: Path) -> None:
    before = host_snapshot(host)
    argv = run(host, tmp_path, "--topology=bridged-ovs")
    with subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path
    ) as process:
        until(
            lambda: '"conforms"' in _read(tmp_path / RECORD),
            "a check has conformed",
            deadline_s=UP_DEADLINE_S,
        )
        host.run(["kill", "-KILL", *pids(host, "fixtures.host.local_cleanup")])
        host.run(["kill", "-KILL", *pids(host, "pytest.*--host=local")])
        process.wait()
    said = clean(host, tmp_path / "cache")
    assert "removed libvirt's domain plumb1-kvm1\n" in said
    assert is_again(host, before) == []
    assert clean(host, tmp_path / "cache") == "nothing to clean\n"


def test_a_second_run_is_refused_with_who_and_since_when(host: Host, tmp_path: Path) -> None:
    hold = (
        "from fixtures.host.host_in_use import host_in_use\n"
        "with host_in_use(['./plumbline', 'run']): print('held', flush=True); input()"
    )
    with subprocess.Popen(
        inside(host, "-c", hold), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        argv = run(host, tmp_path, "--topology=isolated", "--claim=IS-01")
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 4
        assert "a run is at work on this host, of root, process" in done.stderr
        assert "UTC: ./plumbline run" in done.stderr
        assert not (tmp_path / RECORD).exists()
        holder.communicate("\n")


def test_a_host_is_free_once_its_run_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixtures.host.journal.PLACE", tmp_path / "journal")
    for _ in range(2):
        with host_in_use(["./plumbline", "run"]):
            assert json.loads(lock_file().read_text())["command"] == "./plumbline run"
    assert lock_file().read_text() == ""


def test_a_lock_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("fixtures.host.journal.PLACE", tmp_path / "file" / "journal")
    with (
        pytest.raises(HostFailed, match="the lock of this host's runs cannot be written"),
        host_in_use(["./plumbline", "run"]),
    ):
        pass
