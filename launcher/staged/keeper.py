# SPDX-License-Identifier: GPL-2.0-or-later
"""The process that keeps a staged host, and takes it down.

It holds the host's first process as a child, and its control group, and waits until its standard
input closes or the host ends. Only the harness holds the other end of that pipe, so the host ends
with its harness, however that ends. If this process is killed, the kernel kills the host; its empty
control group is removed by the next keeper, or by `clean`.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path

from launcher.staged import cgroup

PR_SET_PDEATHSIG = 1
NAMESPACES = ("--net", "--mount", "--pid", "--ipc", "--uts", "--cgroup")


def main() -> int:
    """Keep a host until its harness or it has ended; the argument is its first process's."""
    try:
        cgroup.enter_own_mounts()
        for group in cgroup.left_behind():
            cgroup.remove(group)
        group = cgroup.make()
    except OSError as error:
        print(f"failed its control group could not be made: {error}", flush=True)
        return 1
    try:
        _keep(group)
    finally:
        cgroup.remove(group)
    return 0


def _keep(group: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    keeper = os.getpid()

    def join() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        (group / "cgroup.procs").write_text("0")
        if os.getppid() != keeper:
            os.kill(os.getpid(), signal.SIGKILL)

    argv = ["unshare", *NAMESPACES, "--fork", "--kill-child=SIGKILL", sys.executable, "-P", "-S"]
    argv += ["-m", "launcher.staged.first_process", *sys.argv[1:]]
    # This process has one thread, so a function before exec is safe.
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, preexec_fn=join) as host:  # noqa: PLW1509 - see above
        os.close(1)
        ended = os.pidfd_open(host.pid)
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(ended, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if ended in ready or (0 in ready and not os.read(0, 4096)):
                    break
        host.kill()


if __name__ == "__main__":
    sys.exit(main())
