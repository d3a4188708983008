# SPDX-License-Identifier: GPL-2.0-or-later
"""A run beside other work: what misses its floor then is not the network's."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.host.foreign_load import LOADED_SHARE
from tests.launched import ROOT, launched

pytestmark = pytest.mark.host

# What the second guest sends, as in faults/guests.yaml.
CHOKED = (
    "nft add table bridge choked; nft add chain bridge choked in "
    "'{ type filter hook prerouting priority 0; }'; nft add rule bridge choked in "
    'iifname "${PLUMBLINE_TAPS##* }" limit rate over 100 kbytes/second drop'
)


@contextlib.contextmanager
def load() -> Iterator[None]:
    """Keep every core busy, beside whatever else wants it."""
    with contextlib.ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            loop = stack.enter_context(subprocess.Popen(["sh", "-c", "while :; do :; done"]))
            stack.callback(loop.kill)
        yield


def test_a_rate_below_its_floor_beside_a_load_is_inconclusive(tmp_path: Path) -> None:
    words = ("--topology", "linux-bridge", "--claim", "GN-07", "--claim", "GN-08")
    with load():
        done, record = launched("run", tmp_path / "run", *words, "--after-build", CHOKED)
    assert done.returncode == 10, done.stdout + done.stderr
    for check in record["checks"]:
        assert check["verdict"] == "inconclusive", check
        assert "meanwhile other processes used " in check["reason"]
        assert any(evidence["name"] == "samples.json" for evidence in check["evidence"])


# Prints the share of foreign load beside a second of own work.
SHARE = """
import time
from fixtures.host.foreign_load import watching
with watching()() as load:
    end = time.monotonic() + 1
    while time.monotonic() < end:
        pass
print(load.share)
"""


def test_processes_outside_of_a_namespace_are_foreign_load() -> None:
    in_a_namespace = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", SHARE]
    with load():
        shown = subprocess.run(
            in_a_namespace,
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    # A core's worth of burners, less what this process and other tests take.
    assert float(shown.stdout) > LOADED_SHARE
