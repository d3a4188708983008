# SPDX-License-Identifier: GPL-2.0-or-later
"""Series of trials in hosts that are made for them: staged hosts, and labs."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.tidiness.in_host import NOT_TIDY, ORDERS, RESTART
from benchmarks.tidiness.trials import RESULTS, Order, read
from launcher import setup
from launcher.cache import cache_dir
from launcher.lab import disk_image, lab_machine, qemu
from launcher.lab.job import Share
from launcher.lab.lab_parts import PATH, set_up
from launcher.progress import Progress

ROOT = Path(__file__).resolve().parent.parent.parent
PROFILE = Path(__file__).with_name("host.toml")
MODULE = "benchmarks.tidiness.in_host"
# Boots that fail one after the other, before the series is given up.
FAILURES_MAX = 3


class HostFailed(Exception):
    """Hosts do not come up."""


def staged_series(folder: Path, orders: Sequence[Order], release: str, profile: str | None) -> None:
    """Make the trials in staged hosts: one for many of them, or a restart for each.

    Raises:
        HostFailed: no host came up.
    """
    _write(folder, orders)
    # The interpreter's path in the host is the release's.
    inside = ["env", f"PYTHONPATH={ROOT}", "python3", "-P", "-m", MODULE, str(folder), "staged"]
    argv = [sys.executable, str(ROOT / "plumbline"), "stage", "--release", release]
    argv += ["--profile", profile or str(PROFILE), "--writable", str(folder)]
    state = folder / "state"
    if any(order.restarts_host for order in orders):
        argv += ["--state", str(state)]
    failures = 0
    while _missing(folder, orders):
        number = len(read(folder / RESULTS))
        status = subprocess.run([*argv, "--", *inside], check=False, cwd=folder).returncode
        if status == NOT_TIDY and state.exists():
            # It would be in the way of all that follow.
            shutil.rmtree(state)
        if status in (0, NOT_TIDY, RESTART) or len(read(folder / RESULTS)) > number:
            failures = 0
            continue
        failures += 1
        if failures == FAILURES_MAX:
            raise HostFailed(f"{' '.join(argv)} ended with {status}, {failures} times")


def lab_series(folder: Path, orders: Sequence[Order], release: str) -> None:
    """Make the trials in labs, where libvirt is as a package has it.

    Raises:
        HostFailed: no lab came up.
    """
    _write(folder, orders)
    set_up(release)
    progress = Progress()
    image = setup.cached_image()
    if image is None:
        raise HostFailed("there is no guest image; ./plumbline image build makes it")
    disk = disk_image.ensure(release, progress)
    prepare = Path(__file__).with_name("lab-host").read_text()
    words = [MODULE, str(folder), "lab"]
    plan = lab_machine.Plan(
        image=disk,
        accel="tcg",
        shares=[
            Share("folder0", ROOT),
            Share("folder1", image.kernel.parent.resolve()),
            Share("folder2", folder, writable=True),
        ],
        command=["sh", "-ec", prepare, "sh", *words],
        environment={
            "PATH": PATH,
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PLUMBLINE_CACHE": str(cache_dir().resolve()),
            "PYTHONPYCACHEPREFIX": str(disk.compiled),
        },
        folder=folder,
        console=folder / "console.txt",
    )
    emulator = qemu.emulator(progress)
    failures = 0
    while _missing(folder, orders):
        number = len(read(folder / RESULTS))
        try:
            ended = f"status {lab_machine.run(plan, emulator, progress)}"
        except lab_machine.LabFailed as error:
            # On a busy machine it may not be up in time.
            ended = str(error)
        failures = 0 if len(read(folder / RESULTS)) > number else failures + 1
        if failures == FAILURES_MAX:
            raise HostFailed(f"{failures} labs one after the other ended with {ended}")


def _write(folder: Path, orders: Sequence[Order]) -> None:
    draft = folder / f"{ORDERS}.{os.getpid()}"
    draft.write_text(json.dumps([asdict(order) for order in orders]))
    draft.replace(folder / ORDERS)


def _missing(folder: Path, orders: Sequence[Order]) -> set[int]:
    made = {trial.order.trial for trial in read(folder / RESULTS)}
    return {order.trial for order in orders} - made
