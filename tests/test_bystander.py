# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of somebody else's goes on undisturbed while a run is at work on its host."""

import pytest

from launcher.staged import profile
from tests.undisturbed import run_beside

# On an idle machine a tenth of it.
DEADLINE_S = 1500.0
# What the run builds and breaks beside it: rules, a bridge with an uplink, a switch.
WORDS = [
    *(f"--topology={name}" for name in ("nat", "linux-bridge", "bridged")),
    *(f"--claim={claim}" for claim in ("NT-10", "NT-11", "NT-14", "LB-08", "BR-06", "GN-06")),
]


@pytest.mark.staged
def test_no_ping_and_no_stream_of_it_is_lost() -> None:
    seen = run_beside("bookworm", profile.load("plain"), WORDS, DEADLINE_S)
    assert seen.status == 0, seen.said
    assert seen.verdicts["host_as_it_was.host_is_as_it_was"] == "conforms"
    # The run takes more than a minute.
    assert seen.sent > 1000, seen.said
    assert seen.is_undisturbed, seen.said
