# SPDX-License-Identifier: GPL-2.0-or-later
"""A step of set-up by another program: its output is shown only after a failure."""

import subprocess
from collections.abc import Mapping, Sequence

SHOWN_LINES = 20


def run(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a program to its end, without input; return its status and its last lines.

    Args:
        argv: the program and its arguments.
        environment: its environment; None is ours.
    """
    done = subprocess.run(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, "\n".join(done.stdout.strip().splitlines()[-SHOWN_LINES:])
