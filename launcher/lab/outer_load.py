# SPDX-License-Identifier: GPL-2.0-or-later
"""Watches for load beside a lab: the run in it sees none of the machine's other processes."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from contracts.outer_load import OuterLoad
from fixtures.host.foreign_load import watching

# A trial in a lab takes seconds; a list of all processes takes 10 ms.
INTERVAL_S = 0.5


@contextlib.contextmanager
def written_down(folder: Path) -> Iterator[None]:
    """Keep the figure in a folder up to date for a `with` block.

    Where that fails, the figure stays as it is, and the run in the lab says so.
    """
    OuterLoad().write(folder)
    ended = threading.Event()
    thread = threading.Thread(target=_write, args=(folder, ended), name="load beside the lab")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _write(folder: Path, ended: threading.Event) -> None:
    figure, watch, cores = OuterLoad(), watching(), os.cpu_count() or 1
    while not ended.is_set():
        began_s = time.monotonic()
        with watch() as load:
            ended.wait(INTERVAL_S)
        given_s = (time.monotonic() - began_s) * cores
        figure = OuterLoad(
            figure.number + 1, figure.foreign_s + load.share * given_s, figure.given_s + given_s
        )
        figure.write(folder)
