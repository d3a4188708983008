# SPDX-License-Identifier: GPL-2.0-or-later
"""The same topologies in a sandbox and on a host with other users: how much longer it takes there.

    python -m benchmarks.hosts [--topology NAME]... [--profile NAME|FILE] [--release NAME]
        [--rounds N] [-- WORDS FOR ./plumbline run]

Each topology is run in a sandbox and on a staged host, by turns; without `--topology` all of them.
A host has one topology at a time, and so each run has one. The seconds are those between begin and
end of the record: the start of the host, and of Python, is in neither. Ends with 1 if all together
take more than 1.3 times as long on the host.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from contracts.run_files import RECORD
from reports.record import load
from topologies.library import names

ROOT = Path(__file__).resolve().parent.parent
RATIO_MAX = 1.3
SANDBOX = "sandbox"


def main(argv: Sequence[str]) -> int:
    """Run, print a line a topology, and return 1 if the host takes too long."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hosts")
    parser.add_argument("--topology", action="append", choices=names())
    parser.add_argument("--profile", default="plain")
    parser.add_argument("--release", default="bookworm")
    parser.add_argument("--rounds", type=int, default=1)
    own, words = (list(argv), [])
    if "--" in own:
        own, words = own[: own.index("--")], own[own.index("--") + 1 :]
    options = parser.parse_args(own)
    staged = ["--host", "staged", "--profile", options.profile, "--release", options.release]
    hosts = {SANDBOX: [], options.profile: staged}
    whole = dict.fromkeys(hosts, 0.0)
    for topology in options.topology or names():
        taken = _medians(hosts, topology, options.rounds, words)
        for host, seconds in taken.items():
            whole[host] += seconds
        _print(topology, taken)
    return 0 if _print("all", whole) <= RATIO_MAX else 1


def _medians(
    hosts: Mapping[str, Sequence[str]], topology: str, rounds: int, words: Sequence[str]
) -> dict[str, float]:
    """Return the seconds of a topology's run on each host."""
    samples: dict[str, list[float]] = {host: [] for host in hosts}
    for _ in range(rounds):
        for host, options in hosts.items():
            samples[host].append(_run([*options, "--topology", topology, *words]))
    return {host: median(each) for host, each in samples.items()}


def _run(words: Sequence[str]) -> float:
    """Return the seconds of a run, by its record."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "run")
        argv = [str(ROOT / "plumbline"), "run", "--workers", "1", "--output", str(output), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        record = load(output / RECORD) if (output / RECORD).exists() else None
    if record is None or record.finished is None:
        raise SystemExit(done.stdout + done.stderr)
    return (record.finished - record.started).total_seconds()


def _print(name: str, taken: Mapping[str, float]) -> float:
    """Print a line, and return how many times the sandbox's time the host takes."""
    [(_, sandbox), (profile, other)] = taken.items()
    ratio = other / sandbox
    shown = f"{name:20} sandbox {sandbox:7.1f} s  {profile} {other:7.1f} s  {ratio:5.2f} times"
    print(shown, flush=True)
    return ratio


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
