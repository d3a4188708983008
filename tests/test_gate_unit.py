# SPDX-License-Identifier: GPL-2.0-or-later
"""What `gate --wait` waits for: the unit of this gate, and only while it can go on."""

from pathlib import Path

import pytest

from launcher import gate_unit
from launcher.gate_folder import GateFolder, Step, begun
from launcher.gate_wait import waited_for
from launcher.launcher_error import LauncherError

HERE = "/srv/100% gate"


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the unit and the unit's state, of which a stand-in of systemctl's reads."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n[ "$1" != show ] || cat {tmp_path}/state\n'
    )
    program.chmod(0o755)
    (tmp_path / "state").write_text("inactive\n")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(gate_unit, "FILE", tmp_path / gate_unit.NAME)
    monkeypatch.setattr(gate_unit, "BOOTED", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("unit_of", "state", "expected"),
    [
        (HERE, "inactive", True),
        (HERE, "activating", True),
        (HERE, "active", True),
        # ExecStart could not be started: the file stays.
        (HERE, "failed", False),
        ("/srv/another", "inactive", False),
        (f"{HERE}/deeper", "inactive", False),
        (None, "active", True),
        (None, "inactive", False),
        (None, "failed", False),
    ],
)
def test_a_unit_goes_on_with_its_own_gate(
    systemd: Path, unit_of: str | None, state: str, expected: bool
) -> None:
    if unit_of is not None:
        gate_unit.install(Path(unit_of))
    (systemd / "state").write_text(f"{state}\n")
    assert gate_unit.goes_on_with(Path(HERE)) is expected


def test_a_failure_of_an_earlier_gate_is_not_that_of_the_next(systemd: Path) -> None:
    (systemd / "state").write_text("failed\n")
    gate_unit.install(Path(HERE))
    assert f"reset-failed {gate_unit.NAME}" in (systemd / "asked").read_text().splitlines()


@pytest.mark.usefixtures("systemd")
def test_the_wait_for_a_unit_that_failed_ends_undecided(tmp_path: Path) -> None:
    folder = GateFolder(tmp_path / "gate", tmp_path)
    folder.step(begun([], ["true"], here=True), Step.RESTART)
    gate_unit.install(folder.place)
    (tmp_path / "state").write_text("failed\n")
    with pytest.raises(LauncherError, match="at the step restart, and nothing goes on") as raised:
        waited_for(folder)
    assert raised.value.exit_code == 10
