# SPDX-License-Identifier: GPL-2.0-or-later
"""The plan of checks: what a run is going to decide, in a file until the recorder has it."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from contracts.run_files import PLAN

Key = tuple[str, str]
# In the place of a topology's name, for a check of the host itself.
HOST = "host"


class PlanError(ValueError):
    """A file that is not a plan of checks."""


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """A check that a run is going to make.

    Attributes:
        id: `property.name[topology…]`, the same in every run.
        nodeid: pytest's name of it.
        claims: the claims that it decides on this topology.
        topology: the topology's name, or `HOST`.
        rerun: a command that runs just this check again.
        reach: the cell of who reaches whom that it decides, as the record has it; None if it
            decides none.
        procedure: how it decides: `preconditions`, `steps` and `verify`; None: not known.
    """

    id: str
    nodeid: str
    claims: tuple[str, ...]
    topology: str
    rerun: str
    reach: Mapping[str, str | bool] | None = None
    procedure: Mapping[str, Sequence[str]] | None = None

    @property
    def key(self) -> Key:
        """What identifies it within the run: topology and id."""
        return (self.topology, self.id)


def write_plan(output: Path, planned: Iterable[PlannedCheck]) -> None:
    """Write the plan into a run's folder, whole or not at all: others may be waiting for it."""
    target = output / PLAN
    draft = output / f"{PLAN}.{os.getpid()}"
    draft.write_text(json.dumps([asdict(check) for check in planned]), encoding="utf-8")
    draft.replace(target)


def read_plan(output: Path) -> list[PlannedCheck]:
    """Read the plan in a run's folder.

    Raises:
        FileNotFoundError: it is not written yet.
        PlanError: it is not a plan.
    """
    path = output / PLAN
    text = path.read_text(encoding="utf-8")
    try:
        return [_parsed(entry) for entry in json.loads(text)]
    except (TypeError, ValueError) as error:
        raise PlanError(f"{path}: not a plan of checks: {error}") from error


def _parsed(entry: dict[str, Any]) -> PlannedCheck:
    expected = {field.name for field in fields(PlannedCheck)}
    if set(entry) != expected:
        raise ValueError(f"a check has {sorted(entry)}, expected {sorted(expected)}")
    return PlannedCheck(**entry | {"claims": tuple(entry["claims"])})
