# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab that runs: booted, watched, and gone with the process that started it."""

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import LauncherError
from launcher.lab.image import Image
from launcher.lab.qemu import Emulator, Share, argv
from launcher.progress import Progress

START = Path(__file__).with_name("guestside") / "start"
# 20 to 30 s on two cores without hardware virtualisation.
BOOT_DEADLINE_S = 180.0
# After an interrupt the harness takes its topology down.
END_DEADLINE_S = 60.0
POLL_S = 0.2
SHOWN_LINES = 15


class LabFailed(LauncherError):
    """A lab that did not boot, or ended before what ran in it did."""


@dataclass(frozen=True)
class Plan:
    """What a lab is to do.

    Attributes:
        image: what it boots.
        accel: `kvm` or `tcg`.
        shares: folders of this machine, seen there by their own paths.
        command: what is run in it.
        environment: the command's.
        folder: where the command is run.
        console: gets what its kernel and its start say.
        firewall_backend: what libvirt is told to write its rules with; None: its own choice.
    """

    image: Image
    accel: str
    shares: Sequence[Share]
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    console: Path
    firewall_backend: str | None = None


def run(plan: Plan, emulator: Emulator, progress: Progress) -> int:
    """Boot a lab, run the plan's command in it, and return its exit status.

    The command's output is this process's. An interrupt of this process is one of the command's; a
    second one ends the lab.

    Raises:
        LabFailed: it did not boot, or it ended too early; with the end of its console.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-lab-") as name:
        job = Path(name)
        _write_job(job, plan)
        with _booted(plan, emulator, job) as lab:
            _wait_for(job / "started", lab, plan, job, BOOT_DEADLINE_S)
            up = float((job / "started").read_text().split()[0])
            progress(f"lab: ready, {up:.0f} s after its kernel's start; the harness starts in it")
            _wait_for_end(lab)
        status = job / "status"
        if not status.exists():
            raise LabFailed(
                "the lab ended before the run in it did; the record says what was decided by then",
                _told(plan, job, lab),
            )
        return int(status.read_text())


def _write_job(job: Path, plan: Plan) -> None:
    (job / "start").write_bytes(START.read_bytes())
    mounts = [f"{s.tag} {'rw' if s.writable else 'ro'} {s.folder}\n" for s in _folders(plan)]
    (job / "mounts").write_text("".join(mounts))
    if plan.firewall_backend is not None:
        told = f'firewall_backend = "{plan.firewall_backend}"\n'
        (job / "network.conf").write_text(told)
    (job / "kept").write_text(f"{plan.image.kept}\n")
    settings = [f"{name}={value}" for name, value in plan.environment.items()]
    # A shell's background command ignores interrupts, and what it starts inherits that.
    words = ["exec", "env", "--default-signal=INT,QUIT", *settings, *plan.command]
    (job / "command").write_text(f"cd {shlex.quote(str(plan.folder))}\n{shlex.join(words)}\n")


def _folders(plan: Plan) -> list[Share]:
    """Return what a lab sees by its own path, what is above others first."""
    kept = Share("kept", plan.image.kept, writable=True)
    return sorted([*plan.shares, kept], key=lambda share: share.folder)


@contextlib.contextmanager
def _booted(plan: Plan, emulator: Emulator, job: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a lab; on leaving it is gone, and it never outlives this process (setpriv)."""
    shares = [Share("job", job, writable=True), *_folders(plan)]
    # A network namespace of its own: not even the emulator could reach this machine's network.
    start = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--", *emulator.argv]
    with (
        (job / "complaints").open("wb") as complaints,
        subprocess.Popen(
            [*start, *argv(plan.image, plan.accel, shares, plan.console)],
            stdin=subprocess.PIPE,
            stderr=complaints,
            env=os.environ | emulator.environment,
            # A terminal's Ctrl-C is for us, who hand it on.
            start_new_session=True,
        ) as lab,
    ):
        try:
            yield lab
        finally:
            lab.kill()


def _wait_for(
    sign: Path, lab: subprocess.Popen[bytes], plan: Plan, job: Path, deadline_s: float
) -> None:
    end = time.monotonic() + deadline_s
    while not sign.exists():
        if (job / "failed").exists():
            why = (job / "failed").read_text().strip()
            raise LabFailed(f"the lab could not be made a host: {why}", _told(plan, job, lab))
        if time.monotonic() > end:
            said = f"the lab was not ready within {deadline_s:g} s"
            raise LabFailed(said, _told(plan, job, lab))
        with contextlib.suppress(subprocess.TimeoutExpired):
            lab.wait(POLL_S)
            if not (job / "failed").exists():
                raise LabFailed("the lab ended before it was ready", _told(plan, job, lab))


def _wait_for_end(lab: subprocess.Popen[bytes]) -> None:
    """Wait until the lab is off; an interrupt is handed on, a second one ends it."""
    try:
        lab.wait()
    except KeyboardInterrupt:
        if lab.stdin is not None:
            lab.stdin.write(b"interrupt\n")
            lab.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            lab.wait(END_DEADLINE_S)


def _told(plan: Plan, job: Path, lab: subprocess.Popen[bytes]) -> str:
    """Return what is known of a lab that failed."""
    lines = [f"console: {plan.console}"]
    status = lab.poll()
    if status is not None:
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        lines.append(f"QEMU ended with {how}")
    for name, file in (("its console", plan.console), ("QEMU", job / "complaints")):
        said = file.read_text(errors="replace").splitlines() if file.exists() else []
        said = [line for line in said if "TCG doesn't support requested feature" not in line]
        if said:
            lines += [f"the end of what {name} said:", *said[-SHOWN_LINES:]]
    return "\n".join(lines)
