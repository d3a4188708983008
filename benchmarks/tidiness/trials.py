# SPDX-License-Identifier: GPL-2.0-or-later
"""A trial: which run is killed, when and how; and the file of a series, a line a trial."""

import json
import os
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

# A guardian that begins its work at once may be in the middle of it after so long.
DELAY_MAX_S = 2.0
RESULTS = "trials.jsonl"


@dataclass(frozen=True, slots=True)
class Kill:
    """A way to kill a run.

    Attributes:
        way: its word.
        takes_guardian: the guardian is killed as well, or in a sandbox its first process.
        restarts_host: the host itself ends, and starts anew.
    """

    way: str
    takes_guardian: bool = False
    restarts_host: bool = False


KILLS: Final = MappingProxyType(
    {
        each.way: each
        for each in (
            Kill("harness"),
            Kill("both", takes_guardian=True),
            Kill("restart", restarts_host=True),
        )
    }
)


@dataclass(frozen=True)
class Order:
    """A trial to make.

    Attributes:
        trial: its number in the series.
        way: who is killed, one of `KILLS`, or what happens (`benchmarks.tidiness.strikes`).
        topology: the topology of its run.
        fraction: the moment, as a part of the length of a whole run.
        delay_s: from the death of the harness to that of its guardian; 0: together.
    """

    trial: int
    way: str
    topology: str
    fraction: float
    delay_s: float = 0.0

    @property
    def kill(self) -> Kill | None:
        """How its run is killed; None: it is not, and something happens to it."""
        return KILLS.get(self.way)

    @property
    def restarts_host(self) -> bool:
        """Whether the host starts anew, and has to keep what was changed on it."""
        return self.kill is not None and self.kill.restarts_host


@dataclass
class Trial:
    """A trial that was made.

    Attributes:
        order: its order.
        host: the kind of host.
        moment_s: when it was killed, from the start of the run's process.
        whole_s: the length of a whole run.
        phase: what the run was doing.
        taken_back_s: until the guardian, or `clean`, had taken back all.
        left: what is there that was not before, one line for each thing.
        differs: the lines of the difference of the snapshots; none if they match.
        record: what is wrong with the run's record; empty: it is valid, or there is none yet.
        said: who took it back, in its own words; of a run that was not killed, its last lines.
        status: the exit code of a run that was not killed.
        wrong: what is wrong with the end of such a run.
    """

    order: Order
    host: str
    moment_s: float
    whole_s: float
    phase: str
    taken_back_s: float = 0.0
    left: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    record: str = ""
    said: list[str] = field(default_factory=list)
    status: int | None = None
    wrong: list[str] = field(default_factory=list)

    @property
    def is_tidy(self) -> bool:
        """Whether nothing is left and the host is as it was."""
        return not (self.left or self.differs or self.record or self.wrong)


def orders(
    seed: int,
    count: int,
    ways: Sequence[str],
    topologies: Sequence[str],
    between: tuple[float, float] = (0.0, 1.0),
) -> list[Order]:
    """Return the trials of a series: the same for a seed, whatever was made of them before."""
    made = []
    for number in range(1, count + 1):
        chance = random.Random(f"{seed} {number}")  # noqa: S311 - moments are no secret
        low, high = between
        way = ways[(number - 1) % len(ways)]
        takes_guardian = way in KILLS and KILLS[way].takes_guardian
        late = takes_guardian and chance.random() < 0.5
        made.append(
            Order(
                number,
                way,
                topologies[(number - 1) // len(ways) % len(topologies)],
                round(low + (high - low) * chance.random(), 4),
                round(DELAY_MAX_S * chance.random(), 3) if late else 0.0,
            )
        )
    return made


def append(results: Path, entry: dict[str, Any]) -> None:
    """Add a line to the file of a series; it is on the disk when this returns."""
    with results.open("a") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def append_trial(results: Path, trial: Trial) -> None:
    """Add a trial to the file of its series."""
    append(results, asdict(trial))


def read(results: Path) -> list[Trial]:
    """Return the trials that were made so far."""
    return [
        Trial(**(entry | {"order": Order(**entry["order"])}))
        for entry in _lines(results)
        if "order" in entry
    ]


def whole_s(results: Path, topology: str) -> float | None:
    """Return the length of a whole run, measured last; None: not yet."""
    found = [each["seconds"] for each in _lines(results) if each.get("whole") == topology]
    return found[-1] if found else None


def _lines(results: Path) -> list[dict[str, Any]]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text().splitlines()]
