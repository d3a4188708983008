# SPDX-License-Identifier: GPL-2.0-or-later
"""The first process of a PID namespace, as in a container without an init: it reaps orphans.

The kernel makes it the parent of each process whose own parent has ended (pid_namespaces(7)). One
that stays unreaped in a sandbox keeps the sandbox's namespaces from ending, and the run waits for
ever.
"""

import os
import signal

HANDED_ON = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
# siginfo's si_code of a signal that the kernel sends, as a terminal's Ctrl-C: each process in front
# has it (asm-generic/siginfo.h, SI_KERNEL).
BY_KERNEL = 0x80


def reap_as_init() -> None:
    """Go on in a child if this is the first process of its namespace, which then reaps and waits.

    Signals are handed on to the child, whose exit status becomes this process's: that of a signal
    is 128 and its number.
    """
    if os.getpid() != 1:
        return
    awaited = HANDED_ON | {signal.SIGCHLD}
    # Without a handler the first process gets a signal only while it is blocked.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    while True:
        got = signal.sigwaitinfo(awaited)
        if got.si_signo == signal.SIGCHLD:
            _reap(child)
        elif got.si_code != BY_KERNEL:
            os.kill(child, got.si_signo)


def _reap(child: int) -> None:
    """Reap whatever has ended; with the child this process ends, too."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)
