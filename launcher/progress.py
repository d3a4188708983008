# SPDX-License-Identifier: GPL-2.0-or-later
"""Progress of set-up: one line per step, with the time that has passed."""

import sys
import time


class Progress:
    """Prints steps on standard error, apart from a command's own output."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def __call__(self, step: str) -> None:
        """Print one step, after the seconds since the first."""
        print(f"[{time.monotonic() - self._begin:6.1f} s] {step}", file=sys.stderr, flush=True)
