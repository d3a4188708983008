# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder of a gate: its two runs, and how far it is, on disk before each step."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from contracts.exit_codes import EXIT_USAGE
from launcher.launcher_error import LauncherError, UsageError

SCHEMA = "plumbline/gate/1"
DEFAULT = Path("/var/lib/plumbline/gate")
FILE, BEFORE, AFTER = "gate.json", "before", "after"
PAGE, COMPARISON = "gate.html", "comparison.json"
# Until it is in gate.json.
ANSWER = ".answer.json"
MACHINE_ID = Path("/etc/machine-id")
# Clones of one image have one machine-id; virtual machines of them have firmware of their own.
# Source: SMBIOS (DMTF DSP0134), 7.2.1, System UUID; readable for root.
FIRMWARE_ID = Path("/sys/class/dmi/id/product_uuid")
# Its files are gone after a restart, of a container too, whose boot id is the kernel's.
MARKS = Path("/run")


class Step(StrEnum):
    """How far a gate is."""

    BEFORE = "before"
    """The run before is made."""
    READY = "ready"
    """The run before is there."""
    COMMAND = "command"
    """The command was started, and its end was not seen."""
    RESTART = "restart"
    """The command is done, and the machine restarts."""
    AFTER = "after"
    """The run after is made."""
    DONE = "done"


@dataclass(frozen=True)
class Gate:
    """One gate.

    Attributes:
        step: how far it is.
        words: the options of both runs, as they are typed.
        command: what is done to the host between them; empty: it is done by hand.
        here: whether the command changes this machine.
        place: the folder in which it was begun: paths among the words are from there.
        machine: the machine's id, see `machine_id`.
        mark: what a file of this boot has since the gate began.
        begun: when the gate began, in seconds since 1970.
        exit_code: its result; None: there is none yet.
        answer: the result in a sentence; "": there is none yet.
    """

    step: Step
    words: tuple[str, ...]
    command: tuple[str, ...]
    here: bool
    place: str
    machine: str
    mark: str
    begun: float
    exit_code: int | None = None
    answer: str = ""


def begun(words: Sequence[str], command: Sequence[str], *, here: bool) -> Gate:
    """Return a new gate on this machine."""
    place, machine, mark = str(Path.cwd()), machine_id(), uuid4().hex
    return Gate(Step.BEFORE, tuple(words), tuple(command), here, place, machine, mark, time.time())


def machine_id() -> str:
    """Return systemd's id of this machine and its firmware's, as far as it has them."""
    return " ".join(_content(file) for file in (MACHINE_ID, FIRMWARE_ID)).strip()


def is_this_machine(machine: str) -> bool:
    """Whether an id of `machine_id`, or of an earlier version without firmware, is this one's."""
    here = machine_id()
    return machine in (here, here.partition(" ")[0])


def _content(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


class GateFolder:
    """The folder on disk."""

    def __init__(self, place: Path, marks: Path = MARKS) -> None:
        """Take a folder, which need not be there, and the folder of marks of this boot."""
        self.place = place.absolute()
        digest = hashlib.sha256(str(self.place).encode()).hexdigest()[:12]
        self._mark = marks / f"plumbline-gate-{digest}"

    @property
    def before(self) -> Path:
        """The record of the run before."""
        return self.place / BEFORE

    @property
    def after(self) -> Path:
        """The record of the run after."""
        return self.place / AFTER

    def read(self) -> Gate | None:
        """Return the gate; None: there is none.

        Raises:
            LauncherError: its file is damaged.
        """
        file = self.place / FILE
        if not file.exists():
            return None
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            if data.pop("schema") != SCHEMA:
                raise ValueError("it is of another version")
            words, command = tuple(data.pop("words")), tuple(data.pop("command"))
            return Gate(Step(data.pop("step")), words, command, **data)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            error_ = LauncherError(
                f"{file}: no gate can be read from it: {error}",
                "move the folder away, and begin again with gate --before",
            )
            error_.exit_code = EXIT_USAGE
            raise error_ from error

    def write(self, gate: Gate) -> None:
        """Put a gate on disk, whole or not at all, so that a restart goes on from there."""
        self.place.mkdir(parents=True, exist_ok=True)
        new = self.place / f".{FILE}"
        with new.open("w", encoding="utf-8") as stream:
            json.dump({"schema": SCHEMA, **asdict(gate)}, stream, indent=1)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.place / FILE)

    def step(self, gate: Gate, step: Step, exit_code: int | None = None, answer: str = "") -> Gate:
        """Write down that a step begins, and return the gate."""
        gone_on = replace(gate, step=step, exit_code=exit_code, answer=answer)
        self.write(gone_on)
        if step is Step.DONE:
            self._mark.unlink(missing_ok=True)
        else:
            self._mark.write_text(gate.mark)
        return gone_on

    def is_restarted(self, gate: Gate) -> bool:
        """Whether the machine was restarted since the gate's last step began."""
        return not self._mark.exists() or self._mark.read_text() != gate.mark

    def make_room(self) -> None:
        """Put a gate that is done, or has no run before, aside, so that a new one begins.

        Raises:
            UsageError: one is under way, or something else is in the folder.
        """
        gate = self.read()
        if gate is None:
            if self.place.exists() and any(self.place.iterdir()):
                raise UsageError(
                    f"--folder {self.place}: the folder is not empty, and has no gate in it",
                    "name another folder",
                )
            return
        if gate.step not in (Step.BEFORE, Step.DONE):
            raise UsageError(
                f"a gate is under way in {self.place}, begun {_moment(gate)}",
                "./plumbline gate --after ends it; or move that folder away, or name another one "
                "with --folder",
            )
        self.place.rename(self.place.with_name(f"{self.place.name}-{_moment(gate)}"))

    def put_aside_after(self) -> None:
        """Keep an earlier run after, under a number."""
        if self.after.exists():
            taken = [each.name.rpartition("-")[2] for each in self.place.glob(f"{AFTER}-*")]
            last = max((int(number) for number in taken if number.isdecimal()), default=0)
            self.after.rename(self.place / f"{AFTER}-{last + 1}")


def _moment(gate: Gate) -> str:
    return time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(gate.begun))
