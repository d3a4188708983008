# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the seconds of a run go: building, booting, waiting, measuring, other checks, taking down.

    python -m benchmarks.seconds [RUN …] [-- WORDS FOR ./plumbline run]

For each record (a folder or its run.json) a table with a line per topology, in wall seconds, and
with the CPU seconds of its guests. Without a record it makes a run and adds the CPU seconds of all
its processes, the emulated guests' included.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from contracts.run_files import RECORD
from reports.record import Check, RunRecord, TopologyRecord, load

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Seconds:
    """Seconds of a topology, or of several together.

    Attributes:
        build: of its network, and until its guests have addresses.
        boot: from the start of its guests until all answer.
        wait: that its checks let pass between two observations.
        measure: of checks that keep measurements, but for that: these have the machine to
            themselves, or are made beside others first.
        check: of all others, but for that.
        take_down: afterwards.
        cpu: CPU seconds of its guests.
    """

    build: float
    boot: float
    wait: float
    measure: float
    check: float
    take_down: float
    cpu: float

    @property
    def whole(self) -> float:
        """All wall seconds."""
        return self.build + self.boot + self.wait + self.measure + self.check + self.take_down

    def line(self, name: str) -> str:
        """Return a line of the table."""
        parts = [getattr(self, each.name) for each in fields(self)]
        return f"{name:24}" + "".join(
            f"{part:10.1f}" for part in (*parts[:-1], self.whole, self.cpu)
        )


def by_topology(record: RunRecord) -> dict[str, Seconds]:
    """Return the seconds of each topology of a run."""
    return {topology.name: _of_topology(record, topology) for topology in record.topologies}


def _of_topology(record: RunRecord, topology: TopologyRecord) -> Seconds:
    checks = [check for check in record.checks if check.topology == topology.name]
    boot = topology.boot_s or 0
    return Seconds(
        (topology.build_s or 0) - boot,
        boot,
        sum(check.paused_s or 0 for check in checks),
        sum(map(_busy, (check for check in checks if check.measurements))),
        sum(map(_busy, (check for check in checks if not check.measurements))),
        topology.teardown_s or 0,
        topology.guests_cpu_s or 0,
    )


def _busy(check: Check) -> float:
    """Return the seconds of a check in which it did not let time pass."""
    return (check.duration_s or 0) - (check.paused_s or 0)


def table(record: RunRecord) -> str:
    """Return the table of a run."""
    found = by_topology(record)
    parts = [each.name for each in fields(Seconds)]
    whole = Seconds(*(sum(getattr(each, part) for each in found.values()) for part in parts))
    heads = (*(part.replace("_", " ") for part in parts[:-1]), "all", "CPU")
    lines = [f"{'seconds of':24}" + "".join(f"{head:>10}" for head in heads)]
    lines += [each.line(name) for name, each in found.items()]
    lines.append(whole.line("all topologies"))
    if record.finished is not None:
        wall = (record.finished - record.started).total_seconds()
        lines.append(f"the run itself took {wall:.1f} s")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Print the tables."""
    words = list(argv)
    own, rest = words, []
    if "--" in words:
        own, rest = words[: words.index("--")], words[words.index("--") + 1 :]
    for place in own:
        print(table(load(Path(place, RECORD) if Path(place).is_dir() else Path(place))))
    if not own:
        print(_made(rest))
    return 0


def _made(words: Sequence[str]) -> str:
    """Make a run, and return its table with the CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [str(ROOT / "plumbline"), "run", "--output", str(Path(folder, "run")), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        written = Path(folder, "run", RECORD)
        if not written.exists():
            raise SystemExit(done.stdout + done.stderr)
        record = load(written)
    # The first process of a sandbox waits for its daemons and guests, and the run for that one.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent, cores = used.ru_utime + used.ru_stime, os.cpu_count() or 1
    said = f"{spent:.1f} s of CPU time, on {cores} cores"
    if record.finished is not None:
        had = (record.finished - record.started).total_seconds() * cores
        said += f": {spent / had:.0%} of what they had"
    return f"{table(record)}\n{said}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
