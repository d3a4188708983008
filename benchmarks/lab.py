# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab: how long until it is a host, until the harness in it answers, and for passthrough.

    python -m benchmarks.lab [--rounds N] [--release NAME] [--profile NAME|FILE]
        [-- WORDS FOR ./plumbline run]

The image is built first if it is not cached; that is timed too, and its size printed. With a
profile the time of systemd, of the profile's commands and of its guest is in that of the host.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from launcher.lab import disk_image
from launcher.lab.lab_parts import set_up
from launcher.progress import Progress
from launcher.staged import profile as profiles
from launcher.staged.profile import Profile

ROOT = Path(__file__).resolve().parent.parent
# The first output of the launcher, the harness and the topology at each stage.
SIGNS = {"the host is ready": "lab: ready", "the harness answers": "Plumbline ", "built": " up in "}


def main(argv: Sequence[str]) -> int:
    """Run, print, and return 1 if a run did not conform."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lab")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--release", default=disk_image.DEFAULT)
    parser.add_argument("--profile")
    own, words = (list(argv), ["--topology", "passthrough"])
    if "--" in own:
        own, words = own[: own.index("--")], own[own.index("--") + 1 :]
    options = parser.parse_args(own)
    wanted = None if options.profile is None else profiles.load(options.profile)
    _print_image(options.release, wanted)
    given = [f"--release={options.release}"]
    given += [] if wanted is None else [f"--profile={wanted.word}"]
    samples: dict[str, list[float]] = {}
    status = 0
    for number in range(options.rounds):
        seen, ended = _run([*given, *words])
        status |= ended != 0
        for sign, seconds in seen.items():
            samples.setdefault(sign, []).append(seconds)
        times = "  ".join(f"{sign} {seconds:.1f} s" for sign, seconds in seen.items())
        print(f"{number + 1:3}  {times}  exit {ended}", flush=True)
    for sign, each in samples.items():
        print(f"{sign}: median {median(each):.1f} s of {len(each)}")
    return status


def _print_image(release: str, profile: Profile | None) -> None:
    set_up(release, profile)
    was, begin = disk_image.cached(release, profile), time.monotonic()
    disk = disk_image.ensure(release, Progress(), profile)
    size = sum(path.stat().st_blocks * 512 for path in disk.disk.parent.rglob("*"))
    how = "cached" if was else f"built in {time.monotonic() - begin:.0f} s"
    of = release if profile is None else f"{release}, profile {profile.name}"
    print(f"image of {of}: {size / 2**20:.0f} MiB on disk, {how}", flush=True)


def _run(words: Sequence[str]) -> tuple[dict[str, float], int]:
    """Return when each sign was seen, and the end, in seconds from the start; and the exit code."""
    with TemporaryDirectory() as folder:
        argv = [str(ROOT / "plumbline"), "run", "--host", "lab", "--output", f"{folder}/run"]
        begin = time.monotonic()
        seen: dict[str, float] = {}
        with subprocess.Popen(
            [*argv, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as launcher:
            for line in launcher.stdout or ():
                for sign, text in SIGNS.items():
                    if text in line and sign not in seen:
                        seen[sign] = time.monotonic() - begin
        seen["whole run"] = time.monotonic() - begin
        return seen, launcher.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
