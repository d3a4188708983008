# SPDX-License-Identifier: GPL-2.0-or-later
"""A staged host that runs: booted, ready, entered, and gone with the process that started it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher import packages
from launcher.launcher_error import LauncherError
from launcher.staged import attach, privileges, wires
from launcher.staged.host_state import HostState
from launcher.staged.profile import Profile

ROOT = Path(__file__).resolve().parent.parent.parent
# 1 to 3 s on two idle cores.
BOOT_DEADLINE_S = 120.0
COMMAND_DEADLINE_S = 120.0
POLL_S = 0.02
SHOWN_LINES = 20
# systemctl's words for a host whose start is over; a unit that failed is the profile's affair.
STARTED = ("running", "degraded")
# Where its systemd listens for systemctl.
SYSTEMD = "/run/systemd/private"
NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VARIABLES: Mapping[str, str] = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}


class StagedFailed(LauncherError):
    """A staged host that did not boot, or could not be made what its profile says."""


@dataclass(frozen=True)
class StagedHost:
    """A staged host.

    Attributes:
        pid: its first process, as this machine counts.
        profile: its profile.
    """

    pid: int
    profile: Profile

    def argv(
        self,
        command: Sequence[str],
        variables: Mapping[str, str] | None = None,
        folder: str | Path = "/",
    ) -> list[str]:
        """Return the words that run a command in it, as its root, with no variable of ours.

        It takes interrupts, even where this process does not.

        Args:
            command: the command.
            variables: variables beside those of every command.
            folder: its working folder.
        """
        settings = [f"{name}={value}" for name, value in {**VARIABLES, **(variables or {})}.items()]
        enter = ["nsenter", "--target", str(self.pid), *NAMESPACES, "--", *privileges.without()]
        return [
            *enter,
            *("env", "--ignore-environment", "--default-signal=INT,QUIT", f"--chdir={folder}"),
            *settings,
            *command,
        ]

    def capture(
        self,
        command: Sequence[str],
        variables: Mapping[str, str] | None = None,
        deadline_s: float = COMMAND_DEADLINE_S,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end, and return its status and its output.

        Raises:
            StagedFailed: it did not end in time.
        """
        try:
            return subprocess.run(
                self.argv(command, variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=deadline_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StagedFailed(
                f"{' '.join(command)} did not end within {deadline_s:g} s in the staged host",
                _last(error.stdout or ""),
            ) from error


@dataclass(frozen=True)
class Share:
    """A folder of this machine that a staged host sees.

    Attributes:
        folder: the folder.
        place: its path there; None: its own.
        writable: whether what is written there is written to this machine's.
    """

    folder: Path
    place: Path | None = None
    writable: bool = False


@contextlib.contextmanager
def booted(
    layers: Sequence[Path],
    profile: Profile,
    hostname: str,
    shares: Sequence[Share] = (),
    state: HostState | None = None,
) -> Iterator[StagedHost]:
    """Boot a staged host; on leaving it is gone, and it never outlives this process.

    Args:
        layers: its root folders, the upper ones first.
        profile: what it is made of.
        hostname: its name.
        shares: the folders of this machine that it sees, in this order.
        state: keeps what it writes, and makes it a restart of an earlier one; None: memory does.

    Raises:
        StagedFailed: it did not boot in time, or a command of its profile failed.
    """
    is_new = state is None or state.is_new
    orders = {
        "layers": [str(layer) for layer in layers],
        "hostname": hostname,
        "state": None if state is None else str(state.folder),
        "is_new": is_new,
        "files": {**wires.files(), **profile.files},
        "masked": list(profile.masked),
        "enabled": [wires.UNIT, *profile.enabled],
    }
    # -S: the standard library is enough, and starts faster. -P: the user's folder may have a file
    # with the name of a module.
    argv = [sys.executable, "-P", "-S", "-m", "launcher.staged.keeper", json.dumps(orders)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": packages.search_path()}
    keeper = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        # A terminal's Ctrl-C is not for it.
        start_new_session=True,
    )
    with keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        try:
            said = keeper.stdout.readline().strip()
            word, _, rest = said.partition(" ")
            if word != "ready":
                raise StagedFailed(f"a staged host could not be made: {rest or 'no answer'}")
            host = StagedHost(int(rest), profile)
            _wait_for_systemd(host, keeper)
            _wait_until_started(host)
            for share in shares:
                _attach(host, share)
            for command in profile.commands if is_new else ():
                require(host, ["sh", "-ec", command])
            yield host
        finally:
            keeper.stdin.close()
            keeper.wait()


def _wait_for_systemd(host: StagedHost, keeper: subprocess.Popen[str]) -> None:
    """Wait until its systemd answers."""
    end = time.monotonic() + BOOT_DEADLINE_S
    while not Path(f"/proc/{host.pid}/root{SYSTEMD}").is_socket():
        with contextlib.suppress(subprocess.TimeoutExpired):
            keeper.wait(POLL_S)
        if keeper.returncode is not None or time.monotonic() > end:
            raise StagedFailed("the staged host's systemd ended, or did not start in time")


def _wait_until_started(host: StagedHost) -> None:
    state = host.capture(["systemctl", "is-system-running", "--wait"])
    if state.stdout.strip() not in STARTED:
        journal = host.capture(["journalctl", "--no-pager", "--lines", str(SHOWN_LINES)])
        raise StagedFailed(
            f"the staged host did not start: systemctl says {_last(state.stdout)!r}",
            f"last lines of its journal:\n{_last(journal.stdout)}",
        )


def _attach(host: StagedHost, share: Share) -> None:
    place = share.place or share.folder
    try:
        attach.attach(share.folder, place, host.pid, writable=share.writable)
    except OSError as error:
        raise StagedFailed(f"{place} could not be seen in the staged host: {error}") from error


def require(
    host: StagedHost, command: Sequence[str], variables: Mapping[str, str] | None = None
) -> str:
    """Run a command that makes the host what its profile says, and return its output.

    Raises:
        StagedFailed: it failed; with its last lines.
    """
    done = host.capture(command, variables)
    if done.returncode != 0:
        raise StagedFailed(
            f"profile {host.profile.name}: a command ended with status {done.returncode}: "
            f"{' '.join(command)}",
            _last(done.stdout),
        )
    return done.stdout


def _last(said: str | bytes) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return "\n".join(text.strip().splitlines()[-SHOWN_LINES:])
