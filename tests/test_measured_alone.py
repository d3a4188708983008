# SPDX-License-Identifier: GPL-2.0-or-later
"""A figure that is missed beside other workers is measured again, alone; one that is met is not."""

from pathlib import Path
from typing import Any

import pytest

from fixtures.plugin.turns import BESIDE_OTHERS
from tests.launched import launched

pytestmark = pytest.mark.host

# A port listens and learns for 15 s each: no frame passes within the figure of 4 s.
SLOW_PORTS = 'test "$PLUMBLINE_TOPOLOGY" != isolated || brctl setfd "$PLUMBLINE_BRIDGE" 15'


def test_only_a_miss_is_measured_again(tmp_path: Path) -> None:
    words = ("--topology=isolated", "--topology=open", "--claim=GN-10", "--workers=2")
    done, record = launched("run", tmp_path / "run", *words, "--after-build", SLOW_PORTS)
    assert done.returncode == 1, done.stdout + done.stderr
    assert {check["topology"]: outcome(check) for check in record["checks"]} == {
        "isolated": ("violates", True),
        "open": ("conforms", False),
    }


def outcome(check: dict[str, Any]) -> tuple[str, bool]:
    """Return a check's verdict, and whether it was made twice."""
    return check["verdict"], any(
        kept["name"].startswith(BESIDE_OTHERS) for kept in check["evidence"]
    )
