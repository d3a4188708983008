# SPDX-License-Identifier: GPL-2.0-or-later
"""The host after a run: as it was before."""

import pytest

from fixtures.plugin.host_comparison import HostComparison
from fixtures.probe.evidence import Evidence


@pytest.mark.claims("HR-01")
def test_host_is_as_it_was(host_comparison: HostComparison, evidence: Evidence) -> None:
    """The host's configuration after the run is that of before.

    Preconditions:
        - the host outlives the run
        - its configuration was read before anything was probed or built
    Steps:
        1. Take down the last topology.
        2. Read the host's configuration by the same commands as before the run.
    Verify:
        - no line of it differs, except for what changes by itself (docs/bare-metal.md)
    """
    evidence.json("before.json", host_comparison.before)
    evidence.json("after.json", host_comparison.after)
    different = host_comparison.different
    evidence.text("difference.diff", "".join(f"{line}\n" for line in different), "text/x-diff")
    lines = sum(map(len, host_comparison.after.values()))
    evidence.reason = f"no difference in {lines} lines of {len(host_comparison.after)} listings"
    changed = [line for line in different if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert not different, (
        f"{len(changed)} lines of the host's configuration differ (difference.diff): "
        f"{'; '.join(changed[:3])}"
    )
