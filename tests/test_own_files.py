# SPDX-License-Identifier: GPL-2.0-or-later
"""The files and units of a host with a profile, put where its systemd looks for them."""

from pathlib import Path

import pytest

from launcher.staged import own_files

UNIT = "[Service]\nExecStart=true\n[Install]\nWantedBy=multi-user.target\nWantedBy=sysinit.target\n"


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the host's own units, beside one of packages."""
    own, packaged = tmp_path / "etc" / "system", tmp_path / "usr"
    own.mkdir(parents=True)
    packaged.mkdir()
    monkeypatch.setattr(own_files, "UNITS", own)
    monkeypatch.setattr(own_files, "UNIT_FOLDERS", (own, packaged))
    (packaged / "packaged.service").write_text(UNIT)
    return own


def test_a_script_can_be_run_and_other_files_cannot(tmp_path: Path, units: Path) -> None:
    files = {f"{tmp_path}/new/script": "#!/bin/sh\n", f"{tmp_path}/new/file": "text\n"}
    own_files.put(files, [], [])
    modes = {path: Path(path).stat().st_mode & 0o777 for path in files}
    assert list(modes.values()) == [0o755, 0o644]
    assert not list(units.iterdir())


def test_a_unit_is_wanted_by_each_of_its_targets(units: Path) -> None:
    own_files.put({str(units / "own.service"): UNIT}, [], ["own.service", "packaged.service"])
    for target in ("multi-user.target.wants", "sysinit.target.wants"):
        assert (units / target / "own.service").resolve() == units / "own.service"
        assert (units / target / "packaged.service").read_text() == UNIT


def test_a_masked_unit_is_nothing_whatever_was_there(units: Path) -> None:
    (units / "old.timer").write_text(UNIT)
    own_files.put({}, ["old.timer", "new.timer"], [])
    assert {str((units / name).readlink()) for name in ("old.timer", "new.timer")} == {"/dev/null"}


def test_a_unit_that_a_profile_has_itself_is_not_masked_by_the_harness(units: Path) -> None:
    ours = ["fstrim.timer", "logrotate.timer", "getty@tty1.service"]
    files = {str(units / "logrotate.timer"): UNIT, "/etc/fstrim.timer": ""}
    found = own_files.masks(ours, ["cron.service"], ["getty@tty1.service"], files)
    assert found == ["fstrim.timer", "cron.service"]


def test_a_unit_that_no_package_has_is_named(units: Path) -> None:
    with pytest.raises(LookupError, match=r"no unit dockerd\.service to enable"):
        own_files.put({}, [], ["dockerd.service"])
    assert not list(units.iterdir())
