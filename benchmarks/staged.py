# SPDX-License-Identifier: GPL-2.0-or-later
"""Staged hosts: how long until its services are up, until its guest has an address, and its end.

    python -m benchmarks.staged [--rounds N] [--profile NAME]... [--release NAME]...

Each profile is booted on each release, all by default. Roots are built first if they are not
cached. What is there once a host is ready is printed: failed units, networks, guests.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from launcher import setup
from launcher.progress import Progress
from launcher.staged import profile, root_folder

ROOT = Path(__file__).resolve().parent.parent
# The launcher's lines at each stage, and what the command prints.
SIGNS = {
    "services up": ": its services are up",
    "guest addressed": ": a guest on ",
    "ready": "@ready",
}
LOOK = (
    "echo @ready; systemctl --failed --plain --no-legend; virsh net-list --name; "
    "virsh list --name; ip -br address show scope global"
)


def main(argv: Sequence[str]) -> int:
    """Boot, print, and return 1 if a host was not what its profile says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.staged")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="append")
    parser.add_argument("--release", action="append")
    options = parser.parse_args(argv)
    status = 0
    for name in options.profile or profile.names():
        for release in options.release or root_folder.RELEASES:
            if release in profile.load(name).not_on and not options.profile:
                continue
            _build(name, release)
            status |= _boot(name, release, options.rounds)
    return status


def _build(name: str, release: str) -> None:
    wanted = profile.load(name)
    missing = root_folder.cached(release, wanted) is None
    setup.ensure(staged=missing)
    begin = time.monotonic()
    layers = root_folder.ensure(release, wanted, Progress())
    if missing:
        print(f"{layers[0].name}: built in {time.monotonic() - begin:.0f} s")


def _boot(name: str, release: str, rounds: int) -> int:
    samples: dict[str, list[float]] = {}
    status = 0
    for number in range(rounds):
        seen, there, ended = _stage(name, release)
        status |= ended != 0
        if number == 0 or ended:
            print("\n".join(there))
        for sign, seconds in seen.items():
            samples.setdefault(sign, []).append(seconds)
    for sign, each in samples.items():
        shown = f"median {median(each):.1f} s of {len(each)}, {min(each):.1f} to {max(each):.1f}"
        print(f"{name} {release}: {sign}: {shown}", flush=True)
    return status


def _stage(name: str, release: str) -> tuple[dict[str, float], list[str], int]:
    """Return when each sign was seen in seconds from the start, the other lines, and the status."""
    argv = [str(ROOT / "plumbline"), "stage", "--profile", name, "--release", release]
    begin = time.monotonic()
    seen: dict[str, float] = {}
    there = []
    with subprocess.Popen(
        [*argv, "--", "sh", "-c", LOOK],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as launcher:
        for line in launcher.stdout or ():
            for sign, text in SIGNS.items():
                if text in line and sign not in seen:
                    seen[sign] = time.monotonic() - begin
                    break
            else:
                there.append(line.rstrip())
    seen["gone"] = time.monotonic() - begin
    return seen, [line for line in there if line], launcher.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
