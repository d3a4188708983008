# SPDX-License-Identifier: GPL-2.0-or-later
"""When the record is written while the run goes on."""

import time
from collections.abc import Callable

# A record that is written within the first is written after each check; one that takes longer, as
# often as the share of the time allows.
QUICK_S = 0.05
SAVING_SHARE = 0.05


class PacedSave:
    """Writes a record whenever it is called, unless the last writing was long and not long ago.

    A record of thousands of checks takes a second to write. Written after each of them, it would
    take a core of the machine that is measured.

    Args:
        write: writes what is known.
    """

    def __init__(self, write: Callable[[], None]) -> None:
        self._write = write
        self._next_s = 0.0

    def __call__(self) -> None:
        """Write, or leave it to a later call."""
        began_s = time.monotonic()
        if began_s < self._next_s:
            return
        self._write()
        ended_s = time.monotonic()
        if (took_s := ended_s - began_s) > QUICK_S:
            self._next_s = ended_s + took_s / SAVING_SHARE
