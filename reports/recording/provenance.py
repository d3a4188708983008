# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Plumbline it is that runs, as the record has it."""

from collections.abc import Sequence
from pathlib import Path

from contracts.checkout import ROOT, checkout
from reports.record import Tool


def tool(command: Sequence[str], root: Path = ROOT) -> Tool:
    """Describe the Plumbline in `root`, called as `command`."""
    found = checkout(root)
    return Tool(
        version=found.version, commit=found.commit, dirty=found.changed, command=list(command)
    )
