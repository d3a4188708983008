# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of a nightly run: systemd takes them, and what they start is ci/qualify."""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.needed_programs import needs

ROOT = Path(__file__).resolve().parent.parent
UNITS = ROOT / "ci" / "systemd"
SERVICE, TIMER = UNITS / "plumbline-nightly.service", UNITS / "plumbline-nightly.timer"
CHANGED = UNITS / "plumbline-packages.path", UNITS / "plumbline-packages.service"
TMPFILES = UNITS / "plumbline-nightly.conf"
KEPT = "/var/lib/plumbline/nightly"


def verify(*units: Path) -> tuple[int, str]:
    """What systemd itself says about units."""
    argv = [needs("systemd-analyze"), "verify", "--man=no", *map(str, units)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


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


@pytest.mark.slow
def test_systemd_takes_the_units_without_a_remark() -> None:
    assert verify(SERVICE, TIMER, *CHANGED) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "key", "wrong"),
    [
        (SERVICE, "KillSignal=", "KillSingal="),
        (TIMER, "Persistent=", "Persistant="),
        (CHANGED[0], "PathChanged=", "PathChangd="),
        (CHANGED[1], "StartLimitIntervalSec=", "StartLimitIntervalSek="),
    ],
    ids=lambda given: given.suffix if isinstance(given, Path) else given,
)
def test_a_wrong_key_in_a_unit_would_be_seen(
    unit: Path, key: str, wrong: str, tmp_path: Path
) -> None:
    text = unit.read_text(encoding="utf-8")
    assert key in text
    # What a timer or a path starts is looked for beside it.
    for other in (SERVICE, TIMER, *CHANGED):
        shutil.copy(other, tmp_path)
    (tmp_path / unit.name).write_text(text.replace(key, wrong))
    assert f"'{wrong[:-1]}'" in verify(tmp_path / unit.name)[1]


@pytest.mark.slow
def test_the_timer_comes_each_night() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(TIMER.read_text(encoding="utf-8"))
    argv = [needs("systemd-analyze"), "calendar", "--iterations=3", "--base-time=2026-03-01"]
    argv += [unit["Timer"]["OnCalendar"]]
    done = subprocess.run(
        argv,
        env=os.environ | {"TZ": "UTC", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    nights = re.findall(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", done.stdout)
    assert nights == [f"2026-03-0{day} 03:17:00" for day in (1, 2, 3)], done.stdout


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


def tmpfiles(action: str, root: Path, file: Path) -> tuple[int, str]:
    argv = [needs("systemd-tmpfiles"), action, f"--root={root}", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


@pytest.mark.slow
def test_records_are_kept_for_a_while_and_the_baseline_for_good(tmp_path: Path) -> None:
    text = TMPFILES.read_text(encoding="utf-8")
    assert f"Environment=PLUMBLINE_NIGHTLY={KEPT}" in SERVICE.read_text(encoding="utf-8")
    root = tmp_path / "root"
    assert tmpfiles("--create", root, TMPFILES) == (0, "")
    nightly = root / KEPT.lstrip("/")
    assert nightly.is_dir()
    # The last change of an inode counts as well, and its time cannot be set: here a file is as old
    # as its contents.
    by_contents = tmp_path / TMPFILES.name
    for lines, left in (
        (text, {"baseline", "new", "yesterday"}),
        # Without its line the baseline goes with the others.
        (re.sub("^x .*", "", text, flags=re.MULTILINE), {"new", "yesterday"}),
    ):
        assert lines.count(" 30d\n") == 1
        by_contents.write_text(lines.replace(" 30d\n", " mM:30d\n"))
        for name, days in (("old", 31), ("baseline", 31), ("new", 0), ("yesterday", 29)):
            night(nightly / name, days)
        assert tmpfiles("--clean", root, by_contents) == (0, "")
        assert {entry.name for entry in nightly.iterdir()} == left
        assert all((nightly / name / "run" / "run.json").exists() for name in left)
    by_contents.write_text(text.replace("30d", "30dayz"))
    assert tmpfiles("--clean", root, by_contents)[0] != 0


def night(folder: Path, age_days: int) -> None:
    """Make the record of a night that many days ago."""
    file = folder / "run" / "run.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    then = time.time() - age_days * 86400
    for entry in (file, file.parent, folder):
        os.utime(entry, (then, then))
