# SPDX-License-Identifier: GPL-2.0-or-later
"""A sandbox ends where process 1 takes no note of orphans, as in a container without an init."""

import subprocess
import sys

import pytest

from tests.launched import ROOT

# What is ended in the sandbox takes longer to end than nsenter, which began it: it has much memory.
CONTAINER = """
from fixtures.host.sandbox import bare_sandbox
from fixtures.waiting import poll

LARGE = "held = bytearray(1 << 29); open('/run/plumbline/large', 'w').close(); signal.pause()"

with bare_sandbox() as host:
    with host.background(["python3", "-c", f"import signal; {LARGE}"]):
        assert poll(host.seen("/run/plumbline/large").exists, deadline_s=30.0)
print("ended")
"""


@pytest.mark.host
def test_a_sandbox_ends_where_the_harness_is_process_1() -> None:
    argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-"]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)},
        input=CONTAINER,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ended\n"
