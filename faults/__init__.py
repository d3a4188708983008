# SPDX-License-Identifier: GPL-2.0-or-later
"""Deliberate changes of a topology, as data: breaks that claims must notice, and harmless ones."""

from faults.change import Change
from faults.fault import Fault
from faults.harmless import Harmless
from faults.library import load_all

__all__ = ["Change", "Fault", "Harmless", "load_all"]
