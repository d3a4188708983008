# SPDX-License-Identifier: GPL-2.0-or-later
"""Misfortunes in the middle of a run, which it has to survive to an end of its own.

Each leaves the host itself as it was, so that what is left afterwards is the run's.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

from contracts.exit_codes import (
    EXIT_CONFORMS,
    EXIT_INTERRUPTED,
    EXIT_UNDECIDED,
    EXIT_USAGE,
    EXIT_VIOLATES,
)
from fixtures.host.journal import PLACE

COMMAND_DEADLINE_S = 120.0
# Enough for the begin of a run's files.
DISK_MIB = 64
# Between two interrupts: the first is being worked on.
AGAIN_S = 1.0
VERDICTS = frozenset({EXIT_CONFORMS, EXIT_VIOLATES, EXIT_UNDECIDED})


class Strike(ABC):
    """A misfortune.

    Attributes:
        way: its word.
        hosts: the kinds of hosts that it can be shown on.
        statuses: the exit codes that a run may end with.
        closes_record: the run's record is closed, with its exit code.
        topology: the topology that it needs; empty: any.
    """

    way: ClassVar[str]
    hosts: ClassVar[Sequence[str]] = ("staged", "lab")
    statuses: ClassVar[frozenset[int]] = VERDICTS
    closes_record: ClassVar[bool] = True
    topology: ClassVar[str] = ""

    @contextlib.contextmanager
    def around(self, output: Path) -> Iterator[None]:
        """Make the host ready for it, and as before after the run.

        Args:
            output: the folder of the run's record.
        """
        del output
        yield

    @abstractmethod
    def strike(self, run: subprocess.Popen[bytes]) -> None:
        """Let it happen.

        Args:
            run: the run.
        """


class LibvirtdKilled(Strike):
    """SIGKILL of libvirtd; systemd starts it again."""

    way = "libvirtd-killed"
    hosts = ("staged",)

    def strike(self, run: subprocess.Popen[bytes]) -> None:
        """See `Strike.strike`."""
        del run
        # The daemon alone: its guests and its DHCP servers are of the same unit.
        _command("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "libvirtd")


class OvsRestarted(Strike):
    """A restart of Open vSwitch, as by an upgrade of its package."""

    way = "ovs-restarted"
    hosts = ("staged",)
    topology = "ovs"

    def strike(self, run: subprocess.Popen[bytes]) -> None:
        """See `Strike.strike`."""
        del run
        _command("systemctl", "restart", "openvswitch-switch")


class GuestKilled(Strike):
    """SIGKILL of a guest of the run's, as by the kernel when memory runs out."""

    way = "guest-killed"

    def strike(self, run: subprocess.Popen[bytes]) -> None:
        """See `Strike.strike`; before its guests are there nothing happens."""
        del run
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                words = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words.startswith(b"/usr/bin/qemu-system") and b"kvm1" in words:
                os.kill(int(entry.name), signal.SIGKILL)


class DiskFull(Strike):
    """No space is left where a run writes."""

    def __init__(self) -> None:
        self._filler = Path()

    @abstractmethod
    def folder(self, output: Path) -> Path:
        """Return the folder that gets a disk of its own."""

    @contextlib.contextmanager
    def around(self, output: Path) -> Iterator[None]:
        """See `Strike.around`: what is on that disk is kept."""
        folder = self.folder(output)
        folder.mkdir(parents=True, exist_ok=True)
        self._filler = folder / ".filler"
        _command("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}M", "tmpfs", str(folder))
        try:
            yield
            self._filler.unlink(missing_ok=True)
            kept = output.with_name(f"{output.name}-kept")
            shutil.copytree(folder, kept)
        finally:
            _command("umount", str(folder))
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        shutil.rmtree(kept)

    def strike(self, run: subprocess.Popen[bytes]) -> None:
        """See `Strike.strike`."""
        del run
        # It ends with a failure: the disk is full.
        argv = ["dd", "if=/dev/zero", f"of={self._filler}", "bs=4096"]
        subprocess.run(argv, capture_output=True, check=False)


class RecordDiskFull(DiskFull):
    """The disk of the record and its evidence is full."""

    way = "record-disk-full"
    statuses = frozenset({EXIT_UNDECIDED})
    closes_record = False

    def folder(self, output: Path) -> Path:
        """See `DiskFull.folder`."""
        return output


class JournalDiskFull(DiskFull):
    """The disk of the journal is full."""

    way = "journal-disk-full"
    # A run is refused where its lock cannot be written.
    statuses = VERDICTS | {EXIT_USAGE}

    def folder(self, output: Path) -> Path:
        """See `DiskFull.folder`."""
        del output
        return PLACE.parent


class Interrupted(Strike):
    """Ctrl-C."""

    way = "interrupted"
    statuses = frozenset({EXIT_INTERRUPTED})

    def strike(self, run: subprocess.Popen[bytes]) -> None:
        """See `Strike.strike`."""
        run.send_signal(signal.SIGINT)


class InterruptedTwice(Interrupted):
    """Ctrl-C, and again."""

    way = "interrupted-twice"

    def strike(self, run: subprocess.Popen[bytes]) -> None:
        """See `Strike.strike`."""
        super().strike(run)
        time.sleep(AGAIN_S)
        if run.poll() is None:
            run.send_signal(signal.SIGINT)


class ClockSetBack(Strike):
    """The clock is set back by an hour, as by time synchronisation after a dead battery."""

    way = "clock-set-back"
    # A staged host may not set the machine's clock.
    hosts = ("lab",)
    back_s = 3600.0

    @contextlib.contextmanager
    def around(self, output: Path) -> Iterator[None]:
        """See `Strike.around`: the clock is right again by the one that is never set."""
        del output
        ahead = time.time() - time.monotonic()
        try:
            yield
        finally:
            time.clock_settime(time.CLOCK_REALTIME, ahead + time.monotonic())

    def strike(self, run: subprocess.Popen[bytes]) -> None:
        """See `Strike.strike`."""
        del run
        time.clock_settime(time.CLOCK_REALTIME, time.time() - self.back_s)


STRIKES: Final[Mapping[str, Strike]] = MappingProxyType(
    {
        each.way: each
        for each in (
            LibvirtdKilled(),
            OvsRestarted(),
            GuestKilled(),
            RecordDiskFull(),
            JournalDiskFull(),
            Interrupted(),
            InterruptedTwice(),
            ClockSetBack(),
        )
    }
)


def _command(*argv: str) -> None:
    subprocess.run(argv, capture_output=True, timeout=COMMAND_DEADLINE_S, check=True)
