# SPDX-License-Identifier: GPL-2.0-or-later
"""A sandbox ends where process 1 takes no note of orphans, as in a container without an init."""

import re
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
# The harness's own do not come to this.
ORPHAN = """
import subprocess
from fixtures.errors import HostFailed
from fixtures.host import sandbox_holder

sandbox_holder.END_DEADLINE_S = 2.0
try:
    with sandbox_holder.held_namespaces(None) as holder:
        entered = ["nsenter", "--target", str(holder), "--pid", "--mount", "--"]
        words = "echo begun; exec sleep 600"
        with subprocess.Popen([*entered, "sh", "-c", words], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"begun\\n"
            process.kill()
            process.stdout.close()
except HostFailed as failed:
    print(failed)
"""


def as_process_1(program: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program as process 1 of a namespace."""
    return subprocess.run(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-"],
        cwd=ROOT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)},
        input=program,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.host
def test_a_sandbox_ends_where_the_harness_is_process_1() -> None:
    done = as_process_1(CONTAINER)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ended\n"


@pytest.mark.host
def test_one_that_does_not_end_is_an_error_with_the_process_that_keeps_it() -> None:
    done = as_process_1(ORPHAN)
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"the sandbox did not end within 2 s: process \d+ \(sleep\), of parent 1\b", done.stdout
    ), done.stdout
    assert "have an init as process 1 (docker run --init)" in done.stdout
