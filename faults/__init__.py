# SPDX-License-Identifier: GPL-2.0-or-later
"""Deliberate breaks of a topology, as data: each names the claims that must notice it."""

from faults.fault import Fault
from faults.library import load_all

__all__ = ["Fault", "load_all"]
