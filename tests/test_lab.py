# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: what it is made of, how it fails, and that it never outlives who started it."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from contracts.run_settings import RunSettings
from fixtures.host.host import Host
from fixtures.host.hosts import host_class
from fixtures.host.lab import LabHost, LabSandbox
from fixtures.host.staged import StagedHost
from fixtures.waiting import until
from launcher import libraries, packages, setup, virtual_environment
from launcher.lab import disk_image, disk_recipe, lab_machine, profile_orders, qemu
from launcher.lab.job import Share
from launcher.lab.lab_parts import set_up
from launcher.lab.profile_orders import RUN
from launcher.launcher_error import UsageError
from launcher.progress import Progress
from launcher.staged import profile
from launcher.staged.profile import Profile
from tests.launched import ROOT, SCHEMA, launched

GUESTSIDE = ROOT / "launcher" / "lab" / "guestside"
PLAIN, DOCKER = profile.load("plain"), profile.load("docker")
AFTER_START = "after-start"
# Built images and an idle machine need a tenth of it.
DEADLINE_S = 600.0


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("bullseye", "expected one of bookworm, trixie"),
        ("trixi", "did you mean 'trixie'?"),
        ("/nowhere", "a root folder or an older release is for --host sandbox"),
    ],
)
def test_an_unknown_release_is_refused(word: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        disk_image.require_known(word)
    assert said in str(refused.value)


@pytest.mark.host
def test_a_firewall_backend_that_a_release_does_not_know_is_refused(tmp_path: Path) -> None:
    argv = [sys.executable, str(ROOT / "plumbline"), "run", "--host", "lab"]
    argv += ["--release", "bookworm", "--firewall-backend", "nftables", "--output", "record"]
    done = subprocess.run(
        argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 4
    assert "the libvirt of bookworm has only iptables" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_lock_is_cut_by_whole_entries() -> None:
    whole, cut = libraries.lock(()), libraries.lock(("libvirt-python",))
    assert "\nlibvirt-python==" in whole
    assert "libvirt-python" not in cut
    # An entry is one line with its version, and its hashes.
    assert whole.count("==") == cut.count("==") + 1
    assert cut.count("--hash") < whole.count("--hash")


@pytest.mark.parametrize(
    "name", ["init", "start", "functions", "start-with-profile", "after-start"]
)
def test_what_runs_in_a_lab_is_a_shell_script(name: str) -> None:
    done = subprocess.run(["sh", "-n", GUESTSIDE / name], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_no_nic_of_a_lab_leads_anywhere() -> None:
    disk = disk_image.Image(
        "trixie", Path("/disk"), Path("/kernel"), Path("/initrd"), Path("/kept")
    )
    words = qemu.argv(disk, "tcg", [Share("a", Path("/a,b"))], Path("/console"))
    netdevs = [after for word, after in itertools.pairwise(words) if word == "-netdev"]
    assert netdevs
    assert all(netdev.startswith("hubport,") for netdev in netdevs)
    assert "-nodefaults" in words
    assert any("path=/a,,b,security_model=none" in word for word in words)


def test_only_a_lab_with_a_profile_is_systemds() -> None:
    plain, docker = disk_recipe.recipe_of("trixie", None), disk_recipe.recipe_of("trixie", DOCKER)
    assert (plain.init, plain.words) == ("sbin/init", "")
    assert f" init=/{docker.init} " in docker.words
    # Its packages make another disk, and so do a staged host's; its files and commands do not.
    assert len({plain.name, docker.name, recipe_name(PLAIN)}) == 3
    assert recipe_name(PLAIN) == recipe_name(profile.load("networkd"))


@pytest.mark.parametrize("name", [each for each in profile.names() if each != "modular"])
def test_the_orders_of_a_lab_have_all_of_its_profile(name: str, tmp_path: Path) -> None:
    wanted = profile.load(name)
    profile_orders.write(tmp_path, wanted, "trixie", {"PATH": "/bin"})
    orders = json.loads((tmp_path / "profile.json").read_text())
    assert orders["hostname"] == f"{name}-trixie"
    assert wanted.files.items() <= orders["files"].items()
    assert {*wanted.masked} <= {*orders["masked"]}
    assert {*wanted.enabled, "plumbline-lan.service", RUN} <= {*orders["enabled"]}
    scripts = sorted((tmp_path / "commands").iterdir())
    assert [script.read_text() for script in scripts] == [f"{each}\n" for each in wanted.commands]
    for script in (*scripts, tmp_path / "start", tmp_path / "after-start", tmp_path / "bystander"):
        done = subprocess.run(["sh", "-n", script], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), script
    # The run begins by the unit, which is one of the files.
    assert f"sh /run/job/{AFTER_START}" in orders["files"][f"/etc/systemd/system/{RUN}"]


def test_set_up_asks_for_what_builds_the_disk_that_a_lab_boots_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages: list[str] = []

    def missing(asked: Iterable[str]) -> list[str]:
        stages[:] = asked
        return []

    def cached(_release: str, wanted: Profile | None = None) -> Profile | None:
        return wanted

    monkeypatch.setattr(packages, "missing", missing)
    monkeypatch.setattr(virtual_environment, "is_complete", lambda _place: True)
    monkeypatch.setattr(setup, "cached_image", object)
    monkeypatch.setattr(disk_image, "cached", cached)
    monkeypatch.setattr(qemu, "is_needed", lambda: False)
    set_up("trixie", DOCKER)
    assert stages == ["run"]
    set_up("trixie")
    assert stages == ["run", "release"]


@pytest.mark.host
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--profile", "dcoker"], "did you mean 'docker'?"),
        (["--profile", "plain", "--state", "host"], "--state: not with --host lab"),
        (["--expect-verdicts", "profile"], "a lab without a profile has no file of expected"),
        (["--profile", "plain", "--pf", "eth0"], "a lab brings its NICs along"),
        (
            ["--profile", "plain", "--expect-verdicts", "profile", "--disruptive"],
            "those of a run without --disruptive",
        ),
    ],
)
def test_what_a_lab_with_a_profile_cannot_have_is_refused(
    words: list[str], said: str, tmp_path: Path
) -> None:
    done, record = launched("run", tmp_path / "run", "--host", "lab", *words)
    assert done.returncode == 4, done.stdout + done.stderr
    assert said in done.stderr
    assert not record


def test_a_lab_with_a_profile_is_a_host_with_other_users() -> None:
    own = host_class(RunSettings(host="lab", profile="plain"))
    assert (own.kind, own.disposable, own.takes_default_route) == ("lab", False, False)
    assert host_class(RunSettings(host="lab")) is LabHost
    assert host_class(RunSettings(host="staged", profile="plain")) is StagedHost


@pytest.mark.parametrize(
    ("topologies", "kind"),
    [
        ((), LabHost),
        (("passthrough",), LabHost),
        (("passthrough", "ovs"), LabHost),
        (("ovs", "nat"), LabSandbox),
    ],
)
def test_a_fault_that_leaves_state_behind_is_put_on_a_sandbox_in_the_lab(
    topologies: tuple[str, ...], kind: type[Host]
) -> None:
    broken = RunSettings(host="lab", prove=True, topology=topologies)
    assert host_class(broken) is kind
    assert host_class(replace(broken, prove=False)) is LabHost
    assert kind.kind == "lab"


@pytest.mark.host
def test_no_fault_is_put_on_a_lab_with_a_profile(tmp_path: Path) -> None:
    words = ["--host", "lab", "--profile", "plain", "--fault", "nat-no-masquerade"]
    done, _record = launched("prove", tmp_path / "run", *words)
    assert done.returncode == 4
    assert "handled as a machine with other users" in done.stderr


@pytest.mark.lab
def test_a_lab_that_does_not_boot_says_what_its_emulator_said(tmp_path: Path) -> None:
    set_up("trixie")
    no_kernel = tmp_path / "kernel"
    no_kernel.write_text("this is no kernel")
    disk = disk_image.Image("trixie", no_kernel, no_kernel, no_kernel, tmp_path)
    console = tmp_path / "console.txt"
    plan = lab_machine.Plan(disk, "tcg", [], ["true"], {}, tmp_path, console)
    with pytest.raises(lab_machine.LabFailed) as failed:
        lab_machine.run(plan, qemu.emulator(Progress()), Progress())
    assert "the lab ended before it was ready" in str(failed.value)
    assert "QEMU ended with status 1" in str(failed.value)
    assert str(console) in str(failed.value)
    assert failed.value.exit_code == 10


@pytest.mark.lab
def test_passthrough_of_functions(tmp_path: Path) -> None:
    words = ["--host", "lab", "--topology", "passthrough", "--claim=PT-03", "--claim=PT-10"]
    done, record = launched("run", tmp_path / "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    assert {check["verdict"] for check in record["checks"]} == {"conforms"}
    assert record["host"]["kind"] == "lab"
    assert record["host"]["accel"]["name"] == "kvm", record["host"]["accel"]["reason"]
    assert "trixie" in record["host"]["release"]
    assert all("--host lab" in check["rerun"] for check in record["checks"])
    assert (tmp_path / "run" / "lab-console.txt").read_text()
    assert not Path("/sys/class/net", qemu.PF).exists()


@pytest.mark.lab
def test_a_lab_that_dies_leaves_the_record_and_says_so(tmp_path: Path) -> None:
    with started(tmp_path) as launcher:
        until(lambda: planned(tmp_path), "a record with a plan", deadline_s=DEADLINE_S)
        [lab] = emulators(launcher.pid)
        os.kill(lab, signal.SIGKILL)
        said = launcher.communicate(timeout=60)[1]
    assert launcher.returncode == 10, said
    assert "the lab ended before the run in it" in said
    assert "QEMU ended with SIGKILL" in said
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["finished"] is None
    assert {check["verdict"] for check in record["checks"]} == {"inconclusive"}


@pytest.mark.lab
def test_an_interrupt_is_the_harnesss(tmp_path: Path) -> None:
    with started(tmp_path) as launcher:
        until(lambda: planned(tmp_path), "a record with a plan", deadline_s=DEADLINE_S)
        launcher.send_signal(signal.SIGINT)
        said = launcher.communicate(timeout=240)[1]
    assert launcher.returncode == 130, said
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    # It came to its own end, and took down what it had built until then.
    assert record["finished"] is not None


@pytest.mark.lab
def test_a_killed_launcher_takes_its_lab_along(tmp_path: Path) -> None:
    with started(tmp_path) as launcher:
        [lab] = until(lambda: emulators(launcher.pid), "a lab", deadline_s=DEADLINE_S)
        launcher.kill()
        launcher.wait()
        assert until(lambda: not lives(lab), "the lab is gone", deadline_s=10)


def recipe_name(wanted: Profile) -> str:
    return disk_recipe.recipe_of("trixie", wanted).name


@contextlib.contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run in a lab; what is left of it at the end of the block is killed."""
    argv = [sys.executable, str(ROOT / "plumbline"), "run", "--host", "lab"]
    argv += ["--topology", "passthrough", "--claim", "PT-03", "--output", str(folder / "run")]
    # Where the tests were started in the background, interrupts are ignored, and that is inherited.
    argv = ["env", "--default-signal=INT", *argv]
    with subprocess.Popen(
        argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as launcher:
        try:
            yield launcher
        finally:
            launcher.kill()


def planned(folder: Path) -> bool:
    """Whether there is a record, and it says what is to be decided."""
    record = folder / "run" / "run.json"
    return record.exists() and bool(json.loads(record.read_text())["checks"])


def emulators(parent: int) -> list[int]:
    """Return the labs that a launcher has started, by process id."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = status.read_text().rpartition(")")[2].split()
            words = status.with_name("cmdline").read_bytes()
            if int(fields[1]) == parent and b"intel-iommu" in words and b"qemu" in words:
                found.append(int(status.parent.name))
    return found


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
