# SPDX-License-Identifier: GPL-2.0-or-later
"""Is this machine a lab? Its kernel's command line has a mark."""

from pathlib import Path

from launcher.staged_detection import is_staged

MARK = "plumbline.lab"
CMDLINE = Path("/proc/cmdline")


def is_lab() -> bool:
    """Whether this machine is a lab."""
    return MARK in CMDLINE.read_text().split()


def takes_uplinks() -> bool:
    """Whether a run on this machine may name its uplink: a lab brings its NICs along."""
    return not is_lab()


def has_libraries() -> bool:
    """Whether this machine was made for the harness, whose libraries its own Python has."""
    return is_staged() or is_lab()
