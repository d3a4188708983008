# SPDX-License-Identifier: GPL-2.0-or-later
"""The orders for a lab and its answers: files of a folder that both sides see.

`guestside/start` is the other end of it; for a host with a profile `launcher.lab.profile_orders`
writes another one. A lab's files are read as untrusted text: no link is
followed.
"""

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher import firewall_backend as firewall_backends
from launcher.cache import make_cache_dir

GUESTSIDE = Path(__file__).with_name("guestside")


@dataclass(frozen=True)
class Share:
    """A folder of this machine that a lab sees by its own path.

    Attributes:
        tag: its mount tag in the lab.
        folder: the folder.
        writable: whether the lab may write to it.
    """

    tag: str
    folder: Path
    writable: bool = False


@dataclass(frozen=True)
class Job:
    """The folder.

    Attributes:
        folder: its path on this machine.
    """

    folder: Path

    def write_orders(
        self,
        shares: Sequence[Share],
        kept: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        firewall_backend: str | None,
    ) -> None:
        """Write the lab's orders.

        Args:
            shares: the folders that it mounts, in this order.
            kept: the one of them with files for the next lab.
            command: the command to run in it.
            environment: the command's.
            folder: the command's working folder.
            firewall_backend: the backend of libvirt's rules; None: libvirt's choice.
        """
        for name in ("start", "functions"):
            (self.folder / name).write_bytes((GUESTSIDE / name).read_bytes())
        mounts = [f"{s.tag} {'rw' if s.writable else 'ro'} {s.folder}\n" for s in shares]
        (self.folder / "mounts").write_text("".join(mounts))
        (self.folder / "kept").write_text(f"{kept}\n")
        if firewall_backend is not None:
            text = firewall_backends.settings(firewall_backend)
            (self.folder / "network.conf").write_text(text)
        settings = [f"{name}={value}" for name, value in environment.items()]
        # A shell's background command ignores interrupts, and its children inherit that.
        words = ["exec", "env", "--default-signal=INT,QUIT", *settings, *command]
        # A folder that the lab does not see is none to be in.
        go = f"cd {shlex.quote(str(folder))} 2>/dev/null || cd /"
        (self.folder / "command").write_text(f"{go}\n{shlex.join(words)}\n")

    @property
    def ready_s(self) -> float | None:
        """When the host was ready, in seconds from its kernel's start; None: it is not."""
        said = self._read("started")
        return float(said.split()[0]) if said else None

    @property
    def failure(self) -> str | None:
        """Why the lab could not be made a host; None: no failure so far."""
        return self._read("failed")

    @property
    def address(self) -> str | None:
        """The address of the profile's guest; None: it has none so far."""
        return self._read("address")

    @property
    def status(self) -> int | None:
        """How the command ended; None: it has not."""
        said = self._read("status")
        return int(said) if said else None

    @property
    def complaints(self) -> Path:
        """The file for the emulator's messages."""
        return self.folder / "complaints"

    def _read(self, name: str) -> str | None:
        try:
            handle = os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        with os.fdopen(handle, errors="replace") as file:
            return file.read().strip()


@contextlib.contextmanager
def job() -> Iterator[Job]:
    """Make the folder for the length of a `with` block; `clean` removes leftovers."""
    labs = make_cache_dir() / "labs"
    labs.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="build-job-", dir=labs)).resolve()
    try:
        yield Job(folder)
    finally:
        shutil.rmtree(folder)
