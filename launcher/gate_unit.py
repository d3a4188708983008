# SPDX-License-Identifier: GPL-2.0-or-later
"""The systemd unit that goes on with a gate when the machine has been restarted: once."""

import subprocess
from pathlib import Path

from contracts.language import gettext
from launcher.cache import cache_dir
from launcher.launcher_error import LauncherError
from launcher.pytest_command import ROOT

NAME = "plumbline-gate.service"
FILE = Path("/etc/systemd/system") / NAME
# Source: sd_booted(3).
BOOTED = Path("/run/systemd/system")
START_S = 600.0
# ActiveState of org.freedesktop.systemd1(5).
RUNNING, FAILED = ("activating", "active", "deactivating"), "failed"

TEXT = """\
# Written by ./plumbline gate, and removed by it when the machine is up again.
[Unit]
Description=Plumbline's run after an upgrade
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
WorkingDirectory={root}
Environment="PLUMBLINE_CACHE={cache}"
ExecStart="{root}/plumbline" gate --resume --folder "{folder}"
StandardOutput=append:{folder}/after.log
StandardError=inherit

[Install]
WantedBy=multi-user.target
"""


def is_possible() -> bool:
    """Whether systemd runs this machine."""
    return BOOTED.is_dir()


def install(folder: Path) -> None:
    """Have systemd go on with a gate at the next start of the machine.

    Args:
        folder: the gate's.

    Raises:
        LauncherError: systemd does not take the unit.
    """
    paths = {"root": ROOT, "folder": folder, "cache": cache_dir()}
    words = {name: _escaped(path) for name, path in paths.items()}
    FILE.write_text(TEXT.format(**words), encoding="utf-8")
    _systemctl("daemon-reload")
    if _active_state() == FAILED:
        # By a gate before, of this boot.
        _systemctl("reset-failed", NAME)
    _systemctl("enable", NAME)


def remove() -> None:
    """Take the unit away; without it nothing is done."""
    if not FILE.exists():
        return
    _systemctl("disable", NAME)
    FILE.unlink(missing_ok=True)
    _systemctl("daemon-reload")


def goes_on_with(folder: Path) -> bool:
    """Whether systemd goes on with a gate now, or will at the next start of the machine.

    Args:
        folder: the gate's.
    """
    if not is_possible():
        return False
    # The file is read first: it is gone while the unit runs.
    text = FILE.read_text(encoding="utf-8") if FILE.exists() else None
    state = _active_state()
    if text is None:
        return state in RUNNING
    # A unit that failed with its file still there did not get as far as the harness.
    return f'--folder "{_escaped(folder)}"\n' in text and state != FAILED


def is_going_down() -> bool:
    """Whether the machine is about to end or to restart."""
    argv = ["systemctl", "is-system-running"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() == "stopping"


def wait_for_the_start() -> str:
    """Wait until the machine is up, and return systemd's word for it.

    It is `running`, or `degraded` with a unit that failed, which the run sees if it matters.
    """
    argv = ["systemctl", "is-system-running", "--wait"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=START_S, check=False)
    except subprocess.TimeoutExpired:
        return gettext("not up after {seconds:g} s").format(seconds=START_S)
    return done.stdout.strip()


def _escaped(path: Path) -> str:
    """Return a path as a unit has it: there % begins a specifier, and $ a variable."""
    return str(path).replace("%", "%%").replace("$", "$$")


def _active_state() -> str:
    argv = ["systemctl", "show", "--property=ActiveState", "--value", NAME]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _systemctl(*words: str) -> None:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LauncherError(
            f"systemctl {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}",
            f"{FILE} is what it is about",
        )
