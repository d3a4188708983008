# SPDX-License-Identifier: GPL-2.0-or-later
"""`--existing` on a host with three networks: how long it takes, and where the seconds go.

    python -m benchmarks.existing [--rounds N] [--slowest N] [-- WORDS FOR ./plumbline run]

The host is a sandbox with libvirt's `default` (dual stack), a Linux bridge over a NIC and a network
over an Open vSwitch bridge, and somebody else's guest. Guests are emulated (TCG). For each round a
table with a line per network, the seconds around them, the checks that took longest, and those that
are violated.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.seconds import table
from contracts.run_files import RECORD
from fixtures.guest import image as images
from reports.record import RunRecord, load
from tests.host_with_networks import MachineWithNetworks, machine_with_networks

# One of the two bridges has no DHCP server; on the other one the first address is the outside's.
ADDRESSES = ("192.168.1.11-192.168.1.20", "10.99.0.50-10.99.0.59")


def main(argv: Sequence[str]) -> int:
    """Make the host, run on it, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.existing")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--slowest", type=int, default=12)
    own, words = (list(argv), [])
    if "--" in own:
        own, words = own[: own.index("--")], own[own.index("--") + 1 :]
    options = parser.parse_args(own)
    image = images.cached()
    if image is None:
        raise SystemExit("no guest image is there yet; ./plumbline image makes one")
    seconds = []
    with machine_with_networks(image) as machine:
        for _ in range(options.rounds):
            taken, record = _run(machine, words)
            seconds.append(taken)
            print(table(record))
            print(f"from the command to its end: {taken:.1f} s")
            _print_slowest(record, options.slowest)
            sys.stdout.flush()
    print(f"median {median(seconds):.1f} s of {len(seconds)}")
    return 0


def _run(machine: MachineWithNetworks, words: Sequence[str]) -> tuple[float, RunRecord]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "run")
        asked = ["run", "--host", "local", "--accel", "tcg", "--existing", "--output", str(output)]
        asked += [word for span in ADDRESSES for word in ("--addresses", span)]
        begin = time.monotonic()
        done = machine.plumbline(*asked, *words, folder=Path(folder))
        taken = time.monotonic() - begin
        if not (output / RECORD).exists():
            raise SystemExit(str(done))
        return taken, load(output / RECORD)


def _print_slowest(record: RunRecord, count: int) -> None:
    """Print the checks that took longest, and how many were made."""
    made = sorted(record.checks, key=lambda check: check.duration_s or 0, reverse=True)
    for check in made[:count]:
        print(f"{check.duration_s or 0:8.1f} s  {check.verdict:12}  {check.id}")
    for check in made:
        if check.verdict in ("violates", "error"):
            print(f"{check.verdict} {check.id}: {check.reason}")
    counted = Counter(str(check.verdict) for check in made)
    print(f"{len(made)} checks: {', '.join(f'{n} {name}' for name, n in counted.items())}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
