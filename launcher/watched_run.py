# SPDX-License-Identifier: GPL-2.0-or-later
"""A run that a watchdog may end: pytest is a process beside the launcher, which waits for both."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from contracts.exit_codes import EXIT_UNDECIDED
from fixtures.host.watchdog import waited_for
from launcher import packages

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What a shell makes of a program that a signal has ended.
SIGNALLED = 128


def run(argv: Sequence[str], since: float) -> int:
    """Run pytest on this machine, and return its exit status, or that of the watchdog's verdict.

    Args:
        argv: its command.
        since: the time of the run's start.
    """
    sys.stdout.flush()
    # It ends with the launcher, as where the launcher becomes pytest.
    own = ["setpriv", "--pdeathsig", "KILL", "--", *argv]
    environment = os.environ | {"PATH": packages.search_path()}
    # In a session of its own: it gets a terminal's Ctrl-C once, from here.
    with subprocess.Popen(own, env=environment, start_new_session=True) as running:

        def forward(number: int, _frame: FrameType | None) -> None:
            running.send_signal(number)

        for number in FORWARDED:
            signal.signal(number, forward)
        status = running.wait()
    return ended(status, waited_for(since) if status < 0 else "")


def ended(status: int, verdict: str) -> int:
    """Return the exit status of a run that a signal has ended; shows the watchdog's verdict."""
    if verdict:
        print(f"plumbline: {verdict}", file=sys.stderr)
        return EXIT_UNDECIDED
    return status if status >= 0 else SIGNALLED - status
