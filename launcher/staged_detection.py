# SPDX-License-Identifier: GPL-2.0-or-later
"""Is this machine a staged host? Its systemd was started with a mark, and wrote it down."""

from pathlib import Path

MARK = "plumbline-staged"
# Source: systemd, "The Container Interface".
CONTAINER = Path("/run/systemd/container")


def is_staged() -> bool:
    """Whether this machine is a staged host."""
    return CONTAINER.exists() and CONTAINER.read_text().strip() == MARK
