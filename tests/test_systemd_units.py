# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of a nightly run: systemd takes them, and what they start is ci/qualify."""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNITS = ROOT / "ci" / "systemd"
SERVICE, TIMER = UNITS / "plumbline-nightly.service", UNITS / "plumbline-nightly.timer"
CHANGED = UNITS / "plumbline-packages.path", UNITS / "plumbline-packages.service"
TMPFILES = UNITS / "plumbline-nightly.conf"


def needs(program: str) -> str:
    """The path of a program, or a skip that names it."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"this machine has no {program}")
    return found


def started(options: str) -> list[str]:
    """What systemd starts: its $$ and %% are resolved, and the options are words."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # the documented way
    unit.read_string(SERVICE.read_text(encoding="utf-8"))
    words = shlex.split(unit["Service"]["ExecStart"])
    assert words.pop() == "$PLUMBLINE_OPTIONS"
    return [word.replace("$$", "$").replace("%%", "%") for word in words] + options.split()


def start(options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PLUMBLINE_CLONE": str(ROOT), "PLUMBLINE_NIGHTLY": str(folder)}
    return subprocess.run(
        started(options),
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=folder,
    )


def test_systemd_takes_the_units_without_a_remark() -> None:
    argv = [needs("systemd-analyze"), "verify", "--man=no", *map(str, (SERVICE, TIMER, *CHANGED))]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_wrong_key_in_a_unit_would_be_seen(tmp_path: Path) -> None:
    wrong = tmp_path / SERVICE.name
    wrong.write_text(SERVICE.read_text().replace("KillSignal=", "KillSingal="))
    argv = [needs("systemd-analyze"), "verify", "--man=no", str(wrong)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert "KillSingal" in done.stdout + done.stderr


def test_it_starts_the_job_with_its_options_and_a_folder_of_its_own(tmp_path: Path) -> None:
    done = start("--help", tmp_path)
    # That is no run, and so nothing is decided.
    assert done.returncode == 10, done.stderr
    assert "usage: ./plumbline run" in done.stdout
    (folder,) = tmp_path.iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", folder.name)


def test_an_option_that_run_does_not_have_fails_the_unit(tmp_path: Path) -> None:
    done = start("--topolgy nat", tmp_path)
    assert done.returncode == 4
    assert "did you mean '--topology'?" in done.stderr


@pytest.mark.host
def test_a_night_makes_a_record_and_the_first_one_the_baseline(tmp_path: Path) -> None:
    done = start("--topology isolated --claim IS-04 --workers 1", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "baseline" / "run.json").is_file()
    assert "ci/qualify: green" in done.stdout


@pytest.mark.host
def test_a_stop_of_the_unit_is_an_interrupt_and_leaves_no_verdict(tmp_path: Path) -> None:
    """As systemd does it with KillMode=mixed: the signal is sent to the first process alone."""
    assert "KillMode=mixed\n" in SERVICE.read_text(encoding="utf-8")
    environment = os.environ | {"PLUMBLINE_CLONE": str(ROOT), "PLUMBLINE_NIGHTLY": str(tmp_path)}
    said = ""
    with subprocess.Popen(
        started("--topology nat --workers 1"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as unit:
        assert unit.stdout is not None
        for line in unit.stdout:
            said += line
            if "conforms" in line:
                unit.send_signal(signal.SIGINT)
                break
        said += unit.stdout.read()
    assert unit.returncode == 130, said
    assert "violates 0" in said
    assert not (tmp_path / "baseline").exists()


def test_records_are_kept_for_a_while_and_the_baseline_for_good(tmp_path: Path) -> None:
    lines = TMPFILES.read_text(encoding="utf-8").splitlines()
    kept = "/var/lib/plumbline/nightly"
    assert f"Environment=PLUMBLINE_NIGHTLY={kept}" in SERVICE.read_text(encoding="utf-8")
    assert f"x {kept}/baseline" in lines
    argv = [needs("systemd-tmpfiles"), "--create", f"--root={tmp_path}", str(TMPFILES)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / kept.lstrip("/")).is_dir()
