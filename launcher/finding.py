# SPDX-License-Identifier: GPL-2.0-or-later
"""The finding of a probe, and how probes run commands."""

import errno
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from launcher import packages, unpacked


class State(StrEnum):
    """Whether the machine can do something."""

    YES = "yes"
    NO = "no"
    NOT_PROVEN = "not proven"


@dataclass(frozen=True)
class Finding:
    """The finding of one probe.

    Attributes:
        name: the capability that was probed.
        state: whether the machine has it.
        detail: the probe's result in a few words.
        fix: the command that would add it; empty when it is there.
    """

    name: str
    state: State
    detail: str
    fix: str = ""


INSTALL = unpacked.install_command()


@dataclass(frozen=True)
class Answer:
    """How a command ended.

    Attributes:
        ok: it could be started and ended with status 0 in time.
        text: its standard output.
        complaint: the last line of its standard error, or why there is none.
    """

    ok: bool
    text: str
    complaint: str

    @property
    def first_line(self) -> str:
        """The first line of its output; empty when there is none."""
        return self.text.partition("\n")[0].strip()


@dataclass(frozen=True)
class Probed:
    """The machine that probes look at.

    Attributes:
        enter: the command that runs another one there; empty on this machine.
        root: its file system as this machine sees it.
    """

    enter: tuple[str, ...] = ()
    root: Path = Path("/")

    def path(self, path: str) -> Path:
        """Return where this machine finds a path of the probed one."""
        return self.root / path.lstrip("/")

    def ask(self, argv: Sequence[str], *, stdin: str = "", deadline_s: float = 10.0) -> Answer:
        """Run a command there to its end; a failure is in the answer."""
        if self.enter:
            return _ran([*self.enter, *argv], argv[0], stdin, deadline_s)
        program = packages.find(argv[0])
        if program is None:
            return Answer(ok=False, text="", complaint=f"there is no {argv[0]}")
        return _ran([program, *argv[1:]], argv[0], stdin, deadline_s)


HERE = Probed()
"""This machine."""


def ask(argv: Sequence[str], *, stdin: str = "", deadline_s: float = 10.0) -> Answer:
    """Run a command on this machine to its end; a failure is in the answer."""
    return HERE.ask(argv, stdin=stdin, deadline_s=deadline_s)


def _ran(argv: Sequence[str], name: str, stdin: str, deadline_s: float) -> Answer:
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline_s,
            check=False,
            # English messages, and a PATH for the commands that a command starts.
            env=os.environ | {"LC_ALL": "C", "PATH": packages.search_path()},
        )
    except subprocess.TimeoutExpired:
        return Answer(ok=False, text="", complaint=f"{name}: no end within {deadline_s:g} s")
    except OSError as error:
        return Answer(ok=False, text="", complaint=f"{argv[0]}: {error.strerror}")
    return Answer(done.returncode == 0, done.stdout, _complaint(name, done))


def _complaint(name: str, done: subprocess.CompletedProcess[str]) -> str:
    # `ip -batch` ends with "Command failed -:2"; the reason is on the line before it.
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    causes = [line for line in said if not line.startswith("Command failed")] or said
    return causes[-1] if causes else f"{name} ended with status {done.returncode}"


def in_namespaces(argv: Sequence[str], *kinds: str) -> list[str]:
    """Return `argv` run in throwaway namespaces that end with it.

    Args:
        argv: the command.
        kinds: of `unshare`: `net`, `mount`, `pid` …
    """
    # Without root a user namespace shows what the kernel can do; a run still needs root.
    who = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *who, *(f"--{kind}" for kind in kinds), "--", *argv]


class Module(NamedTuple):
    """A kernel feature: its module, and its build option."""

    name: str
    option: str

    def fix(self) -> str:
        """Return how to add it: load the module where there is one, else use another kernel."""
        if ask(["modinfo", self.name]).ok:
            return f"sudo modprobe {self.name}"
        return f"a kernel with {self.option}"


def tried(name: str, answer: Answer, detail: str, fix: str | Module) -> Finding:
    """Return the finding of a trial in a throwaway namespace."""
    if answer.ok:
        return Finding(name, State.YES, detail)
    if answer.complaint.startswith("unshare:") and (os.geteuid() != 0 or name != "namespaces"):
        detail = f"no namespace could be made for the trial ({answer.complaint})"
        remedy = "sudo ./plumbline doctor" if os.geteuid() != 0 else "see namespaces"
        return Finding(name, State.NOT_PROVEN, detail, remedy)
    if os.geteuid() != 0 and is_denied(answer.complaint):
        return only_root(name, answer.complaint)
    return Finding(name, State.NO, answer.complaint, fix if isinstance(fix, str) else fix.fix())


def is_denied(complaint: str) -> bool:
    """Whether a command was denied permission: "open: Permission denied", of EACCES or EPERM."""
    said = complaint.casefold()
    return any(os.strerror(each).casefold() in said for each in (errno.EACCES, errno.EPERM))


def only_root(name: str, why: str) -> Finding:
    """Return the finding for a probe that this user may not make: the machine may have it."""
    detail = f"only root can prove it ({why})"
    return Finding(name, State.NOT_PROVEN, detail, "sudo ./plumbline doctor")
