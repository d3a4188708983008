# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole runs: how long they take by number of workers, and whether they agree.

    python -m benchmarks.runs [--rounds N] [--workers N …] [--exit CODE]
        [-- WORDS FOR ./plumbline run]

Prints a line a run, then for each number of workers the seconds, the exit codes, and every check
whose verdict was not the same in all runs. Ends with 1 if there is one, or if a run ended with
another code than `--exit`. Ten runs on a staged host, each to be as its profile's file says:

    python -m benchmarks.runs --rounds 10 --workers 1 --exit 0 -- --host staged --profile plain \
        --topology nat --topology linux-bridge --expect-verdicts profile
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from contracts.run_files import RECORD
from reports.record import RunRecord, load

ROOT = Path(__file__).resolve().parent.parent
Verdicts = dict[tuple[str, str], str]


def main(argv: Sequence[str]) -> int:
    """Run, print, and return 1 if runs disagree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--exit", type=int, dest="code")
    own, words = (list(argv), [])
    if "--" in own:
        own, words = own[: own.index("--")], own[own.index("--") + 1 :]
    options = parser.parse_args(own)
    seconds: dict[int, list[float]] = {workers: [] for workers in options.workers}
    seen: list[Verdicts] = []
    codes: Counter[int] = Counter()
    for number in range(options.rounds):
        for workers in options.workers:
            taken, status, record = _run(workers, words)
            seconds[workers].append(taken)
            codes[status] += 1
            seen.append({(c.topology, c.id): str(c.verdict) for c in record.checks})
            counts = ", ".join(f"{n} {v}" for v, n in Counter(seen[-1].values()).items())
            print(f"{number + 1:3} workers {workers}  {taken:6.1f} s  exit {status}  {counts}")
            _print_reasons(record)
            sys.stdout.flush()
    for workers, samples in seconds.items():
        print(f"workers {workers}: median {median(samples):.1f} s of {len(samples)}")
    print("; ".join(f"{n} of {codes.total()} runs ended with {code}" for code, n in codes.items()))
    differ = _print_differences(seen)
    return differ or int(options.code is not None and {*codes} != {options.code})


def _print_reasons(record: RunRecord) -> None:
    """Print why a run is not all green: once for a topology that broke, else for each check."""
    broken = {t.name: t.reason for t in record.topologies if t.reason}
    for name, reason in broken.items():
        print(f"      {name}: {reason}")
    for check in record.checks:
        if check.verdict != "conforms" and check.topology not in broken:
            print(f"      {check.verdict} {check.id}: {check.reason}")


def _run(workers: int, words: Sequence[str]) -> tuple[float, int, RunRecord]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "run")
        argv = [str(ROOT / "plumbline"), "run", "--workers", str(workers), "--output", str(output)]
        begin = time.monotonic()
        done = subprocess.run([*argv, *words], capture_output=True, text=True, check=False)
        taken = time.monotonic() - begin
        if not (output / RECORD).exists():
            raise SystemExit(done.stdout + done.stderr)
        return taken, done.returncode, load(output / RECORD)


def _print_differences(seen: Sequence[Verdicts]) -> int:
    checks = sorted({check for verdicts in seen for check in verdicts})
    differing = 0
    for check in checks:
        verdicts = Counter(each.get(check, "absent") for each in seen)
        if len(verdicts) > 1:
            differing += 1
            print(f"differs: {' '.join(check)}: {dict(verdicts)}")
    print(f"{len(checks)} checks, {len(seen)} runs, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
