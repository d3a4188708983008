# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lab is told and what it tells: files of a folder that both see.

`guestside/start` is the other end of it. What a lab writes there is read as text that anybody could
have written: no link is followed.
"""

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.cache import make_cache_dir

START = Path(__file__).with_name("guestside") / "start"


@dataclass(frozen=True)
class Share:
    """A folder of this machine that a lab sees by its own path.

    Attributes:
        tag: what the lab mounts it by.
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
        folder: where it is on this machine.
    """

    folder: Path

    def tell(
        self,
        shares: Sequence[Share],
        kept: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        firewall_backend: str | None,
    ) -> None:
        """Write what the lab is to do.

        Args:
            shares: what it mounts, in this order.
            kept: the one of them in which it keeps things for the next lab.
            command: what is run in it.
            environment: the command's.
            folder: where the command is run.
            firewall_backend: what libvirt is told to write its rules with; None: nothing.
        """
        (self.folder / "start").write_bytes(START.read_bytes())
        mounts = [f"{s.tag} {'rw' if s.writable else 'ro'} {s.folder}\n" for s in shares]
        (self.folder / "mounts").write_text("".join(mounts))
        (self.folder / "kept").write_text(f"{kept}\n")
        if firewall_backend is not None:
            told = f'firewall_backend = "{firewall_backend}"\n'
            (self.folder / "network.conf").write_text(told)
        settings = [f"{name}={value}" for name, value in environment.items()]
        # A shell's background command ignores interrupts, and what it starts inherits that.
        words = ["exec", "env", "--default-signal=INT,QUIT", *settings, *command]
        go = f"cd {shlex.quote(str(folder))} || cd /"
        (self.folder / "command").write_text(f"{go}\n{shlex.join(words)}\n")

    @property
    def ready_s(self) -> float | None:
        """When the host was ready, in seconds from its kernel's start; None: it is not."""
        said = self._read("started")
        return float(said.split()[0]) if said else None

    @property
    def failure(self) -> str | None:
        """Why the lab could not be made a host; None: nothing is known of that."""
        return self._read("failed")

    @property
    def status(self) -> int | None:
        """How the command ended; None: it has not."""
        said = self._read("status")
        return int(said) if said else None

    @property
    def complaints(self) -> Path:
        """The file for what the emulator says."""
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
    """Make the folder for the length of a `with` block; `clean` knows one that was left."""
    labs = make_cache_dir() / "labs"
    labs.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="build-job-", dir=labs)).resolve()
    try:
        yield Job(folder)
    finally:
        shutil.rmtree(folder)
