# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab that runs: booted, watched, and gone with the process that started it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from contracts.exit_codes import EXIT_INTERRUPTED
from contracts.run_files import LAB_EMULATOR
from launcher.lab import outer_load, profile_orders
from launcher.lab.disk_image import Image
from launcher.lab.job import Job, Share, job
from launcher.lab.qemu import Emulator, argv
from launcher.launcher_error import LauncherError
from launcher.progress import Progress
from launcher.staged.profile import Profile

# 20 to 30 s on two cores without hardware virtualisation.
BOOT_DEADLINE_S = 180.0
# With the start of systemd, the profile's commands and its guest: 90 s on two cores, 150 to 240 s
# beside three times that work.
PROFILE_BOOT_DEADLINE_S = 600.0
# After an interrupt the harness takes its topology down.
END_DEADLINE_S = 180.0
POLL_S = 0.2
SHOWN_LINES = 15
# Of QEMU's messages: what every start of it prints, and a CPU's registers.
NO_COMPLAINT = re.compile(r"TCG doesn't support|^\w{2,6} ?=|^$|^CPU Reset")
CHUNK = 65536


class LabFailed(LauncherError):
    """A lab that did not boot, or ended before its run."""


@dataclass(frozen=True)
class Plan:
    """The orders for a lab.

    Attributes:
        image: the disk that it boots.
        accel: `kvm` or `tcg`.
        shares: folders of this machine, seen there by their own paths.
        command: the command to run in it.
        environment: the command's.
        folder: the command's working folder.
        console: the file for its serial console.
        firewall_backend: the backend of libvirt's rules; None: libvirt's choice.
        profile: the host is one of a profile, whose disk it is; None: an empty one.
    """

    image: Image
    accel: str
    shares: Sequence[Share]
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    console: Path
    firewall_backend: str | None = None
    profile: Profile | None = None

    @property
    def boot_deadline_s(self) -> float:
        """The longest time until the host is ready."""
        return BOOT_DEADLINE_S if self.profile is None else PROFILE_BOOT_DEADLINE_S

    @property
    def folders(self) -> list[Share]:
        """The folders that the lab mounts by their own paths, outer ones first."""
        kept = Share("kept", self.image.kept, writable=True)
        return sorted([*self.shares, kept], key=lambda share: share.folder)


def run(plan: Plan, emulator: Emulator, progress: Progress) -> int:
    """Boot a lab, run the plan's command in it, and return its exit status.

    The command's output is this process's. An interrupt of this process is one of the command's; a
    second one ends the lab.

    Raises:
        LabFailed: it did not boot, or it ended too early; with the end of its console.
    """
    with job() as lab_job:
        lab_job.write_orders(
            plan.folders,
            plan.image.kept,
            plan.command,
            plan.environment,
            plan.folder,
            plan.firewall_backend,
        )
        if plan.profile is not None:
            release = plan.image.release
            profile_orders.write(lab_job.folder, plan.profile, release, plan.environment)
        with outer_load.written_down(lab_job.folder), _booted(plan, emulator, lab_job) as lab:
            up = _wait_until_ready(lab, plan, lab_job)
            if plan.profile is not None and lab_job.address is not None:
                progress(f"lab: a guest on {plan.profile.bystander}: {lab_job.address}")
            progress(f"lab: ready, {up:.0f} s after its kernel's start; the harness starts in it")
            interrupted = _wait_for_end(lab)
        if (status := lab_job.status) is not None:
            return status
        if interrupted:
            return EXIT_INTERRUPTED
        raise LabFailed(
            "the lab ended before the run in it; the record has the verdicts until then",
            _known(plan, lab_job, lab),
        )


@contextlib.contextmanager
def _booted(plan: Plan, emulator: Emulator, lab_job: Job) -> Iterator[subprocess.Popen[bytes]]:
    """Start a lab; on leaving it is gone, and it never outlives this process (setpriv)."""
    shares = [Share("job", lab_job.folder, writable=True), *plan.folders]
    # A network namespace of its own: not even the emulator could reach this machine's network.
    start = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--", *emulator.argv]
    with lab_job.complaints.open("wb") as complaints:
        lab = subprocess.Popen(
            [*start, *argv(plan.image, plan.accel, shares, plan.console)],
            stdin=subprocess.PIPE,
            # Not our own: QEMU would leave the terminal in another mode.
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=os.environ | emulator.environment,
            # A terminal's Ctrl-C reaches this process, which hands it on.
            start_new_session=True,
        )
    reading = threading.Thread(target=_copy, args=(lab.stdout,), name="output of the lab")
    reading.start()
    try:
        yield lab
    finally:
        lab.kill()
        lab.wait()
        reading.join()
        with contextlib.suppress(BrokenPipeError):
            if lab.stdin is not None:
                lab.stdin.close()


def _copy(source: IO[bytes]) -> None:
    """Print the lab's output as it comes; a closed pipe on our side is no error."""
    wanted = True
    while chunk := os.read(source.fileno(), CHUNK):
        if wanted:
            try:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            except BrokenPipeError:
                wanted = False
    source.close()


def _wait_until_ready(lab: subprocess.Popen[bytes], plan: Plan, lab_job: Job) -> float:
    """Return when the host was ready, in seconds from its kernel's start."""
    end = time.monotonic() + plan.boot_deadline_s
    while True:
        ended = lab.poll() is not None
        if (up := lab_job.ready_s) is not None:
            return up
        if (why := lab_job.failure) is not None:
            said = f"the lab could not be made a host: {why}"
        elif ended:
            said = "the lab ended before it was ready"
        elif time.monotonic() > end:
            said = f"the lab was not ready within {plan.boot_deadline_s:g} s"
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                lab.wait(POLL_S)
            continue
        raise LabFailed(said, _known(plan, lab_job, lab))


def _wait_for_end(lab: subprocess.Popen[bytes]) -> bool:
    """Wait until the lab is off, and return whether we were interrupted."""
    try:
        lab.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(BrokenPipeError):
            if lab.stdin is not None:
                lab.stdin.write(b"interrupt\n")
                lab.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            lab.wait(END_DEADLINE_S)
        return True
    return False


def _known(plan: Plan, lab_job: Job, lab: subprocess.Popen[bytes]) -> str:
    """Return the console, the status and the messages of a lab that failed; QEMU's are kept."""
    kept = plan.console.with_name(LAB_EMULATOR)
    kept.write_bytes(lab_job.complaints.read_bytes() if lab_job.complaints.exists() else b"")
    lines = [f"console: {plan.console}", f"QEMU's messages, with each reset of the CPU: {kept}"]
    status = lab.poll()
    if status is not None:
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        lines.append(f"QEMU ended with {how}")
    for name, file in (("its console", plan.console), ("QEMU", kept)):
        said = file.read_text(errors="replace").splitlines() if file.exists() else []
        said = [line for line in said if not NO_COMPLAINT.search(line)]
        if said:
            lines += [f"last lines of {name}:", *said[-SHOWN_LINES:]]
    return "\n".join(lines)
