# SPDX-License-Identifier: GPL-2.0-or-later
"""A process of this machine that has entered a staged host, waited for."""

import os
import signal
import subprocess


def wait(entered: subprocess.Popen[bytes]) -> int:
    """Wait for a process that has entered a host's namespaces, and return its exit status.

    The end of systemd stops every process of the host before it kills them. nsenter stops with its
    child then, and would never see the end of it.

    Args:
        entered: it, not waited for yet.
    """
    while entered.returncode is None:
        _, status = os.waitpid(entered.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.kill(entered.pid, signal.SIGCONT)
        else:
            entered.returncode = os.waitstatus_to_exitcode(status)
    return int(entered.returncode)
