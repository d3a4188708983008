# SPDX-License-Identifier: GPL-2.0-or-later
"""The command that becomes pytest: its arguments, its workers, and the handing over."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from contracts.run_options import RUN_OPTIONS
from launcher import packages
from launcher.pytest_options import TAKE_A_VALUE

ROOT = Path(__file__).resolve().parent.parent
SUITES = ROOT / "suites"
# Most of a check is waiting, and an idle guest takes nothing: four workers on two cores leave a
# fifth of the CPU time, seven a twelfth. What measures and misses has the machine alone.
PER_CORE = 3
# A sandbox and its guests take 0.7 GiB.
WORKERS_MAX = 8


def hand_over(argv: Sequence[str]) -> NoReturn:
    """Become another program; its PATH has the folders of daemons."""
    sys.stdout.flush()
    sys.stderr.flush()
    environment = os.environ | {"PATH": packages.search_path()}
    os.execve(argv[0], list(argv), environment)  # noqa: S606 - no shell is the point


def pytest_argv(
    options: argparse.Namespace, words: Sequence[str], command: Sequence[str], workers: int = 1
) -> list[str]:
    """Return the interpreter's arguments for a run.

    Options that are not given (the folder for the record, and the reports in it) keep the run's
    defaults, which plain pytest has as well.

    Args:
        options: `run`'s own options.
        words: the words after `--`.
        command: the whole command, for the record.
        workers: how many topologies are built at once.
    """
    # -P: the user's folder may have a file with the name of a library.
    argv = ["-P", "-m", "pytest", "-p", "no:cacheprovider"]
    argv += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    own_words, paths = with_paths(words, SUITES)
    argv += paths
    output = None if options.output is None else options.output.absolute()
    for option in RUN_OPTIONS:
        value = output if option.name == "output" else getattr(options, option.name)
        argv += option.argv(value)
    argv.append("--plumbline-terminal")
    argv.append(f"--plumbline-command={json.dumps(list(command))}")
    if workers > 1:
        argv += ["-n", str(workers), "--dist", "loadgroup"]
    return argv + own_words


def with_paths(words: Sequence[str], base: Path) -> tuple[list[str], list[str]]:
    """Split pytest's words into options and the paths below `base` that they name.

    A path or node id is relative to the current folder or to the clone's; without any, the path is
    `base` itself.
    """
    options: list[str] = []
    paths: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        found = None if before in TAKE_A_VALUE else _below(word, base)
        if found is None:
            options.append(word)
        else:
            paths.append(found)
    return options, paths or [str(base)]


def auto_workers(builds: int) -> int:
    """Return the number of workers for this many topologies."""
    return max(1, min(PER_CORE * cores(), WORKERS_MAX, builds))


def cores() -> int:
    """Return how many cores this process may use (taskset and a container's cpuset count)."""
    return len(os.sched_getaffinity(0))


def _below(word: str, base: Path) -> str | None:
    if word.startswith("-"):
        return None
    name, colons, rest = word.partition("::")
    for start in (Path.cwd(), ROOT):
        place = (start / name).resolve()
        if place.exists() and place.is_relative_to(base):
            return f"{place}{colons}{rest}"
    return None
