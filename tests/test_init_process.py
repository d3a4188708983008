# SPDX-License-Identifier: GPL-2.0-or-later
"""As the first process of a PID namespace the launcher reaps, and hands signals on."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launched import ROOT

FIRST = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c"]
# An orphan that ends: its parent, a shell, is gone before it.
ORPHANED = """
import os, subprocess
from launcher.init_process import reap_as_init
reap_as_init()
subprocess.run(["sh", "-c", "sleep 0.1 & echo $!"], stdout=subprocess.PIPE)
from fixtures.waiting import until
def processes():
    return sorted(each for each in os.listdir("/proc") if each.isdigit())
own = ["1", str(os.getpid())]
until(lambda: processes() == own, "the orphan is gone", deadline_s=20)
print(*own)
raise SystemExit(7)
"""
WAITING = """
from launcher.init_process import reap_as_init
reap_as_init()
import signal
if {caught}:
    signal.signal(signal.SIGTERM, lambda *_: exit(5))
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.host
def test_an_orphan_is_reaped_and_the_exit_code_is_the_childs() -> None:
    done = subprocess.run(
        [*FIRST, ORPHANED], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (7, "1 2\n"), done.stderr


@pytest.mark.host
@pytest.mark.parametrize(("caught", "code"), [(True, 5), (False, 128 + signal.SIGTERM)])
def test_a_signal_is_handed_on(caught: bool, code: int) -> None:
    argv = [*FIRST, WAITING.format(caught=caught)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as outer:
        assert outer.stdout is not None
        assert outer.stdout.readline() == "ready\n"
        first = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text())
        subprocess.run(["kill", "-TERM", str(first)], check=True)
        assert outer.wait(30) == code


def test_elsewhere_nothing_is_forked() -> None:
    program = "import os; from launcher.init_process import *; a = os.getpid(); reap_as_init(); "
    program += "print(a == os.getpid())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
