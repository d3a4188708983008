# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the launcher takes: `--help`, and `run` until it hands over when nothing is missing.

    python -m benchmarks.launcher [ROUNDS]

The hand-over is measured with a cache of its own that has this machine's real guest image, and a
program that ends at once in the place of the environment's interpreter: what remains is the
launcher's own work, with its search for missing parts. Needs root and a guest image.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from launcher import virtual_environment
from launcher.cache import cache_dir

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 20


def main(argv: Sequence[str]) -> None:
    """Measure some rounds and print a table of seconds."""
    rounds = int(argv[0]) if argv else ROUNDS
    with tempfile.TemporaryDirectory(prefix="plumbline-") as name:
        folder = Path(name)
        hook_environment = _prepared(folder)
        measured = {
            "--help": _seconds(["--help"], folder, hook_environment, rounds),
            "run --help": _seconds(["run", "--help"], folder, hook_environment, rounds),
            "run, hand-over": _seconds(["run", "--workers", "1"], folder, hook_environment, rounds),
        }
    print(f"{'seconds':20}{'min':>8}{'median':>8}{'max':>8}   ({rounds} rounds)")
    for what, samples in measured.items():
        print(f"{what:20}{min(samples):8.3f}{median(samples):8.3f}{max(samples):8.3f}")


def _prepared(folder: Path) -> dict[str, str]:
    """Make the cache, and return the environment variables of a launcher that uses it."""
    images = cache_dir() / "guest-image"
    if not images.is_dir():
        raise SystemExit("there is no guest image; ./plumbline image build makes it")
    (folder / "guest-image").symlink_to(images)
    os.environ["PLUMBLINE_CACHE"] = str(folder)
    venv = virtual_environment.path()
    (venv / "bin").mkdir(parents=True)
    (venv / virtual_environment.STAMP).touch()
    (venv / "bin" / "python").write_text("#!/bin/sh\nexit 0\n")
    (venv / "bin" / "python").chmod(0o755)
    return dict(os.environ)


def _seconds(words: list[str], cwd: Path, env: dict[str, str], rounds: int) -> list[float]:
    # The interpreter itself, not the first of its name in PATH, which may be a version manager's
    # script that takes longer than the launcher.
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    argv = [str(base), str(ROOT / "plumbline"), *words]
    samples = []
    for _ in range(rounds):
        begin = time.monotonic()
        subprocess.run(argv, cwd=cwd, env=env, stdout=subprocess.DEVNULL, check=True)
        samples.append(time.monotonic() - begin)
    return samples


if __name__ == "__main__":
    main(sys.argv[1:])
