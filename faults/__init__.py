# SPDX-License-Identifier: GPL-2.0-or-later
"""Deliberate breaks of a topology, as data: each names the claims that must notice it."""

from faults.library import load_all
from faults.model import Fault

__all__ = ["Fault", "load_all"]
