# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline gate`: an upgrade between two runs, on hosts that are kept."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import gate_folder
from launcher.gate_folder import FILE, GateFolder, Step, begun, is_this_machine
from launcher.launcher_error import LauncherError, UsageError

ROOT = Path(__file__).resolve().parent.parent
DEADLINE_S = 1200


def plumbline(*words: str, deadline_s: float = DEADLINE_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), *words],
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """A folder for a host's state, which overlays leave with a folder that no user may enter."""
    yield tmp_path / "host"
    shutil.rmtree(tmp_path / "host", ignore_errors=True)


def test_a_gate_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    folder = GateFolder(tmp_path / "gate", tmp_path)
    assert folder.read() is None
    gate = begun(["--topology=nat"], ["apt-get", "-y", "upgrade"], here=True)
    folder.write(gate)
    assert folder.read() == gate
    done = folder.step(gate, Step.DONE, 1, "gate closed: nat: NT-09 regressed")
    assert folder.read() == done
    assert (done.exit_code, done.answer) == (1, "gate closed: nat: NT-09 regressed")


def test_a_restart_is_seen_by_a_mark_of_the_boot(tmp_path: Path) -> None:
    folder = GateFolder(tmp_path / "gate", tmp_path)
    gate = folder.step(begun([], ["true"], here=True), Step.COMMAND)
    assert not folder.is_restarted(gate)
    other = GateFolder(tmp_path / "other", tmp_path)
    other.step(begun([], ["true"], here=True), Step.COMMAND)
    assert not folder.is_restarted(gate)
    [mark] = [each for each in tmp_path.glob("plumbline-gate-*") if gate.mark in each.read_text()]
    mark.unlink()
    assert folder.is_restarted(gate)


def test_a_gate_that_is_under_way_is_not_written_over(tmp_path: Path) -> None:
    folder = GateFolder(tmp_path / "gate", tmp_path)
    gate = begun([], [], here=True)
    for step in (Step.READY, Step.COMMAND, Step.RESTART, Step.AFTER):
        folder.step(gate, step)
        with pytest.raises(UsageError, match="a gate is under way"):
            folder.make_room()


@pytest.mark.parametrize("step", [Step.BEFORE, Step.DONE])
def test_one_that_is_done_or_never_began_is_put_aside(tmp_path: Path, step: Step) -> None:
    folder = GateFolder(tmp_path / "gate", tmp_path)
    folder.step(begun([], [], here=True), step)
    folder.make_room()
    assert folder.read() is None
    [earlier] = tmp_path.glob("gate-*")
    assert (earlier / FILE).exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "plumbline/gate/9"}'])
def test_a_damaged_gate_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(LauncherError, match="no gate can be read") as caught:
        GateFolder(tmp_path).read()
    assert caught.value.exit_code == 4


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match="has no gate in it"):
        GateFolder(tmp_path).make_room()


def test_a_clone_with_the_same_machine_id_is_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, firmware = tmp_path / "machine-id", tmp_path / "product_uuid"
    monkeypatch.setattr(gate_folder, "MACHINE_ID", system)
    monkeypatch.setattr(gate_folder, "FIRMWARE_ID", firmware)
    system.write_text("0" * 32 + "\n")
    firmware.write_text("4c4c4544-0001\n")
    original = begun([], [], here=True).machine
    assert is_this_machine(original)
    firmware.write_text("4c4c4544-0002\n")
    assert not is_this_machine(original)
    # A gate of an earlier version, and a machine without firmware of that kind.
    assert is_this_machine("0" * 32)
    firmware.unlink()
    assert is_this_machine(begun([], [], here=True).machine)
    assert not is_this_machine("1" * 32)


def of_another_machine(folder: Path) -> None:
    gate = replace(begun([], [], here=True), step=Step.READY, machine="0" * 32)
    GateFolder(folder).write(gate)
    (folder / "before").mkdir()


@pytest.mark.host
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected one of --before, --after, --wait, and a command after --"),
        (("--after", "--wait"), "expected one of"),
        (("--wait",), "there is no run before"),
        (("--wait", "--topology", "nat"), "it takes the options of the run before"),
        (("--before", "--after"), "expected one of"),
        (("--before", "--", "true"), "expected one of"),
        (("--after",), "there is no run before"),
        (("--resume",), "there is no run before"),
        (("--after", "--topology", "nat"), "it takes the options of the run before"),
        (("--before", "--topolgy", "nat"), "did you mean '--topology'?"),
        (("--before", "--output", "x"), "not with --output"),
        (("--before", "--plan"), "not with --plan"),
        (("--restart", "--before"), "--restart: it follows a command"),
        (("--host", "lab", "--", "true"), "each run has a machine of its own"),
        (("--host", "staged", "--", "true"), "name --state DIR"),
        (("--fetch-upgrade", "trixie", "--", "true"), "it is for --host staged"),
        (("--topology", "-", "--", "true"), "two runs cannot read it"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    tmp_path: Path, words: Sequence[str], said: str
) -> None:
    done = plumbline("gate", "--folder", str(tmp_path / "gate"), *words, deadline_s=60)
    assert done.returncode == 4, done.stdout + done.stderr
    assert said in done.stderr
    assert not (tmp_path / "gate").exists()


@pytest.mark.host
def test_an_answer_is_waited_for_only_where_something_goes_on(tmp_path: Path) -> None:
    folder = GateFolder(tmp_path)
    gate = folder.step(begun([], ["true"], here=True), Step.RESTART)
    folder.before.mkdir()
    words = ("gate", "--folder", str(tmp_path), "--wait")
    alone = plumbline(*words, deadline_s=60)
    assert alone.returncode == 10
    assert "it is at the step restart, and nothing goes on with it" in alone.stderr
    folder.step(gate, Step.DONE, 1, "gate closed: nat: NT-09 regressed")
    done = plumbline(*words, deadline_s=60)
    assert done.returncode == 1
    assert done.stdout == f"gate closed: nat: NT-09 regressed\n{tmp_path}/gate.html\n"


@pytest.mark.host
@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "升级门禁通过：x"), ("latin-1", r"\u5347\u7ea7\u95e8\u7981")]
)
def test_an_answer_that_the_locale_lacks_characters_for_is_shown_all_the_same(
    tmp_path: Path, encoding: str, shown: str
) -> None:
    folder = GateFolder(tmp_path)
    gate = folder.step(begun(["--lang=zh"], ["true"], here=True), Step.RESTART)
    folder.before.mkdir()
    folder.step(gate, Step.DONE, 0, "升级门禁通过：x")
    argv = [sys.executable, str(ROOT / "plumbline"), "gate", "--folder", str(tmp_path), "--wait"]
    done = subprocess.run(
        argv,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert shown in done.stdout.decode(encoding)


@pytest.mark.host
def test_two_runs_of_two_machines_are_no_gate(tmp_path: Path) -> None:
    of_another_machine(tmp_path)
    done = plumbline("gate", "--folder", str(tmp_path), "--after", deadline_s=60)
    assert done.returncode == 4
    assert "another machine's" in done.stderr


@pytest.mark.staged
def test_a_restart_in_the_middle_is_gone_on_from_once(tmp_path: Path, kept: Path) -> None:
    folder = tmp_path / "gate"
    words = ("--host", "local", "--topology", "nat", "--claim", "NT-09", "--folder", str(folder))
    host = ("stage", "--state", str(kept), "--writable", str(tmp_path), "--")
    own = ("./plumbline", "gate")
    # The end of a staged host; with its state the next one is a restart of it.
    cut = plumbline(*host, *own, *words, "--", "systemctl", "poweroff")
    step = json.loads((folder / FILE).read_text())["step"]
    # The end begins a moment after the command; the run after may have begun by then.
    assert step in ("restart", "after"), cut.stdout + cut.stderr

    unit = "plumbline-gate.service"
    # The clone comes to a staged host after its start, so that systemd is asked for the unit again.
    resumed = (
        f"systemctl is-enabled {unit} && systemctl restart {unit} && "
        f"./plumbline gate --folder {folder} --wait && ! systemctl is-enabled {unit}"
    )
    done = plumbline(*host, "sh", "-c", resumed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gate open: " in done.stdout
    assert str(folder / "gate.html") in done.stdout
    assert "gate: the machine is up again: running" in (folder / "after.log").read_text()
    assert json.loads((folder / FILE).read_text())["step"] == "done"
